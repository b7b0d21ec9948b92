"""Batch normalisation: the moving moments are the state of a member."""

from __future__ import annotations

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
    width_of_vectors,
)
from skhp.networks.network import Shapes, Tensor


@dataclass(frozen=True)
class BatchNormalizationLayer(Layer):
    """Normalisation over the rows of a batch."""

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
        """Normalise by the moments of the batch in training, else by the moving ones."""
        scale, offset = weights
        mean, variance = state
        if context.training:
            batch_mean, batch_variance = _moments(values, context.present)
            state = (self._moved(mean, batch_mean), self._moved(variance, batch_variance))
            mean, variance = batch_mean, batch_variance
        factor = scale * tf.math.rsqrt(variance + self.epsilon)
        values = values * factor[:, :, None] + (offset - mean * factor)[:, :, None]
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
        units = width_of_vectors(input_shape, self)
        return (BatchNormalizationLayer(units, self.momentum, self.epsilon),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A layer that draws nothing."""
        return keras.layers.BatchNormalization(
            momentum=self.momentum, epsilon=self.epsilon, name=name
        )


@reads(keras.layers.BatchNormalization)
def read_batch_normalization(layer: keras.layers.BatchNormalization) -> Sequence[Layer]:
    """Batch normalisation of vectors with a scale and an offset."""
    if not (layer.scale and layer.center) or layer.renorm or len(layer.input.shape) != 2:
        raise no_batched_form(layer)
    units = int(layer.gamma.shape[0])
    return (BatchNormalizationLayer(units, float(layer.momentum), float(layer.epsilon)),)


def _moments(values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    mask = present[:, None, :, None]
    count = tf.maximum(tf.reduce_sum(mask, axis=2), 1.0)
    mean = tf.reduce_sum(values * mask, axis=2) / count
    squares = tf.square(values - mean[:, :, None]) * mask
    return mean, tf.reduce_sum(squares, axis=2) / count
