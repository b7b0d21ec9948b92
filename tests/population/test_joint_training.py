"""scikit-learn's progress bar moves while a cohort is trained, and hears of each task once."""

import threading
import time
import warnings
from collections import Counter

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import KerasMLPClassifier
from skhp.population.cohorts import population_training as rungs
from skhp.population.cohorts.running_cohort import RunningCohort
from skhp.population.handover import Abandoned, LiveResult

callback = pytest.importorskip("sklearn.callback")

GRID = {"learning_rate": [0.1, 0.01, 0.001], "batch_size": [8, 16]}


@pytest.fixture(scope="module")
def table():
    return make_classification(100, 6, random_state=0)


@pytest.fixture
def heard(monkeypatch):
    """Everything that a progress bar hears of, in order."""
    events = []
    for name in ("on_fit_task_begin", "on_fit_task_end"):
        original = getattr(callback.ProgressBar, name)

        def listen(self, estimator, context, name=name, original=original):
            of = type(estimator).__name__
            events.append((name, of, context.task_name, threading.current_thread().name))
            return original(self, estimator, context)

        monkeypatch.setattr(callback.ProgressBar, name, listen)
    return events


def threads_of_skhp():
    return [one.name for one in threading.enumerate() if one.name.startswith("skhp")]


def counted(events):
    return Counter(event[:3] for event in events)


def searched(table, estimator, grid, backend):
    search = GridSearchCV(estimator, grid, cv=2, refit=False)
    search.set_callbacks(callback.ProgressBar())
    if backend is None:
        return search.fit(*table)
    with joblib.parallel_config(backend=backend):
        return search.fit(*table)


def network(**parameters):
    return KerasMLPClassifier(epochs=12, random_state=0, **parameters)


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_it_hears_what_it_hears_without_the_backend(table, heard, in_pipeline):
    estimator, grid = network(), GRID
    if in_pipeline:
        estimator = make_pipeline(StandardScaler(), estimator)
        grid = {f"kerasmlpclassifier__{name}": values for name, values in grid.items()}
    plain = searched(table, estimator, grid, None)
    expected = counted(heard)
    heard.clear()
    filters = list(warnings.filters)
    population = searched(table, estimator, grid, "skhp")
    assert counted(heard) == expected
    np.testing.assert_allclose(
        population.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"], atol=0.02
    )
    assert warnings.filters == filters
    assert not threads_of_skhp()
    if not in_pipeline:
        assert expected["on_fit_task_end", "KerasMLPClassifier", "epoch"] > 100


def test_epochs_are_heard_of_before_the_cohort_is_done(table, heard, monkeypatch):
    before_the_end = []

    def watched(cohort, until):
        train(cohort, until)
        # The threads of the tasks have had their epochs; let them say so.
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not before_the_end:
            count = counted(heard)["on_fit_task_end", "KerasMLPClassifier", "epoch"]
            if count:
                before_the_end.append(count)
            time.sleep(0.01)

    train = RunningCohort.train
    monkeypatch.setattr(RunningCohort, "train", watched)
    searched(table, network(), GRID, "skhp")
    assert before_the_end
    fit_ends = [event for event in heard if event[0].endswith("end") and event[2] == "fit"]
    assert fit_ends


def test_a_candidate_that_fails_ends_its_task_alone(table, heard):
    with (
        pytest.warns(UserWarning, match="test scores are non-finite"),
        pytest.warns(FitFailedWarning, match="2 fits failed"),
    ):
        search = searched(table, network(), {"learning_rate": [0.01, -1.0]}, "skhp")
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores[0])
    assert np.isnan(scores[1])


def test_an_interruption_abandons_the_tasks(table, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(rungs, "_as_done", interrupted)
    with pytest.raises(KeyboardInterrupt):
        searched(table, network(), GRID, "skhp")
    assert not threads_of_skhp()


class TestLiveResult:
    def test_epochs_come_before_the_result(self):
        live, epochs = LiveResult(), []
        live.epochs_done(2)
        live.epochs_done(1)
        live.finish("result")
        assert live.wait(lambda: epochs.append(1)) == "result"
        assert len(epochs) == 3

    def test_an_exception_in_place_of_the_result_is_raised(self):
        live = LiveResult()
        live.finish(ArithmeticError("no"))
        with pytest.raises(ArithmeticError, match="no"):
            live.wait(lambda: None)

    def test_no_except_exception_stops_an_abandoned_fit(self):
        live = LiveResult()
        live.abandon()
        with pytest.raises(Abandoned):
            live.wait(lambda: None)
        assert not issubclass(Abandoned, Exception)
