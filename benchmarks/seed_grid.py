"""How much faster is a grid search of early-stopped networks, trained as a population?

Learning rate x batch size x 5 stratified folds on 300 rows, F1 of the rare class, by scikit-learn's
own GridSearchCV: under the backend "skhp", over SciKeras (its mean per fit over a few fits, times
the number of fits) and over MLPClassifier. Every contender runs in a process of its own; imports
are not counted, compilation is. No time is printed before the best F1 scores are found to agree.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
import warnings
from typing import Any

import numpy as np

LEARNING_RATES = (0.1, 0.01, 1e-3, 1e-4, 1e-5)
BATCH_SIZES = (10, 20, 40, 60)
EPOCHS = 200
PATIENCE = 10
UNITS = 6
# Largest difference of best mean F1 that is taken for parity.
PARITY = 0.05


def main() -> None:
    """Run one case, or every case in a process of its own and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=sorted(CASES), help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=3, help="processes for each case")
    parser.add_argument(
        "--large", type=int, default=125, help="learning rates of the large grid; 0 leaves it out"
    )
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(CASES[arguments.case](arguments.large)))
        return
    small = {name: repeated(name, arguments) for name in ("population", "mlp_classifier")}
    small["scikeras"] = [run("scikeras", arguments)]
    assert_parity(small, "scikeras")
    print_small(small)
    if arguments.large:
        large = {
            name: [run(name, arguments)] for name in ("population_large", "mlp_classifier_large")
        }
        assert_parity({**large, "scikeras": small["scikeras"]}, "scikeras")
        print_large(large)
    print_peak(run("matrix_peak", arguments))
    print_overhead(run("cannot_join", arguments))


# ---------------------------------------------------------------- the cases


def rows() -> tuple[np.ndarray, np.ndarray, Any]:
    """The table and its folds."""
    from sklearn.datasets import make_classification
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import StandardScaler

    X, y = make_classification(300, 10, n_informative=6, weights=[0.8], flip_y=0.05, random_state=0)
    return (
        StandardScaler().fit_transform(X),
        y,
        StratifiedKFold(5, shuffle=True, random_state=0),
    )


def learning_rates(large: int) -> list[float]:
    """Those of the small grid, or so many between its ends."""
    if not large:
        return list(LEARNING_RATES)
    return [float(rate) for rate in np.logspace(-5, -1, large)]


def population(large: int = 0) -> dict[str, Any]:
    """The grid under the backend, cold and once more in the same process."""
    import joblib
    from sklearn.model_selection import GridSearchCV

    from skhp import KerasMLPClassifier

    X, y, folds = rows()
    imported = peak_memory()
    grid = {"learning_rate": learning_rates(large), "batch_size": list(BATCH_SIZES)}
    network = KerasMLPClassifier(neurons=UNITS, epochs=EPOCHS, patience=PATIENCE, random_state=0)
    times, parts = [], []
    for _ in range(2):
        with joblib.parallel_config(backend="skhp"), parts_of_time() as spent:
            began = time.perf_counter()
            search = GridSearchCV(network, grid, scoring="f1", cv=folds, refit=False).fit(X, y)
            times.append(time.perf_counter() - began)
        parts.append(dict(spent))
    return {
        "seconds": times[0],
        "again": times[1],
        "f1": search.best_score_,
        "fits": 5 * len(search.cv_results_["params"]),
        "parts": parts,
        "mebibytes": (peak_memory() - imported) / 2**20,
    }


