"""What holds for every searcher, by one table of instances."""

import inspect

import numpy as np
import pytest
import sklearn.model_selection
import skopt
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import check_estimator

import skhp
from skhp import InvalidParameterError, KerasMLPClassifier
from skhp.compat import scikit_learn as scikit_learn_private
from skhp.search.sampler import SampledSearchCV
from skhp.search.scores import training_of

pytestmark = pytest.mark.slow

SMALL = {"cv": 2, "random_state": 0}
SEARCHERS = {
    "GridSearchCV": {"cv": 2},
    "RandomizedSearchCV": {**SMALL, "n_iter": 2},
    "HalvingGridSearchCV": {**SMALL, "min_resources": "smallest"},
    "HalvingRandomSearchCV": {**SMALL, "n_candidates": 2},
    "BayesSearchCV": {**SMALL, "n_iter": 2},
    "TPESearchCV": {**SMALL, "n_iter": 2},
}
BASES = {
    **{name: getattr(sklearn.model_selection, name) for name in list(SEARCHERS)[:4]},
    "BayesSearchCV": skopt.BayesSearchCV,
    "TPESearchCV": SampledSearchCV,
}
# What is better than the base's, or a must.
OTHER_DEFAULTS = {"scoring", "n_points", "error_score"}
X = np.random.default_rng(0).normal(size=(120, 3))
Y = (X[:, 0] > 0).astype(int)


def searcher(name, estimator, space, **settings):
    return getattr(skhp, name)(estimator, space, **SEARCHERS[name] | settings)


# On tables that no candidate can be fitted to or scored on, scikit-learn's own searches warn, too.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, "classifier") for name in SEARCHERS), ("GridSearchCV", "regressor")],
)
def test_check_estimator(name, kind):
    # The checks are of what a search does with its data; each fits it many times.
    estimator = LogisticRegression() if kind == "classifier" else Ridge()
    space = {"C": [1.0]} if kind == "classifier" else {"alpha": [1.0]}
    one_candidate = {"n_iter": 1} if "n_iter" in SEARCHERS[name] else {}
    if "n_candidates" in SEARCHERS[name]:
        one_candidate = {"n_candidates": 1}
    search = searcher(name, estimator, space, **one_candidate)
    results = check_estimator(search, on_skip=None)
    skipped = {one["check_name"] for one in results if one["status"] != "passed"}
    assert all(name.startswith("check_array_api") for name in skipped)
    assert len(results) > 40


@pytest.mark.parametrize("name", SEARCHERS)
class TestEverySearcher:
    def test_it_is_scikit_learns_with_the_same_parameters_first(self, name):
        ours, theirs = getattr(skhp, name), BASES[name]
        assert issubclass(ours, theirs)
        if name == "TPESearchCV":
            # Of the style of BayesSearchCV, without what is out of date there.
            theirs = BASES["BayesSearchCV"]
        own, base = (inspect.signature(one).parameters for one in (ours, theirs))
        if name == "TPESearchCV":
            assert set(base) - set(own) == {"fit_params", "iid", "optimizer_kwargs"}
            return
        assert list(own)[: len(base)] == list(base)
        for parameter in base.values():
            assert own[parameter.name].kind == parameter.kind
            if parameter.name not in OTHER_DEFAULTS:
                assert str(own[parameter.name].default) == str(parameter.default)
        more = list(own)[len(base) :]
        assert all(own[added].kind == inspect.Parameter.KEYWORD_ONLY for added in more)

    def test_a_fit_changes_no_parameter(self, name):
        search = searcher(name, KerasMLPClassifier(epochs=3, random_state=0), {"neurons": [2, 3]})
        before = search.get_params(deep=False)
        search.fit(X, Y)
        after = search.get_params(deep=False)
        assert all(after[parameter] is value for parameter, value in before.items())
        assert not [attribute for attribute in vars(search) if attribute in ("_run", "_watching")]

    def test_parameters_are_as_before_when_a_fit_fails(self, name):
        search = searcher(name, Ridge(), {"alpha": [-1.0, -2.0]}, error_score="raise")
        before = search.get_params(deep=False)
        with pytest.raises(ValueError, match="alpha"):
            search.fit(X, Y)
        after = search.get_params(deep=False)
        assert all(after[parameter] is value for parameter, value in before.items())

    def test_a_population_scores_as_fits_one_by_one(self, name):
        network = KerasMLPClassifier(epochs=5, random_state=0)
        space = {"learning_rate": [0.1, 0.001]}
        together = searcher(name, network, space).fit(X, Y)
        alone = searcher(name, network, space, population=False).fit(X, Y)
        scores = [one.cv_results_["mean_test_score"] for one in (together, alone)]
        np.testing.assert_allclose(*scores, atol=0.03)

    @pytest.mark.parametrize(
        "settings",
        [
            {"early_stopping": "always"},
            {"early_stopping": 0},
            {"time_budget": "soon"},
            {"on_interrupt": "ignore"},
            {"population": "yes"},
            {"scoring": "no such score"},
        ],
        ids=lambda settings: next(iter(settings)),
    )
    def test_bad_parameters(self, name, settings):
        search = searcher(name, Ridge(), {"alpha": [1.0]}, **settings)
        with pytest.raises(ValueError, match=next(iter(settings))):
            search.fit(X, Y)

    def test_a_clone_is_the_same(self, name):
        search = searcher(name, Ridge(), {"alpha": [1.0]}, time_budget="1min", early_stopping=3)
        assert repr(clone(search)) == repr(search)


def test_only_a_sequential_search_can_end_for_want_of_improvement():
    sequential = {
        name
        for name in SEARCHERS
        if "stop_after" in inspect.signature(getattr(skhp, name)).parameters
    }
    assert sequential == {"RandomizedSearchCV", "BayesSearchCV", "TPESearchCV"}
    search = searcher("RandomizedSearchCV", Ridge(), {"alpha": [1.0]}, stop_after=0)
    with pytest.raises(ValueError, match="stop_after"):
        search.fit(X, Y)


def test_a_dict_of_early_stopping_that_nothing_has():
    search = searcher(
        "GridSearchCV", KerasMLPClassifier(), {"neurons": [2]}, early_stopping={"patient": 3}
    )
    with pytest.raises(InvalidParameterError, match="patience"):
        search.fit(X, Y)


@pytest.mark.parametrize("name", scikit_learn_private.__all__)
def test_private_names_of_scikit_learn_are_there(name):
    assert getattr(scikit_learn_private, name) is not None


@pytest.mark.parametrize(
    "name",
    [
        *("_run_search", "_get_scorers", "_format_results", "_select_best_index"),
        *("_get_routed_params_for_fit", "_check_input_parameters"),
    ],
)
def test_overridden_methods_of_scikit_learn_are_there(name):
    assert callable(getattr(sklearn.model_selection.HalvingGridSearchCV, name))


def test_an_estimator_that_tells_nothing():
    assert training_of(LogisticRegression().fit(X, Y)) == (None, None, None, None)


@pytest.mark.parametrize("name", ["GridSearchCV", "RandomizedSearchCV", "BayesSearchCV"])
def test_a_misspelt_parameter_is_named_before_any_fit(name):
    class Untouchable(Ridge):
        def fit(self, X, y):
            raise AssertionError("a fit")

    search = searcher(name, Untouchable(), {"alpa": [1.0]}, error_score="raise")
    with pytest.raises(InvalidParameterError, match=r"alpa.*alpha"):
        search.fit(X, Y)
