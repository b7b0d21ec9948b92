"""The Brier score that `compare` tells beside the scores."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import check_random_state

from skhp.comparison.compare import compare

QUICK = {"n_repeats": 2, "n_seeds": 1, "cv": 3, "baseline": "dummy"}
X, Y = make_classification(90, weights=[0.7], class_sep=0.6, random_state=0)


class WithoutProbabilities(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.where(X[:, 0] > 0, *self.classes_)


@pytest.mark.parametrize("labels", [(0, 1), (1, 0), ("well", "sick"), ("sick", "well")])
def test_the_brier_score_is_that_of_the_rare_class_on_the_same_folds(labels):
    common, rare = labels
    y = np.where(Y == 1, rare, common)
    given = {"forest": RandomForestClassifier(5, max_depth=3), "none": WithoutProbabilities()}
    baseline = LogisticRegression()
    comparison = compare(given, X, y, **QUICK | {"baseline": baseline, "scoring": ["f1", "recall"]})
    expected = []
    for seed in check_random_state(0).randint(2**31 - 1, size=2):
        for train, test in StratifiedKFold(3, shuffle=True, random_state=seed).split(X, y):
            fitted = LogisticRegression().fit(X[train], y[train])
            probability = fitted.predict_proba(X[test])[:, list(fitted.classes_).index(rare)]
            expected.append(brier_score_loss(y[test] == rare, probability))
    brier = comparison.frame["brier"]
    assert brier.loc["LogisticRegression"].to_list() == pytest.approx([np.mean(expected)] * 2)
    assert 0.05 < brier.loc["forest"].iloc[0] < 0.25
    assert brier.loc["none"].isna().all()
    text = " ".join(str(comparison).split())
    assert f"of class {rare!r} (0 is best): LogisticRegression 0." in text
    assert comparison.metrics == ("f1", "recall")


def test_the_brier_score_where_the_training_rows_hold_one_class_only():
    rows = np.arange(90)
    y = (rows >= 45).astype(int)
    # Nobody has a probability of a class that was never seen, so each of its rows is an error of 1.
    splits = [(rows[:30], rows[30:60]), (rows[15:75], rows[:15])]
    given = {"frequency": DummyClassifier(strategy="prior")}
    settings = {"baseline": "dummy", "n_repeats": 1, "n_seeds": 1, "scoring": "accuracy"}
    comparison = compare(given, X, y, cv=splits, **settings)
    brier = comparison.frame.loc[("frequency", "accuracy"), "brier"]
    assert brier == pytest.approx(np.mean([15 / 30, 0.5**2]))


def test_there_is_none_unless_there_are_two_classes():
    flowers, species = load_iris(return_X_y=True)
    of_three = compare({"regression": LogisticRegression(max_iter=999)}, flowers, species, **QUICK)
    of_numbers = compare({"ridge": Ridge()}, *load_diabetes(return_X_y=True), **QUICK)
    for comparison in (of_three, of_numbers):
        assert comparison.frame["brier"].isna().all()
        assert "Brier" not in str(comparison)


def test_pipelines_and_searches_have_it_where_what_is_in_them_does():
    given = {
        "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
        "search": GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
        "machine": make_pipeline(StandardScaler(), SVC()),
    }
    brier = compare(given, X, Y, **QUICK | {"n_repeats": 1, "scoring": "f1"}).frame["brier"]
    known = brier.droplevel("metric").notna()
    assert known.to_dict() == {"dummy": True, "pipeline": True, "search": True, "machine": False}
