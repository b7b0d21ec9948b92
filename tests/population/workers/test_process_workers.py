"""Cohorts in processes of this machine."""

import glob
import os
import signal
import tempfile
import time

import joblib
import numpy as np
import pytest

from skhp.exceptions import WorkersError
from skhp.population.workers import process_workers
from tests.population.workers.contract import WorkersContract, assert_same, search

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def ended():
    yield
    process_workers.end_idle_processes()


def folders():
    return glob.glob(os.path.join(tempfile.gettempdir(), "skhp-workers-*"))


class EndsItsProcess:
    """A scorer that kills the process that calls it, in the first `times` calls.

    It notes each call in a file for the activation of the network, and ends only processes that
    score networks of `activation`.
    """

    def __init__(self, folder, times, activation):
        self.folder, self.times, self.activation = str(folder), times, activation

    def __call__(self, estimator, X, y):
        with open(os.path.join(self.folder, estimator.activation), "a") as file:
            file.write(f"{os.getpid()}\n")
        if estimator.activation == self.activation and self.calls(self.activation) <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        return estimator.score(X, y)

    def calls(self, activation):
        with open(os.path.join(self.folder, activation)) as file:
            return len(file.read().split())


class TestProcesses(WorkersContract):
    backend = "loky"
    options = {"n_jobs": 2}  # noqa: RUF012

    def left_over(self):
        return folders()

    def test_the_cohort_of_a_killed_worker_is_trained_again(self, two_classes, tmp_path):
        scorer = EndsItsProcess(tmp_path, times=1, activation="tanh")
        grid = {"activation": ["relu", "tanh"]}
        found = self.there(lambda: search(grid=grid, scoring=scorer).fit(*two_classes))
        assert_same(
            found.cv_results_, search(grid=grid, scoring="accuracy").fit(*two_classes).cv_results_
        )
        # Both folds of the cohort that was lost are scored once it is trained again.
        assert (scorer.calls("relu"), scorer.calls("tanh")) == (2, 3)
        assert folders() == []

    def test_what_ends_each_worker_fails(self, tmp_path):
        def ends_its_process():
            (tmp_path / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)

        with self.population(), pytest.raises(WorkersError, match="tasks ended two workers"):
            joblib.Parallel()([joblib.delayed(ends_its_process)()])
        assert len(list(tmp_path.iterdir())) == 2
        assert folders() == []

    def test_the_rows_are_one_file_that_all_tasks_map(self):
        X = np.zeros((1000, 100))

        def is_mapped(X):
            return X.flags.writeable, X.ctypes.data

        with self.population(n_jobs=1):
            found = joblib.Parallel()(joblib.delayed(is_mapped)(X) for _ in range(3))
        assert len(set(found)) == 1
        assert found[0][0] is False

    def test_ctrl_c_ends_the_processes_at_work(self, tmp_path):
        def interrupts():
            (tmp_path / str(os.getpid())).touch()
            os.kill(os.getppid(), signal.SIGINT)
            time.sleep(600)

        with self.population(n_jobs=1), pytest.raises(KeyboardInterrupt):
            joblib.Parallel()([joblib.delayed(interrupts)()])
        (process,) = tmp_path.iterdir()
        with pytest.raises(ProcessLookupError):
            os.kill(int(process.name), 0)
        assert folders() == []
