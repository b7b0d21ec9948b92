"""Scores of the rarest class, whatever it is called."""

import warnings

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

from skhp.scoring import (
    rare_average_precision_scorer,
    rare_f1_scorer,
    rare_precision_scorer,
    rare_recall_scorer,
)

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(300, 3))
SCORE = X[:, 0] + GENERATOR.normal(size=300)
BINARY = (SCORE > 1.2).astype(int)
LABELS = np.where(BINARY == 1, "a hit", "nothing")
THREE = np.digitize(SCORE, [-1.0, 1.0])
WEIGHT = GENERATOR.uniform(1, 3, 300)
SCORERS = {
    rare_f1_scorer: f1_score,
    rare_precision_scorer: precision_score,
    rare_recall_scorer: recall_score,
}


@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_scores_of_predictions(scorer, weight):
    score = SCORERS[scorer]
    for y, rare in ((BINARY, 1), (1 - BINARY, 0), (LABELS, "a hit")):
        fitted = LogisticRegression().fit(X, y)
        expected = score(y, fitted.predict(X), pos_label=rare, sample_weight=weight)
        assert scorer(fitted, X, y, sample_weight=weight) == pytest.approx(expected)
    fitted = LogisticRegression().fit(X, THREE)
    expected = score(THREE, fitted.predict(X), average="macro", sample_weight=weight)
    assert scorer(fitted, X, THREE, sample_weight=weight) == pytest.approx(expected)


@pytest.mark.parametrize("estimator", [LogisticRegression(), RidgeClassifier()], ids=repr)
def test_average_precision(estimator):
    for y, rare in ((BINARY, 1), (1 - BINARY, 0), (LABELS, "a hit")):
        fitted = estimator.fit(X, y)
        sign = 1 if fitted.classes_[1] == rare else -1
        expected = average_precision_score(y == rare, sign * fitted.decision_function(X))
        assert rare_average_precision_scorer(fitted, X, y) == pytest.approx(expected)
    fitted = estimator.fit(X, THREE)
    method = getattr(fitted, "predict_proba", fitted.decision_function)
    expected = np.mean([average_precision_score(k == THREE, method(X)[:, k]) for k in range(3)])
    assert rare_average_precision_scorer(fitted, X, THREE) == pytest.approx(expected)


def test_what_is_undefined_is_zero_without_a_warning():
    fitted = DummyClassifier().fit(X, BINARY)
    with warnings.catch_warnings(action="error"):
        assert rare_precision_scorer(fitted, X, BINARY) == rare_f1_scorer(fitted, X, BINARY) == 0


def test_in_a_search_and_a_cross_validation():
    folds = StratifiedKFold(4)
    expected = cross_val_score(LogisticRegression(), X, BINARY, cv=folds, scoring="f1")
    found = cross_val_score(LogisticRegression(), X, BINARY, cv=folds, scoring=rare_f1_scorer)
    np.testing.assert_allclose(found, expected)
    search = GridSearchCV(
        LogisticRegression(), {"C": [0.1, 1.0]}, cv=folds, scoring=rare_f1_scorer
    ).fit(X, LABELS)
    assert search.best_score_ == pytest.approx(
        max(
            cross_val_score(LogisticRegression(C=C), X, BINARY, cv=folds, scoring="f1").mean()
            for C in (0.1, 1.0)
        )
    )
