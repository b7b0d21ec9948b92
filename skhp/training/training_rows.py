"""Rows of a training: copies among them, the validation split, their order and their batches.

The order of the rows in an epoch is a function of the seed and the epoch alone; no global random
generator is read, so fits in several threads cannot disturb each other.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from skhp.objectives.losses import MEANS_OVER_ROWS, ROW_WISE_LOSSES
from skhp.objectives.metrics import Metric
from skhp.shared.equality import library_of


@dataclass(frozen=True)
class TrainingRows:
    """Rows that a network learns from.

    `X` is float32 of shape (n_samples, n_features), or `TakenRows`; `y` is the target as the loss
    takes it; `weight` multiplies the loss of a row. For a network of several inputs or outputs, `X`
    or `y` is a dict or tuple of arrays.
    """

    X: Any
    y: Any
    weight: np.ndarray

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.weight)

    @property
    def form(self) -> Hashable:
        """Equal for rows that one program takes."""
        forms = tf.nest.map_structure(lambda array: array.dtype.str, self.X)
        targets = tf.nest.map_structure(lambda array: (array.dtype.str, array.shape[1:]), self.y)
        return repr(forms), repr(targets)


@dataclass(frozen=True)
class ValidationRows:
    """Rows that a training monitors, but does not learn from.

    `X` and `weight` are as in training. A metric compares outputs with
    `metric_target` (class numbers, or the targets themselves) and weighs rows by `metric_weight`,
    which leaves class weights out. `metric_scale` has the unit of each target in a metric; None is
    1. With two classes the metric is for the rare class: `metric_target` is 1 for its rows and 0
    for the others, and `metric_sign` is -1 if the output of the network is the log-odds of the
    other class.
    """

    X: Any
    y: Any
    weight: np.ndarray
    metric_target: np.ndarray
    metric_weight: np.ndarray | None
    metric_scale: np.ndarray | None = None
    metric_sign: float = 1.0

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.weight)

    def metric_unit(self, metric: Metric | None) -> float:
        """The factor of a metric that was computed in the largest unit of the targets."""
        if metric is None or self.metric_scale is None:
            return 1.0
        return float(self.metric_scale.max()) ** metric.power_of_unit


def row_groups(*columns: Any) -> tuple[np.ndarray, np.ndarray]:
    """A row of each group of equal rows, and the group of each row, numbered by content."""
    # Rows are compared by their bytes, which is many times faster than by their numbers. The order
    # of the bytes is another one, but also fixed.
    as_bytes = _bytes_of_rows(columns)
    order = np.argsort(as_bytes, kind="stable")
    is_new = np.ones(len(order), bool)
    # In blocks, as the rows in order are another copy of the table. (`np.unique` makes three.)
    for start in range(1, len(order), _ROWS_OF_BLOCK):
        end = start + _ROWS_OF_BLOCK
        block = as_bytes[order[start - 1 : end]]
        is_new[start:end] = block[1:] != block[:-1]
    group = np.empty(len(order), np.intp)
    group[order] = np.cumsum(is_new) - 1
    return order[is_new], group


_ROWS_OF_BLOCK = 2**13


def _bytes_of_rows(columns: Sequence[Any]) -> np.ndarray:
    """The numbers of each row beside one another, as one value of bytes."""
    n_rows = len(columns[0])
    widths = [math.prod(column.shape[1:]) for column in columns]
    dtype = (np.zeros(1, np.result_type(*(column.dtype for column in columns))) + 0.0).dtype
    table = np.empty((n_rows, sum(widths)), dtype)
    for column, width, end in zip(columns, widths, np.cumsum(widths), strict=True):
        for start in range(0, n_rows, _ROWS_OF_BLOCK):
            rows = slice(start, start + _ROWS_OF_BLOCK)
            # Adding 0 turns -0 into 0.
            table[rows, end - width : end] = (
                np.asarray(column[rows]).reshape(-1, width).astype(dtype, copy=False) + 0.0
            )
    return table.view(np.dtype((np.void, dtype.itemsize * table.shape[1])))[:, 0]


def distinct_rows(rows: TrainingRows) -> TrainingRows:
    """Every distinct row once, in a fixed order, with the sum of its weights.

    For a training whose batch is all rows, the gradient is the same for a row of weight two, for
    the row given twice, and for any order of the rows. Training on the distinct rows makes the bits
    the same, too.
    """
    first, group = row_groups(rows.X, rows.y)
    weight = sum_by_group(group, rows.weight)
    return TrainingRows(rows.X[first], rows.y[first], weight.astype(rows.weight.dtype))


def sum_by_group(group: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The sum of the weights of each group, to the same bits for any order of the rows."""
    order = np.lexsort((weight, group))
    return np.bincount(group[order], weights=weight[order].astype(np.float64))


