"""Searches where scikit-learn routes metadata, and under its other settings."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn import model_selection
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(80, 3))
Y = (X[:, 0] + GENERATOR.normal(size=80) > 0).astype(int)
WEIGHT = GENERATOR.uniform(0, 5, size=80)
GROUPS = np.arange(80) // 8
VALUES = [0.01, 1.0]
SEARCHERS = {
    "GridSearchCV": {},
    "RandomizedSearchCV": {"n_iter": 2, "random_state": 0},
    "HalvingGridSearchCV": {"min_resources": 80, "random_state": 0},
    "HalvingRandomSearchCV": {"n_candidates": 2, "min_resources": 80, "random_state": 0},
    "BayesSearchCV": {"n_iter": 8, "random_state": 0},
    "TPESearchCV": {"n_iter": 8, "random_state": 0},
}
every_searcher = pytest.mark.parametrize("name", SEARCHERS)


def scores(name, estimator, parameter="C", y=Y, fit=None, **settings):
    settings = {"cv": 2, "scoring": "f1", **SEARCHERS[name], **settings}
    search = getattr(skhp, name)(estimator, {parameter: VALUES}, **settings)
    results = search.fit(X, y, **(fit or {})).cv_results_
    return dict(
        zip((one[parameter] for one in results["params"]), results["mean_test_score"], strict=True)
    )


def expected(estimator, parameter="C", fit=None, **settings):
    settings = {"cv": 2, "scoring": "f1", **settings}
    search = model_selection.GridSearchCV(estimator, {parameter: VALUES}, **settings)
    found = search.fit(X, Y, **(fit or {})).cv_results_["mean_test_score"]
    return dict(zip(VALUES, found, strict=True))


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@every_searcher
@pytest.mark.usefixtures("routing")
class TestRouted:
    def test_nothing(self, name):
        assert scores(name, LogisticRegression()) == expected(LogisticRegression())

    def test_nothing_to_scores_by_default(self, name):
        assert scores(name, LogisticRegression(), scoring="auto").keys() == set(VALUES)

    def test_weights(self, name):
        estimator = LogisticRegression().set_fit_request(sample_weight=True)
        scorer = make_scorer(f1_score).set_score_request(sample_weight=True)
        given = {"fit": {"sample_weight": WEIGHT}, "scoring": scorer}
        oracle = expected(estimator, **given)
        assert scores(name, estimator, **given) == oracle
        assert oracle != expected(LogisticRegression())

    @pytest.mark.parametrize("y", [Y, np.eye(2)[Y]], ids=["labels", "one-hot"])
    def test_weights_with_the_scores_by_default(self, name, y):
        network = skhp.KerasMLPClassifier(epochs=2, random_state=0)
        network.set_fit_request(sample_weight=True)
        found = scores(
            name, network, "learning_rate", y, fit={"sample_weight": WEIGHT}, scoring="auto"
        )
        oracle = expected(
            network,
            "learning_rate",
            fit={"sample_weight": WEIGHT},
            scoring=make_scorer(f1_score, zero_division=0.0).set_score_request(sample_weight=False),
        )
        assert found == pytest.approx(oracle)

    def test_what_nobody_asked_for_is_refused_as_scikit_learn_does(self, name):
        with pytest.raises(UnsetMetadataPassedError, match="LogisticRegression"):
            scores(name, LogisticRegression(), fit={"sample_weight": WEIGHT})

    def test_groups(self, name):
        given = {"fit": {"groups": GROUPS}, "cv": GroupKFold(3)}
        assert scores(name, LogisticRegression(), **given) == expected(
            LogisticRegression(), **given
        )

    def test_weights_within_a_pipeline(self, name):
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            LogisticRegression().set_fit_request(sample_weight=True),
        )
        scorer = make_scorer(f1_score).set_score_request(sample_weight=False)
        given = {"fit": {"sample_weight": WEIGHT}, "scoring": scorer}
        parameter = "logisticregression__C"
        assert scores(name, pipeline, parameter, **given) == expected(pipeline, parameter, **given)


@pytest.mark.usefixtures("routing")
def test_comparisons():
    for more in ({}, {"groups": GROUPS}):
        comparison = skhp.compare(
            {"logistic": LogisticRegression()}, X, Y, baseline="dummy", n_repeats=2, cv=2, **more
        )
        assert comparison.frame["mean"].notna().all()


@every_searcher
@pytest.mark.parametrize("setting", [{"transform_output": "pandas"}, {"assume_finite": True}])
def test_other_settings(name, setting):
    pipeline = make_pipeline(StandardScaler(), skhp.KerasMLPClassifier(epochs=2, random_state=0))
    given = {"scoring": make_scorer(f1_score, zero_division=0.0)}
    parameter = "kerasmlpclassifier__learning_rate"
    oracle = expected(pipeline, parameter, **given)
    with sklearn.config_context(**setting):
        assert scores(name, pipeline, parameter, **given) == pytest.approx(oracle)


def test_groups_and_weights_where_nothing_is_routed():
    given = {"fit": {"sample_weight": WEIGHT, "groups": GROUPS}, "cv": GroupKFold(3)}
    oracle = expected(LogisticRegression(), **given)
    for name in SEARCHERS:
        assert scores(name, LogisticRegression(), **given) == oracle


def test_fit_params_of_a_bayes_search_reach_the_fit():
    given = {"fit_params": {"sample_weight": WEIGHT}}
    oracle = expected(LogisticRegression(), fit={"sample_weight": WEIGHT})
    assert scores("BayesSearchCV", LogisticRegression(), **given) == oracle


def test_scikit_optimize_still_passes_groups_that_nobody_gave():
    import skopt

    search = skopt.BayesSearchCV(LogisticRegression(), {"C": (0.1, 1.0)}, n_iter=1)
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(TypeError, match="groups"),
    ):
        search.fit(pd.DataFrame(X), Y)
