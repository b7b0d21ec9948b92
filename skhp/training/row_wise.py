"""Models whose loss over a batch is a weighted mean over its rows, and nothing else."""

from __future__ import annotations

from typing import Any

import keras

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
        _is_keras_own(model)
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


def _is_keras_own(model: keras.Model) -> bool:
    return type(model).__module__.partition(".")[0] == "keras"
