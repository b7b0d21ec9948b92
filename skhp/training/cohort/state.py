"""The tensors of a cohort, as typed records.

Axes: S streams, C candidates of a stream, K weights of a member, M numbers of its state, E epochs
of a chunk, B parts of an epoch, L rows of a part. A member is a stream and a candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from skhp.networks.network import Network
from skhp.objectives.losses import RowLoss, SumOfLosses
from skhp.objectives.metrics import OutputForm
from skhp.objectives.row_metrics import EpochMetric

Tensor: TypeAlias = Any

RUNNING, OUT_OF_PATIENCE, ALL_EPOCHS, NON_FINITE, PRUNED, OUT_OF_TIME = range(6)


class CohortState(NamedTuple):
    """The state of every member after an epoch, of shape (S, C) unless another is given."""

    weights: Tensor  # (S, C, K)
    state: Tensor  # (S, C, M)
    slots: tuple[Tensor, ...]  # (S, C, K) or (S, C, 1) each
    step: Tensor  # (S, C, 1), updates done
    best_weights: Tensor  # (S, C, K)
    best_state: Tensor  # (S, C, M)
    best: Tensor  # monitored value of the best epoch
    best_epoch: Tensor  # counted from 1
    wait: Tensor  # epochs without an improvement
    plateau_best: Tensor
    plateau_wait: Tensor
    rate_factor: Tensor  # factor of the learning rate that "plateau" has reached
    epochs: Tensor  # epochs run
    stop: Tensor  # RUNNING, or why it ended


class EndedMember(NamedTuple):
    """The state, in NumPy values, in which a member ended before its training, and why."""

    state: CohortState
    reason: int


class CohortRows(NamedTuple):
    """Rows of each stream. The last row of a stream is padding, of weight 0."""

    x: Tensor  # (S, N + 1, ...)
    y: Tensor  # (S, N + 1, ...)
    weight: Tensor  # (S, N + 1), in the loss
    divisor: Tensor  # (S, N + 1), what a row adds to the divisor of a batch
    present: Tensor  # (S, N + 1), 1 for a row and 0 for padding


class HeldOutRows(NamedTuple):
    """Validation rows of each stream, padded with rows of weight 0."""

    x: Tensor  # (S, V, ...)
    y: Tensor  # (S, V, ...)
    weight: Tensor  # (S, V), in the loss, with a sum of 1 (or as the loss divides)
    metric_target: Tensor  # (S, V, ...)
    metric_weight: Tensor  # (S, V)
    metric_scale: Tensor  # (S, number of targets), or (S, 1): factor of the outputs in the metric
    present: Tensor  # (S, V), 1 for a row and 0 for padding


class MemberNumbers(NamedTuple):
    """The numbers that differ from member to member."""

    rate: tuple[Tensor, ...]  # (S, C, 1) each: fields of RateNumbers
    update: tuple[Tensor, ...]  # (S, C, 1) each: numbers of the update rule
    dropout: tuple[Tensor, ...]  # (S, C) for each noise
    loss: tuple[Tensor, ...]  # (S, C) each: numbers of the loss
    l1: Tensor  # (S, C, number of trainable arrays)
    l2: Tensor  # (S, C, number of trainable arrays)
    epochs: Tensor  # (S, C), largest number of epochs
    patience: Tensor  # (S, C)
    min_delta: Tensor  # (S, C)
    baseline: Tensor  # (S, C), NaN where there is none
    start_from_epoch: Tensor  # (S, C), epochs of this fit before early stopping counts
    plateau_patience: Tensor  # (S, C)
    plateau_factor: Tensor  # (S, C)


class Batches(NamedTuple):
    """The parts of an epoch; a member's batch ends with some of them."""

    positions: Tensor  # (B, L), places in the order of the rows; beyond the rows where padded
    full: Tensor  # (B, S, C), whether the member's batch ends here
    parts: Tensor  # number of parts in use, at most B


class Chunk(NamedTuple):
    """The orders of rows and the noise for the epochs of one chunk."""

    rows: Tensor  # (E, B, S, L), indices of the rows of each part
    noise: tuple[Tensor, ...]  # (E, S, places in the order, ...) for each noise
    epochs: Tensor  # number of epochs to run, at most E


class History(NamedTuple):
    """Values of each epoch of a chunk, (E, S, C) each; meaningless after a member's last epoch."""

    loss: Tensor
    val_loss: Tensor
    metric: Tensor
    rate: Tensor
    row_metrics: tuple[Tensor, ...]  # of the training rows, one for each that the key names
    val_row_metrics: tuple[Tensor, ...]


@dataclass(frozen=True)
class ProgramKey:
    """All settings that a program is built for, besides the shapes of its tensors."""

    network: Network
    loss: RowLoss | SumOfLosses
    rule: str
    row_metrics: tuple[EpochMetric, ...]
    metric: str | None
    metric_takes: OutputForm
    watched: str | None
    greater_is_better: bool
    held_out: bool
    l1: bool
    l2: bool
    scheduled: bool
    in_parts: bool


def history_of(key: ProgramKey, value: Any) -> History:
    """A history of a program in which each entry is this value."""
    entries = (value,) * len(key.row_metrics)
    return History(value, value, value, value, entries, entries if key.held_out else ())


def host_values(record: Any) -> Any:
    """The same record with NumPy arrays."""
    return tf.nest.map_structure(np.asarray, record)


def copied(record: Any) -> Any:
    """The same record with NumPy arrays of its own, which keep no larger arrays in memory."""
    return tf.nest.map_structure(np.array, record)


def first_epochs(history: History, count: int) -> History:
    """The first epochs of a chunk, as NumPy arrays."""
    return tf.nest.map_structure(lambda values: np.asarray(values)[:count], history)


def joined(history: Sequence[History]) -> History:
    """All epochs of several chunks."""
    return tf.nest.map_structure(lambda *chunks: np.concatenate(chunks), *history)
