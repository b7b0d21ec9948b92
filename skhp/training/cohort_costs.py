"""What steps and programs cost, and what therefore pays.

All of it is decided by the size of the work alone, so that the same fits always take the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skhp.training.fit_task import FitTask
from skhp.training.streams import steps_in_epoch

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