def mlp_classifier(large: int = 0) -> dict[str, Any]:
    """scikit-learn's own network, one fit after the other."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.neural_network import MLPClassifier

    X, y, folds = rows()
    grid = {"learning_rate_init": learning_rates(large), "batch_size": list(BATCH_SIZES)}
    network = MLPClassifier(
        (UNITS,),
        max_iter=EPOCHS,
        n_iter_no_change=PATIENCE,
        early_stopping=True,
        validation_fraction=0.2,
        random_state=0,
    )
    warnings.simplefilter("ignore")
    began = time.perf_counter()
    search = GridSearchCV(network, grid, scoring="f1", cv=folds, refit=False).fit(X, y)
    return {"seconds": time.perf_counter() - began, "f1": search.best_score_}


def scikeras(fits: int = 0) -> dict[str, Any]:
    """SciKeras: its mean per fit over every candidate of the grid, and its best F1.

    Early stopping makes candidates take from 1 to 10 s, so each of the grid is fitted on one of
    the folds; the F1 is that of those candidates that are the best elsewhere, on all folds.
    """
    import keras
    from scikeras.wrappers import KerasClassifier
    from sklearn.model_selection import GridSearchCV

    def build(meta: dict[str, int]) -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((meta["n_features_in_"],)),
                keras.layers.Dense(UNITS, activation="relu"),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )

    X, y, folds = rows()
    stopping = keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True)
    network = KerasClassifier(
        build,
        loss="binary_crossentropy",
        optimizer="adam",
        callbacks=[stopping],
        validation_split=0.2,
        epochs=EPOCHS,
        verbose=0,
        random_state=0,
    )
    warnings.simplefilter("ignore")
    # SciKeras is no classifier to today's scikit-learn, so the folds are given as they are.
    splits = list(folds.split(X, y))
    seconds, n_fits = 0.0, 0
    for k, rate in enumerate(LEARNING_RATES):
        grid = {"optimizer__learning_rate": [rate], "batch_size": list(BATCH_SIZES)}
        began = time.perf_counter()
        GridSearchCV(network, grid, scoring="f1", cv=splits[k : k + 1], refit=False).fit(X, y)
        seconds += time.perf_counter() - began
        n_fits += len(BATCH_SIZES)
    grid = {"optimizer__learning_rate": [0.1, 0.01], "batch_size": [20, 60]}
    best = GridSearchCV(network, grid, scoring="f1", cv=splits, refit=False).fit(X, y)
    return {"seconds": seconds / n_fits * 100, "f1": best.best_score_, "measured_fits": n_fits}


def matrix_peak(_: int = 0) -> dict[str, Any]:
    """Share of the measured matrix peak: 20 candidates x 5 folds of 64 units, batches of 32."""
    import joblib
    import tensorflow as tf
    from sklearn.datasets import make_classification
    from sklearn.model_selection import GridSearchCV

    from skhp import KerasMLPClassifier

    inputs, units, batch = 20, 64, 32
    X, y = make_classification(2000, inputs, n_informative=10, flip_y=0.1, random_state=0)
    network = KerasMLPClassifier(
        neurons=units, batch_size=batch, epochs=40, patience=40, random_state=0
    )
    grid = {"learning_rate": list(np.logspace(-4, -2, 20))}
    shares = []
    for _ in range(8):
        with joblib.parallel_config(backend="skhp"), parts_of_time() as spent:
            GridSearchCV(network, grid, cv=5, refit=False).fit(X, y)
        # Products only: of inputs and of hidden units, forward and backward; then validation.
        learned = 2 * 2 * inputs * units + 3 * 2 * units
        watched = 2 * inputs * units + 2 * units
        rows_in = 1600 * 0.8
        products = 100 * 40 * (rows_in * learned + 0.25 * rows_in * watched)
        side = tf.random.normal((2048, 2048))
        side @ side
        began = time.perf_counter()
        for _ in range(10):
            product = side @ side
        product.numpy()
        peak = 10 * 2 * 2048**3 / (time.perf_counter() - began)
        shares.append((products / spent["training (wall)"], peak))
    # The first search compiled its program while others waited for it.
    reached, peak = np.median(shares[1:], axis=0)
    return {"reached": reached / 1e9, "peak": peak / 1e9, "share": reached / peak}


def cannot_join(_: int = 0) -> dict[str, Any]:
    """What the backend costs a search that has nothing to gain from it."""
    import joblib
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    import skhp  # noqa: F401

    X, y, folds = rows()

    def search() -> float:
        grid = {"C": list(np.logspace(-3, 3, 60))}
        began = time.perf_counter()
        GridSearchCV(LogisticRegression(), grid, scoring="f1", cv=folds, refit=False).fit(X, y)
        return time.perf_counter() - began

    search()

    def under_the_backend() -> float:
        with joblib.parallel_config(backend="skhp"):
            return search()

    ratios = []
    for pair in range(40):
        # Neighbours in time, since the machine is not as fast all the time, and in both orders.
        if pair % 2:
            plain, ours = search(), under_the_backend()
        else:
            ours, plain = under_the_backend(), search()
        ratios.append(ours / plain)
    return {"overhead": statistics.median(ratios) - 1.0}


CASES = {
    "population": lambda large: population(0),
    "population_large": population,
    "mlp_classifier": lambda large: mlp_classifier(0),
    "mlp_classifier_large": mlp_classifier,
    "scikeras": lambda large: scikeras(),
    "matrix_peak": matrix_peak,
    "cannot_join": cannot_join,
}


# ---------------------------------------------------------------- measuring


class parts_of_time:  # noqa: N801
    """Where the time of a population goes, read off the functions that it passes through."""

    def __enter__(self) -> dict[str, float]:
        from skhp.population import joint_training, planner
        from skhp.population.cohorts import running_cohort

        self._spent: dict[str, float] = dict.fromkeys(
            ("planning", "packing", "tracing", "first calls", "training", "scoring"), 0.0
        )
        whole = running_cohort.RunningCohort
        self._originals = (whole.train, planner.Planner.plan, joint_training._run_adopting)
        train, plan, run_adopting = self._originals
        self._begin, self._end = float("inf"), 0.0

        def timed_train(cohort: Any, until: Any) -> None:
            train(cohort, until)
            seconds = cohort._cohort.seconds
            self._spent["packing"] += seconds.packing
            self._spent["tracing"] += seconds.tracing
            self._spent["first calls"] += seconds.first_call
            self._spent["training"] += seconds.training
            self._end = max(self._end, time.perf_counter())
            self._begin = min(self._begin, self._end - seconds.training)

        def timed(name: str, function: Any) -> Any:
            def run(*arguments: Any, **options: Any) -> Any:
                began = time.perf_counter()
                try:
                    return function(*arguments, **options)
                finally:
                    self._spent[name] += time.perf_counter() - began

            return run

        whole.train = timed_train
        planner.Planner.plan = timed("planning", plan)
        joint_training._run_adopting = timed("scoring", run_adopting)
        return self._spent

    def __exit__(self, *error: object) -> None:
        from skhp.population import joint_training, planner
        from skhp.population.cohorts import running_cohort

        whole = running_cohort.RunningCohort
        whole.train, planner.Planner.plan, joint_training._run_adopting = self._originals
        self._spent["training (wall)"] = self._end - self._begin


def peak_memory() -> int:
    """Largest resident size so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(case: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """A case in a fresh process."""
    command = [sys.executable, __file__, "--case", case, "--large", str(arguments.large)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return json.loads(done.stdout.splitlines()[-1])


def repeated(case: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """A case in several fresh processes."""
    return [run(case, arguments) for _ in range(arguments.repeats)]


# ---------------------------------------------------------------- printing


def median(results: list[dict[str, Any]], name: str) -> float:
    """Of a number over the processes of a case."""
    return statistics.median(result[name] for result in results)


def assert_parity(results: dict[str, list[dict[str, Any]]], reference: str) -> None:
    """Stop if a population reached another F1."""
    expected = results[reference][0]["f1"]
    for name, of_case in results.items():
        found = of_case[0]["f1"]
        if name.startswith("population") and found < expected - PARITY:
            raise SystemExit(f"no parity: best F1 {found:.3f} of {name}, {expected:.3f} expected")


def print_small(results: dict[str, list[dict[str, Any]]]) -> None:
    """The grid of 100 fits."""
    ours, again = (median(results["population"], name) for name in ("seconds", "again"))
    print("100 fits")
    print(f"{'':24}{'seconds':>9}{'x cold':>9}{'x again':>9}{'best F1':>9}")
    for name, seconds in {
        "skhp, cold": ours,
        "skhp, again": again,
        "MLPClassifier": median(results["mlp_classifier"], "seconds"),
        "SciKeras (extrapolated)": median(results["scikeras"], "seconds"),
    }.items():
        case = {"s": "population", "M": "mlp_classifier", "S": "scikeras"}[name[0]]
        f1 = results[case][0]["f1"]
        print(f"{name:24}{seconds:9.2f}{seconds / ours:9.2f}{seconds / again:9.2f}{f1:9.3f}")
    print_parts(results["population"][0])


def print_large(results: dict[str, list[dict[str, Any]]]) -> None:
    """The large grid."""
    ours, theirs = results["population_large"][0], results["mlp_classifier_large"][0]
    print(f"\n{ours['fits']} fits: skhp cold {ours['seconds']:.1f} s, again {ours['again']:.1f} s")
    ratio = theirs["seconds"] / ours["seconds"]
    print(f"MLPClassifier {theirs['seconds']:.1f} s, {ratio:.1f} x skhp cold")
    print(f"best F1 {ours['f1']:.3f} and {theirs['f1']:.3f} (which stops by accuracy, not by loss)")
    print_parts(ours)


def print_parts(result: dict[str, Any]) -> None:
    """Where the time went, and the memory."""
    for name, parts in zip(("cold", "again"), result["parts"], strict=True):
        print(f"  {name:6}" + ", ".join(f"{part} {value:.2f}" for part, value in parts.items()))
    print(f"  peak memory above the import {result['mebibytes']:.0f} MiB")


def print_peak(result: dict[str, Any]) -> None:
    """The share of the matrix peak."""
    print(
        f"\n20 x 5 fits of 64 units: {result['reached']:.1f} of {result['peak']:.0f} GFLOP/s, "
        f"{result['share']:.1%} of the matrix peak"
    )


def print_overhead(result: dict[str, Any]) -> None:
    """What the backend costs where it cannot help."""
    print(f"\nLogisticRegression, 300 fits: {result['overhead']:+.1%} under the backend")


if __name__ == "__main__":
    main()
