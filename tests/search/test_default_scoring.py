"""What a search scores by if nobody says."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score

from skhp import GridSearchCV
from skhp.search.scores import default_scoring

TARGETS = {
    "numbers": [0, 0, 0, 1, 1],
    "rare zero": [0, 1, 1, 1, 0],
    "texts": ["no", "no", "yes", "no", "yes"],
    "booleans": [True, True, True, False, False],
    "other numbers": [7, -1, 7, 7, -1],
}


class Predicting(ClassifierMixin, BaseEstimator):
    """Predicts what it was fitted to."""

    def fit(self, predicted):
        self.classes_, self.predicted_ = np.unique(predicted), predicted
        return self

    def predict(self, X):
        return self.predicted_


@pytest.mark.parametrize("labels", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("kind", [list, np.array, pd.Series], ids=["list", "array", "series"])
def test_f1_of_the_rarest_of_two_classes(labels, kind):
    y = kind(labels)
    values, counts = np.unique(labels, return_counts=True)
    rarest = values[counts.argmin()]
    predicted = np.array(labels)[::-1]
    scorer = default_scoring(LogisticRegression(), y)
    expected = f1_score(labels, predicted, pos_label=rarest)
    model = Predicting().fit(predicted)
    assert scorer(model, np.zeros((5, 1)), labels) == pytest.approx(expected)


def test_of_classes_as_frequent_the_last_one():
    assert "pos_label=b" in repr(default_scoring(LogisticRegression(), ["a", "b"]))


def test_macro_f1_of_more_classes():
    y = [0, 1, 2, 2, 1]
    model = DummyClassifier(strategy="constant", constant=1).fit(np.zeros((5, 1)), y)
    expected = f1_score(y, [1] * 5, average="macro", zero_division=0)
    scored = default_scoring(LogisticRegression(), y)(model, np.zeros((5, 1)), y)
    assert scored == pytest.approx(expected)


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (Ridge(), [0, 1, 1]),
        (KMeans(), None),
        (LogisticRegression(), [[0, 1], [1, 1]]),
    ],
)
def test_everything_else_has_its_own_score(estimator, y):
    assert default_scoring(estimator, y) is None


def test_a_search_says_what_was_used_and_keeps_its_parameter():
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = np.where(X[:, 0] > 0.6, "sick", "well")
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 10]}).fit(X, y)
    assert search.scoring == "auto"
    assert "pos_label=sick" in repr(search.scorer_)
    assert search.score(X, y) == f1_score(y, search.predict(X), pos_label="sick")
    own = GridSearchCV(LogisticRegression(), {"C": [0.1, 10]}, scoring=None).fit(X, y)
    assert own.score(X, y) == np.mean(own.predict(X) == y)
