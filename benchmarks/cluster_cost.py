"""What does a search cost on a Dask cluster, and what would more workers do?

The same grid (learning rates x structures x folds of a table like that of `seed_grid.py`) runs
without workers, and on clusters of this machine with one and two worker processes, each started by
the command `dask` with one thread. Scores have to be equal to the bit. For each number of workers
it prints seconds of the wall, and CPU seconds of the caller and of all workers, of a first call,
in which the workers load TensorFlow and build the programs, and of a second one.

From these it derives the parameters of the model of docs/cluster.md, and by the model the seconds
of a search of 25,600 fits of one structure, which is 100 cohorts, on 1 to 1,000 workers. CPU
seconds are what counts on a machine with other work.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDS = 5
MEMBERS_OF_A_COHORT = 256


def main() -> None:
    """Print the table and the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, default=50, help="learning rates")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    grid = {
        "learning_rate": [float(rate) for rate in np.logspace(-4, -1, arguments.rates)],
        "activation": ["relu", "tanh"],
        "hidden_layers": [1, 2],
    }
    here = [searched(grid, arguments) for _ in range(2)]
    print(row("none", "first", here[0]), row("none", "second", here[1]), sep="\n")
    found: dict[int, list[Call]] = {}
    for workers in arguments.workers:
        with cluster(workers) as client:
            found[workers] = [searched(grid, arguments, client) for _ in range(2)]
        for name, call in zip(("first", "second"), found[workers], strict=True):
            assert np.array_equal(call.scores, here[0].scores), "workers compute other scores"
            print(row(str(workers), name, call))
    fits = arguments.rates * 4 * FOLDS
    print_model(here, found[arguments.workers[0]], fits, n_programs=4)


@dataclass
class Call:
    """The scores of a search, its seconds, and the CPU seconds of the caller and of all workers."""

    scores: np.ndarray
    wall: float
    caller: float
    workers: float


def searched(grid: dict[str, Any], arguments: Any, client: Any = None) -> Call:
    """A search of all candidates, on the workers of a client or in threads of this process."""
    from sklearn.datasets import make_classification

    import skhp
    from skhp import GridSearchCV, KerasMLPClassifier

    X, y = make_classification(arguments.rows, 20, n_informative=8, flip_y=0.05, random_state=0)
    network = KerasMLPClassifier(
        neurons=16, epochs=arguments.epochs, early_stopping=False, random_state=0
    )
    search = GridSearchCV(network, grid, cv=FOLDS, scoring="neg_log_loss", refit=False)
    before = cpu_of(client), time.process_time(), time.perf_counter()
    with skhp.population(backend=None if client is None else "dask"):
        search.fit(X, y)
    wall, caller = time.perf_counter() - before[2], time.process_time() - before[1]
    return Call(search.cv_results_["mean_test_score"], wall, caller, cpu_of(client) - before[0])


def cpu_of(client: Any) -> float:
    """CPU seconds of all workers of a client so far."""
    return 0.0 if client is None else sum(client.run(time.process_time).values())


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """A client of a scheduler and workers, started as on a cluster."""
    from distributed import Client

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, str(Path(sys.executable).with_name("dask"))]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    commands = [["scheduler", "--host", "127.0.0.1", "--port", str(port)]]
    commands += [["worker", address, "--nthreads", "1"]] * workers
    processes = [
        subprocess.Popen([*dask, *command, "--no-dashboard"], env=dict(os.environ), **quiet)  # noqa: S603
        for command in commands
    ]
    try:
        with Client(address, timeout=300) as client:
            client.wait_for_workers(workers, timeout=300)
            yield client
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait()


def row(workers: str, call: str, measured: Call) -> str:
    """A row of the table in docs/cluster.md."""
    return (
        f"| {workers} | {call} | {measured.wall:.1f} | {measured.caller:.1f} | "
        f"{measured.workers:.1f} |"
    )


def print_model(here: list[Call], there: list[Call], fits: int, n_programs: int) -> None:
    """Print the parameters of the model, and what it says of many workers."""
    started = there[0].workers - there[1].workers
    of_caller = there[1].caller / fits
    of_fit = there[1].workers / fits
    print(f"\nbegin of a worker, with {n_programs} programs: {started:.1f} s")
    print(f"a fit in a worker, trained and scored: {1000 * of_fit:.2f} ms")
    print(f"a fit in the caller, planned and reported: {1000 * of_caller:.2f} ms")
    print(f"a fit without workers: {1000 * here[1].caller / fits:.2f} ms")
    cohorts = 100
    print(f"\n{cohorts * MEMBERS_OF_A_COHORT} fits of one structure:")
    for workers in (1, 10, 100, 1000):
        turns = -(-cohorts // workers)
        seconds = (
            started / n_programs
            + turns * MEMBERS_OF_A_COHORT * of_fit
            + cohorts * MEMBERS_OF_A_COHORT * of_caller
        )
        print(f"| {workers} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
