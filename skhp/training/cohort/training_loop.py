"""The program of a cohort: epochs of training for all of its members at once.

The same definition runs as a plain graph, compiled by XLA, or step by step in Python where a test
looks at the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from skhp.networks.network import RowwiseGradient
from skhp.training.cohort.evaluation import (
    Penalties,
    evaluation,
    penalised,
    penalised_squares,
    row_means,
    row_sums,
    weight_penalties,
)
from skhp.training.cohort.state import (
    ALL_EPOCHS,
    NON_FINITE,
    OUT_OF_PATIENCE,
    RUNNING,
    Batches,
    Chunk,
    CohortRows,
    CohortState,
    HeldOutRows,
    History,
    MemberNumbers,
    ProgramKey,
    history_of,
)
from skhp.training.rate_schedules import scheduled_rate
from skhp.training.update_rules import UPDATE_RULES

Tensor: TypeAlias = Any

# Noise comes as whole numbers of 16 bits: half the memory, and fine enough for a rate.
NOISE_LEVELS = 65536

# Keeps a batch of padding from dividing by zero.
_LEAST_DIVISOR = 1e-30


def run_chunk(
    key: ProgramKey,
    state: CohortState,
    rows: CohortRows,
    held_out: HeldOutRows | None,
    numbers: MemberNumbers,
    batches: Batches,
    chunk: Chunk,
) -> tuple[CohortState, History]:
    """Train all members that still run for the epochs of a chunk."""
    n_epochs = chunk.rows.shape[0]
    members = state.best.shape
    nothing = history_of(key, tf.fill((n_epochs, *members), float("nan")))
    penalties = weight_penalties(key, numbers)

    def one_epoch(number: Tensor, before: CohortState, history: History) -> tuple[Any, ...]:
        rate = _scheduled(key, before.step, numbers)[..., 0] * before.rate_factor
        after, loss, means = _train(key, number, before, rows, numbers, batches, chunk, penalties)
        val_loss, metric, val_means = evaluation(key, after, held_out, numbers, penalties)
        values = History(loss, val_loss, metric, rate, means, val_means)
        ended = _end_of_epoch(key, before, after, numbers, values)
        place = tf.reshape(number, (1, 1))
        history = tf.nest.map_structure(
            lambda all_epochs, value: tf.tensor_scatter_nd_update(
                all_epochs, place, tf.expand_dims(value, 0)
            ),
            history,
            values,
        )
        return number + 1, ended, history

    _, state, history = tf.while_loop(
        lambda number, state, _: (
            (number < chunk.epochs) & tf.reduce_any(tf.equal(state.stop, RUNNING))
        ),
        one_epoch,
        (tf.constant(0), state, nothing),
        parallel_iterations=1,
    )
    return state, history


class _Sums(NamedTuple):
    """Sums of a batch and of the epoch so far. Tensors are empty if each part is a batch."""

    gradient: Tensor | RowwiseGradient
    loss: Tensor
    divisor: Tensor
    count: Tensor
    epoch_loss: Tensor
    epoch_count: Tensor
    epoch_metrics: tuple[Tensor, ...]


def _train(
    key: ProgramKey,
    epoch: Tensor,
    before: CohortState,
    rows: CohortRows,
    numbers: MemberNumbers,
    batches: Batches,
    chunk: Chunk,
    penalties: Penalties,
) -> tuple[CohortState, Tensor, tuple[Tensor, ...]]:
    """The state after all parts of an epoch, the mean loss of the batches, and the row metrics."""
    rule = UPDATE_RULES[key.rule]
    running = tf.equal(before.stop, RUNNING)
    rows_of_epoch = chunk.rows[epoch]
    noise_of_epoch = [noise[epoch] for noise in chunk.noise]

    def one_part(
        part: Tensor,
        weights: Tensor,
        held: Tensor,
        slots: tuple[Tensor, ...],
        step: Tensor,
        sums: _Sums,
    ) -> tuple[Any, ...]:
        index = rows_of_epoch[part]
        taken = _taken(rows, index)
        noise = [
            tf.cast(tf.gather(drawn, batches.positions[part], axis=1), tf.float32) / NOISE_LEVELS
            for drawn in noise_of_epoch
        ]
        gradient, (loss, *counted), moved = _gradient(
            key, weights, held, taken, noise, numbers, running
        )
        metrics = tuple(map(tf.add, sums.epoch_metrics, counted))
        divisor = tf.reduce_sum(taken.divisor, axis=1, keepdims=True)
        count = tf.reduce_sum(taken.present, axis=1, keepdims=True)
        if key.in_parts:
            gradient = tf.nest.map_structure(tf.add, sums.gradient, gradient)
            loss = sums.loss + loss
            divisor, count = sums.divisor + divisor, sums.count + count
        mean_gradient, squares, batch_loss = _mean_over_batch(key, gradient, loss, divisor)
        mean_gradient, weight_penalty = penalised(mean_gradient, weights, penalties)
        if squares is not None:
            squares = penalised_squares(squares, mean_gradient, penalties)
        rate = _scheduled(key, step, numbers) * tf.expand_dims(before.rate_factor, -1)
        updated, updated_slots = rule.apply(
            weights, mean_gradient, slots, step, rate, numbers.update, squares
        )
        epoch_loss = sums.epoch_loss + (batch_loss + weight_penalty) * count
        if not key.in_parts:
            sums = sums._replace(
                epoch_loss=epoch_loss,
                epoch_count=sums.epoch_count + count,
                epoch_metrics=metrics,
            )
            return part + 1, updated, moved, updated_slots, step + 1.0, sums
        full = batches.full[part] & (count > 0.0)
        at_end = tf.expand_dims(full, -1)
        sums = _Sums(
            gradient=tf.nest.map_structure(lambda total: tf.where(at_end, 0.0, total), gradient),
            loss=tf.where(full, 0.0, loss),
            divisor=tf.where(full, 0.0, divisor),
            count=tf.where(full, 0.0, count),
            epoch_loss=tf.where(full, epoch_loss, sums.epoch_loss),
            epoch_count=sums.epoch_count + tf.where(full, count, 0.0),
            epoch_metrics=metrics,
        )
        weights = tf.where(at_end, updated, weights)
        # Networks with a state take each batch as one part; a shorter stream has fewer of them.
        held = tf.where(at_end, moved, held)
        slots = tuple(
            tf.where(at_end, new, old) for new, old in zip(updated_slots, slots, strict=True)
        )
        return part + 1, weights, held, slots, step + tf.cast(at_end, tf.float32), sums

    zero = tf.zeros_like(before.best)
    no_gradient: Tensor | RowwiseGradient = tf.zeros_like(before.weights)
    if key.network.has_sparse_gradient:
        no_gradient = RowwiseGradient(no_gradient, no_gradient)
    in_parts = zero if key.in_parts else tf.zeros(())
    start = _Sums(
        gradient=no_gradient if key.in_parts else tf.zeros(()),
        loss=in_parts,
        divisor=in_parts,
        count=in_parts,
        epoch_loss=zero,
        epoch_count=zero,
        epoch_metrics=(zero,) * len(key.row_metrics),
    )
    _, weights, held, slots, step, sums = tf.while_loop(
        lambda part, *_: part < batches.parts,
        one_part,
        (tf.constant(0), before.weights, before.state, before.slots, before.step, start),
        parallel_iterations=1,
    )
    trained = before._replace(weights=weights, state=held, slots=slots, step=step)
    means = row_means(key, sums.epoch_metrics, rows.weight, rows.present)
    return trained, sums.epoch_loss / tf.maximum(sums.epoch_count, 1.0), means


def _taken(rows: CohortRows, index: Tensor) -> CohortRows:
    """Some rows of each stream, by their numbers in the stream."""
    of_streams = tf.nest.map_structure(
        lambda column: tf.gather(column, index, batch_dims=1), rows._replace(x=())
    )
    x = tf.nest.map_structure(lambda table: tf.gather(table, of_streams.place), rows.x)
    return of_streams._replace(x=x)


def _gradient(
    key: ProgramKey,
    weights: Tensor,
    held: Tensor,
    rows: CohortRows,
    noise: Sequence[Tensor],
    numbers: MemberNumbers,
    running: Tensor,
) -> tuple[Tensor | RowwiseGradient, tuple[Tensor, ...], Tensor]:
    """Gradient of the sum over the rows of their weighted losses, all sums, and the new state."""
    counts = (rows.weight, rows.present) if key.row_metrics else (rows.weight,)
    return key.network.loss_gradient(
        weights,
        held,
        (rows.x, rows.y, *counts),
        loss=lambda y, outputs, *counts: row_sums(
            key, y, outputs, counts[0], *counts, loss_numbers=numbers.loss
        ),
        present=rows.present,
        noise=noise,
        dropout=numbers.dropout,
        running=running,
        divisor=_divisor(key, rows),
    )


def _divisor(key: ProgramKey, rows: CohortRows) -> Tensor:
    total = tf.reduce_sum(rows.divisor, axis=1)
    return tf.ones_like(total) if key.loss.divisor == "nothing" else total


def _mean_over_batch(
    key: ProgramKey, gradient: Tensor | RowwiseGradient, loss: Tensor, divisor: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradient, its squares and the loss, as means over the rows of a batch."""
    total, squares = gradient if isinstance(gradient, RowwiseGradient) else (gradient, None)
    if key.loss.divisor != "nothing":
        divisor = tf.maximum(divisor, _LEAST_DIVISOR)
        total, loss = total / tf.expand_dims(divisor, -1), loss / divisor
        squares = None if squares is None else squares / tf.expand_dims(tf.square(divisor), -1)
    return total, squares, loss


