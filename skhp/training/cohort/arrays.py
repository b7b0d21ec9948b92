"""The tensors of a cohort's program, made from its fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from skhp.training.cohort.row_tensors import tables_of, tensor_of, zeros_for_tensor
from skhp.training.cohort.state import (
    RUNNING,
    Batches,
    Chunk,
    CohortRows,
    CohortState,
    HeldOutRows,
    MemberNumbers,
    ProgramKey,
)
from skhp.training.fit_task import FitTask
from skhp.training.rate_schedules import PlateauSchedule
from skhp.training.training_rows import (
    EpochParts,
    ValidationRows,
    dropout_noise,
    epoch_parts,
    row_order,
    steps_in_epoch,
)
from skhp.training.update_rules import UPDATE_RULES

# Larger than any number of epochs.
_NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True, eq=False)
class Layout:
    """The place of each fit: `member[s][c]` is the index of a fit, or None for a free place."""

    member: tuple[tuple[int | None, ...], ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of streams, and number of places for candidates in each."""
        return len(self.member), len(self.member[0])


def lay_out(tasks: Sequence[FitTask], candidates: int | None = None) -> Layout:
    """A layout with one row for each stream, of at least `candidates` places."""
    streams: dict[Hashable, list[int | None]] = {}
    for number, task in enumerate(tasks):
        streams.setdefault(task.stream, []).append(number)
    width = max(candidates or 0, *(len(row) for row in streams.values()), 1)
    return Layout(tuple((*row, *[None] * (width - len(row))) for row in streams.values()))


# The most bytes of the orders and of the noise of the epochs in one chunk.
_BYTES_OF_CHUNK = 2**22


