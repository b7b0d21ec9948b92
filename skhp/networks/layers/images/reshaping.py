"""Layers that compute nothing and move pixels: flattening, and borders of zeros."""

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
from skhp.networks.network import Tensor


@dataclass(frozen=True)
class FlattenLayer(Layer):
    """Makes a vector of each row."""

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """The numbers of each row, the last axis fastest."""
        return tf.reshape(values, (*values.shape[:2], -1, math.prod(values.shape[3:]))), state

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """All numbers of a row."""
        return (math.prod(input_shape),)


@dataclass(frozen=True)
class ZeroPaddingLayer(Layer):
    """A border of zeros, of the widths (before, behind) for each axis of the pixels."""

    border: tuple[tuple[int, int], ...]

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Pad the axes between the rows and the channels."""
        return tf.pad(values, [(0, 0)] * 3 + [*self.border, (0, 0)]), state

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The pixels with the border."""
        sizes = zip(input_shape[:-1], self.border, strict=True)
        return (*(size + sum(border) for size, border in sizes), input_shape[-1])


@dataclass(frozen=True)
class FlattenDescription(LayerDescription):
    """Makes a vector of each image."""

    keras_name = "flatten"

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """The vector."""
        return (FlattenLayer(),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A Keras layer, which needs no seed."""
        return keras.layers.Flatten(name=name)


@reads(keras.layers.Flatten)
def read_flatten(layer: keras.layers.Flatten) -> Sequence[Layer]:
    """A Flatten layer that takes the channels last."""
    if layer.data_format != "channels_last":
        raise no_batched_form(layer)
    return (FlattenLayer(),)


@reads(keras.layers.ZeroPadding1D)
@reads(keras.layers.ZeroPadding2D)
def read_zero_padding(layer: keras.layers.Layer) -> Sequence[Layer]:
    """A layer that adds a border of zeros and takes the channels last."""
    if layer.data_format != "channels_last":
        raise no_batched_form(layer)
    border = layer.padding
    border = (border,) if isinstance(border[0], int) else border
    return (ZeroPaddingLayer(tuple((int(before), int(behind)) for before, behind in border)),)
