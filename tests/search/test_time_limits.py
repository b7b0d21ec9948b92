"""A time budget and a timeout of candidates hold while networks train together."""

import functools
import threading
import time
import warnings

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skhp
from skhp import GridSearchCV, KerasClassifier, KerasMLPClassifier, TPESearchCV
from skhp.exceptions import InvalidParameterError
from skhp.population.cohorts import running_cohort
from skhp.population.limits.conditions import Deadline
from skhp.population.limits.timed_tasks import CandidateTimeoutError
from skhp.training.cohort.cohort import Cohort

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(90, 4)).astype("float32")
Y = (X[:, 0] + GENERATOR.normal(size=90) / 2 > 0.3).astype(int)
NETWORK = KerasMLPClassifier(neurons=2, early_stopping=False, random_state=0)
RATES = [0.1, 0.01]
ENDLESS = 10**6
SCORES = ("mean_test_score", "std_test_score", "mean_n_iter", "stop_reason")


class EpochClock:
    """A clock that an epoch of a cohort moves by a second, and nothing else."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = EpochClock()
    advance = Cohort.advance

    def ticking(cohort, most):
        count = advance(cohort, most)
        clock.now += count
        return count

    monkeypatch.setattr(Cohort, "advance", ticking)
    monkeypatch.setattr("skhp.search.limits.Deadline", functools.partial(Deadline, clock=clock))
    return clock


def search(epochs, **settings):
    grid = {"epochs": epochs, "learning_rate": RATES}
    return GridSearchCV(NETWORK, grid, cv=3, refit=False, **settings)


class TestScore:
    @pytest.fixture
    def cut(self, clock):
        return search([3, ENDLESS], time_budget=40).fit(X, Y)

    def test_candidates_in_training_end_within_a_chunk(self, cut):
        assert cut.search_stop_reason_ == "time_budget"
        results = cut.cv_results_
        np.testing.assert_array_equal(
            np.isnan(results["pruned_at_epoch"]), [True, True, False, False]
        )
        ended = results["pruned_at_epoch"][2:]
        assert all(ended >= 40)
        assert all(ended <= 40 + 16)
        assert list(results["stop_reason"]) == ["epochs"] * 2 + ["time_budget"] * 2

    def test_they_are_scored_where_they_are(self, cut):
        ended = int(cut.cv_results_["pruned_at_epoch"][2])
        shorter = search([3, ended]).fit(X, Y).cv_results_
        for name in ("mean_test_score", "std_test_score", "mean_n_iter"):
            np.testing.assert_array_equal(cut.cv_results_[name], shorter[name])

    def test_they_are_never_better_than_one_that_was_trained_to_its_end(self, cut):
        assert cut.best_params_["epochs"] == 3
        means = cut.cv_results_["mean_test_score"]
        # The test says nothing if they are not better in fact.
        assert max(means[2:]) > max(means[:2])

    def test_if_all_are_cut_off_the_best_of_them_is_the_best(self, clock):
        found = search([ENDLESS], time_budget=10).fit(X, Y)
        assert np.isfinite(found.cv_results_["pruned_at_epoch"]).all()
        assert found.best_index_ == np.argmax(found.cv_results_["mean_test_score"])

    def test_the_best_can_be_refitted(self, clock):
        found = search([3, 5], time_budget=4).set_params(refit=True).fit(X, Y)
        assert found.best_estimator_.n_iter_ == 3
        assert found.best_estimators(1, X, Y)[0].n_iter_ == 3

    def test_one_cohort_is_begun_even_if_there_is_no_time(self, clock):
        found = search([ENDLESS], time_budget=1e-9).fit(X, Y)
        assert list(found.cv_results_["mean_n_iter"]) == [1, 1]

    def test_a_search_that_ends_in_time_is_complete(self, clock):
        found = search([3], time_budget="1h").fit(X, Y)
        assert found.search_stop_reason_ == "completed"
        assert "pruned_at_epoch" not in found.cv_results_

    def test_the_next_run_goes_on_from_where_it_was(self, clock, tmp_path):
        whole = search([3, 60]).fit(X, Y).cv_results_
        search([3, 60], time_budget=30, journal=tmp_path / "journal").fit(X, Y)
        before = clock.now
        again = search([3, 60], journal=tmp_path / "journal").fit(X, Y).cv_results_
        assert clock.now - before <= 60 - 30
        for name in SCORES:
            np.testing.assert_array_equal(again[name], whole[name])
        assert [path.name for path in tmp_path.iterdir()] == ["journal"]


class TestDrop:
    def test_candidates_in_training_are_left_out(self, clock):
        found = search([3, ENDLESS], time_budget=40, on_budget="drop").fit(X, Y)
        results = found.cv_results_
        assert [one["epochs"] for one in results["params"]] == [3, 3]
        assert all(len(column) == 2 for column in results.values())
        assert "pruned_at_epoch" not in results
        assert found.search_stop_reason_ == "time_budget"
        whole = search([3]).fit(X, Y).cv_results_
        np.testing.assert_array_equal(results["mean_test_score"], whole["mean_test_score"])

    def test_an_error_tells_that_nothing_remains(self, clock):
        with pytest.raises(InvalidParameterError, match="before any candidate was trained"):
            search([ENDLESS], time_budget=10, on_budget="drop").fit(X, Y)

    def test_several_metrics_and_a_sampler(self, clock):
        found = TPESearchCV(
            NETWORK,
            {"epochs": [3, ENDLESS], "learning_rate": (1e-3, 1e-1, "log-uniform")},
            n_iter=12,
            cv=2,
            scoring=["f1", "accuracy"],
            refit="f1",
            random_state=0,
            time_budget=40,
            on_budget="drop",
        )
        results = found.set_params(refit="f1").fit(X, Y).cv_results_
        assert {one["epochs"] for one in results["params"]} == {3}
        assert all(len(column) == len(results["params"]) for column in results.values())

    def test_only_two_values_are_allowed(self):
        with pytest.raises(ValueError, match="on_budget"):
            search([3], on_budget="keep").fit(X, Y)


def test_an_epoch_that_takes_long_is_one_chunk(monkeypatch):
    """After a slow first call, nobody knows whether the compilation or the epoch was slow."""
    cohort = Cohort.__new__(Cohort)
    cohort._chunk = None
    assert cohort._next_size(1, 60.0, True) == 1
    assert cohort._next_size(1, 60.0, False) == 1
    assert cohort._next_size(1, 0.01, True) == 2
    assert cohort._next_size(8, 0.1, False) == 16


@pytest.fixture
def released():
    """Lets build functions that hang return at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def wrapped(released, hangs_in):
    def build(hangs=False, units=2):
        if hangs:
            built.append(units)
            released.wait(300)
        return keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(units, "relu"),
                keras.layers.Dense(1, "sigmoid"),
            ]
        )

    built = hangs_in
    return KerasClassifier(build, loss="binary_crossentropy", epochs=2, random_state=0)


