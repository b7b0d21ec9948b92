"""What a target of classes is: labels, or rows of zeros that each hold a single 1.

Rows as `keras.utils.to_categorical` and `pandas.get_dummies` make them stand for classes wherever
skhp looks at classes; the classes are then the numbers of the columns.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags

__all__ = [
    "ClassScorer",
    "as_classes",
    "class_labels",
    "one_hot_classes",
    "one_hot_labels",
    "one_hot_rows",
    "refuse_unclear_labels",
]

_SHOWN = 3


def one_hot_labels(y: Any) -> np.ndarray | None:
    """The number of the column that holds the 1, of each row; None where `y` is not one-hot.

    Parameters
    ----------
    y : array-like, sparse matrix or DataFrame
        One-hot are two columns or more of zeros and ones, or of booleans, with one 1 in each row.

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
            # Columns of pandas that can hold missing values, as "Int64", come as objects.
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
    """The labels that one-hot rows stand for; every other target as it is."""
    labels = one_hot_labels(y)
    return y if labels is None else labels


def one_hot_rows(labels: np.ndarray, n_classes: int, dtype: Any) -> np.ndarray:
    """The rows that numbers of classes stand for, of whole numbers where `dtype` is of objects."""
    kind = np.int64 if np.dtype(dtype).kind == "O" else dtype
    return np.eye(n_classes, dtype=kind)[np.asarray(labels, np.intp)]


def one_hot_classes(n_columns: int, given: Any = None) -> np.ndarray:
    """The classes of one-hot rows, the numbers of their columns; others that are given are refused.

    Raises
    ------
    ValueError
    """
    columns = np.arange(n_columns)
    if given is not None and not np.array_equal(np.unique(np.asarray(given)), columns):
        raise ValueError(
            f"classes={np.unique(np.asarray(given))} are given, and y is one-hot, whose classes "
            f"are the numbers of its columns, {columns}: give these, or leave classes out."
        )
    return columns


def refuse_unclear_labels(y: Any) -> None:
    """Raise if some labels are missing, or of types that cannot be put in an order.

    Parameters
    ----------
    y : array-like or None
        A list is looked at as it is: NumPy would make texts of numbers beside texts.

    Raises
    ------
    ValueError
        Names the rows, or the types with an example of each.
    """
    labels = _objects(y)
    if labels is None:
        return
    missing = [place for place, label in enumerate(labels) if _is_missing(label)]
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        shown = ", ".join(map(str, missing[:_SHOWN]))
        raise ValueError(
            f"Input y contains NaN or None, a missing label, in {len(missing)} of {len(labels)} "
            f"rows: {shown}{more}, counted from 0. Leave these rows out, or give them a label of "
            "their own, such as 'unknown'."
        )
    examples: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for label in labels:
        kind = _kind(label)
        examples.setdefault(kind, label)
        counts[kind] = counts.get(kind, 0) + 1
    if len(counts) > 1 and ("str" in counts or not _have_an_order(labels)):
        found = " ".join(
            f"{kind} in {count} rows, as {examples[kind]!r}," for kind, count in counts.items()
        )
        raise ValueError(
            f"y has labels of several types: {found.rstrip(',')}. The labels of a target are of "
            "one type: give, for example, [str(label) for label in y]."
        )


def _objects(y: Any) -> list[Any] | None:
    """Labels that may be of several types, one by one; None where there cannot be any."""
    if isinstance(y, list | tuple):
        return list(y) if not any(map(_holds_several, y)) else None
    dtype = getattr(y, "dtype", None)
    if dtype is None or getattr(y, "ndim", 0) not in (1, 2):
        return None
    is_array = isinstance(y, np.ndarray)
    if (is_array and dtype.kind != "O") or issparse(y):
        return None
    # A series of text, of categories or of numbers that may be missing holds objects for NumPy.
    objects = np.asarray(y)
    if objects.dtype.kind != "O" or (objects.ndim == 2 and objects.shape[1] != 1):
        return None
    return objects.ravel().tolist()


def _holds_several(label: Any) -> bool:
    return isinstance(label, Iterable) and not isinstance(label, str | bytes)


def _is_missing(label: Any) -> bool:
    if label is None:
        return True
    try:
        return bool(label != label)
    except (TypeError, ValueError):
        # The missing value of pandas is neither equal to itself nor not.
        return type(label).__name__ == "NAType"


def _kind(label: Any) -> str:
    if isinstance(label, int | float | np.number | np.bool_):
        return "number"
    return "str" if isinstance(label, str) else type(label).__name__


def _have_an_order(labels: list[Any]) -> bool:
    try:
        sorted(labels)
    except TypeError:
        return False
    return True


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
