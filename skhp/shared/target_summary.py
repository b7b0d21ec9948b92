"""What a target was like, in a few numbers that a fitted search can keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skhp.shared.class_targets import one_hot_labels
from skhp.shared.rarest_class import class_counts, rarest_position

__all__ = ["TargetSummary", "target_summary"]


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
