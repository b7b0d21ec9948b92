"""The rarest class, defined once for scores, losses, monitors and thresholds.

The rarest class is the class with the fewest rows, whatever their weights. Among equally rare
classes it is the last in sorted order, as scikit-learn's ``pos_label=1`` is the last of 0 and 1. A
fit counts all rows that it is given, including held-out rows but not rows of weight zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skhp.shared.pipelines import deciding_step


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
    """The labels in sorted order, and the number of rows of each.

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

    Examples
    --------
    >>> rarest_class(["sick", "well", "well"]), rarest_class([0, 1]), rarest_class([1], [0, 1])
    ('sick', 1, 0)
    """
    labels, counts = class_counts(y, classes)
    return labels.tolist()[rarest_position(counts)]


def rare_class_of(classifier: Any) -> Any | None:
    """The `rare_class_` of a fitted classifier of skhp, even within a pipeline or a search.

    None for all other classifiers.
    """
    return getattr(deciding_step(classifier), "rare_class_", None)
