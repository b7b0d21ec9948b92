"""Dropout with the noise of the stream and the rate of the member."""

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
from skhp.networks.network import Tensor


@dataclass(frozen=True)
class DropoutLayer(Layer):
    """Dropout of single units."""

    units: int

    keeps_zeros = True

    @property
    def noise_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """One number for each unit."""
        return (self.units,)

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Drop the units whose noise is below the rate."""
        if not context.training:
            return values, state
        rate = context.rate[:, :, None, None]
        kept = context.noise[:, None] >= rate
        return tf.where(kept, values / (1.0 - rate), 0.0), state

    def without_width(self) -> DropoutLayer:
        """The layer without its number of units."""
        return DropoutLayer(0)

    def widened(self, input_shape: tuple[int, ...], alike: Sequence[DropoutLayer]) -> DropoutLayer:
        """Dropout of as many units as come in."""
        return DropoutLayer(input_shape[-1])


@dataclass(frozen=True)
class DropoutDescription(LayerDescription):
    """Dropout of single units at a rate above 0."""

    rate: float = 0.5

    keras_name = "dropout"
    numbers = ("rate",)

    @property
    def dropout(self) -> float:
        """Share of the units that is dropped."""
        return self.rate

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """Dropout of each unit that comes in."""
        return (DropoutLayer(width_of_vectors(input_shape, self)),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A layer with noise of its own."""
        return keras.layers.Dropout(self.rate, seed=seeds.for_noise(), name=name)


@reads(keras.layers.Dropout)
def read_dropout(layer: keras.layers.Dropout) -> Sequence[Layer]:
    """A Dropout layer that drops each unit by itself."""
    if layer.noise_shape is not None:
        raise no_batched_form(layer)
    return (DropoutLayer(int(layer.input.shape[-1])),)
