"""Losses, row metrics and penalties, from sums over the rows of training and validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from skhp.networks.network import NetworkNumbers, in_parts
from skhp.objectives.graph_metrics import epoch_metric
from skhp.objectives.losses import weighted_sum
from skhp.objectives.metrics import LEAST_PROBABILITY, MOST_PROBABILITY
from skhp.training.cohort.state import RUNNING, CohortState, HeldOutRows, MemberNumbers, ProgramKey

Tensor: TypeAlias = Any


def row_sums(
    key: ProgramKey,
    y: Tensor,
    outputs: Tensor,
    loss_weight: Tensor,
    weight: Tensor,
    present: Tensor | None = None,
    *,
    loss_numbers: tuple[Tensor, ...],
) -> tuple[Tensor, ...]:
    """The sum of the weighted losses of the rows, and the sum of each row metric.

    Shapes are (..., rows, units) and (..., rows). `loss_weight` multiplies the loss of a row,
    `weight` its value in weighted metrics, and `present` (1, or 0 for padding) its value in all
    other metrics.
    """
    counted = (
        (metric.of_rows(y, outputs), weight if metric.weighted else present)
        for metric in key.row_metrics
    )
    return (
        key.loss.total(y, outputs, loss_weight, loss_numbers),
        *(weighted_sum(*metric) for metric in counted),
    )


def row_means(
    key: ProgramKey, sums: Sequence[Tensor], weight: Tensor, present: Tensor
) -> tuple[Tensor, ...]:
    """The row metrics of all rows, from their sums; `weight` and `present` as for `row_sums`."""
    counts = (weight if metric.weighted else present for metric in key.row_metrics)
    return tuple(
        metric.of_mean(tf.math.divide_no_nan(total, tf.reduce_sum(count, axis=-1, keepdims=True)))
        for metric, total, count in zip(key.row_metrics, sums, counts, strict=True)
    )


class Penalties(NamedTuple):
    """Penalty of each weight, (S, C, K); None where no member has any."""

    l1: Tensor | None
    l2: Tensor | None


def weight_penalties(key: ProgramKey, numbers: MemberNumbers) -> Penalties:
    """The penalties of single weights, from the penalties of the arrays that hold them."""
    sizes = [int(np.prod(shape)) for shape in key.network.weight_shapes]
    array_of_weight = np.repeat(np.arange(len(sizes)), sizes)
    return Penalties(
        l1=tf.gather(numbers.l1, array_of_weight, axis=-1) if key.l1 else None,
        l2=tf.gather(numbers.l2, array_of_weight, axis=-1) if key.l2 else None,
    )


def penalty_of_member(numbers: NetworkNumbers, arrays: Sequence[np.ndarray]) -> float:
    """The penalty of the weights of one member, computed outside of a program."""
    total = 0.0
    for array, l1, l2 in zip(arrays, numbers.l1, numbers.l2, strict=True):
        if l1 or l2:
            total += l1 * float(np.abs(array).sum()) + l2 * float(np.square(array).sum())
    return total


def penalised(
    gradient: Tensor, weights: Tensor, penalties: Penalties
) -> tuple[Tensor, Tensor | float]:
    """The gradient with the gradient of the penalty added, and the penalty."""
    if penalties.l1 is not None:
        gradient += penalties.l1 * tf.sign(weights)
    if penalties.l2 is not None:
        gradient += 2.0 * penalties.l2 * weights
    return gradient, penalty(weights, penalties)


def penalised_squares(squares: Tensor, gradient: Tensor, penalties: Penalties) -> Tensor:
    """The squares of a gradient that came row by row, corrected where weights have a penalty.

    For weights with a penalty, Keras squares the whole gradient.
    """
    for of_weights in penalties:
        if of_weights is not None:
            squares = tf.where(of_weights > 0.0, tf.square(gradient), squares)
    return squares


def penalty(weights: Tensor, penalties: Penalties) -> Tensor | float:
    """The penalty of the weights of each member."""
    total: Tensor | float = 0.0
    if penalties.l1 is not None:
        total += tf.reduce_sum(penalties.l1 * tf.abs(weights), axis=-1)
    if penalties.l2 is not None:
        total += tf.reduce_sum(penalties.l2 * tf.square(weights), axis=-1)
    return total


def evaluation(
    key: ProgramKey,
    state: CohortState,
    rows: HeldOutRows | None,
    numbers: MemberNumbers,
    penalties: Penalties,
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """The loss of the validation rows, the metric over all of them, and the row metrics.

    A value is NaN without rows, or without the metric.
    """
    nothing = tf.fill(state.best.shape, float("nan"))
    if rows is None:
        return nothing, nothing, ()
    running = tf.equal(state.stop, RUNNING)
    weights = (rows.weight, rows.metric_weight, rows.present)

    def sums(y: Tensor, outputs: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        return row_sums(key, y, outputs, *weights, loss_numbers=numbers.loss)

    loss, *counted = key.network.row_sums(
        state.weights, state.state, (rows.x, rows.y, *weights), loss=sums, running=running
    )
    loss += penalty(state.weights, penalties)
    means = row_means(key, counted, rows.metric_weight, rows.present)
    metric = None if key.metric is None else epoch_metric(key.metric)
    if metric is None:
        return loss, nothing, means

    def outputs_of(x: Tensor) -> Tensor:
        return key.network.outputs(
            state.weights,
            state.state,
            x,
            training=False,
            until_logits=key.metric_takes == "logits",
            running=running,
        )[0]

    # Several inputs are evaluated at once.
    at_once = key.network.rows_at_once(math.prod(running.shape))
    outputs = outputs_of(rows.x) if at_once is None else in_parts(outputs_of, rows.x, at_once)
    outputs = _for_metric(key, outputs)
    outputs *= tf.cast(rows.metric_scale, outputs.dtype)[:, None, None, :]
    value = tf.cast(metric(rows.metric_target, outputs, rows.metric_weight), tf.float32)
    return loss, value, means


def _for_metric(key: ProgramKey, outputs: Tensor) -> Tensor:
    """The outputs as `Metric.outputs` makes them."""
    n_outputs = outputs.shape[-1]
    if key.metric_takes == "probabilities":
        clipped = tf.clip_by_value(
            tf.cast(outputs, tf.float64), LEAST_PROBABILITY, MOST_PROBABILITY
        )
        outputs = tf.math.log(clipped)
        if n_outputs == 1:
            outputs -= tf.math.log1p(-clipped)
    is_of_two_classes = n_outputs == 2 and key.metric_takes in ("probabilities", "own logits")
    return outputs[..., 1:] - outputs[..., :1] if is_of_two_classes else outputs
