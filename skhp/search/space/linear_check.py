"""A quick check whether a linear model is enough for a table."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MOST_FOLDS = 5
NEIGHBOURS = 10


@dataclass(frozen=True)
class LinearCheck:
    """Mean test scores of a linear model and of the best nonlinear one.

    `standard_error` is the standard error of their mean difference over the folds.
    """

    metric: str
    n_rows: int
    n_folds: int
    linear_score: float
    other_score: float
    other_name: str
    standard_error: float

    @property
    def is_enough(self) -> bool:
        """Whether the linear model is within one standard error of the other one, or better."""
        return self.linear_score >= self.other_score - self.standard_error


def check_linear(X: ArrayLike, y: ArrayLike, *, classification: bool) -> LinearCheck | None:
    """Cross-validate a linear model, boosting and neighbours; None if there are too few rows."""
    X = np.asarray(X.toarray() if hasattr(X, "toarray") else X)
    y = np.asarray(y)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    fewest = int(np.unique(y, return_counts=True)[1].min()) if classification else len(y) // 2
    n_folds = min(MOST_FOLDS, fewest)
    if n_folds < 2:
        return None
    if classification:
        metric = "ROC AUC"
        scoring = "roc_auc" if len(np.unique(y)) == 2 else "roc_auc_ovr"
        folds: Any = StratifiedKFold(n_folds, shuffle=True, random_state=0)
    else:
        metric, scoring = "R²", "r2"
        folds = KFold(n_folds, shuffle=True, random_state=0)
    n_neighbors = min(NEIGHBOURS, len(y) // 2)
    linear, others = _models(n_neighbors, classification=classification, single=y.ndim == 1)
    with warnings.catch_warnings():
        # A rough score is enough.
        warnings.simplefilter("ignore", ConvergenceWarning)
        linear_scores = cross_val_score(linear, X, y, cv=folds, scoring=scoring)
        scores = {
            name: cross_val_score(model, X, y, cv=folds, scoring=scoring)
            for name, model in others.items()
        }
    best = max(scores, key=lambda name: float(np.mean(scores[name])))
    differences = scores[best] - linear_scores
    return LinearCheck(
        metric=metric,
        n_rows=len(y),
        n_folds=n_folds,
        linear_score=float(np.mean(linear_scores)),
        other_score=float(np.mean(scores[best])),
        other_name=best,
        standard_error=float(np.std(differences, ddof=1) / np.sqrt(n_folds)),
    )


def _models(n_neighbors: int, *, classification: bool, single: bool) -> tuple[Any, dict[str, Any]]:
    if classification:
        linear = LogisticRegression(max_iter=200)
        neighbours = KNeighborsClassifier(n_neighbors)
        boosting = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    else:
        linear = RidgeCV(np.logspace(-3, 3, 7))
        neighbours = KNeighborsRegressor(n_neighbors)
        boosting = HistGradientBoostingRegressor(max_iter=50, random_state=0)
    others = {"nearest neighbours": make_pipeline(StandardScaler(), neighbours)}
    if single:
        others["gradient boosting"] = boosting
    return make_pipeline(StandardScaler(), linear), others