class TestCandidateTimeout:
    GRID = {"model__hangs": [False, True], "model__units": [2, 3]}  # noqa: RUF012

    def test_a_build_function_that_hangs(self, released):
        hung = []
        found = GridSearchCV(
            wrapped(released, hung), self.GRID, cv=2, refit=False, candidate_timeout=10
        )
        with (
            pytest.warns(FitFailedWarning, match=r"candidate_timeout=10 seconds"),
            pytest.warns(UserWarning, match="non-finite"),
        ):
            found.fit(X, Y)
        failed = np.isnan(found.cv_results_["mean_test_score"])
        assert list(failed) == [False, False, True, True]
        # Once for each candidate, and not again for its other fold.
        assert hung == [2, 3]

    def test_error_score_raise(self, released):
        found = GridSearchCV(
            wrapped(released, []),
            {"model__hangs": [True]},
            cv=2,
            error_score="raise",
            candidate_timeout=0.5,
        )
        with pytest.raises(TimeoutError, match=r"preparation .* candidate_timeout=0.5 seconds"):
            found.fit(X, Y)

    def test_an_estimator_of_another_library(self, released):
        class Hanging(LogisticRegression):
            def fit(self, X, y, sample_weight=None):
                if self.C == 2.0:
                    released.wait(300)
                return super().fit(X, y)

        found = GridSearchCV(
            make_pipeline(Hanging()), {"hanging__C": [1.0, 2.0]}, cv=2, candidate_timeout=5
        )
        with (
            pytest.warns(FitFailedWarning, match="candidate_timeout=5"),
            pytest.warns(UserWarning, match="non-finite"),
        ):
            found.fit(X, Y)
        assert found.best_params_ == {"hanging__C": 1.0}

    def test_a_training_that_takes_too_long(self, monkeypatch):
        advanced = running_cohort.RunningCohort.advanced

        def slow(cohort, progress):
            # Each chunk took a second for each member in training.
            took = 1.0 * progress.running
            advanced(cohort, running_cohort.replace(progress, chunk_seconds=took))

        monkeypatch.setattr(running_cohort.RunningCohort, "advanced", slow)
        found = search([3, ENDLESS], candidate_timeout=9.5)
        with (
            pytest.warns(FitFailedWarning, match=r"training .* candidate_timeout=9.5"),
            pytest.warns(UserWarning, match="non-finite"),
        ):
            found.fit(X, Y)
        results = found.cv_results_
        assert list(np.isnan(results["mean_test_score"])) == [False, False, True, True]
        whole = search([3]).fit(X, Y).cv_results_
        np.testing.assert_array_equal(results["mean_test_score"][:2], whole["mean_test_score"])

    @pytest.mark.parametrize("given", [0, -1.0, "soon", True, float("nan")])
    def test_what_is_not_a_time_is_refused(self, given):
        with pytest.raises(InvalidParameterError, match="candidate_timeout"):
            search([3], candidate_timeout=given).fit(X, Y)

    def test_a_journal_knows_it_and_the_next_run_does_not_wait_again(self, monkeypatch, tmp_path):
        network = KerasClassifier(
            build_or_sleep, loss="binary_crossentropy", epochs=2, random_state=0
        )
        waited = []
        during = CandidateTimeoutError.during
        monkeypatch.setattr(
            CandidateTimeoutError, "during", lambda *what: waited.append(what[0]) or during(*what)
        )
        settings = {"cv": 2, "refit": False, "candidate_timeout": 8}
        results = []
        for units in ([2], [2, 3]):
            grid = {"model__sleeps": [0, 3600], "model__units": units}
            found = GridSearchCV(network, grid, journal=tmp_path / "journal", **settings)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FitFailedWarning)
                warnings.simplefilter("ignore", UserWarning)
                results.append(found.fit(X, Y).cv_results_)
        # The candidate with 2 units is waited for in the first run only.
        assert waited == ["preparation"] * 2
        assert results[0]["mean_test_score"][0] == results[1]["mean_test_score"][0]
        failed = np.isnan(results[1]["mean_test_score"])
        assert list(failed) == [False, False, True, True]


