"""What the scores of a search are of, as its displays and its report say."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, f1_score, make_scorer, mean_squared_error
from sklearn.model_selection import GridSearchCV as PlainGridSearchCV

from skhp import GridSearchCV
from skhp.inspection.search_results import scored_by
from skhp.scoring import rare_f1_scorer

X = np.random.default_rng(0).normal(size=(60, 2))
Y = np.where(X[:, 0] > 0.7, "sick", "well")


def by_hand(estimator, X, y):
    return 0.5


@pytest.mark.parametrize(
    ("scoring", "title"),
    [
        ("auto", "F1 of class sick"),
        (None, "accuracy"),
        ("balanced_accuracy", "balanced_accuracy"),
        ("neg_log_loss", "neg_log_loss"),
        (make_scorer(balanced_accuracy_score), "balanced_accuracy"),
        (make_scorer(f1_score, pos_label="sick", zero_division=0.0), "F1 of class sick"),
        (make_scorer(f1_score, pos_label=None, average="macro"), "macro F1"),
        (rare_f1_scorer, "rare_f1"),
        (by_hand, "by_hand"),
    ],
)
def test_of_classes(scoring, title):
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, scoring=scoring)
    assert scored_by(search.fit(X, Y)) == title


@pytest.mark.parametrize(
    ("scoring", "title"),
    [
        ("auto", "R²"),
        (None, "R²"),
        (make_scorer(mean_squared_error, greater_is_better=False), "neg_mean_squared_error"),
    ],
)
def test_of_numbers(scoring, title):
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2, scoring=scoring).fit(X, X[:, 0])
    assert scored_by(search) == title


def test_of_more_classes_and_of_scikit_learns_search():
    three = np.where(X[:, 1] > 0.5, "other", Y)
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2).fit(X, three)
    assert scored_by(search) == "macro F1"
    assert scored_by(PlainGridSearchCV(LogisticRegression(), {"C": [1.0]}).fit(X, Y)) == "accuracy"
    # Of several, the columns have their names.
    assert scored_by(search, "recall") == "recall"
