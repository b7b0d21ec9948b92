"""What is added up over rows, of training and of validation: the losses and the row metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import tensorflow as tf

from skhp.objectives.row_loss import weighted_sum
from skhp.training.cohort_state import ProgramKey

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
    """Sums over the rows: of their weighted losses, and of each row metric.

    Parameters
    ----------
    key : ProgramKey
    y, outputs : tensor of shape (..., rows, units)
    loss_weight : tensor of shape (..., rows)
        Factor of the loss of each row.
    weight : tensor of shape (..., rows)
        What a row counts in weighted metrics.
    present : tensor of shape (..., rows), default=None
        What a row counts in other metrics: 1, and 0 for padding. Needed where there is a metric.
    loss_numbers : tensors of shape (...)
        In which the losses of the members differ.

    Returns
    -------
    tuple of tensors of shape (...)
        The loss, and then the metrics in the order of the key.
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
    """The row metrics of all rows, of their sums; `weight` and `present` as for `row_sums`."""
    counts = (weight if metric.weighted else present for metric in key.row_metrics)
    return tuple(
        metric.of_mean(tf.math.divide_no_nan(total, tf.reduce_sum(count, axis=-1)[:, None]))
        for metric, total, count in zip(key.row_metrics, sums, counts, strict=True)
    )
