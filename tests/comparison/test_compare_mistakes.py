"""What `compare` refuses, before anything is fitted."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_diabetes, make_classification
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from skhp import KerasMLPClassifier
from skhp.comparison.compare import compare

QUICK = {"n_repeats": 2, "n_seeds": 1, "cv": 3, "baseline": "dummy"}
X, Y = make_classification(90, weights=[0.7], class_sep=0.6, random_state=0)


class NeverFitted(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise AssertionError("fitted in spite of a mistake")


ONE = {"one": NeverFitted()}
FEW = np.array([1] * 2 + [0] * 88)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"estimators": {}}, "no estimator to compare"),
        ({"estimators": [NeverFitted()]}, "is a list: give a dict"),
        ({"estimators": {1: NeverFitted()}}, "named 1: give it a name"),
        ({"estimators": {"dummy": NeverFitted()}}, "named 'dummy', as the baseline"),
        ({"estimators": {"one": NeverFitted}}, "not an estimator: give an instance"),
        ({"estimators": {"one": "tree"}}, "'tree', which is not an estimator"),
        ({"estimators": {"one": StandardScaler()}}, "neither a classifier nor a regressor"),
        ({"estimators": ONE | {"two": Ridge()}}, "'one' is a classifier and 'two' a regressor"),
        ({"baseline": "logistics"}, "unknown baseline 'logistics'. Did you mean 'logistic'"),
        ({"baseline": Ridge()}, "'Ridge' is a regressor and 'one' a classifier"),
        ({"baseline": "one"}, "no estimator to compare to the baseline 'one'"),
        ({"baseline": {}}, "baseline is a dict with the keys []"),
        ({"baseline": {"a": NeverFitted(), "b": NeverFitted()}}, "the keys ['a', 'b']: give one"),
        ({"baseline": {"one": NeverFitted()}}, "named 'one', as the baseline is"),
        ({"baseline": {"mine": "forest"}}, "baseline maps 'mine' to the text 'forest'"),
        ({"baseline": "ridge"}, "'ridge' is for numbers, and the estimators are classifiers"),
        ({"verbose": "yes"}, "verbose='yes' cannot be used"),
        ({"verbose": -1}, "verbose=-1 cannot be used"),
        ({"n_repeats": 0}, "n_repeats=0 cannot be used"),
        ({"n_repeats": 2.0}, "n_repeats=2.0 cannot be used"),
        ({"n_seeds": 0}, "n_seeds=0 cannot be used"),
        ({"cv": 1}, "cv=1 leaves"),
        ({"cv": "five"}, "cv='five' cannot be used"),
        ({"cv": []}, "no split at all"),
        ({"cv": 3, "y": FEW}, "class 1 has 2 rows and cv=3"),
        ({"cv": 2, "y": FEW, "baseline": "logistic"}, "class 1 has 1 rows in the training rows"),
        ({"y": np.zeros(90)}, "one class only"),
        ({"y": X[:, 0]}, "y is continuous"),
        ({"y": Y[:50]}, "inconsistent numbers of samples"),
        ({"scoring": "f1_makro"}, "unknown scoring 'f1_makro'. Did you mean 'f1_macro'"),
        ({"scoring": "r2"}, "unknown scoring 'r2'"),
        ({"scoring": []}, "names no metric"),
        ({"scoring": 3}, "scoring=3 cannot be used"),
        ({"scoring": [len]}, "give a dict of names and scorers"),
        ({"scoring": {"mine": 3}}, "'mine' to 3"),
    ],
)
def test_mistakes_are_told_before_any_fit(changed, message):
    given = {"estimators": ONE, "X": X, "y": Y} | QUICK | changed
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        compare(given.pop("estimators"), given.pop("X"), given.pop("y"), **given)
    assert message in str(caught.value)


@pytest.mark.parametrize("cell", [1e300, np.nan, np.inf])
@pytest.mark.parametrize("is_baseline", [True, False])
def test_columns_that_a_network_cannot_take_are_named_before_any_fit(cell, is_baseline):
    table = pd.DataFrame(X).add_prefix("c")
    table.loc[7, "c3"] = cell
    others = {"baseline": KerasMLPClassifier()} if is_baseline else {}
    estimators = ONE if is_baseline else {**ONE, "network": KerasMLPClassifier()}
    with pytest.raises(ValueError, match=r"column 'c3' in 1 row\. KerasMLPClassifier takes finite"):
        compare(estimators, table, Y, **QUICK | others)


def test_what_is_for_classes_is_refused_for_regressors_with_the_mend():
    with pytest.raises(ValueError, match=r"'logistic' is for classes.*'ridge', 'lasso'"):
        compare({"ridge": Ridge()}, *load_diabetes(return_X_y=True), baseline="logistic")
    with pytest.raises(ValueError, match="unknown scoring 'f1' for regressors"):
        compare({"ridge": Ridge()}, *load_diabetes(return_X_y=True), baseline="dummy", scoring="f1")


def test_a_sparse_table_is_refused_to_boosting():
    with pytest.raises(ValueError, match="does not take a sparse table"):
        compare(ONE, csr_matrix(X), Y, **QUICK | {"baseline": "gradient_boosting"})