# With fewer distinct rows than this share of all rows, copies are natural in the table (a few
# categories), and a split that keeps them together would not be representative.
_LEAST_DISTINCT_SHARE = 0.1


def validation_split(
    groups: np.ndarray,
    fraction: float,
    seed: int,
    labels: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    rows_given_as: str = "X_val and y_val",
    which: str = "random",
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rows to train on and of the rows to validate on, each ascending.

    If `which` is "last", these are the last rows. If it is "random", copies of a row stay on one
    side, so that a table with oversampled rows is not validated on rows that it was trained on.
    The split then depends on what the rows hold, not on their order.
    """
    held_out = (
        np.arange(len(groups)) >= len(groups) - _count_held_out(len(groups), fraction)
        if which == "last"
        else _drawn(groups, fraction, seed, labels, weight)
    )
    if not held_out.any():
        raise ValueError(
            f"early_stopping=True needs rows to validate on, got n_samples = {len(groups)}"
            + ("" if labels is None or which == "last" else " with no class of two rows")
            + f". Give more rows, pass {rows_given_as} to fit, or set early_stopping=False."
        )
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _count_held_out(n_rows: int, fraction: float) -> int:
    return min(max(1, round(fraction * n_rows)), n_rows - 1)


def _drawn(
    groups: np.ndarray,
    fraction: float,
    seed: int,
    labels: np.ndarray | None,
    weight: np.ndarray | None,
) -> np.ndarray:
    """Whether each row is held out; drawn from each class."""
    n_rows, n_groups = len(groups), groups.max() + 1
    generator = np.random.default_rng(seed)
    strata = np.zeros(n_rows, dtype=np.intp) if labels is None else labels
    held_out = np.zeros(n_rows, dtype=bool)
    if n_groups >= _LEAST_DISTINCT_SHARE * n_rows:
        total = np.zeros((n_groups, strata.max() + 1))
        np.add.at(total, (groups, strata), 1.0 if weight is None else weight)
        held_out = _stratified(total.argmax(axis=1), fraction, generator)[groups]
    if not _on_both_sides(strata, held_out):
        by_content = np.lexsort((np.zeros(n_rows) if weight is None else weight, strata, groups))
        held_out[by_content] = _stratified(strata[by_content], fraction, generator)
    return held_out


def _stratified(strata: np.ndarray, fraction: float, generator: np.random.Generator) -> np.ndarray:
    held_out = np.zeros(len(strata), dtype=bool)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        if len(members) > 1:
            count = _count_held_out(len(members), fraction)
            held_out[generator.permutation(members)[:count]] = True
    return held_out


def _on_both_sides(strata: np.ndarray, held_out: np.ndarray) -> bool:
    count = np.bincount(strata)
    return bool(
        np.isin(np.flatnonzero(count > 1), strata[held_out]).all()
        and np.isin(np.flatnonzero(count > 0), strata[~held_out]).all()
    )


def row_order(seed: int, epoch: int, n_rows: int) -> np.ndarray:
    """Order in which the rows are visited in an epoch, counted from 0."""
    return np.random.default_rng([seed, epoch]).permutation(n_rows)


def steps_in_epoch(n_rows: int, batch_size: int) -> int:
    """Number of batches in an epoch, of which the last may be smaller."""
    return -(-n_rows // batch_size)


def epoch_batches(
    arrays: Any,
    *,
    n_rows: int,
    batch_size: int,
    epochs: int,
    seed: int | None,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Batches of all epochs, one epoch after the other."""

    def orders() -> Iterator[np.ndarray]:
        for epoch in range(first_epoch, first_epoch + epochs):
            yield np.arange(n_rows) if seed is None else row_order(seed, epoch, n_rows)

    tensors = tf.nest.map_structure(tf.convert_to_tensor, arrays)
    signature = tf.TensorSpec((n_rows,), tf.int64)

    # The code of converted functions lies in temporary files, which a killed process leaves behind.
    @tf.autograph.experimental.do_not_convert
    def batches_of(order: Any) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    @tf.autograph.experimental.do_not_convert
    def taken(rows: Any) -> Any:
        return tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), tensors)

    return (
        tf.data.Dataset.from_generator(orders, output_signature=signature)
        .flat_map(batches_of)
        .map(taken)
        .prefetch(1)
        # Without the number of batches, Keras warns that the data ran out.
        .apply(tf.data.experimental.assert_cardinality(epochs * steps_in_epoch(n_rows, batch_size)))
    )


