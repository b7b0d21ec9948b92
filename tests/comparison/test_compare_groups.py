"""Groups of rows that no outer split tears apart."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_diabetes, make_classification
from sklearn.linear_model import LassoCV, LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_random_state

from skhp.comparison.compare import compare

QUICK = {"n_repeats": 2, "n_seeds": 1, "cv": 3, "baseline": "dummy"}
X, Y = make_classification(90, weights=[0.7], class_sep=0.6, random_state=0)
GROUPS = np.array([f"patient {row % 10}" for row in range(90)])


class Recorder(ClassifierMixin, BaseEstimator):
    """Writes down the rows, known by their first column, that it is given."""

    def __init__(self, events):
        self.events = events

    def __sklearn_clone__(self):
        return self

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.events.append(X[:, 0].astype(int))
        return self

    def predict(self, X):
        self.events.append(X[:, 0].astype(int))
        return np.where(X[:, 1] > 0, *self.classes_)


@pytest.mark.parametrize(
    ("cv", "n_splits", "drawn_anew"),
    [
        (3, 6, True),
        (GroupShuffleSplit(4, test_size=0.3), 8, True),
        (GroupKFold(3), 6, False),
        (LeaveOneGroupOut(), 20, False),
        (list(GroupKFold(3).split(X, Y, GROUPS)), 6, False),
    ],
    ids=["number", "drawn", "folds", "one out", "pairs"],
)
def test_no_group_is_trained_and_tested_on(cv, n_splits, drawn_anew):
    events = []
    numbered = np.c_[np.arange(90), X]
    comparison = compare(
        {"one": Recorder(events)}, numbered, Y, **QUICK | {"cv": cv}, groups=GROUPS
    )
    pairs = list(zip(events[::2], events[1::2], strict=True))
    assert len(pairs) == n_splits
    for train, test in pairs:
        assert set(GROUPS[train]).isdisjoint(GROUPS[test])
    assert comparison.drawn_anew == drawn_anew
    halves = [
        [set(test) for _, test in half] for half in np.array_split(np.array(pairs, object), 2)
    ]
    assert (halves[0] != halves[1]) == drawn_anew


def test_scores_are_those_of_cross_validate_on_folds_of_groups():
    comparison = compare({"one": LogisticRegression()}, X, Y, **QUICK, groups=list(GROUPS))
    for repeat, seed in enumerate(check_random_state(0).randint(2**31 - 1, size=2)):
        folds = StratifiedGroupKFold(3, shuffle=True, random_state=seed)
        expected = cross_validate(
            LogisticRegression(), X, Y, groups=GROUPS, cv=folds, scoring="f1"
        )["test_score"]
        table = comparison.scores.query("estimator == 'one' and metric == 'f1'")
        np.testing.assert_allclose(table[table["repeat"] == repeat]["score"], expected)


def test_the_folds_of_regressors_are_of_groups_too():
    patients, progression = load_diabetes(return_X_y=True)
    groups = np.arange(len(progression)) // 13
    comparison = compare({"ridge": Ridge()}, patients, progression, **QUICK, groups=groups)
    (seed, *_) = check_random_state(0).randint(2**31 - 1, size=2)
    folds = GroupKFold(3, shuffle=True, random_state=seed)
    expected = cross_validate(Ridge(), patients, progression, groups=groups, cv=folds)["test_score"]
    table = comparison.scores.query("estimator == 'ridge' and metric == 'r2' and `repeat` == 0")
    np.testing.assert_allclose(table["score"], expected)


def test_a_given_splitter_is_left_as_it_is():
    splitter = GroupShuffleSplit(2, random_state=5)
    frames = [
        compare({"tree": DecisionTreeClassifier()}, X, Y, **QUICK | {"cv": splitter}, groups=GROUPS)
        for _ in range(2)
    ]
    assert splitter.random_state == 5
    pd.testing.assert_frame_equal(frames[0].scores, frames[1].scores)


class NeverFitted(ClassifierMixin, BaseEstimator):
    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        raise AssertionError("fitted in spite of a mistake")


SEARCH = GridSearchCV(NeverFitted(), {"C": [0.1, 1.0]}, cv=GroupKFold(2))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        # scikit-learn warns of it as well.
        ({"cv": KFold(3)}, "among both the training and the test rows"),
        ({"cv": list(KFold(3).split(X))}, "rows of group 'patient 0'"),
        ({"cv": 11}, "cv=11 cannot be done with 10 groups"),
        ({"cv": 1}, "cv=1 cannot be done"),
        ({"cv": "five"}, "cv='five' cannot be used"),
        ({"groups": GROUPS[:50]}, "inconsistent numbers of samples"),
        ({"estimators": {"search": SEARCH}}, "'search' splits its training rows into folds of its"),
        ({"estimators": {"deep": make_pipeline(StandardScaler(), SEARCH)}}, "'deep' splits"),
        ({"baseline": "logistic"}, "'logistic' splits"),
        ({"baseline": SEARCH}, "'GridSearchCV' splits"),
    ],
)
@pytest.mark.filterwarnings("ignore:The groups parameter is ignored:UserWarning")
def test_mistakes_are_told_before_any_fit(changed, message):
    given = {"estimators": {"one": NeverFitted()}, "groups": GROUPS} | QUICK | changed
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        compare(given.pop("estimators"), X, Y, **given)
    assert message in str(caught.value)


def test_regressors_that_tune_themselves_are_refused():
    with pytest.raises(ValueError, match="'lasso' splits its training rows"):
        compare({"lasso": LassoCV()}, *load_diabetes(return_X_y=True), **QUICK, groups=range(442))
