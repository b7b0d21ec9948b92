"""What the benchmarks of whole grids share: contenders in processes, clocks, parity, the table."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np


class Clock:
    """Seconds on the clock, and of the processor by all threads."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def seconds(self) -> tuple[float, float]:
        """Both since the beginning."""
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def run_case(case: str, *options: str) -> dict[str, Any]:
    """A case of the benchmark that runs, in a fresh process; `options` replace those given."""
    module = sys.modules["__main__"].__spec__
    if module is None:
        raise SystemExit("Run it as a module: python -m benchmarks.NAME")
    command = [sys.executable, "-m", module.name, *sys.argv[1:], *options, "--case", case]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return json.loads(done.stdout.splitlines()[-1])


def accuracies(search: Any, *parameters: str) -> dict[str, float]:
    """The accuracy of each candidate on the first fold, by the values of its parameters."""
    results = search.cv_results_
    return {
        " ".join(str(candidate[name]) for name in parameters): float(score)
        for candidate, score in zip(results["params"], results["split0_test_score"], strict=True)
    }


def assert_same_accuracy(results: dict[str, dict[str, Any]], largest_difference: float) -> None:
    """Stop if the contenders' mean accuracy of the same fits differs."""
    ours, *others = (result["accuracies"] for result in results.values())
    for theirs in others:
        difference = np.mean(list(ours.values())) - np.mean(list(theirs.values()))
        if ours.keys() != theirs.keys() or abs(difference) > largest_difference:
            raise SystemExit(f"No parity: {ours} and {theirs}.")


def print_times(results: dict[str, dict[str, Any]], qualities: dict[str, float]) -> None:
    """Seconds of each contender, how often they hold those of the first, and its quality."""
    first, *_ = results.values()
    print(f"{'':24}{'wall s':>9}{'CPU s':>9}{'x wall':>9}{'x CPU':>9}{'quality':>9}")
    for name, result in results.items():
        wall, cpu = result["wall"], result["cpu"]
        print(
            f"{name:24}{wall:9.1f}{cpu:9.1f}{wall / first['wall']:9.2f}{cpu / first['cpu']:9.2f}"
            f"{qualities[name]:9.4f}"
        )
