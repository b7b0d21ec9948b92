"""Activations, as layers of their own or as a part of other layers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from skhp.exceptions import CannotJoinError
from skhp.networks.layers.layer import (
    Layer,
    LayerContext,
    LayerDescription,
    LayerSeeds,
    no_batched_form,
    reads,
)
from skhp.networks.network import Tensor

ACTIVATIONS = (
    "celu",
    "elu",
    "exponential",
    "gelu",
    "hard_sigmoid",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "swish",
    "tanh",
)


_GROWING = (
    keras.activations.elu,
    keras.activations.relu,
    keras.activations.sigmoid,
    keras.activations.tanh,
)


@dataclass(frozen=True)
class ActivationLayer(Layer):
    """An activation, element by element or over the units."""

    function: Callable[[Tensor], Tensor]

    @property
    def keeps_zeros(self) -> bool:  # type: ignore[override]
        """Whether the activation of zeros is zero."""
        return zero_at_zero(self.function)

    @property
    def keeps_order(self) -> bool:  # type: ignore[override]
        """Whether the function is known to grow with its argument."""
        return self.function in _GROWING

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Call the function of Keras."""
        return self.function(values), state


@dataclass(frozen=True)
class ActivationDescription(LayerDescription):
    """An activation by Keras' name."""

    function: str

    keras_name = "activation"

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """The activation; nothing where it is linear."""
        function = keras.activations.get(self.function)
        return () if function is keras.activations.linear else (ActivationLayer(function),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A Keras layer of this activation."""
        return keras.layers.Activation(self.function, name=name)


@functools.lru_cache
def zero_at_zero(function: Callable[[Tensor], Tensor]) -> bool:
    """Whether the activation of a zero is zero, whatever the other units are."""
    if function is keras.activations.softmax:
        return False
    return not np.any(keras.ops.convert_to_numpy(function(tf.zeros((1, 2)))))


@reads(keras.layers.Activation, takes_mask=True)
def activation_layers(layer: keras.layers.Layer) -> Sequence[Layer]:
    """The activation of a layer; nothing where it is linear."""
    if layer.activation is keras.activations.linear:
        return ()
    # Keras' own activations work along the last axis at most, but glu halves it. A function of the
    # user may work along any axis.
    known = any(layer.activation is function for function in vars(keras.activations).values())
    if not known or layer.activation is keras.activations.glu:
        raise CannotJoinError(f"the activation of the layer {layer.name!r} has no batched form.")
    return (ActivationLayer(layer.activation),)


@reads(keras.layers.ReLU, takes_mask=True)
def read_relu(layer: keras.layers.ReLU) -> Sequence[Layer]:
    """A ReLU layer without a slope, threshold or limit."""
    if layer.max_value is not None or layer.negative_slope or layer.threshold:
        raise no_batched_form(layer)
    return (ActivationLayer(keras.activations.relu),)


@reads(keras.layers.Softmax)
def read_softmax(layer: keras.layers.Softmax) -> Sequence[Layer]:
    """A Softmax layer over the units."""
    if layer.axis != -1:
        raise no_batched_form(layer)
    return (ActivationLayer(keras.activations.softmax),)