def build_or_sleep(sleeps=0, units=2):
    time.sleep(sleeps)
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(units, "relu"), keras.layers.Dense(1, "sigmoid")]
    )


@pytest.mark.parametrize(
    "limits",
    [
        {"time_budget": "10min"},
        {"candidate_timeout": 60.0},
        {"time_budget": "10min", "candidate_timeout": 60.0, "prune": {"rungs": (2,)}},
        {"journal": "search.sqlite"},
    ],
    ids=lambda limits: " and ".join(limits),
)
def test_a_search_within_another_tool_may_have_them(limits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = KerasMLPClassifier(neurons=2, epochs=8, learning_rate=0.1, random_state=0)
    inner = GridSearchCV(network, {"l2": [0.0, 0.1]}, cv=2, refit=False, **limits)
    plain = clone(inner).set_params(**dict.fromkeys(limits)).fit(X, Y)
    with skhp.population():
        voting = VotingClassifier([("search", inner.set_params(refit=True))]).fit(X, Y)
    (found,) = voting.estimators_
    (scores, expected) = (s.cv_results_["mean_test_score"] for s in (found, plain))
    if "prune" not in limits:
        np.testing.assert_allclose(scores, expected, rtol=1e-6)
    assert scores[found.best_index_] == pytest.approx(expected.max())
    assert expected.max() > 0.5
