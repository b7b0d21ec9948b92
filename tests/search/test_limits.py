"""Searches that end before their last candidate."""

import time

import numpy as np
import pytest
from scipy.stats import uniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import ProgressBar
from sklearn.model_selection import ParameterSampler
from skopt.space import Real

from skhp import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV

X = np.zeros((12, 1))
Y = np.arange(12) % 2


class Slow(ClassifierMixin, BaseEstimator):
    """Sleeps, scores its quality, and may be interrupted."""

    fits = 0

    def __init__(self, quality=0.0, seconds=0.0, interrupted_at=None):
        self.quality = quality
        self.seconds = seconds
        self.interrupted_at = interrupted_at

    def fit(self, X, y):
        time.sleep(self.seconds)
        self.classes_ = np.unique(y)
        if type(self).fits == self.interrupted_at:
            raise KeyboardInterrupt
        type(self).fits += 1
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def score(self, X, y):
        return self.quality


@pytest.fixture(autouse=True)
def no_fits():
    Slow.fits = 0


def grid(n, **settings):
    qualities = {"quality": [k / n for k in range(n)]}
    return GridSearchCV(Slow(**settings.pop("slow", {})), qualities, scoring=None, cv=2, **settings)


def assert_consistent(search, n):
    results = search.cv_results_
    assert len(results["params"]) == n
    assert all(len(column) == n for column in results.values())
    best = int(np.argmax(results["mean_test_score"]))
    assert search.best_params_ == results["params"][best]


class TestTimeBudget:
    def test_what_is_finished_counts(self):
        search = grid(400, slow={"seconds": 0.005}, time_budget=0.5)
        began = time.perf_counter()
        search.fit(X, Y)
        assert time.perf_counter() - began < 4
        assert search.search_stop_reason_ == "time_budget"
        n = len(search.cv_results_["params"])
        assert 8 <= n < 400
        assert_consistent(search, n)

    def test_time_enough(self):
        search = grid(20, time_budget="10min").fit(X, Y)
        assert search.search_stop_reason_ == "completed"
        assert_consistent(search, 20)

    def test_too_little_for_anything(self):
        # A first round is always evaluated.
        search = grid(20, time_budget=1e-9).fit(X, Y)
        assert search.search_stop_reason_ == "time_budget"
        assert_consistent(search, 8)

    def test_halving_ends_between_rounds(self):
        search = HalvingGridSearchCV(
            Slow(), {"quality": list(np.linspace(0, 1, 30))}, scoring=None, cv=2, time_budget=1e-9
        ).fit(X, Y)
        assert search.search_stop_reason_ == "time_budget"
        assert_consistent(search, 8)
        assert search.cv_results_["iter"].tolist() == [0] * 8

    def test_rounds_give_the_results_of_one(self):
        limited = grid(30, time_budget="10min", return_train_score=True).fit(X, Y)
        plain = grid(30, return_train_score=True).fit(X, Y)
        assert not hasattr(plain, "search_stop_reason_")
        for name, column in plain.cv_results_.items():
            if "time" not in name:
                assert list(limited.cv_results_[name]) == list(column), name


class TestStopAfter:
    @pytest.mark.parametrize("stop_after", [1, 10, 25])
    def test_candidates_without_improvement(self, stop_after):
        draws = {"quality": list(np.random.default_rng(0).permutation(1000) / 1000)}
        search = RandomizedSearchCV(
            Slow(), draws, n_iter=1000, scoring=None, cv=2, random_state=1, stop_after=stop_after
        ).fit(X, Y)
        assert search.search_stop_reason_ == "no_improvement"
        scores = search.cv_results_["mean_test_score"]
        since_best = len(scores) - 1 - scores.argmax()
        # It ends with the round in which the patience ran out.
        assert stop_after <= since_best < stop_after + max(8, stop_after)
        expected = ParameterSampler(draws, 1000, random_state=1)
        drawn = [one["quality"] for _, one in zip(scores, expected, strict=False)]
        assert [one["quality"] for one in search.cv_results_["params"]] == drawn

    def test_improvement_to_the_end(self):
        draws = {"quality": [0.5]}
        with pytest.warns(UserWarning, match="smaller than n_iter"):
            search = RandomizedSearchCV(Slow(), draws, scoring=None, cv=2, stop_after=3).fit(X, Y)
        assert search.search_stop_reason_ == "completed"


class TestInterrupted:
    def test_partial_results(self):
        slow = {"interrupted_at": 2 * 8 + 3}
        search = grid(40, slow=slow, on_interrupt="partial", refit=False).fit(X, Y)
        assert search.search_stop_reason_ == "interrupted"
        assert_consistent(search, 8)

    @pytest.mark.parametrize(
        "settings",
        [{"interrupted_at": 19}, {"interrupted_at": 3}],
        ids=["it is not asked for", "nothing is finished"],
    )
    def test_raised(self, settings):
        on_interrupt = "partial" if settings["interrupted_at"] == 3 else "raise"
        with pytest.raises(KeyboardInterrupt):
            grid(40, slow=settings, on_interrupt=on_interrupt).fit(X, Y)


@pytest.mark.filterwarnings("ignore:The estimator Slow does not support callbacks")
def test_a_progress_bar_sees_the_tasks_of_all_rounds(capsys):
    search = grid(30, time_budget="10min", refit=False)
    search.set_callbacks(ProgressBar())
    assert_consistent(search.fit(X, Y), 30)


def test_random_search_draws_from_every_kind_of_space():
    spaces = [
        {"quality": (0.2, 0.4)},
        {"quality": Real(0.2, 0.4)},
        {"quality": uniform(0.2, 0.2)},
        {"quality": [0.2, 0.3, 0.4]},
    ]
    for space in spaces:
        search = RandomizedSearchCV(
            Slow(), space, n_iter=3, scoring=None, cv=2, random_state=0, refit=False
        ).fit(X, Y)
        drawn = [one["quality"] for one in search.cv_results_["params"]]
        assert len(set(drawn)) == 3
        assert all(0.2 <= value <= 0.4 for value in drawn)
        assert search.param_distributions is space
