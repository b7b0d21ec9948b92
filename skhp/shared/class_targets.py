"""Targets of classes, as labels or one-hot rows: conversions, scores and summaries.

Rows that each hold a single 1, as `keras.utils.to_categorical` and `pandas.get_dummies` make them,
stand for classes wherever skhp looks at classes; the classes are the column numbers.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

from skhp.shared.rarest_class import class_counts, rarest_position


def one_hot_labels(y: Any) -> np.ndarray | None:
    """The column number of the 1 in each row; None if `y` is not one-hot.

    Examples
    --------
    >>> one_hot_labels([[0, 1, 0], [0, 0, 1]]).tolist()
    [1, 2]
    >>> one_hot_labels([[0, 1, 1], [0, 0, 1]]), one_hot_labels(["a", "b"])
    (None, None)
    """
    if y is None or len(getattr(y, "shape", (0, 0))) != 2:
        return None
    if issparse(y):
        y = y.toarray()
    try:
        rows = np.asarray(y)
        if rows.dtype.kind == "O":
            # Nullable columns of pandas, such as "Int64", become objects.
            rows = rows.astype(np.float64)
    except (TypeError, ValueError):
        return None
    if rows.ndim != 2 or rows.shape[1] < 2 or not len(rows) or rows.dtype.kind not in "fiub":
        return None
    is_one = rows == 1
    if not ((is_one | (rows == 0)).all() and (is_one.sum(axis=1) == 1).all()):
        return None
    return is_one.argmax(axis=1)


def class_labels(y: Any) -> Any:
    """The labels that one-hot rows stand for; any other target is returned unchanged."""
    labels = one_hot_labels(y)
    return y if labels is None else labels


def one_hot_rows(labels: np.ndarray, n_classes: int, dtype: Any) -> np.ndarray:
    """One-hot rows for class numbers, of the given dtype, or of integers in place of objects."""
    kind = np.int64 if np.dtype(dtype).kind == "O" else dtype
    return np.eye(n_classes, dtype=kind)[np.asarray(labels, np.intp)]


def one_hot_classes(n_columns: int, given: Any = None) -> np.ndarray:
    """The classes of one-hot rows, which are the column numbers; other classes are refused."""
    columns = np.arange(n_columns)
    if given is not None and not np.array_equal(np.unique(np.asarray(given)), columns):
        raise ValueError(
            f"classes={np.unique(np.asarray(given))} do not fit y, which is one-hot: its classes "
            f"are the column numbers {columns}. Give these, or leave classes out."
        )
    return columns


class ClassScorer:
    """A scorer of labels that scores one-hot rows by the labels that they stand for."""

    def __init__(self, scorer: Callable[..., Any]) -> None:
        self.scorer = scorer
        # scikit-learn reads from the signature whether a function takes sample weights.
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
    """Arguments for a scorer of labels; if `y` is one-hot, it and predictions become labels."""
    labels = one_hot_labels(y)
    if labels is None:
        return estimator, X, y
    return _PredictsLabels(estimator, np.shape(y)[1]), X, labels


class _PredictsLabels(BaseEstimator):
    """Makes a fitted classifier predict labels, even if it predicts one-hot rows itself."""

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
        # For several outputs it is a list of arrays.
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
        # scikit-learn's own classifiers may predict several classes for a row, or no class.
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
        """Outputs in the shape that a classifier of labels returns."""
        if isinstance(outputs, list):
            # Each entry has a column for 0 and one for 1, or a single column for the only value.
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
            # -1 is not a class, so it counts as wrong for every row.
            said = np.full(len(predicted), -1)
        is_clear = (predicted == 1).sum(axis=1) == 1
        return np.where(is_clear, (predicted == 1).argmax(axis=1), said.astype(np.intp))


@dataclass(frozen=True)
class TargetSummary:
    """Statistics of a target, kept in place of it."""

    n_rows: int
    rarest: int | None
    entropy: float | None
    means: tuple[float, ...] | None
    deviations: tuple[float, ...] | None
    rare_class: Any = None


def target_summary(y: Any) -> TargetSummary | None:
    """A summary of a target; None if it is missing or not an array.

    Examples
    --------
    >>> summary = target_summary([1, 1, 1, 3])
    >>> summary.rarest, summary.rare_class, summary.means, round(summary.entropy, 3)
    (1, 3, (1.5,), 0.562)
    """
    try:
        array = np.asarray(y)
    except ValueError:
        # A user's estimator may take targets of several shapes.
        return None
    if array.ndim not in (1, 2) or not array.size:
        return None
    rarest, rare_class, entropy = _classes(array)
    means = deviations = None
    if array.dtype.kind in "fiub":
        columns = array.reshape(len(array), -1).astype(float)
        means = tuple(columns.mean(axis=0).tolist())
        deviations = tuple(columns.std(axis=0).tolist())
    return TargetSummary(len(array), rarest, entropy, means, deviations, rare_class)


def _classes(y: np.ndarray) -> tuple[int | None, Any, float | None]:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2:
        labels = one_hot_labels(y)
        if labels is None:
            return None, None, None
        y = labels
    try:
        labels, counts = class_counts(y)
    except TypeError:
        # Labels of several types have no order.
        return None, None, None
    shares = counts / counts.sum()
    rarest = rarest_position(counts)
    entropy = float(-(shares * np.log(shares)).sum())
    return int(counts[rarest]), labels.tolist()[rarest], entropy
