"""Dense layers: one matrix product for all members."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import keras
import tensorflow as tf

from skhp.exceptions import CannotJoinError
from skhp.networks.layers.activation import activation_layers
from skhp.networks.layers.layer import (
    Layer,
    LayerContext,
    LayerDescription,
    LayerSeeds,
    keras_penalty,
    no_batched_form,
    reads,
    weighted_cost,
)
from skhp.networks.network import Cost, Shapes, Tensor

# With XLA of TensorFlow 2.21, a product with one column is slower than a sum over up to 32 units.
_MOST_SUMMED_UNITS = 32


@dataclass(frozen=True)
class DenseLayer(Layer):
    """A matrix product, and a bias where there is one."""

    n_inputs: int
    units: int
    use_bias: bool

    keeps_zeros = True

    @property
    def weight_shapes(self) -> Shapes:  # type: ignore[override]
        """Shapes of the kernel and the bias."""
        kernel = (self.n_inputs, self.units)
        return (kernel, (self.units,)) if self.use_bias else (kernel,)

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Multiply by the kernel and add the bias, in each step of a series."""
        within = values.shape[3:-1]
        if within:
            values = tf.reshape(values, (*values.shape[:2], -1, self.n_inputs))
        values = product(values, weights[0], context.shared)
        if self.use_bias:
            values += weights[1][:, :, None]
        if within:
            values = tf.reshape(values, (*values.shape[:2], -1, *within, self.units))
        return values, state

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """One number for each unit, in each step of a series."""
        return (*input_shape[:-1], self.units)

    def cost(self, input_shape: tuple[int, ...], rows: int) -> Cost:
        """The cost of its weights at each step of a series."""
        return weighted_cost(self.weight_shapes, math.prod(input_shape[:-1]), rows)

    def without_width(self) -> DenseLayer:
        """The layer without its numbers of inputs and units."""
        return replace(self, n_inputs=0, units=0)

    def widened(self, input_shape: tuple[int, ...], alike: Sequence[DenseLayer]) -> DenseLayer:
        """A layer with as many units as the widest."""
        return replace(self, n_inputs=input_shape[-1], units=max(one.units for one in alike))


@dataclass(frozen=True)
class DenseDescription(LayerDescription):
    """A dense layer without an activation, with penalties of its kernel."""

    units: int
    use_bias: bool = True
    l1: float = 0.0
    l2: float = 0.0

    keras_name = "hidden"
    numbers = ("l1", "l2")

    @property
    def penalties(self) -> tuple[tuple[float, float], ...]:
        """The penalties of the kernel."""
        return ((self.l1, self.l2),)

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """The matrix product."""
        return (DenseLayer(input_shape[-1], self.units, self.use_bias),)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A Keras layer with Glorot's uniform initial kernel."""
        return keras.layers.Dense(
            self.units,
            use_bias=self.use_bias,
            kernel_initializer=keras.initializers.GlorotUniform(seed=seeds.for_weights()),
            kernel_regularizer=keras_penalty(self.l1, self.l2),
            name=name,
        )


@reads(keras.layers.Dense, takes_mask=True)
def read_dense(layer: keras.layers.Dense) -> Sequence[Layer]:
    """A Dense layer and its activation."""
    if len(layer.kernel.shape) != 2:
        raise no_batched_form(layer)
    if layer.kernel_constraint is not None or layer.bias_constraint is not None:
        raise CannotJoinError(f"the weights of the layer {layer.name!r} have a constraint.")
    n_inputs, units = layer.kernel.shape
    dense = DenseLayer(int(n_inputs), int(units), bool(layer.use_bias))
    return dense, *activation_layers(layer)


def product(values: Tensor, kernel: Tensor, shared: bool) -> Tensor:
    """Rows, (streams, candidates or 1, rows, inputs), times the kernel of each member."""
    streams, candidates, n_inputs, units = kernel.shape
    if shared:
        values = values[:, 0]
        if candidates == 1:
            return (values @ kernel[:, 0])[:, None]
        # The candidates of a stream see the same rows: one wide product for all of them.
        wide = tf.reshape(tf.transpose(kernel, (0, 2, 1, 3)), (streams, n_inputs, -1))
        product = tf.reshape(values @ wide, (streams, -1, candidates, units))
        # Later operations take a third less time when the members come before the rows.
        return tf.transpose(product, (0, 2, 1, 3))
    if units == 1 and n_inputs <= _MOST_SUMMED_UNITS:
        return tf.reduce_sum(values * kernel[:, :, None, :, 0], axis=-1, keepdims=True)
    return values @ kernel
