"""Models whose loss over a batch is a weighted mean over its rows, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import keras
import tensorflow as tf

from skhp.exceptions import CannotJoinError
from skhp.objectives.rare_class_losses import FocalLoss, SoftF1
from skhp.shared.equality import library_of

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

ROW_WISE_LOSSES = frozenset(
    {
        keras.losses.BinaryCrossentropy,
        keras.losses.BinaryFocalCrossentropy,
        keras.losses.CategoricalCrossentropy,
        keras.losses.CategoricalFocalCrossentropy,
        keras.losses.CategoricalHinge,
        keras.losses.CosineSimilarity,
        keras.losses.Hinge,
        keras.losses.Huber,
        keras.losses.KLDivergence,
        keras.losses.LogCosh,
        keras.losses.MeanAbsoluteError,
        keras.losses.MeanAbsolutePercentageError,
        keras.losses.MeanSquaredError,
        keras.losses.MeanSquaredLogarithmicError,
        keras.losses.Poisson,
        keras.losses.SparseCategoricalCrossentropy,
        keras.losses.SquaredHinge,
    }
)
_LOSS_FUNCTIONS = frozenset(loss().fn for loss in ROW_WISE_LOSSES)

_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")


def is_row_wise(model: keras.Model) -> bool:
    """Whether a compiled model is known to learn the same from a row of weight two and two rows.

    It is where every layer treats each row by itself and without noise, the loss is a mean over
    rows, and no metric counts rows. Anything that is not known is taken to be otherwise.
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
        return type(loss) in ROW_WISE_LOSSES and loss.reduction in _MEANS
    return callable(loss) and loss in _LOSS_FUNCTIONS


Divisor = Literal["weight", "rows", "nothing"]
Tensor: TypeAlias = Any

# Losses of numbers that members of a population may differ in.
_NUMBERED = frozenset({FocalLoss, SoftF1})

_DIVISOR_OF: dict[str, Divisor] = {
    "mean_with_sample_weight": "weight",
    "sum_over_batch_size": "rows",
    "mean": "rows",
    "sum": "nothing",
}


@dataclass(frozen=True)
class RowLoss:
    """A loss: its class, its settings and the divisor of its reduction."""

    kind: type[keras.losses.Loss]
    settings: tuple[tuple[str, Any], ...]
    divisor: Divisor

    @property
    def shares_batches(self) -> bool:
        """Whether a batch may be taken in parts, which are added up."""
        return self.kind is not SoftF1

    def total(
        self, y: Tensor, outputs: Tensor, weight: Tensor, numbers: tuple[Tensor, ...] = ()
    ) -> Tensor:
        """Loss of all rows together; the last axis of `outputs` is that of its units.

        Parameters
        ----------
        y, outputs : tensor of shape (..., rows, units)
        weight : tensor of shape (..., rows)
        numbers : tensors of shape (...)
            Of a loss whose numbers differ from member to member; see `parted`.
        """
        if self.kind is SoftF1:
            settings = dict(self.settings)
            numbers = numbers or SoftF1(**settings).numbers_of_member()
            y = y if y.shape.rank == outputs.shape.rank else y[..., None]
            return SoftF1.of_batch(
                y, outputs, weight, numbers, settings["average"], settings["positive"]
            )
        return weighted_sum(self.of_rows(y, outputs, numbers), weight)

    def of_rows(self, y: Tensor, outputs: Tensor, numbers: tuple[Tensor, ...] = ()) -> Tensor:
        """Loss of each row."""
        if numbers:
            return self.kind.of_rows(y, outputs, numbers)
        return self.kind(**dict(self.settings), reduction=None).call(y, outputs)

    def parted(self) -> tuple[RowLoss, tuple[float, ...]]:
        """What members need to have in common, and the numbers that may differ among them."""
        if self.kind not in _NUMBERED:
            return self, ()
        settings = dict(self.settings)
        numbers = self.kind(**settings).numbers_of_member()
        shared = {name: settings[name] for name in self.kind.of_program}
        return replace(self, settings=tuple(sorted(shared.items()))), numbers


def weighted_sum(values: Tensor, weight: Tensor) -> Tensor:
    """Sum over the last axis, in which what has no weight does not count, whatever its value."""
    return tf.reduce_sum(tf.where(weight > 0.0, values * weight, 0.0), axis=-1)


def row_loss(loss: keras.losses.Loss) -> RowLoss:
    """The loss of each row for a loss of Keras.

    Raises
    ------
    CannotJoinError
        If the loss is not known to be a mean or a sum over rows.
    """
    known = type(loss) in ROW_WISE_LOSSES or type(loss) in _NUMBERED
    if not known or loss.reduction not in _DIVISOR_OF:
        name = getattr(loss, "name", loss)
        raise CannotJoinError(f"the loss {name!r} is not known to be a mean over rows.")
    settings = tuple(
        sorted(
            (name, value)
            for name, value in loss.get_config().items()
            if name not in ("name", "reduction", "dtype")
        )
    )
    # A loss that is one number for a batch is divided by nothing.
    divisor = "nothing" if type(loss) is SoftF1 else _DIVISOR_OF[loss.reduction]
    return RowLoss(type(loss), settings, divisor)
