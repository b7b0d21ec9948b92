"""Pooling of images and of series, over windows or over all places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import keras
import tensorflow as tf

from skhp.networks.layers.images.convolution import as_images, pair, places_of_windows
from skhp.networks.layers.layer import (
    Layer,
    LayerContext,
    LayerDescription,
    LayerSeeds,
    no_batched_form,
    reads,
)
from skhp.networks.network import BYTES_OF_NUMBER, Cost, Tensor

Pooling: TypeAlias = Literal["max", "average"]

_OUTPUT_SECONDS = 1e-9
_COPIES = 3


@dataclass(frozen=True)
class PoolingLayer(Layer):
    """The maximum or the mean over windows of the pixels."""

    kind: Pooling
    pool_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str = "valid"

    keeps_zeros = True
    # As for convolutions, XLA of TensorFlow 2.21 is slower.
    compiles = False

    @property
    def takes_maximum(self) -> bool:  # type: ignore[override]
        """Whether it is the maximum."""
        return self.kind == "max"

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Pool the images of all members in one call."""
        is_series = len(self.pool_size) == 1
        members, values = values.shape[:2], as_images(values)
        pool = tf.nn.max_pool2d if self.kind == "max" else tf.nn.avg_pool2d
        pooled = pool(
            tf.reshape(values, (-1, *values.shape[3:])),
            ksize=pair(self.pool_size),
            strides=pair(self.strides),
            padding=self.padding.upper(),
        )
        shape = pooled.shape[2:] if is_series else pooled.shape[1:]
        return tf.reshape(pooled, (*members, -1, *shape)), state

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """One place for each window, and the same channels."""
        places = places_of_windows(input_shape[:-1], self.pool_size, self.strides, self.padding)
        return (*places, input_shape[-1])

    def cost(self, input_shape: tuple[int, ...], rows: int) -> Cost:
        """The cost of reading each pixel."""
        return _cost_of_reading(input_shape, rows)


@dataclass(frozen=True)
class GlobalPoolingLayer(Layer):
    """The maximum or the mean over all pixels of a channel."""

    kind: Pooling
    keepdims: bool = False

    keeps_zeros = True

    @property
    def takes_maximum(self) -> bool:  # type: ignore[override]
        """Whether it is the maximum."""
        return self.kind == "max"

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Reduce the axes between the rows and the channels."""
        axes = list(range(3, len(values.shape) - 1))
        reduce = tf.reduce_max if self.kind == "max" else tf.reduce_mean
        return reduce(values, axis=axes, keepdims=self.keepdims), state

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The channels."""
        return (*(1,) * (len(input_shape) - 1) * self.keepdims, input_shape[-1])

    def cost(self, input_shape: tuple[int, ...], rows: int) -> Cost:
        """The cost of reading each pixel."""
        return _cost_of_reading(input_shape, rows)


@dataclass(frozen=True)
class PoolingDescription(LayerDescription):
    """Pooling of images over windows that do not overlap."""

    kind: Pooling
    pool_size: tuple[int, int]

    keras_name = "pooling"

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """The pooling; pixels at the border that do not fill a window are ignored."""
        return (PoolingLayer(self.kind, self.pool_size, self.pool_size),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A layer of Keras of the same kind."""
        kind = keras.layers.MaxPooling2D if self.kind == "max" else keras.layers.AveragePooling2D
        return kind(self.pool_size, name=name)


@reads(keras.layers.MaxPooling1D)
@reads(keras.layers.MaxPooling2D)
def read_max_pooling(layer: keras.layers.Layer) -> Sequence[Layer]:
    """Pooling by the maximum."""
    return _read_pooling(layer, "max")


@reads(keras.layers.AveragePooling1D)
@reads(keras.layers.AveragePooling2D)
def read_average_pooling(layer: keras.layers.Layer) -> Sequence[Layer]:
    """Pooling by the mean."""
    return _read_pooling(layer, "average")


@reads(keras.layers.GlobalMaxPooling1D)
@reads(keras.layers.GlobalMaxPooling2D)
def read_global_max_pooling(layer: keras.layers.Layer) -> Sequence[Layer]:
    """The maximum of each channel."""
    return _read_global_pooling(layer, "max")


@reads(keras.layers.GlobalAveragePooling1D)
@reads(keras.layers.GlobalAveragePooling2D)
def read_global_average_pooling(layer: keras.layers.Layer) -> Sequence[Layer]:
    """The mean of each channel."""
    return _read_global_pooling(layer, "average")


def _read_pooling(layer: keras.layers.Layer, kind: Pooling) -> Sequence[Layer]:
    if layer.data_format != "channels_last" or layer.padding not in ("same", "valid"):
        raise no_batched_form(layer)
    return (PoolingLayer(kind, tuple(layer.pool_size), tuple(layer.strides), layer.padding),)


def _read_global_pooling(layer: keras.layers.Layer, kind: Pooling) -> Sequence[Layer]:
    if layer.data_format != "channels_last":
        raise no_batched_form(layer)
    return (GlobalPoolingLayer(kind, bool(layer.keepdims)),)


def _cost_of_reading(input_shape: tuple[int, ...], rows: int) -> Cost:
    n_values = rows * math.prod(input_shape)
    return Cost(n_values * _OUTPUT_SECONDS, BYTES_OF_NUMBER * _COPIES * n_values)
