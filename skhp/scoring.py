"""Scorers of the rarest class, for every `scoring` of scikit-learn.

The rarest class is the one that the classifier itself learnt to be the rarest, where it tells so
by `rare_class_`, as skhp's networks do. For other classifiers it is the rarest among the rows that
are scored, where a class that the classifier knows and that has no row counts, too; of two that are
as frequent it is the last in order. In stratified folds both are the rarest class of all rows. For
more than two classes the scores are the mean over the classes. A score that is undefined, as the
precision of a class that is never predicted, is 0, without a warning.

Examples
--------
>>> from sklearn.datasets import load_breast_cancer
>>> from sklearn.dummy import DummyClassifier
>>> from sklearn.model_selection import cross_val_score
>>> from skhp.scoring import rare_f1_scorer
>>> X, y = load_breast_cancer(return_X_y=True)
>>> cross_val_score(DummyClassifier(), X, y, scoring=rare_f1_scorer).tolist()
[0.0, 0.0, 0.0, 0.0, 0.0]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score
from sklearn.utils.multiclass import type_of_target

from skhp.shared.class_targets import as_classes
from skhp.shared.rarest_class import class_counts, rare_class_of, rarest_position

__all__ = [
    "rare_average_precision_scorer",
    "rare_f1_scorer",
    "rare_precision_scorer",
    "rare_recall_scorer",
]


def rare_f1_scorer(
    estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """F1 of the rarest class.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    X : array-like of shape (n_samples, ...)
    y : array-like of shape (n_samples,), or (n_samples, n_classes) of zeros and ones
        Labels of any type, or rows that each hold a single 1.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    float
    """
    return _of_predictions(f1_score, estimator, X, y, sample_weight)


def rare_precision_scorer(
    estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Precision of the rarest class; parameters as of :func:`rare_f1_scorer`."""
    return _of_predictions(precision_score, estimator, X, y, sample_weight)


def rare_recall_scorer(
    estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Recall of the rarest class; parameters as of :func:`rare_f1_scorer`."""
    return _of_predictions(recall_score, estimator, X, y, sample_weight)


def rare_average_precision_scorer(
    estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Average precision of the rarest class, which no threshold has a part in.

    Parameters as of :func:`rare_f1_scorer`; the estimator needs ``predict_proba`` or
    ``decision_function``.
    """
    rare = rare_class_of(estimator)
    estimator, X, y = _of_labels(estimator, X, y)
    counted = _counted(estimator, y, rare)
    known = np.asarray(estimator.classes_)
    if hasattr(estimator, "predict_proba"):
        scores = np.asarray(estimator.predict_proba(X))
    else:
        scores = np.asarray(estimator.decision_function(X))
        if scores.ndim == 1:
            scores = np.column_stack([-scores, scores])
    return float(
        np.mean(
            [
                average_precision_score(
                    y == label, scores[:, known == label][:, 0], sample_weight=sample_weight
                )
                if (known == label).any() and (y == label).any()
                else 0.0
                for label in (np.unique(y) if counted is None else counted)
            ]
        )
    )


def _of_predictions(
    score: Callable[..., float], estimator: Any, X: Any, y: ArrayLike, sample_weight: Any
) -> float:
    rare = rare_class_of(estimator)
    estimator, X, y = _of_labels(estimator, X, y)
    return float(
        score(
            y,
            estimator.predict(X),
            labels=_counted(estimator, y, rare),
            average="macro",
            sample_weight=sample_weight,
            zero_division=0.0,
        )
    )


def _of_labels(estimator: Any, X: Any, y: ArrayLike) -> tuple[Any, Any, np.ndarray]:
    estimator, X, y = as_classes(estimator, X, y)
    kind = type_of_target(y)
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"y is {kind}, of shape {np.shape(y)}, and the rarest class is one of classes: give "
            "one label for each row, or rows that each hold a single 1."
        )
    return estimator, X, np.asarray(y).ravel()


def _counted(estimator: Any, y: np.ndarray, rare: Any) -> list[Any] | None:
    """The one class that is scored; None for more than two classes, which are all scored."""
    known = getattr(estimator, "classes_", None)
    classes, counts = class_counts(y, None if isinstance(known, list) else known)
    if len(classes) > 2:
        return None
    return [classes[rarest_position(counts)] if rare is None else rare]