def _scheduled(key: ProgramKey, step: Tensor, numbers: MemberNumbers) -> Tensor:
    return scheduled_rate(step, numbers.rate) if key.scheduled else numbers.rate[0]


def _monitored(key: ProgramKey, values: History) -> Tensor:
    """The value that early stopping, the plateau and pruning monitor."""
    if key.metric is not None:
        return values.metric
    watched = key.watched or ("val_loss" if key.held_out else "loss")
    names = [metric.name for metric in key.row_metrics]
    named = {"loss": values.loss, **dict(zip(names, values.row_metrics, strict=True))}
    if key.held_out:
        of_held_out = zip(names, values.val_row_metrics, strict=True)
        named |= {"val_loss": values.val_loss, **{f"val_{name}": v for name, v in of_held_out}}
    return named[watched]


def _end_of_epoch(
    key: ProgramKey,
    before: CohortState,
    after: CohortState,
    numbers: MemberNumbers,
    values: History,
) -> CohortState:
    """Apply early stopping, the plateau schedule and the limits, as Keras' callbacks do."""
    running = tf.equal(before.stop, RUNNING)
    watched = (values.loss, values.val_loss) if key.held_out else (values.loss,)
    finite = tf.reduce_all(tf.math.is_finite(after.weights), axis=-1)
    finite &= tf.reduce_all(tf.math.is_finite(after.state), axis=-1)
    for value in watched:
        finite &= tf.math.is_finite(value)
    moved = running & finite

    monitored = _monitored(key, values)
    sign = 1.0 if key.greater_is_better else -1.0

    def is_better_than(reference: Tensor) -> Tensor:
        return sign * monitored - numbers.min_delta > sign * reference

    its_weights_moved = tf.expand_dims(moved, -1)

    def where_moved(new: Tensor, old: Tensor) -> Tensor:
        return tf.where(its_weights_moved, new, old)

    weights = where_moved(after.weights, before.weights)
    held = where_moved(after.state, before.state)
    epochs = before.epochs + tf.cast(running, tf.int32)

    counts = running & (epochs > numbers.start_from_epoch)
    better = counts & (tf.equal(before.best_epoch, 0) | is_better_than(before.best))
    its_weights_better = tf.expand_dims(better, -1)
    beats_baseline = tf.math.is_nan(numbers.baseline) | is_better_than(numbers.baseline)
    wait = before.wait + tf.cast(counts, tf.int32)
    wait = tf.where(better & beats_baseline, 0, wait)
    out_of_patience = counts & ~better & (wait >= numbers.patience)

    plateau_better = running & (tf.equal(before.epochs, 0) | is_better_than(before.plateau_best))
    plateau_wait = tf.where(plateau_better, 0, before.plateau_wait + 1)
    on_plateau = running & (plateau_wait >= numbers.plateau_patience)

    stop = tf.where(epochs >= numbers.epochs, ALL_EPOCHS, RUNNING)
    stop = tf.where(out_of_patience, OUT_OF_PATIENCE, stop)
    stop = tf.where(finite, stop, NON_FINITE)
    return CohortState(
        weights=weights,
        state=held,
        slots=tuple(where_moved(*pair) for pair in zip(after.slots, before.slots, strict=True)),
        step=where_moved(after.step, before.step),
        best_weights=tf.where(its_weights_better, weights, before.best_weights),
        best_state=tf.where(its_weights_better, held, before.best_state),
        best=tf.where(better, monitored, before.best),
        best_epoch=tf.where(better, epochs, before.best_epoch),
        wait=wait,
        plateau_best=tf.where(plateau_better, monitored, before.plateau_best),
        plateau_wait=tf.where(running, tf.where(on_plateau, 0, plateau_wait), before.plateau_wait),
        rate_factor=before.rate_factor * tf.where(on_plateau, numbers.plateau_factor, 1.0),
        epochs=epochs,
        stop=tf.where(running, stop, before.stop),
    )
