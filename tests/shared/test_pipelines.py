"""Pipelines are recognised by what they do."""

import pytest
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_imbalanced_pipeline
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import TunedThresholdClassifierCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp.search.scores import training_of
from skhp.shared.pipelines import (
    is_pipeline,
    last_step,
    last_step_prefix,
    steps_before,
    trained_within,
)

NETWORK = skhp.KerasMLPClassifier(epochs=2, random_state=0)
SCALER, SAMPLER = StandardScaler(), SMOTE(random_state=0)
IMBALANCED = make_imbalanced_pipeline(SAMPLER, make_pipeline(SCALER, None, NETWORK))


def test_what_is_a_pipeline():
    assert is_pipeline(IMBALANCED)
    assert is_pipeline(make_pipeline(SCALER))
    others = [
        *(NETWORK, Pipeline, Pipeline([]), Pipeline([("a", 1, 2)]), Pipeline("ab"), None),
        FeatureUnion([("scaler", SCALER)]),
    ]
    assert not any(map(is_pipeline, others))


def test_the_last_step_and_those_before():
    assert last_step(IMBALANCED) is NETWORK
    assert last_step_prefix(IMBALANCED) == "pipeline__kerasmlpclassifier__"
    assert steps_before(IMBALANCED) == [("smote", SAMPLER), ("pipeline__standardscaler", SCALER)]
    assert last_step(NETWORK) is NETWORK
    assert last_step_prefix(NETWORK) == ""
    assert steps_before(NETWORK) == []
    assert last_step(make_pipeline(SCALER, "passthrough")) == "passthrough"


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: make_pipeline(SCALER, e)])
def test_the_training_is_found_within_what_is_wrapped_around_it(wrap):
    classes, numbers = make_classification(80), make_regression(80, 4)
    tuned = TunedThresholdClassifierCV(wrap(NETWORK), cv=2).fit(*classes)
    regressor = skhp.KerasMLPRegressor(epochs=2)
    scaled = TransformedTargetRegressor(wrap(regressor), transformer=StandardScaler())
    for fitted in (tuned, scaled.fit(*numbers), wrap(tuned).fit(*classes)):
        assert type(trained_within(fitted)).__name__.startswith("KerasMLP")
        assert training_of(fitted).n_iter == 2


def test_what_is_a_pattern_only_tells_nothing():
    bagging = BaggingClassifier(NETWORK, 2).fit(*make_classification(80, random_state=0))
    assert trained_within(bagging) is bagging
    assert training_of(bagging).n_iter is None


def test_a_search_goes_through_a_pipeline_of_imbalanced_learn():
    X, y = make_classification(120, 4, weights=[0.7], random_state=0)
    space = skhp.suggest_search_space(IMBALANCED, X, y, level="quick")
    prefix = "pipeline__kerasmlpclassifier__"
    assert all(name.startswith(prefix) for name in space)
    search = skhp.GridSearchCV(
        IMBALANCED, {f"{prefix}neurons": [2, 4]}, cv=2, refit_epochs="median", scoring="roc_auc"
    ).fit(X, y)
    assert search.best_estimator_[-1][-1].early_stopping is False
    assert "mean_n_iter" in search.cv_results_
