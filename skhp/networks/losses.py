"""Losses by name, each averaged over the weights of a batch."""

from __future__ import annotations

import keras

from skhp.networks.description import OutputKind

# A batch's loss is sum(weight * loss) / sum(weight), so that a whole-number weight means the same
# as repeating the row; Keras' default divides by the number of rows instead.
_REDUCTION = "mean_with_sample_weight"

CLASSIFICATION_LOSSES = ("crossentropy",)

_REGRESSION_CLASSES: dict[str, type[keras.losses.Loss]] = {
    "squared_error": keras.losses.MeanSquaredError,
    "absolute_error": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
    "log_cosh": keras.losses.LogCosh,
}

REGRESSION_LOSSES = tuple(_REGRESSION_CLASSES)


def keras_loss(name: str, output: OutputKind) -> keras.losses.Loss:
    """Keras' loss for a name; ``"auto"`` is crossentropy for classes, squared error for numbers."""
    if output == "binary":
        return keras.losses.BinaryCrossentropy(reduction=_REDUCTION)
    if output == "multiclass":
        return keras.losses.SparseCategoricalCrossentropy(reduction=_REDUCTION)
    loss_class = _REGRESSION_CLASSES["squared_error" if name == "auto" else name]
    return loss_class(reduction=_REDUCTION)
