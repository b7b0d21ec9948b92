"""How members with batches of different sizes walk through one epoch together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class EpochParts:
    """An epoch cut where any member's batch ends.

    `positions` has shape (parts, rows of the longest part); places beyond a part are `n_rows`.
    `full` has shape (parts, members): whether the member's batch ends with this part.
    """

    positions: np.ndarray
    full: np.ndarray


def epoch_parts(n_rows: int, batch_sizes: Sequence[int], room: int = 0) -> EpochParts:
    """Cut `n_rows` places so that every batch is a whole number of parts.

    A member adds up gradients part by part and applies them when its batch is full; so members with
    other batch sizes can share a program. Every member's last batch ends with the last part. A
    single part, of all rows, has `room` for a few more, so that other tables share the program.

    Examples
    --------
    >>> parts = epoch_parts(7, [2, 4])
    >>> parts.positions.tolist()
    [[0, 1], [2, 3], [4, 5], [6, 7]]
    >>> parts.full.T.astype(int).tolist()
    [[1, 1, 1, 1], [0, 1, 0, 1]]
    """
    sizes = np.unique(np.minimum(batch_sizes, n_rows))
    ends = np.unique(np.concatenate([np.arange(size, n_rows, size) for size in sizes] + [[n_rows]]))
    starts = np.concatenate([[0], ends[:-1]])
    longest = (ends - starts).max() if len(ends) > 1 else max(n_rows, room)
    places = starts[:, None] + np.arange(longest)
    full = ends[:, None] % np.minimum(batch_sizes, n_rows) == 0
    full[-1] = True
    return EpochParts(np.where(places < ends[:, None], places, n_rows).astype(np.int32), full)
