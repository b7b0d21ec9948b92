"""Where the intervals of `compare` end, and what several estimators do to its p-values."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.tree import DecisionTreeClassifier

from skhp.comparison.compare import compare

QUICK = {"n_repeats": 2, "n_seeds": 1, "cv": 3, "baseline": "dummy"}
X, Y = make_classification(90, weights=[0.7], class_sep=0.6, random_state=0)


class ByTheFirstColumn(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.where(X[:, 0] > 0, *self.classes_)


def f1_of_one(estimator, X, y):
    return f1_score(y, estimator.predict(X), zero_division=0.0)


def test_intervals_of_means_end_where_the_metric_does():
    given = {"tree": DecisionTreeClassifier(max_depth=1)}
    # The first column finds two of the rare rows, the second one all but two.
    found, missed = np.flatnonzero(Y)[:2], np.flatnonzero(Y)[-2:]
    first, second = np.ones(90), Y.astype(float)
    first[found], second[missed] = -1, 0
    easy = np.c_[first, second]
    scoring = {"f1": "f1", "same": f1_of_one, "signed": "matthews_corrcoef"}
    # One F1 is nearly always 1, the other nearly always 0.
    settings = QUICK | {"cv": 9, "n_repeats": 1, "scoring": scoring, "baseline": ByTheFirstColumn()}
    frame = compare(given, easy, Y, **settings).frame
    tree = frame.loc["tree"]
    # Of a scorer of the user's nobody knows where it ends: there the interval is that of the test.
    assert tree.loc["f1", "mean"] == tree.loc["same", "mean"] < 1
    assert tree.loc["f1", "high"] == 1 < tree.loc["same", "high"]
    assert tree.loc["f1", "low"] == tree.loc["same", "low"] > 0
    wrong = frame.loc["ByTheFirstColumn"]
    assert wrong.loc["f1", "low"] == 0 > wrong.loc["same", "low"]
    assert wrong.loc["signed", "low"] < 0
    # Differences are not cut off.
    columns = ["difference_low", "difference_high", "p_value"]
    assert tree.loc["f1", columns].to_list() == tree.loc["same", columns].to_list()


def test_p_values_are_adjusted_for_the_number_of_estimators_in_each_metric():
    given = {
        "stump": DecisionTreeClassifier(max_depth=1),
        "tree": DecisionTreeClassifier(max_depth=3),
        "regression": LogisticRegression(),
    }
    several = compare(given, X, Y, **QUICK).frame
    assert several.loc["dummy", "p_value_adjusted"].isna().all()
    for metric in ("precision", "recall", "f1"):
        found = several.xs(metric, level="metric").drop(index="dummy")
        found = found.sort_values("p_value")[["p_value", "p_value_adjusted"]].to_numpy()
        (first, of_first), (second, of_second), (third, of_third) = found
        assert of_first == pytest.approx(min(1, 3 * first))
        assert of_second == pytest.approx(min(1, max(3 * first, 2 * second)))
        assert of_third == pytest.approx(min(1, max(3 * first, 2 * second, third)))
    alone = compare({"stump": given["stump"]}, X, Y, **QUICK).frame.loc["stump"]
    assert alone["p_value_adjusted"].to_list() == alone["p_value"].to_list()
