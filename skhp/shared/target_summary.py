"""What a target was like, in a few numbers that a fitted search can keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skhp.shared.class_targets import one_hot_labels

__all__ = ["TargetSummary", "target_summary"]


@dataclass(frozen=True)
class TargetSummary:
    """Numbers about a target, in place of the target.

    Parameters
    ----------
    n_rows : int
    rarest : int or None
        Rows of the rarest class, where the values can be counted.
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


def target_summary(y: Any) -> TargetSummary | None:
    """Summarise a target; None where there is none, or where it is not an array.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Rows that each hold a single one are classes.

    Examples
    --------
    >>> summary = target_summary([1, 1, 1, 3])
    >>> summary.rarest, summary.means, round(summary.entropy, 3)
    (1, (1.5,), 0.562)
    """
    try:
        array = np.asarray(y)
    except ValueError:
        # Outputs of several shapes, which an estimator of the user's own may take.
        return None
    if array.ndim not in (1, 2) or not array.size:
        return None
    rarest, entropy = _classes(array)
    means = deviations = None
    if array.dtype.kind in "fiub":
        columns = array.reshape(len(array), -1).astype(float)
        means = tuple(columns.mean(axis=0).tolist())
        deviations = tuple(columns.std(axis=0).tolist())
    return TargetSummary(len(array), rarest, entropy, means, deviations)


def _classes(y: np.ndarray) -> tuple[int | None, float | None]:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2:
        labels = one_hot_labels(y)
        if labels is None:
            return None, None
        y = labels
    try:
        _, counts = np.unique(y, return_counts=True)
    except TypeError:
        # Labels of several types have no order.
        return None, None
    shares = counts / counts.sum()
    return int(counts.min()), float(-(shares * np.log(shares)).sum())
