"""Scorers of the rarest class, for any `scoring` parameter of scikit-learn.

The rarest class is the classifier's `rare_class_`, which skhp's networks set to the rarest class of
the rows that they were fitted on. For other classifiers it is the class of `classes_` with the
fewest scored rows, which may be none; if several are equally rare, it is the last in sorted order.
In stratified folds both rules give the rarest class of all rows.
With more than two classes, a score is the mean over all classes. An undefined score, such as the
precision of a class that is never predicted, is 0 without a warning.

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
        A fitted classifier.
    X : array-like of shape (n_samples, ...)
        Rows to score on.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        Labels of any type, or rows of zeros that each hold a single 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows. None weighs all rows equally.

    Returns
    -------
    score : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `y` does not hold classes.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skhp.scoring import rare_f1_scorer
    >>> X, y = [[0], [1], [2]], ["sick", "well", "well"]
    >>> rare_f1_scorer(DummyClassifier(strategy="constant", constant="sick").fit(X, y), X, y)
    0.5
    """
    return _score_predictions(f1_score, estimator, X, y, sample_weight)


def rare_precision_scorer(
    estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Precision of the rarest class.

    Parameters
    ----------
    estimator : classifier
        A fitted classifier.
    X : array-like of shape (n_samples, ...)
        Rows to score on.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        Labels of any type, or rows of zeros that each hold a single 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows. None weighs all rows equally.

    Returns
    -------
    score : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `y` does not hold classes.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skhp.scoring import rare_precision_scorer
    >>> X, y = [[0], [1], [2], [3]], ["sick", "well", "well", "well"]
    >>> rare_precision_scorer(DummyClassifier(strategy="constant", constant="sick").fit(X, y), X, y)
    0.25
    """
    return _score_predictions(precision_score, estimator, X, y, sample_weight)


def rare_recall_scorer(
    estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Recall of the rarest class.

    Parameters
    ----------
    estimator : classifier
        A fitted classifier.
    X : array-like of shape (n_samples, ...)
        Rows to score on.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        Labels of any type, or rows of zeros that each hold a single 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows. None weighs all rows equally.

    Returns
    -------
    score : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `y` does not hold classes.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from skhp.scoring import rare_recall_scorer
    >>> X, y = [[0], [1], [2]], ["sick", "well", "well"]
    >>> rare_recall_scorer(DummyClassifier(strategy="constant", constant="sick").fit(X, y), X, y)
    1.0
    """
    return _score_predictions(recall_score, estimator, X, y, sample_weight)


def rare_average_precision_scorer(
    estimator: Any, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
) -> float:
    """Average precision of the rarest class, which does not depend on a threshold.

    Parameters
    ----------
    estimator : classifier
        A fitted classifier with ``predict_proba`` or ``decision_function``.
    X : array-like of shape (n_samples, ...)
        Rows to score on.
    y : array-like of shape (n_samples,) or (n_samples, n_classes)
        Labels of any type, or rows of zeros that each hold a single 1.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows. None weighs all rows equally.

    Returns
    -------
    score : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If `y` does not hold classes.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skhp.scoring import rare_average_precision_scorer
    >>> X, y = [[0], [1], [2]], ["sick", "well", "well"]
    >>> rare_average_precision_scorer(LogisticRegression().fit(X, y), X, y)
    1.0
    """
    rare = rare_class_of(estimator)
    estimator, X, y = _with_labels(estimator, X, y)
    scored = _scored_classes(estimator, y, rare)
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
                for label in (np.unique(y) if scored is None else scored)
            ]
        )
    )


def _score_predictions(
    score: Callable[..., float], estimator: Any, X: Any, y: ArrayLike, sample_weight: Any
) -> float:
    rare = rare_class_of(estimator)
    estimator, X, y = _with_labels(estimator, X, y)
    return float(
        score(
            y,
            estimator.predict(X),
            labels=_scored_classes(estimator, y, rare),
            average="macro",
            sample_weight=sample_weight,
            zero_division=0.0,
        )
    )


def _with_labels(estimator: Any, X: Any, y: ArrayLike) -> tuple[Any, Any, np.ndarray]:
    estimator, X, y = as_classes(estimator, X, y)
    kind = type_of_target(y)
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"y is {kind}, of shape {np.shape(y)}, and so has no rarest class: give one label for "
            "each row, or rows that each hold a single 1."
        )
    return estimator, X, np.asarray(y).ravel()


def _scored_classes(estimator: Any, y: np.ndarray, rare: Any) -> list[Any] | None:
    """A list of the rarest class alone; None for more than two classes, which are all scored."""
    known = getattr(estimator, "classes_", None)
    classes, counts = class_counts(y, None if isinstance(known, list) else known)
    if len(classes) > 2:
        return None
    return [classes[rarest_position(counts)] if rare is None else rare]
