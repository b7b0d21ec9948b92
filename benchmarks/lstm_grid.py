"""How much faster is a grid over windows, batches, rates and epochs of an LSTM, as a population?

Batch size x time steps x learning rate x epochs, 81 candidates of an LSTM of 32 units for the next
day of a series, the last fifth held out: by skhp's search, by scikit-learn's GridSearchCV over
SciKeras, and by a plain loop of PyTorch (extra `bench`). The peers train the four corners of batch
size and window for the fewest epochs; their other candidates are these times, scaled by epochs and
batches, and by the middle between the corners. Every contender runs in a process of its own;
imports are not counted, compilation is. No time is printed before the errors of the corners agree,
each as the mean of a few seeds: two trainings of one candidate differ by some percent.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders import Clock, print_times, run_case

BATCH_SIZES = (20, 30, 40)
WINDOWS = (30, 60, 90)
LEARNING_RATES = (0.01, 0.001, 0.0001)
EPOCHS = (30, 50, 70)
UNITS = 32
HELD_OUT = 0.2
CORNERS = tuple(itertools.product(BATCH_SIZES[::2], WINDOWS[::2]))
CORNER_RATE = LEARNING_RATES[1]
SEEDS = (0, 1, 2)
# Largest relative difference of the errors of one candidate that is taken for parity.
PARITY = 0.02


def main() -> None:
    """Run one case, or every case in a process of its own and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=sorted(CASES), help=argparse.SUPPRESS)
    parser.add_argument(
        "--data", type=Path, help="CSV file whose last column is the series; else it is made"
    )
    parser.add_argument("--days", type=int, default=3650, help="the most values of the series")
    parser.add_argument(
        "--epochs", type=int, nargs=3, default=EPOCHS, help="the three numbers of epochs"
    )
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(CASES[arguments.case](arguments)))
        return
    results = {name: run_case(name) for name in CASES}
    missing = {name for name, result in results.items() if "missing" in result}
    for name in missing:
        print(f"{name} is left out: {results.pop(name)['missing']}")
    assert_parity(results)
    print_comparison(results, arguments)


# ---------------------------------------------------------------- the series


def series(arguments: argparse.Namespace) -> np.ndarray:
    """The series, in deviations of its training part from their mean."""
    if arguments.data is None:
        days = np.arange(arguments.days)
        noise = np.random.default_rng(0).normal(size=len(days) + 20)
        weather = np.convolve(noise, 0.8 ** np.arange(21), mode="valid")
        values = 11 + 4 * np.cos(2 * np.pi * days / 365.25) + 1.5 * weather
    else:
        cells = arguments.data.read_text(encoding="utf-8").splitlines()[1:]
        values = np.array([float(line.rpartition(",")[2].strip('"')) for line in cells if line])
        values = values[: arguments.days]
    training = values[: len(values) - n_held_out(len(values))]
    return ((values - training.mean()) / training.std()).astype(np.float32)


def n_held_out(n_values: int) -> int:
    """The number of values at the end that are predicted and never learnt from."""
    return round(HELD_OUT * n_values)


