"""Losses by name, each averaged over the weights of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from skhp.networks.description import OutputKind
from skhp.networks.rare_class_losses import FocalLoss, SoftF1

# A batch's loss is sum(weight * loss) / sum(weight), so that a whole-number weight means the same
# as repeating the row; Keras' default divides by the number of rows instead.
_REDUCTION = "mean_with_sample_weight"

_RARE_CLASS_LOSSES: dict[str, type[keras.losses.Loss]] = {"focal": FocalLoss, "soft_f1": SoftF1}

CLASSIFICATION_LOSSES = ("crossentropy", *_RARE_CLASS_LOSSES)

_REGRESSION_CLASSES: dict[str, type[keras.losses.Loss]] = {
    "squared_error": keras.losses.MeanSquaredError,
    "absolute_error": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
    "log_cosh": keras.losses.LogCosh,
}

REGRESSION_LOSSES = tuple(_REGRESSION_CLASSES)


@dataclass(frozen=True)
class NetworkLoss:
    """The loss of a network: its name, and the parameters of a loss that has some."""

    name: str
    settings: tuple[tuple[str, Any], ...] = ()


def keras_loss(loss: str | NetworkLoss, output: OutputKind) -> keras.losses.Loss:
    """Keras' loss for a name; ``"auto"`` is crossentropy for classes, squared error for numbers."""
    name, settings = (loss, ()) if isinstance(loss, str) else (loss.name, loss.settings)
    if output != "regression" and name in _RARE_CLASS_LOSSES:
        return _RARE_CLASS_LOSSES[name](**dict(settings), reduction=_REDUCTION)
    if output == "binary":
        return keras.losses.BinaryCrossentropy(reduction=_REDUCTION)
    if output == "multiclass":
        return keras.losses.SparseCategoricalCrossentropy(reduction=_REDUCTION)
    loss_class = _REGRESSION_CLASSES["squared_error" if name == "auto" else name]
    return loss_class(reduction=_REDUCTION)
