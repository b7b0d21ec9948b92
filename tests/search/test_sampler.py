"""A new strategy is one class that is asked and told; the loop around it is there."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import FitFailedWarning

from skhp import InvalidParameterError
from skhp.search.sampler import SampledSearchCV
from skhp.search.space.space_reading import understood

X, Y = np.zeros((8, 1)), np.arange(8) % 2
SPACE = {"rate": (1e-4, 1e2, "log-uniform"), "width": (1, 9)}


class Hill(ClassifierMixin, BaseEstimator):
    """Its score is a known function of its parameters, whatever the rows."""

    def __init__(self, rate=1.0, width=1, fails_above=np.inf):
        self.rate = rate
        self.width = width
        self.fails_above = fails_above

    def fit(self, X, y):
        if self.rate > self.fails_above:
            raise FloatingPointError("too fast")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def score(self, X, y):
        return -((np.log10(self.rate) + 2) ** 2) - (self.width - 3) ** 2


class HillClimber:
    """Moves the best candidate so far along one parameter at a time."""

    def __init__(self, space, seed):
        (self.space,) = understood(space)
        self.random = np.random.RandomState(seed)
        self.best, self.best_score = None, -np.inf
        self.told = []

    def drawn(self, name):
        return self.space[name].rvs(random_state=self.random)

    def ask(self, n):
        if self.best is None:
            self.asked = [{name: self.drawn(name) for name in self.space} for _ in range(n)]
        else:
            moved = self.random.choice(list(self.space), n)
            self.asked = [self.best | {name: self.drawn(name)} for name in moved]
        return self.asked

    def tell(self, scores, worst):
        self.told.append((scores, worst))
        for candidate, score in zip(self.asked, scores, strict=True):
            if score > self.best_score:
                self.best, self.best_score = candidate, score


class HillClimbSearchCV(SampledSearchCV):
    """Inherits all of its parameters."""

    def _samplers(self):
        self.sampler_ = HillClimber(self.search_spaces, self.random_state)
        return [(self.sampler_, self.n_iter)]


class Sobol:
    """Points that fill the space evenly, and end where the sequence is meant to."""

    def __init__(self, dimensions, seed, most):
        self.dimensions = dimensions
        self.points = qmc.Sobol(len(dimensions), rng=seed).random(most)

    def ask(self, n):
        drawn, self.points = self.points[:n], self.points[n:]
        return [
            {
                name: one.at_share(share)
                for (name, one), share in zip(self.dimensions, row, strict=True)
            }
            for row in drawn
        ] or None

    def tell(self, scores, worst):
        pass


class SobolSearchCV(SampledSearchCV):
    def _samplers(self):
        for dimensions in understood(self.search_spaces):
            yield Sobol(list(dimensions.items()), self.random_state, 16), self.n_iter


def climb(space=SPACE, estimator=None, **settings):
    defaults = {"n_iter": 40, "cv": 2, "random_state": 0, "scoring": None, "refit": False}
    return HillClimbSearchCV(estimator or Hill(), space, **defaults | settings)


def test_a_strategy_of_a_few_lines_is_a_whole_searcher(tmp_path):
    found = climb(refit=True, journal=tmp_path / "journal").fit(X, Y)
    assert len(found.cv_results_["params"]) == 40
    drawn = [Hill(**one).score(X, Y) for one in stats_draws(40)]
    assert found.best_score_ > max(drawn)
    assert found.best_estimator_.rate == found.best_params_["rate"]
    again = clone(found).fit(X, Y)
    assert again.cv_results_["params"] == found.cv_results_["params"]
    assert again.get_params()["n_points"] == 8


def stats_draws(n):
    random = np.random.RandomState(0)
    rates = stats.loguniform(1e-4, 1e2).rvs(n, random_state=random)
    return [{"rate": rate, "width": random.randint(1, 10)} for rate in rates]


def test_the_sampler_is_told_what_the_candidates_scored():
    found = climb(n_iter=20).fit(X, Y)
    told = np.concatenate([scores for scores, _ in found.sampler_.told])
    assert [len(scores) for scores, _ in found.sampler_.told] == [8, 8, 4]
    by_hand = [Hill(**one).score(X, Y) for one in found.cv_results_["params"]]
    np.testing.assert_allclose(told, by_hand)
    worst = [worst for _, worst in found.sampler_.told]
    np.testing.assert_allclose(worst, [min(by_hand[:8]), min(by_hand[:16]), min(by_hand)])


def test_failures_are_nan_and_the_worst_is_of_those_that_did_not_fail():
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning, match="non-finite"):
        found = climb(estimator=Hill(fails_above=1e-2)).fit(X, Y)
    told = np.concatenate([scores for scores, _ in found.sampler_.told])
    failed = [one["rate"] > 1e-2 for one in found.cv_results_["params"]]
    assert 0 < sum(failed) < 40
    np.testing.assert_array_equal(np.isnan(told), failed)
    assert found.sampler_.told[-1][1] == np.nanmin(told)


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_score_without_an_end_is_told_as_a_failure():
    def scorer(estimator, X, y):
        return estimator.score(X, y) if estimator.width < 5 else -np.inf

    with np.errstate(invalid="ignore"):
        found = climb(n_iter=16, scoring=scorer).fit(X, Y)
    told = np.concatenate([scores for scores, _ in found.sampler_.told])
    endless = [one["width"] >= 5 for one in found.cv_results_["params"]]
    assert 0 < sum(endless) < 16
    np.testing.assert_array_equal(np.isnan(told), endless)
    assert np.isfinite(found.sampler_.told[-1][1])


def test_rounds_that_fail_whole_are_told_too():
    with pytest.warns(FitFailedWarning, match="All the 2 fits failed"):
        found = climb(estimator=Hill(fails_above=1e-2), n_points=1, n_iter=24).fit(X, Y)
    told = np.concatenate([scores for scores, _ in found.sampler_.told])
    assert len(told) == 24
    assert np.isfinite(told).sum() == len(found.cv_results_["params"]) < 24
    first = int(np.flatnonzero(np.isfinite(told))[0])
    assert [bool(np.isnan(worst)) for _, worst in found.sampler_.told] == [True] * first + [
        False
    ] * (24 - first)


def test_where_everything_fails_the_error_is_scikit_learns():
    with (
        pytest.warns(FitFailedWarning),
        pytest.raises(ValueError, match=r"All the 16 fits failed[\s\S]*too fast"),
    ):
        climb(estimator=Hill(fails_above=0), n_iter=16).fit(X, Y)
    with pytest.raises(FloatingPointError, match="too fast"):
        climb(estimator=Hill(fails_above=0), error_score="raise").fit(X, Y)


def test_limits_and_spaces_are_those_of_every_searcher():
    found = climb({"width": [3, 4]}, n_iter=400, stop_after=8)
    assert found.fit(X, Y).search_stop_reason_ == "no_improvement"
    with pytest.raises(InvalidParameterError, match=r"'rat'.*'rate'"):
        climb({"rat": [1.0]}).fit(X, Y)


def test_a_sampler_ends_the_search_by_none_and_the_next_one_is_asked():
    space = [SPACE, {"width": (4, 9)}]
    found = SobolSearchCV(Hill(), space, n_iter=50, cv=2, scoring=None, random_state=0).fit(X, Y)
    assert [len(one) for one in found.cv_results_["params"]] == [2] * 16 + [1] * 16
    # Evenly: of each half of the logarithms, half of the points.
    rates = [one["rate"] for one in found.cv_results_["params"][:16]]
    assert sum(rate < 1e-1 for rate in rates) == 8


def test_no_candidate_at_all_is_an_error():
    class Idle(SampledSearchCV):
        def _samplers(self):
            class Sampler:
                def ask(self, n):
                    return []

            return [(Sampler(), self.n_iter)]

    with pytest.raises(InvalidParameterError, match="Idle gave no candidate in each of 50 trials"):
        Idle(Hill(), SPACE, cv=2).fit(X, Y)