def rows(arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    """All windows of the longest length, the value after each, and the split."""
    values = series(arguments)
    X = np.lib.stride_tricks.sliding_window_view(values, WINDOWS[-1])[:-1].copy()
    y = values[WINDOWS[-1] :]
    n_training = len(y) - n_held_out(len(values))
    return X, y, [(np.arange(n_training), np.arange(n_training, len(y)))]


def n_steps(n_rows: int, batch_size: int) -> int:
    """Batches of an epoch."""
    return math.ceil(n_rows / batch_size)


# ---------------------------------------------------------------- the cases


def population(arguments: argparse.Namespace) -> dict[str, Any]:
    """The whole grid, as one population."""
    from skhp import GridSearchCV, KerasRNNRegressor

    X, y, split = rows(arguments)
    network = KerasRNNRegressor(
        neurons=UNITS, early_stopping=False, scale_target=False, random_state=0
    )
    grid = {
        "batch_size": BATCH_SIZES,
        "time_steps": WINDOWS,
        "learning_rate": LEARNING_RATES,
        "epochs": arguments.epochs,
    }
    same = {
        "scoring": "neg_root_mean_squared_error",
        "cv": split,
        "refit": False,
        "early_stopping": False,
    }
    clock = Clock()
    search = GridSearchCV(network, grid, **same).fit(X, y)
    wall, cpu = clock.seconds()
    corners = {
        "batch_size": BATCH_SIZES[::2],
        "time_steps": WINDOWS[::2],
        "learning_rate": (CORNER_RATE,),
        "epochs": arguments.epochs[:1],
        "random_state": SEEDS,
    }
    results = GridSearchCV(network, corners, **same).fit(X, y).cv_results_
    errors: dict[str, list[float]] = {str(corner): [] for corner in CORNERS}
    for parameters, score in zip(results["params"], results["mean_test_score"], strict=True):
        errors[str((parameters["batch_size"], parameters["time_steps"]))].append(-score)
    test = split[0][1]
    return {
        "wall": wall,
        "cpu": cpu,
        "errors": {corner: float(np.mean(of_seeds)) for corner, of_seeds in errors.items()},
        "best": -search.best_score_,
        "parameters": search.best_params_,
        "last value": float(np.sqrt(np.mean((y[test] - X[test, -1]) ** 2))),
    }


def scikeras(arguments: argparse.Namespace) -> dict[str, Any]:
    """The corners of the grid by GridSearchCV over SciKeras."""
    import keras
    from scikeras.wrappers import KerasRegressor
    from sklearn.model_selection import GridSearchCV

    def build(window: int) -> keras.Model:
        return keras.Sequential(
            [keras.Input((window, 1)), keras.layers.LSTM(UNITS), keras.layers.Dense(1)]
        )

    warnings.simplefilter("ignore")
    X, y, split = rows(arguments)

    def fitted(batch_size: int, window: int, seed: int) -> float:
        network = KerasRegressor(
            build,
            window=window,
            loss="mse",
            optimizer="adam",
            optimizer__learning_rate=CORNER_RATE,
            epochs=arguments.epochs[0],
            verbose=0,
            random_state=seed,
        )
        search = GridSearchCV(
            network,
            {"batch_size": [batch_size]},
            scoring="neg_root_mean_squared_error",
            cv=split,
            refit=False,
        ).fit(X[:, -window:, None], y)
        return -search.best_score_

    return _corners(fitted, len(split[0][0]), arguments)


def pytorch(arguments: argparse.Namespace) -> dict[str, Any]:
    """The corners of the grid by a plain loop of PyTorch."""
    try:
        import torch
    except ImportError:
        return {"missing": "PyTorch is not installed (pip install 'skhp[bench]')."}
    # A second thread has nothing to gain in steps of a few milliseconds, and waits by spinning:
    # beside other work, it made a step take ten times the CPU time.
    torch.set_num_threads(1)
    X, y, split = rows(arguments)
    (train, test) = split[0]

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(1, UNITS, batch_first=True)
            self.last = torch.nn.Linear(UNITS, 1)

        def forward(self, x: Any) -> Any:
            _, (state, _) = self.lstm(x)
            return self.last(state[-1])

    def fitted(batch_size: int, window: int, seed: int) -> float:
        torch.manual_seed(seed)
        inputs = torch.from_numpy(X[:, -window:, None].copy())
        targets = torch.from_numpy(y[:, None].copy())
        network = Network()
        optimizer = torch.optim.Adam(network.parameters(), CORNER_RATE, fused=True)
        for _ in range(arguments.epochs[0]):
            order = torch.randperm(len(train))
            for start in range(0, len(train), batch_size):
                batch = order[start : start + batch_size]
                optimizer.zero_grad()
                loss = torch.nn.functional.mse_loss(network(inputs[batch]), targets[batch])
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            errors = network(inputs[test]) - targets[test]
        return float((errors**2).mean().sqrt())

    return _corners(fitted, len(train), arguments)


def _corners(fitted: Any, n_rows: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Errors of the corners, and the seconds of the whole grid, from those of the corners."""
    errors, seconds = {}, {}
    for batch_size, window in CORNERS:
        clock = Clock()
        of_seeds = [fitted(batch_size, window, seed) for seed in SEEDS]
        errors[str((batch_size, window))] = float(np.mean(of_seeds))
        done = len(SEEDS) * arguments.epochs[0] * n_steps(n_rows, batch_size)
        seconds[batch_size, window] = np.array(clock.seconds()) / done

    def of_step(batch_size: int, window: int) -> np.ndarray:
        near = [
            seconds[size, length]
            for size, length in CORNERS
            if batch_size in (size, BATCH_SIZES[1]) and window in (length, WINDOWS[1])
        ]
        return np.mean(near, axis=0)

    wall, cpu = sum(
        epochs * n_steps(n_rows, batch_size) * of_step(batch_size, window)
        for batch_size, window, _, epochs in itertools.product(
            BATCH_SIZES, WINDOWS, LEARNING_RATES, arguments.epochs
        )
    )
    return {"wall": float(wall), "cpu": float(cpu), "errors": errors}


CASES = {"skhp": population, "SciKeras": scikeras, "PyTorch": pytorch}


# ---------------------------------------------------------------- printing


def assert_parity(results: dict[str, dict[str, Any]]) -> None:
    """Stop if one candidate has two different errors, or does not beat the last value."""
    ours = results["skhp"]
    for name, result in results.items():
        for corner, error in result["errors"].items():
            ratio = ours["errors"][corner] / error
            if abs(ratio - 1) > PARITY:
                raise SystemExit(
                    f"no parity at {corner}: error {ours['errors'][corner]:.4f} of skhp, "
                    f"{error:.4f} of {name}"
                )
    if ours["best"] >= ours["last value"]:
        raise SystemExit(
            f"the best error {ours['best']:.4f} is not below that of the last value, "
            f"{ours['last value']:.4f}"
        )


def print_comparison(results: dict[str, dict[str, Any]], arguments: argparse.Namespace) -> None:
    """Seconds, and the errors that they were spent for."""
    ours = results["skhp"]
    print(f"81 candidates, epochs {tuple(arguments.epochs)}, {arguments.days} days at most")
    print("The peers' seconds are scaled up; the quality is the mean error of the corners")
    print_times(
        results, {name: np.mean(list(case["errors"].values())) for name, case in results.items()}
    )
    print(f"best error {ours['best']:.4f} with {ours['parameters']}")
    print(f"the last value as the forecast: {ours['last value']:.4f}")
    for corner in ours["errors"]:
        others = [f"{name} {result['errors'][corner]:.4f}" for name, result in results.items()]
        print(f"  batch size and window {corner}: {', '.join(others)}")


if __name__ == "__main__":
    main()
