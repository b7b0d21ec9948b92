"""The end of an epoch: what the members of a cohort make of their validation rows."""

from __future__ import annotations

from typing import Any, TypeAlias

import tensorflow as tf

from skhp.objectives.graph_metrics import epoch_metric
from skhp.training.cohort_state import CohortState, HeldOutRows, MemberNumbers, ProgramKey
from skhp.training.penalties import Penalties, penalty
from skhp.training.row_sums import row_means, row_sums

Tensor: TypeAlias = Any


def evaluation(
    key: ProgramKey,
    state: CohortState,
    rows: HeldOutRows | None,
    numbers: MemberNumbers,
    penalties: Penalties,
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Loss of the validation rows, the metric over all of them, and the row metrics.

    Without rows, or without the metric, NaN takes the place of their values.
    """
    nothing = tf.fill(state.best.shape, float("nan"))
    if rows is None:
        return nothing, nothing, ()
    weights = (rows.weight, rows.metric_weight, rows.present)

    def sums(y: Tensor, outputs: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        return row_sums(key, y, outputs, *weights, loss_numbers=numbers.loss)

    loss, *counted = key.network.row_sums(
        state.weights, state.state, (rows.x, rows.y, *weights), loss=sums
    )
    loss += penalty(state.weights, penalties)
    means = row_means(key, counted, rows.metric_weight, rows.present)
    metric = None if key.metric is None else epoch_metric(key.metric)
    if metric is None:
        return loss, nothing, means
    logits, _ = key.network.outputs(
        state.weights, state.state, rows.x, training=False, until_logits=True
    )
    logits *= rows.metric_scale[:, None, None, :]
    value = tf.cast(metric(rows.metric_target, logits, rows.metric_weight), tf.float32)
    return loss, value, means
