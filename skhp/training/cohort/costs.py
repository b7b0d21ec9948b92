"""How members with batches of different sizes walk through one epoch together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skhp.training.fit_task import FitTask
from skhp.training.row_order import steps_in_epoch


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


# Measured on two cores: what a plain graph takes for one step, and for each weight of it;
_PLAIN_STEP_SECONDS = 120e-6
_PLAIN_WEIGHT_SECONDS = 40e-9
# what it takes to trace a program and have XLA compile it,
BUILD_SECONDS = 1.5
# and such a program for one step of any cohort, whatever the network.
STEP_SECONDS = 10e-6
# A plain graph is traced, too; XLA takes this much longer.
_COMPILE_SECONDS = 1.0


def pays_to_compile(tasks: Sequence[FitTask], places: int) -> bool:
    """Whether XLA's compilation costs less than it saves, in a cohort of so many places."""
    steps = max(_steps_of_epoch(task) * task.plan.epochs for task in tasks)
    rows = min(max(task.batch_size for task in tasks), max(len(t.rows.X) for t in tasks))
    of_members = places * n_weights(tasks[0]) * (1 + rows / 8) * _PLAIN_WEIGHT_SECONDS
    return steps * (_PLAIN_STEP_SECONDS + of_members) > _COMPILE_SECONDS


def pays_to_move(running: Sequence[FitTask], spared: int, epochs_done: int) -> bool:
    """Whether a program with so many places less costs less than it saves.

    A training is expected to last for as long again as it has lasted, up to its last epoch.
    """
    left = min(epochs_done, max(task.plan.epochs for task in running) - epochs_done)
    smallest = min(running, key=lambda task: task.batch_size)
    rows = min(smallest.batch_size, len(smallest.rows.X))
    epoch = _steps_of_epoch(smallest) * smallest.network.cost(rows).seconds
    return left * spared * epoch > BUILD_SECONDS


def n_weights(task: FitTask) -> int:
    """Number of trainable weights of a member."""
    return sum(int(np.prod(shape)) for shape in task.network.weight_shapes)


def _steps_of_epoch(task: FitTask) -> int:
    return steps_in_epoch(len(task.rows.X), task.batch_size)
