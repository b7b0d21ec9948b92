"""Scores of classes for targets of one-hot rows, as of the labels that they stand for."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

from skhp.shared.class_targets import one_hot_labels

__all__ = ["ClassScorer", "as_classes"]


class ClassScorer:
    """A scorer of labels that scores one-hot rows by the labels that they stand for.

    Parameters
    ----------
    scorer : callable
        As scikit-learn's scorers.
    """

    def __init__(self, scorer: Callable[..., Any]) -> None:
        self.scorer = scorer
        # scikit-learn looks whether a function takes sample weights.
        self.__signature__ = inspect.signature(scorer)

    def __call__(self, estimator: Any, X: Any, y: Any, *arguments: Any, **keywords: Any) -> Any:
        """Score an estimator."""
        return self.scorer(*as_classes(estimator, X, y), *arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "scorer" not in vars(self):
            raise AttributeError(name)
        return getattr(self.scorer, name)

    def __getstate__(self) -> dict[str, Any]:
        return {"scorer": self.scorer}

    def __setstate__(self, state: dict[str, Any]) -> None:
        ClassScorer.__init__(self, state["scorer"])

    def __repr__(self) -> str:
        return repr(self.scorer)


def as_classes(estimator: Any, X: Any, y: Any) -> tuple[Any, Any, Any]:
    """What a scorer of labels is to be given: where `y` is one-hot, labels on both sides.

    Parameters
    ----------
    estimator : classifier
        Fitted on one-hot rows, or on the labels that they stand for.
    X : array-like of shape (n_samples, ...)
    y : array-like of shape (n_samples,) or (n_samples, n_classes)

    Returns
    -------
    tuple of (classifier, X, y)
        As they were given where `y` is not one-hot.
    """
    labels = one_hot_labels(y)
    if labels is None:
        return estimator, X, y
    return _SaysLabels(estimator, np.shape(y)[1]), X, labels


class _SaysLabels(BaseEstimator):
    """A fitted classifier whose predictions are labels, also where its own are rows."""

    def __init__(self, estimator: Any, n_classes: int) -> None:
        self.estimator = estimator
        self.n_classes = n_classes

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.estimator)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    @property
    def classes_(self) -> np.ndarray:
        known = getattr(self.estimator, "classes_", None)
        # Several outputs have a list of arrays.
        return (
            np.arange(self.n_classes)
            if known is None or isinstance(known, list)
            else np.asarray(known)
        )

    def predict(self, X: Any) -> np.ndarray:
        predicted = np.asarray(self.estimator.predict(X))
        if predicted.ndim == 1:
            return predicted
        labels = one_hot_labels(predicted)
        # scikit-learn's own classifiers may say several classes of a row, or none.
        return self._most_likely(X, predicted) if labels is None else labels

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "estimator" not in vars(self):
            raise AttributeError(name)
        value = getattr(self.estimator, name)
        if name not in ("predict_proba", "decision_function"):
            return value

        @functools.wraps(value)
        def response(X: Any) -> np.ndarray:
            return self._of_classes(name, value(X))

        return response

    def _of_classes(self, name: str, outputs: Any) -> np.ndarray:
        """Outputs as a classifier of labels has them."""
        if isinstance(outputs, list):
            # The probabilities of 0 and 1 for each column; of one only where it is constant.
            known = [np.asarray(classes) for classes in self.estimator.classes_]
            outputs = np.column_stack(
                [
                    np.asarray(of_column)[:, classes == 1].sum(axis=1)
                    for of_column, classes in zip(outputs, known, strict=True)
                ]
            )
        outputs = np.asarray(outputs)
        if name == "decision_function":
            return outputs[:, 1] - outputs[:, 0] if outputs.shape[1:] == (2,) else outputs
        total = outputs.sum(axis=1, keepdims=True)
        equal = np.full_like(outputs, 1 / outputs.shape[1], dtype=np.float64)
        return np.divide(outputs, total, out=equal, where=total > 0)

    def _most_likely(self, X: Any, predicted: np.ndarray) -> np.ndarray:
        for name in ("predict_proba", "decision_function"):
            if hasattr(self.estimator, name):
                outputs = getattr(self, name)(X)
                said = outputs > 0 if outputs.ndim == 1 else outputs.argmax(axis=1)
                break
        else:
            # No class at all, which is wrong whatever the row is.
            said = np.full(len(predicted), -1)
        is_clear = (predicted == 1).sum(axis=1) == 1
        return np.where(is_clear, (predicted == 1).argmax(axis=1), said.astype(np.intp))