@dataclass(frozen=True, eq=False)
class EpochParts:
    """An epoch, cut at each place where the batch of any member ends.

    `positions` has shape (parts, rows of the longest part); places beyond a part hold the value
    `n_rows`. `full` has shape (parts, members): whether the member's batch ends with this part.
    """

    positions: np.ndarray
    full: np.ndarray


def epoch_parts(n_rows: int, batch_sizes: Sequence[int], room: int = 0) -> EpochParts:
    """Cut `n_rows` places so that every batch is a whole number of parts.

    A member adds up gradients part by part and applies them when its batch is full; so members with
    other batch sizes can share a program. Every member's last batch ends with the last part. A
    single part with all rows has `room` for a few more, so that other tables share the program.
    """
    sizes = np.unique(np.minimum(batch_sizes, n_rows))
    ends = np.unique(np.concatenate([np.arange(size, n_rows, size) for size in sizes] + [[n_rows]]))
    starts = np.concatenate([[0], ends[:-1]])
    longest = (ends - starts).max() if len(ends) > 1 else max(n_rows, room)
    places = starts[:, None] + np.arange(longest)
    full = ends[:, None] % np.minimum(batch_sizes, n_rows) == 0
    full[-1] = True
    return EpochParts(np.where(places < ends[:, None], places, n_rows).astype(np.int32), full)


def dropout_noise(seed: int, layer: int, epoch: int, n_rows: int, units: int) -> np.ndarray:
    """Uniform whole numbers of 16 bits, one for each place in an epoch's order and each unit.

    A unit's numbers depend neither on how many units there are nor on the batch size, so members
    that differ in these can share a stream and still get the same noise as alone.

    Examples
    --------
    >>> wide, narrow = (dropout_noise(0, 0, 0, n_rows=3, units=units) for units in (5, 2))
    >>> bool((wide[:, :2] == narrow).all())
    True
    """
    generator = np.random.default_rng([seed, layer, epoch])
    return generator.integers(2**16, size=(units, n_rows), dtype=np.uint16).T


@dataclass(frozen=True)
class TrainingSeeds:
    """Seeds of the validation split, of the initial weights and noise, and of the row order."""

    split: int
    network: int
    order: int

    @classmethod
    def derived_from(cls, seed: int) -> Self:
        """Seeds that differ from each other and depend on `seed` alone."""
        return cls(*(int(state) for state in np.random.SeedSequence(seed).generate_state(3)))


_LAYERS = frozenset(
    {
        keras.layers.Activation,
        keras.layers.Add,
        keras.layers.Average,
        keras.layers.Concatenate,
        keras.layers.Dense,
        keras.layers.ELU,
        keras.layers.Flatten,
        keras.layers.Identity,
        keras.layers.InputLayer,
        keras.layers.LayerNormalization,
        keras.layers.LeakyReLU,
        keras.layers.Multiply,
        keras.layers.Normalization,
        keras.layers.PReLU,
        keras.layers.ReLU,
        keras.layers.Rescaling,
        keras.layers.Reshape,
        keras.layers.Softmax,
        keras.layers.Subtract,
    }
)

_LOSS_FUNCTIONS = frozenset(loss().fn for loss in ROW_WISE_LOSSES)


def is_row_wise(model: keras.Model) -> bool:
    """Whether a model is known to learn the same from a row of weight two as from two equal rows.

    True where every layer treats each row by itself and without noise, the loss is a mean over
    rows, and no metric counts rows. False for unknown layers and losses.
    """
    return (
        library_of(type(model)) == "keras"
        and len(model.metrics) <= 1
        and _is_mean_over_rows(model.loss)
        and all(type(layer) in _LAYERS for layer in model.layers)
        and not any(getattr(layer, "activity_regularizer", None) for layer in model.layers)
    )


def _is_mean_over_rows(loss: Any) -> bool:
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        return type(loss) in ROW_WISE_LOSSES and loss.reduction in MEANS_OVER_ROWS
    return callable(loss) and loss in _LOSS_FUNCTIONS
