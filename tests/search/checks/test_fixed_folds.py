"""Folds that are drawn once."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, ShuffleSplit

from skhp import GridSearchCV
from skhp.search.checks.folds import FixedFolds

X = np.arange(24.0).reshape(12, 2)


def folds_of(splitter, **parameters):
    return [(train.tolist(), test.tolist()) for train, test in splitter.split(X, **parameters)]


def test_folds_stay_those_of_the_first_call():
    shuffled = ShuffleSplit(4, random_state=np.random.RandomState(0))
    assert folds_of(shuffled) != folds_of(shuffled)
    fixed = FixedFolds(shuffled)
    assert folds_of(fixed) == folds_of(fixed)
    assert fixed.get_n_splits() == 4


def test_groups_reach_the_splitter():
    groups = np.repeat([0, 1, 2], 4)
    fixed = FixedFolds(LeaveOneGroupOut())
    assert fixed.get_n_splits(groups=groups) == 3
    assert folds_of(fixed, groups=groups) == folds_of(LeaveOneGroupOut(), groups=groups)


def test_what_else_a_splitter_has_is_found():
    assert FixedFolds(GroupKFold(3)).n_splits == 3
    with pytest.raises(AttributeError):
        FixedFolds(GroupKFold(3)).no_such_attribute  # noqa: B018


def test_a_search_leaves_the_splitter_of_the_user_alone():
    splitter = ShuffleSplit(2, random_state=0)
    search = GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=splitter)
    for _ in range(2):
        assert search.fit(X, X[:, 0]).cv is splitter
