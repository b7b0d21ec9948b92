"""The baselines that a comparison knows by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from scipy.sparse import issparse
from sklearn.base import TransformerMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from skhp.comparison.baseline import BASELINE_C, make_lasso
from skhp.comparison.errors import SettingsError
from skhp.comparison.metric_scorers import rarest_class
from skhp.comparison.outer_splits import OuterSplits
from skhp.comparison.preparation import make_preparation
from skhp.suggestions import nearest_name

__all__ = ["BASELINES", "named_baseline"]

BASELINES = ("dummy", "logistic", "gradient_boosting")
_INNER_FOLDS = 5


def named_baseline(name: str, X: Any, y: np.ndarray, splits: OuterSplits, for_classes: bool) -> Any:
    """The baseline of a name, not fitted; the strength of the lasso is tuned whenever it is.

    Parameters
    ----------
    name : {"dummy", "logistic", "gradient_boosting"}
    X : array-like of shape (n_rows, ...)
        Only its types of columns are looked at.
    y : ndarray of shape (n_rows, ...)
    splits : OuterSplits
        In whose training rows it has to be tuned.
    for_classes : bool

    Returns
    -------
    estimator

    Raises
    ------
    SettingsError
        For an unknown name, for "logistic" where numbers are predicted, and for a class of which
        there are too few rows to tune on.
    """
    if name not in BASELINES:
        raise SettingsError(
            f"unknown baseline {name!r}.{nearest_name(name, BASELINES)} Use one of "
            f"{', '.join(map(repr, BASELINES))}, or give an estimator."
        )
    match name:
        case "dummy":
            return DummyClassifier(strategy="stratified") if for_classes else DummyRegressor()
        case "gradient_boosting":
            booster = (
                HistGradientBoostingClassifier if for_classes else HistGradientBoostingRegressor
            )
            numbers, categories = _sorted_positions(X)
            if not categories:
                return booster()
            return make_pipeline(make_preparation(numbers, categories), booster())
    if not for_classes:
        raise SettingsError(
            "baseline='logistic' is for classes, and the estimators are regressors: give 'dummy', "
            "'gradient_boosting', or an estimator such as LassoCV()."
        )
    return _tuned_lasso(X, y, splits)


def _tuned_lasso(X: Any, y: np.ndarray, splits: OuterSplits) -> GridSearchCV:
    labels, codes = np.unique(y, return_inverse=True)
    counts = [
        np.bincount(codes[split.train], minlength=len(labels))
        for of_repeat in splits.of_repeats
        for split in of_repeat
    ]
    fewest = np.min(counts, axis=0)
    rarest = int(np.argmin(fewest))
    if fewest[rarest] < 2:
        raise SettingsError(
            f"class {labels[rarest].item()!r} has {fewest[rarest]} rows in the training rows of a "
            "split, and baseline='logistic' needs 2 to be tuned: give fewer folds, add rows of "
            "it, or give another baseline."
        )
    n_folds = min(_INNER_FOLDS, int(fewest[rarest]))
    rare = rarest_class(y)
    of_classes = {"average": "macro"} if rare is None else {"pos_label": rare}
    return GridSearchCV(
        Pipeline([("preparation", _scaling(X)), ("baseline", make_lasso(len(labels)))]),
        {"baseline__C": BASELINE_C},
        scoring=make_scorer(f1_score, zero_division=0.0, **of_classes),
        cv=StratifiedKFold(n_folds, shuffle=True, random_state=0),
        error_score="raise",
    )


def _scaling(X: Any) -> TransformerMixin:
    if issparse(X):
        return MaxAbsScaler()
    numbers, categories = _sorted_positions(X)
    if categories:
        return make_preparation(numbers, categories)
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )


def _sorted_positions(X: Any) -> tuple[list[Any], list[Any]]:
    """Positions of the columns of numbers and of all others; of an array all are numbers."""
    if not isinstance(X, pd.DataFrame):
        return [], []
    are_numbers = [
        types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype) for dtype in X.dtypes
    ]
    numbers = [position for position, is_number in enumerate(are_numbers) if is_number]
    categories = [position for position, is_number in enumerate(are_numbers) if not is_number]
    return numbers, categories
