"""An executor that skhp does not know is added from outside: one file touches no other."""

import contextlib
import threading
from concurrent.futures import Future
from typing import ClassVar

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import skhp
from skhp import KerasMLPClassifier
from skhp.exceptions import InvalidParameterError


class InTheCaller:
    """Trains each cohort where it is submitted, and notes what it is asked for."""

    made: ClassVar[list] = []

    def __init__(self, workers):
        self.workers, self.trained, self.lends, self.closed = workers, [], 0, False
        self.made.append(self)

    def submit(self, cohort, until):
        done = Future()
        try:
            cohort.train(until)
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        self.trained.append((cohort.members, until, threading.current_thread()))
        return done

    @contextlib.contextmanager
    def lent(self):
        self.lends += 1
        yield

    def close(self):
        self.closed = True


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(InTheCaller, "made", [])
    return InTheCaller.made


def search(X, y):
    grid = {"learning_rate": [0.01, 0.1], "neurons": [3, 40]}
    network = KerasMLPClassifier(epochs=4, early_stopping=False, random_state=0)
    return GridSearchCV(network, grid, cv=2, scoring="neg_log_loss", refit=False).fit(X, y)


def test_an_executor_of_ones_own_trains_the_cohorts(made, two_classes):
    with skhp.population(n_jobs=2, executor=InTheCaller):
        ours = search(*two_classes)
    (executor,) = made
    assert executor.workers == 2
    assert sorted(n for members, _, _ in executor.trained for n in members) == [*range(8)]
    assert {thread for _, _, thread in executor.trained} == {threading.main_thread()}
    assert executor.lends == len(executor.trained)
    assert executor.closed
    # The same bits as by threads.
    with skhp.population(n_jobs=2):
        threads = search(*two_classes)
    np.testing.assert_array_equal(
        ours.cv_results_["mean_test_score"], threads.cv_results_["mean_test_score"]
    )


def test_the_executor_is_closed_where_the_caller_ends_the_call(made, two_classes):
    def interrupted(estimator, X, y):
        raise KeyboardInterrupt

    network = KerasMLPClassifier(epochs=2, early_stopping=False, random_state=0)
    with skhp.population(executor=InTheCaller), pytest.raises(KeyboardInterrupt):
        GridSearchCV(network, {"neurons": [2, 3]}, cv=2, scoring=interrupted).fit(*two_classes)
    assert [executor.closed for executor in made] == [True]


def test_what_makes_no_executor_is_refused():
    with (
        pytest.raises(InvalidParameterError, match="executor='dask'"),
        skhp.population(executor="dask"),
    ):
        pass
