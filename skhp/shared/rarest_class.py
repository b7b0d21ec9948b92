"""Which class is the rare one: one definition for all that scores, learns, watches or decides.

The rarest class is the one with the fewest rows, whatever these weigh. Of several classes with as
few rows it is the last in the order of the labels, as scikit-learn's ``pos_label=1`` is the last of
0 and 1. A fit counts the rows that it is given, those that it holds out included; rows of weight
zero are as if they were not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skhp.shared.class_targets import one_hot_labels
from skhp.shared.pipelines import deciding_step

__all__ = [
    "TargetSummary",
    "class_counts",
    "rare_class_of",
    "rarest_class",
    "rarest_position",
    "target_summary",
]


def rarest_position(counts: ArrayLike) -> int:
    """The position of the rarest class, from the number of rows of each class.

    Examples
    --------
    >>> rarest_position([5, 2, 9]), rarest_position([4, 4])
    (1, 1)
    """
    counts = np.asarray(counts)
    return int(np.flatnonzero(counts == counts.min())[-1])


def class_counts(y: ArrayLike, classes: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The labels in their order, and the number of rows of each.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, 1)
    classes : array-like of shape (n_classes,), default=None
        Further labels, which `y` may have no row of.

    Examples
    --------
    >>> class_counts(np.array([0, 0, 2]), classes=[0, 1, 2])
    (array([0, 1, 2]), array([2, 0, 1]))
    """
    labels, counts = np.unique(np.asarray(y).ravel(), return_counts=True)
    if classes is None:
        return labels, counts
    every = np.union1d(labels, np.asarray(classes))
    of_every = np.zeros(len(every), counts.dtype)
    of_every[np.searchsorted(every, labels)] = counts
    return every, of_every


def rarest_class(y: ArrayLike, classes: ArrayLike | None = None) -> Any:
    """The label of the rarest class.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, 1)
        One label for each row.
    classes : array-like of shape (n_classes,), default=None
        Further labels, which `y` may have no row of.

    Examples
    --------
    >>> rarest_class(["sick", "well", "well"]), rarest_class([0, 1]), rarest_class([1], [0, 1])
    ('sick', 1, 0)
    """
    labels, counts = class_counts(y, classes)
    return labels.tolist()[rarest_position(counts)]


def rare_class_of(classifier: Any) -> Any | None:
    """The class that a fitted classifier of skhp learnt to be the rarest; None for all others.

    A pipeline tells that of its last step, a search that of its best estimator.
    """
    return getattr(deciding_step(classifier), "rare_class_", None)


@dataclass(frozen=True)
class TargetSummary:
    """Numbers about a target, in place of the target.

    Parameters
    ----------
    n_rows : int
    rarest : int or None
        Rows of the rarest class, where the values can be counted.
    rare_class : label or None, default=None
        Its label, or the number of its column in one-hot rows.
    entropy : float or None
        Of the shares of the classes, in nats: the cross-entropy of the best constant prediction.
    means, deviations : tuple of float or None
        Of each column; None where the target does not hold numbers.
    """

    n_rows: int
    rarest: int | None
    entropy: float | None
    means: tuple[float, ...] | None
    deviations: tuple[float, ...] | None
    rare_class: Any = None


def target_summary(y: Any) -> TargetSummary | None:
    """Summarise a target; None where there is none, or where it is not an array.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Rows that each hold a single one are classes.

    Examples
    --------
    >>> summary = target_summary([1, 1, 1, 3])
    >>> summary.rarest, summary.rare_class, summary.means, round(summary.entropy, 3)
    (1, 3, (1.5,), 0.562)
    """
    try:
        array = np.asarray(y)
    except ValueError:
        # Outputs of several shapes, which an estimator of the user's own may take.
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
