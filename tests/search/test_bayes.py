"""Searches by a model of the scores so far."""

import functools

import numpy as np
import pytest
import skopt
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import ShuffleSplit
from skopt.space import Categorical, Integer, Real

from benchmarks.samplers import SPACES, best_regret
from skhp import BayesSearchCV, InvalidParameterError
from skhp.compat.scikit_optimize import boosted_surrogate

pytestmark = pytest.mark.slow

# A model of the scores takes a second for each batch: eight points are drawn, and few modelled.
FEW = {"n_initial_points": 8}
X = np.zeros((20, 1))
Y = np.arange(20.0)


class Scored(RegressorMixin, BaseEstimator):
    """Scores -(log10(rate) + 2)**2, best at 0.01; fails above a limit."""

    def __init__(self, rate=1.0, shape="round", limit=np.inf):
        self.rate = rate
        self.shape = shape
        self.limit = limit

    def fit(self, X, y):
        if self.rate > self.limit:
            raise ValueError("too fast")
        self.rows_ = X.ravel().tolist()
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def score(self, X, y):
        return -((np.log10(self.rate) + 2) ** 2) - (self.shape != "round")


def search(space=None, estimator=None, **settings):
    space = {"rate": (1e-5, 1e1, "log-uniform")} if space is None else space
    defaults = {"n_iter": 16, "cv": 2, "random_state": 0, "refit": False, "optimizer_kwargs": FEW}
    return BayesSearchCV(estimator or Scored(), space, **defaults | settings)


@functools.cache
def found_by(surrogate):
    """A search that has modelled its third batch."""
    options = {"base_estimator": surrogate, **FEW}
    return search(n_iter=12, n_points=4, optimizer_kwargs=options).fit(X, Y)


@pytest.mark.parametrize("surrogate", ["GP", "RF", "ET", "GBRT"])
def test_every_surrogate_finds_the_optimum(surrogate):
    options = {"base_estimator": surrogate, **FEW}
    found = found_by(surrogate)
    assert found.best_score_ > -0.05
    assert len(found.cv_results_["params"]) == 12
    assert found.get_params()["optimizer_kwargs"] == options


@pytest.mark.slow
def test_half_the_candidates_beat_random_search():
    # benchmarks/samplers.py has all of them, of ten seeds on three spaces, in half a minute each.
    known = SPACES["Branin, 2-d"]
    found = best_regret("BayesSearchCV", known, 0, candidates=30)
    assert found < best_regret("RandomizedSearchCV", known, 0)


def test_the_mend_of_the_boosted_surrogate_is_still_needed():
    theirs = skopt.learning.GradientBoostingQuantileRegressor().fit(X + Y[:, None], Y)
    with pytest.raises(AttributeError, match="in1d"):
        theirs.predict(X, return_std=True)
    ours = boosted_surrogate().fit(X + Y[:, None], Y)
    median, spread = ours.predict(X + Y[:, None], return_std=True)
    np.testing.assert_array_equal(median, ours.predict(X + Y[:, None]))
    low, _, high = ours.predict(X + Y[:, None], return_quantiles=True).T
    np.testing.assert_allclose(spread, (high - low) / 2)


