"""Batch normalisation: the moving moments are the state of a member."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf

from skhp.networks.layers.layer import (
    Layer,
    LayerContext,
    LayerDescription,
    LayerSeeds,
    no_batched_form,
    reads,
)
from skhp.networks.network import Shapes, Tensor


@dataclass(frozen=True)
class BatchNormalizationLayer(Layer):
    """Normalisation over the rows of a batch, and over their pixels or steps."""

    units: int
    momentum: float
    epsilon: float

    rows_meet = True

    @property
    def weight_shapes(self) -> Shapes:  # type: ignore[override]
        """Shapes of scale and offset."""
        return ((self.units,), (self.units,))

    @property
    def state_shapes(self) -> Shapes:  # type: ignore[override]
        """Shapes of the moving mean and variance."""
        return self.weight_shapes

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Normalise by the moments of the batch in training, otherwise by the moving moments."""
        scale, offset = weights
        mean, variance = state
        if context.training:
            batch_mean, batch_variance = _moments(values, context.present)
            state = (self._moved(mean, batch_mean), self._moved(variance, batch_variance))
            mean, variance = batch_mean, batch_variance
        factor = scale * tf.math.rsqrt(variance + self.epsilon)
        values = values * _beside(factor, values) + _beside(offset - mean * factor, values)
        return values, state

    def _moved(self, moving: Tensor, of_batch: Tensor) -> Tensor:
        return moving * self.momentum + of_batch * (1.0 - self.momentum)


@dataclass(frozen=True)
class BatchNormalizationDescription(LayerDescription):
    """Batch normalisation with Keras' defaults."""

    momentum: float = 0.99
    epsilon: float = 1e-3

    keras_name = "batch_norm"

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """A scale and an offset for each unit."""
        units = input_shape[-1]
        return (BatchNormalizationLayer(units, self.momentum, self.epsilon),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A Keras layer, which needs no seed."""
        return keras.layers.BatchNormalization(
            momentum=self.momentum, epsilon=self.epsilon, name=name
        )


@reads(keras.layers.BatchNormalization)
def read_batch_normalization(layer: keras.layers.BatchNormalization) -> Sequence[Layer]:
    """Batch normalisation of the last axis, with a scale and an offset."""
    if not (layer.scale and layer.center) or layer.renorm:
        raise no_batched_form(layer)
    if layer.axis not in (-1, len(layer.input.shape) - 1):
        raise no_batched_form(layer)
    units = int(layer.gamma.shape[0])
    return (BatchNormalizationLayer(units, float(layer.momentum), float(layer.epsilon)),)


def _moments(values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    axes = list(range(2, len(values.shape) - 1))
    between = (1,) * (len(axes) - 1)
    mask = tf.reshape(present, (present.shape[0], 1, -1, *between, 1))
    count = tf.reduce_sum(present, axis=1)[:, None, None] * math.prod(values.shape[3:-1])
    count = tf.maximum(count, 1.0)
    mean = tf.reduce_sum(values * mask, axis=axes) / count
    squares = tf.square(values - _beside(mean, values)) * mask
    return mean, tf.reduce_sum(squares, axis=axes) / count


def _beside(of_units: Tensor, values: Tensor) -> Tensor:
    """Numbers of the units, with axes of length 1 for the rows and their pixels."""
    between = (1,) * (len(values.shape) - 3)
    return tf.reshape(of_units, (*of_units.shape[:2], *between, of_units.shape[-1]))