def epochs_at_once(tasks: Sequence[FitTask], most: int) -> int:
    """How many epochs, at most `most`, a chunk has room for, as it holds a number for each row."""
    of_streams = {task.stream: task for task in tasks}.values()
    of_epoch = sum(
        task.rows.n_rows * (4 + 2 * sum(map(math.prod, task.network.noise_shapes)))
        for task in of_streams
    )
    return max(1, min(most, _BYTES_OF_CHUNK // max(of_epoch, 1)))


class CohortArrays:
    """The tensors of a cohort."""

    def __init__(
        self,
        tasks: Sequence[FitTask],
        layout: Layout,
        padded: Callable[[int], int],
        epochs: int,
    ) -> None:
        self._padded = padded
        self._epochs = epochs
        # A free place repeats a member of its stream, but does not train.
        self._flat = [
            tasks[next(m for m in row if m is not None) if member is None else member]
            for row in layout.member
            for member in row
        ]
        self._trains = np.array(
            [
                member is not None and tasks[member].finished_after is None
                for row in layout.member
                for member in row
            ]
        )
        self._shape = layout.shape
        self._streams = [self._flat[s * layout.shape[1]] for s in range(layout.shape[0])]
        self._n_rows = [stream.rows.n_rows for stream in self._streams]
        most = max(self._n_rows)
        batch_sizes = [task.batch_size for task in self._flat]
        self.parts: EpochParts = epoch_parts(most, batch_sizes, room=padded(most))
        self._ragged = any(
            steps_in_epoch(n, task.batch_size) != steps_in_epoch(most, task.batch_size)
            for n in self._n_rows
            for task in self._flat
        )

    @property
    def key(self) -> ProgramKey:
        """The key of the program."""
        first = self._flat[0]
        metric = first.plan.metric if first.validation is not None else None
        return ProgramKey(
            network=first.network,
            loss=first.loss,
            row_metrics=first.row_metrics,
            rule=first.update.rule,
            metric=None if metric is None else metric.name,
            metric_takes="logits" if metric is None else metric.takes,
            watched=first.plan.watched,
            greater_is_better=(metric or first.plan).greater_is_better,
            held_out=first.validation is not None,
            l1=any(any(task.numbers.l1) for task in self._flat),
            l2=any(any(task.numbers.l2) for task in self._flat),
            scheduled=not all(task.rate.is_constant for task in self._flat),
            in_parts=self._ragged or not self.parts.full.all(),
        )

    def state(self) -> CohortState:
        """The initial state of the members."""
        rule = UPDATE_RULES[self._flat[0].update.rule]
        weights = self._tensor([task.start.weights for task in self._flat])
        held = self._tensor([task.start.state for task in self._flat])
        fresh = rule.initial_slots(weights, self._update_numbers())
        slots = tuple(
            self._tensor(
                [
                    task.start.slots[number] if task.start.slots else own
                    for task, own in zip(
                        self._flat, np.reshape(start, (len(self._flat), -1)), strict=True
                    )
                ]
            )
            for number, start in enumerate(fresh)
        )
        zero = tf.zeros(self._shape)
        none = tf.zeros(self._shape, tf.int32)
        stop = np.where(self._trains, RUNNING, RUNNING + 1).reshape(self._shape).astype(np.int32)
        return CohortState(
            weights=weights,
            state=held,
            slots=slots,
            step=self._per_member(lambda task: task.start.step)[..., None],
            best_weights=weights,
            best_state=held,
            best=zero,
            best_epoch=none,
            wait=none,
            plateau_best=zero,
            plateau_wait=none,
            rate_factor=tf.ones(self._shape),
            epochs=none,
            stop=tf.constant(stop),
        )

    def rows(self) -> CohortRows:
        """The rows to learn from, by stream."""
        size = self._padded(max(self._n_rows)) + 1
        rows = [stream.rows for stream in self._streams]
        divisor = "weight" if self._flat[0].loss.divisor == "weight" else "rows"
        ones = [np.ones(n, np.float32) for n in self._n_rows]
        weights = [np.asarray(part.weight, np.float32) for part in rows]
        tables = tables_of([part.X for part in rows], self._padded)
        weight, present = _stacked(weights, size), _stacked(ones, size)
        places = [place.astype(np.int32) for place in tables.places]
        return CohortRows(
            x=tables.x,
            place=_stacked(places, size, padding=_length(tables.x) - 1),
            y=_stacked([part.y for part in rows], size),
            weight=weight,
            divisor=weight if divisor == "weight" else present,
            present=present,
        )

    def held_out(self) -> HeldOutRows | None:
        """The rows to validate on, by stream; None where there are none."""
        rows = [part for stream in self._streams if (part := stream.validation) is not None]
        if not rows:
            return None
        size = self._padded(max(part.n_rows for part in rows))
        divisor = self._flat[0].loss.divisor
        return HeldOutRows(
            x=_stacked([part.X for part in rows], size),
            y=_stacked([part.y for part in rows], size),
            weight=_stacked([_normalised(part.weight, divisor) for part in rows], size),
            metric_target=_stacked([_metric_target(part) for part in rows], size),
            metric_weight=_stacked([_metric_weight(part) for part in rows], size),
            metric_scale=tf.constant(
                np.stack([_metric_scale(part) * np.float32(part.metric_sign) for part in rows])
            ),
            present=_stacked([np.ones(part.n_rows, np.float32) for part in rows], size),
        )

    def numbers(self) -> MemberNumbers:
        """The numbers that differ from member to member."""
        rates = [task.rate for task in self._flat]
        n_dropout = len(self._flat[0].numbers.dropout)
        return MemberNumbers(
            rate=tuple(
                self._tensor([np.array([rate[number]]) for rate in rates])
                for number in range(len(rates[0]))
            ),
            update=self._update_numbers(),
            dropout=tuple(
                self._tensor([np.array([task.numbers.dropout[number]]) for task in self._flat])[
                    ..., 0
                ]
                for number in range(n_dropout)
            ),
            loss=tuple(
                self._tensor([np.array([task.loss_numbers[number]]) for task in self._flat])[..., 0]
                for number in range(len(self._flat[0].loss_numbers))
            ),
            l1=self._tensor([np.array(task.numbers.l1, np.float32) for task in self._flat]),
            l2=self._tensor([np.array(task.numbers.l2, np.float32) for task in self._flat]),
            epochs=self._per_member(lambda task: task.plan.epochs, np.int32),
            patience=self._per_member(
                lambda task: _NEVER if task.plan.patience is None else task.plan.patience, np.int32
            ),
            min_delta=self._per_member(_least_change),
            baseline=self._per_member(
                lambda task: np.nan if task.plan.baseline is None else task.plan.baseline
            ),
            start_from_epoch=self._per_member(
                lambda task: max(0, task.plan.start_from_epoch - task.plan.first_epoch), np.int32
            ),
            plateau_patience=self._per_member(
                lambda task: getattr(_plateau(task), "patience", _NEVER), np.int32
            ),
            plateau_factor=self._per_member(lambda task: getattr(_plateau(task), "factor", 1.0)),
        )

    def batches(self) -> Batches:
        """The parts of an epoch, and the parts at which the batches of each member end."""
        n_parts, length = self.parts.positions.shape
        room = self._padded(n_parts)
        positions = np.full((room, length), max(self._n_rows), np.int32)
        positions[:n_parts] = self.parts.positions
        full = np.zeros((room, *self._shape), bool)
        full[:n_parts] = self.parts.full.reshape(n_parts, *self._shape)
        return Batches(tf.constant(positions), tf.constant(full), tf.constant(n_parts))

    def chunk(self, first_epoch: int, n_epochs: int) -> Chunk:
        """The orders of the rows and the noise for some epochs, which are counted from 0."""
        n_parts, length = self.parts.positions.shape
        most, n_streams = max(self._n_rows), len(self._streams)
        padding = self._padded(most)
        orders = np.full((n_epochs, n_streams, most + 1), padding, np.int32)
        for s, (stream, n_rows) in enumerate(zip(self._streams, self._n_rows, strict=True)):
            seed = stream.order_seed
            start = first_epoch + stream.plan.first_epoch
            for e in range(n_epochs):
                orders[e, s, :n_rows] = (
                    np.arange(n_rows) if seed is None else row_order(seed, start + e, n_rows)
                )
        shape = (self._epochs, self._padded(n_parts), n_streams, length)
        rows = zeros_for_tensor(shape, np.int32)
        rows[:n_epochs, n_parts:] = padding
        for s in range(n_streams):
            rows[:n_epochs, :n_parts, s] = orders[:, s, self.parts.positions]
        return Chunk(
            rows=tensor_of(rows),
            noise=tuple(
                self._noise(layer, shape, first_epoch, n_epochs)
                for layer, shape in enumerate(self._flat[0].network.noise_shapes)
            ),
            epochs=tf.constant(n_epochs),
        )

    def _noise(self, layer: int, shape: tuple[int, ...], first_epoch: int, n_epochs: int) -> Any:
        size = self._padded(max(self._n_rows)) + 1
        noise = zeros_for_tensor((self._epochs, len(self._streams), size, *shape), np.uint16)
        for s, (stream, n_rows) in enumerate(zip(self._streams, self._n_rows, strict=True)):
            start = first_epoch + stream.plan.first_epoch
            for e in range(n_epochs):
                drawn = dropout_noise(stream.noise_seed, layer, start + e, n_rows, math.prod(shape))
                noise[e, s, :n_rows] = drawn.reshape(n_rows, *shape)
        return tensor_of(noise)

    def _update_numbers(self) -> tuple[Any, ...]:
        count = len(self._flat[0].update.numbers)
        return tuple(
            self._tensor([np.array([task.update.numbers[number]]) for task in self._flat])
            for number in range(count)
        )

    def _per_member(self, value: Callable[[FitTask], float], dtype: Any = np.float32) -> Any:
        values = np.array([value(task) for task in self._flat], np.float64)
        if dtype is np.int32:
            values = np.minimum(values, _NEVER)
        values = values.astype(dtype)
        return tf.constant(values.reshape(self._shape))

    def _tensor(self, arrays: Sequence[np.ndarray]) -> Any:
        stacked = np.stack([np.asarray(array, np.float32) for array in arrays])
        return tf.constant(stacked.reshape(*self._shape, -1))


def _plateau(task: FitTask) -> PlateauSchedule | None:
    return task.plan.schedule if isinstance(task.plan.schedule, PlateauSchedule) else None


def _normalised(weight: np.ndarray, divisor: str) -> np.ndarray:
    weight = np.asarray(weight, np.float64)
    total = {"weight": weight.sum(), "rows": len(weight), "nothing": 1.0}[divisor]
    return (weight / total).astype(np.float32)


def _metric_weight(part: ValidationRows) -> np.ndarray:
    if part.metric_weight is None:
        return np.ones(part.n_rows, np.float32)
    return np.asarray(part.metric_weight / (part.metric_weight.max() or 1.0), np.float32)


def _metric_target(part: ValidationRows) -> np.ndarray:
    target = part.metric_target
    if target.dtype.kind in "iub":
        return np.asarray(target, np.int32)
    return np.asarray(target, np.float32) * _metric_scale(part)


def _metric_scale(part: ValidationRows) -> np.ndarray:
    """The units of the targets, relative to the largest, so that squares do not exceed float32."""
    if part.metric_scale is None or len(part.metric_scale) == 1:
        return np.ones(1, np.float32)
    return (part.metric_scale / part.metric_scale.max()).astype(np.float32)


def _least_change(task: FitTask) -> float:
    """The least improvement, in the unit in which the program computes the metric."""
    if task.validation is None:
        return task.plan.min_delta
    change = task.plan.min_delta / task.validation.metric_unit(task.plan.metric)
    return min(change, float(np.finfo(np.float32).max))


def _length(rows: Any) -> int:
    return int(tf.nest.flatten(rows)[0].shape[0])


def _stacked(rows: Sequence[Any], size: int, padding: int = 0) -> Any:
    """The rows of all streams; each has several arrays where a network takes several."""
    return tf.nest.map_structure(lambda *arrays: _stacked_arrays(arrays, size, padding), *rows)


def _stacked_arrays(arrays: Sequence[np.ndarray], size: int, padding: int) -> Any:
    first = arrays[0]
    stacked = zeros_for_tensor((len(arrays), size, *first.shape[1:]), first.dtype)
    for row, array in zip(stacked, arrays, strict=True):
        row[: len(array)] = array
        if padding:
            row[len(array) :] = padding
    return tensor_of(stacked)