def test_a_candidate_that_fails_does_not_end_the_search():
    estimator = Scored(limit=0.3)
    with (
        pytest.warns(FitFailedWarning),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        found = search(estimator=estimator).fit(X, Y)
    scores = found.cv_results_["mean_test_score"]
    assert np.isnan(scores).any()
    assert found.best_score_ > -0.2


def test_a_batch_that_fails_does_not_end_the_search():
    # Candidates in batches of one: several of the first fail by themselves.
    estimator = Scored(limit=1e-2)
    with pytest.warns(FitFailedWarning, match="too fast"):
        found = search(estimator=estimator, n_iter=20, n_points=1).fit(X, Y)
    assert 0 < len(found.cv_results_["params"]) < 20
    assert found.best_score_ > -0.5


def test_a_failure_is_raised_where_asked_for():
    with pytest.raises(ValueError, match="too fast"):
        search(estimator=Scored(limit=1e-6), error_score="raise").fit(X, Y)


def test_folds_are_drawn_once():
    class Splits(ShuffleSplit):
        drawn = 0

        def split(self, X, y=None, groups=None):
            type(self).drawn += 1
            return super().split(X, y, groups)

    search(cv=Splits(2), n_iter=4, n_points=2).fit(X, Y)
    assert Splits.drawn == 1


@pytest.mark.parametrize(
    "rate",
    [[1e-3, 1e-2, 1e-1], loguniform(1e-5, 10), (1e-5, 1e1, "log-uniform"), Real(1e-5, 10)],
    ids=["values", "scipy", "tuple", "skopt"],
)
def test_every_kind_of_space(rate):
    space = {"rate": rate, "shape": ["round", "flat"]}
    few = {"n_initial_points": 2}
    found = search(space, n_iter=3, n_points=1, optimizer_kwargs=few).fit(X, Y)
    assert all(1e-5 <= one["rate"] <= 10 for one in found.cv_results_["params"])
    assert found.search_spaces == space


def test_spaces_in_turn_with_numbers_of_their_own():
    space = [({"rate": (1e-3, 1e-1)}, 4), {"shape": ["round", "flat"], "rate": [1.0, 2.0]}]
    found = search(space, n_iter=3, n_points=2).fit(X, Y)
    assert ["shape" in one for one in found.cv_results_["params"]] == [False] * 4 + [True] * 3


def test_a_batch_keeps_apart():
    found = found_by("GP")
    rates = np.log10([one["rate"] for one in found.cv_results_["params"]])
    assert len(set(np.round(rates[8:], 6))) == 4


@pytest.mark.parametrize(
    ("space", "match"),
    [
        ({}, "empty|no parameter"),
        ({"rat": [1.0]}, "rate"),
        ({"rate": []}, "rate"),
        ({"rate": (2.0, 1.0)}, "rate"),
    ],
)
def test_spaces_that_are_none(space, match):
    with pytest.raises(InvalidParameterError, match=match):
        search(space).fit(X, Y)


def test_a_journal_replays_to_the_same_candidates(tmp_path):
    few = {"n_iter": 3, "n_points": 1, "optimizer_kwargs": {"n_initial_points": 2}}
    first = search(journal=tmp_path / "journal", **few).fit(X, Y)
    again = search(journal=tmp_path / "journal", **few).fit(X, Y)
    assert again.cv_results_["params"] == first.cv_results_["params"]
    plain = search(**few).fit(X, Y)
    assert plain.cv_results_["params"] == first.cv_results_["params"]
    np.testing.assert_array_equal(
        plain.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"]
    )


def test_no_improvement_ends_it():
    found = search({"rate": [1e-2, 1e-3, 1e-1]}, n_iter=100, stop_after=6, n_points=4).fit(X, Y)
    assert found.search_stop_reason_ == "no_improvement"
    assert 7 <= len(found.cv_results_["params"]) <= 20


@pytest.mark.parametrize(
    "dimension",
    [
        Integer(2, 9),
        Integer(2, 9, prior="log-uniform"),
        Real(0.5, 2.0),
        (2, 9),
        (np.int64(2), np.int64(9)),
        (0.5, 2.0, "log-uniform"),
    ],
    ids=str,
)
def test_numbers_are_of_the_types_that_scikit_optimize_gives(dimension):
    ours = search({"rate": dimension}, n_iter=3, cv=2).fit(X, Y)
    theirs = skopt.BayesSearchCV(Scored(), {"rate": dimension}, n_iter=3, cv=2, refit=False)
    theirs.fit(X, Y)
    for found in (ours, theirs):
        types = {type(candidate["rate"]) for candidate in found.cv_results_["params"]}
        assert types == {int if "9" in str(dimension) else float}


@pytest.mark.parametrize(
    "choices",
    [
        np.array([2, 3]),
        np.array([0.5, 2.0]),
        [np.float32(0.5), np.float32(2.0)],
        Categorical([np.int64(2), np.int64(3)]),
    ],
    ids=str,
)
def test_choices_keep_the_types_that_they_have(choices):
    found = search({"rate": choices, "shape": np.array(["round", "flat"])}, n_iter=3).fit(X, Y)
    given = choices.categories if isinstance(choices, Categorical) else choices
    for candidate in found.cv_results_["params"]:
        assert type(candidate["rate"]) is type(given[0])
        assert type(candidate["shape"]) is np.str_
