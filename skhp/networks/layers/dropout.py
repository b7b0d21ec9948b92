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
)
from skhp.networks.network import Tensor


@dataclass(frozen=True)
class DropoutLayer(Layer):
    """Dropout of single values; an axis of length 1 in `shape` is dropped or kept as a whole."""

    shape: tuple[int, ...]

    keeps_zeros = True

    @property
    def noise_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """One number for each value that is dropped by itself."""
        return self.shape

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Drop each value whose noise is below the rate."""
        if not context.training:
            return values, state
        rate = tf.reshape(context.rate, (*context.rate.shape, 1, *(1 for _ in self.shape)))
        kept = context.noise[:, None] >= rate
        return tf.where(kept, values / (1.0 - rate), 0.0), state

    def without_width(self) -> DropoutLayer:
        """The layer without its number of units."""
        return DropoutLayer((*self.shape[:-1], 0))

    def widened(self, input_shape: tuple[int, ...], alike: Sequence[DropoutLayer]) -> DropoutLayer:
        """Dropout of as many units as come in."""
        return DropoutLayer((*self.shape[:-1], input_shape[-1]))


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
        """Dropout of each value that comes in."""
        return (DropoutLayer(input_shape),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A Keras layer with its own seed for the noise."""
        return keras.layers.Dropout(self.rate, seed=seeds.for_noise(), name=name)


def _rates(layer: keras.layers.Dropout) -> tuple[float, ...]:
    return (float(layer.rate),)


@reads(keras.layers.Dropout, takes_mask=True, rates=_rates)
def read_dropout(layer: keras.layers.Dropout) -> Sequence[Layer]:
    """A Dropout layer that draws for each row separately."""
    shape = tuple(layer.input.shape)
    given = shape if layer.noise_shape is None else tuple(layer.noise_shape)
    is_of_rows = len(given) == len(shape) and given[0] in (None, shape[0])
    if not is_of_rows or layer.rate == 1:
        raise no_batched_form(layer)
    of_row = tuple(own if own is not None else size for own, size in zip(given, shape, strict=True))
    return _dropout(layer, of_row[1:])


def _spatial_rates(layer: keras.layers.SpatialDropout1D) -> tuple[float, ...]:
    return (float(layer.rate),) if layer.rate else ()


@reads(keras.layers.SpatialDropout1D, takes_mask=True, rates=_spatial_rates)
def read_spatial_dropout(layer: keras.layers.SpatialDropout1D) -> Sequence[Layer]:
    """Dropout of channels in all steps; nothing at a rate of 0."""
    return _dropout(layer, (1, layer.input.shape[-1])) if layer.rate else ()


def _dropout(layer: keras.layers.Layer, shape: tuple[int | None, ...]) -> Sequence[Layer]:
    if None in shape:
        raise no_batched_form(layer)
    return (DropoutLayer(tuple(int(size or 0) for size in shape)),)
