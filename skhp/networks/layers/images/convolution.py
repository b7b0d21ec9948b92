"""Convolutions of images and of series.

Milliseconds of CPU for a training step of one of 45 members over 32 rows, with two convolutions
(16 and 32 filters) and pooling, measured with TensorFlow 2.21:

==================================================  ======  =======
Pixels of an image                                  8 x 8   28 x 28
==================================================  ======  =======
One grouped convolution                             0.45    4.7
A convolution for each member                       0.7     3.9
A product over copied neighbourhoods, XLA           0.6     10
A product over copied neighbourhoods, plain graph   2.4     30
Keras' own fit                                      3       6.3
==================================================  ======  =======
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from skhp.exceptions import CannotJoinError, InvalidParameterError
from skhp.networks.layers.activation import activation_layers
from skhp.networks.layers.layer import (
    Layer,
    LayerContext,
    LayerDescription,
    LayerSeeds,
    keras_penalty,
    no_batched_form,
    reads,
)
from skhp.networks.network import BYTES_OF_NUMBER, COPIES_OF_WEIGHTS, Cost, Shapes, Tensor

# A grouped convolution costs less up to this many numbers per row, in its inputs and outputs.
_MOST_GROUPED_NUMBERS = 2048
# Measured seconds of a training step for each product of two numbers, and for each output.
_PRODUCT_SECONDS = 1.1e-10
_OUTPUT_SECONDS = 3e-9
_LEAST_FILTERS = 16
# Rows in and out, their gradients, and a copy of each for the members.
_COPIES_OF_OUTPUTS = 6


@dataclass(frozen=True)
class ConvolutionLayer(Layer):
    """A convolution over one axis (series) or two (images), without a bias.

    `kernel_size`, `strides` and `dilation` have one number for each axis.
    """

    kernel_size: tuple[int, ...]
    n_inputs: int
    filters: int
    padding: str = "same"
    strides: tuple[int, ...] = (1, 1)
    dilation: tuple[int, ...] = (1, 1)

    # XLA of TensorFlow 2.21 takes twice the time of TensorFlow's own kernels for large images.
    compiles = False

    @property
    def weight_shapes(self) -> Shapes:  # type: ignore[override]
        """The shape of the kernel."""
        return ((*self.kernel_size, self.n_inputs, self.filters),)

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Convolve by one grouped convolution for all members, or by one for each member."""
        is_series = len(self.kernel_size) == 1
        values = as_images(values)
        kernel = tf.expand_dims(weights[0], 2) if is_series else weights[0]
        streams, candidates = kernel.shape[:2]
        row = max(math.prod(values.shape[3:]), math.prod(values.shape[3:5]) * self.filters)
        if streams * candidates > 1 and row <= _MOST_GROUPED_NUMBERS and grouped_gradients():
            convolved = self._grouped(values, kernel)
        else:
            convolved = self._one_by_one(values, kernel)
        return (convolved[:, :, :, 0] if is_series else convolved), state

    def _grouped(self, values: Tensor, kernel: Tensor) -> Tensor:
        """Convolve in one call, with the channels of the images side by side in groups."""
        streams, candidates = kernel.shape[:2]
        height, width, n_inputs = values.shape[3:]
        # Candidates of a stream that see the same rows share one group.
        groups = streams * values.shape[1]
        side_by_side = tf.transpose(
            tf.reshape(values, (groups, -1, height, width, n_inputs)), (1, 2, 3, 0, 4)
        )
        convolved = self._convolved(
            tf.reshape(side_by_side, (-1, height, width, groups * n_inputs)),
            tf.reshape(tf.transpose(kernel, (2, 3, 4, 0, 1, 5)), (*kernel.shape[2:5], -1)),
        )
        shape = convolved.shape[1:3]
        apart = tf.reshape(convolved, (-1, *shape, streams * candidates, self.filters))
        members = tf.transpose(apart, (3, 0, 1, 2, 4))
        return tf.reshape(members, (streams, candidates, -1, *shape, self.filters))

    def _one_by_one(self, values: Tensor, kernel: Tensor) -> Tensor:
        streams, candidates = kernel.shape[:2]
        convolved = tf.stack(
            [
                self._convolved(rows, own)
                for of_stream, kernels in zip(tf.unstack(values), tf.unstack(kernel), strict=True)
                for rows, own in zip(
                    tf.unstack(of_stream) * (candidates // values.shape[1]),
                    tf.unstack(kernels),
                    strict=True,
                )
            ]
        )
        return tf.reshape(convolved, (streams, candidates, -1, *convolved.shape[2:]))

    def _convolved(self, rows: Tensor, kernel: Tensor) -> Tensor:
        return tf.nn.conv2d(
            rows,
            kernel,
            strides=pair(self.strides),
            padding=self.padding.upper(),
            dilations=pair(self.dilation),
        )

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The remaining pixels, and the filters."""
        reach = tuple(
            (size - 1) * step + 1
            for size, step in zip(self.kernel_size, self.dilation, strict=True)
        )
        places = places_of_windows(input_shape[:-1], reach, self.strides, self.padding)
        return (*places, self.filters)

    def cost(self, input_shape: tuple[int, ...], rows: int) -> Cost:
        """The cost of the products for each output pixel."""
        n_outputs = math.prod(self.output_shape(input_shape))
        n_weights = math.prod(self.weight_shapes[0])
        computed = n_outputs / self.filters * max(self.filters, _LEAST_FILTERS)
        products = computed * math.prod(self.weight_shapes[0][:-1])
        return Cost(
            rows * (products * _PRODUCT_SECONDS + computed * _OUTPUT_SECONDS),
            BYTES_OF_NUMBER
            * (COPIES_OF_WEIGHTS * n_weights + rows * _COPIES_OF_OUTPUTS * n_outputs),
        )


@dataclass(frozen=True)
class ChannelBiasLayer(Layer):
    """A bias for each channel of an image or a series.

    It is a separate layer, so that the maximum over a window can be taken before it.
    """

    channels: int

    keeps_order = True
    compiles = False

    @property
    def weight_shapes(self) -> Shapes:  # type: ignore[override]
        """The shape of the bias."""
        return ((self.channels,),)

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Add the bias to each pixel."""
        between = (1,) * (len(values.shape) - 3)
        bias = weights[0]
        return values + tf.reshape(bias, (*bias.shape[:2], *between, self.channels)), state


@dataclass(frozen=True)
class ConvolutionDescription(LayerDescription):
    """A convolution of images without an activation, with penalties of its kernel."""

    filters: int
    kernel_size: tuple[int, int] = (3, 3)
    padding: str = "same"
    use_bias: bool = True
    l1: float = 0.0
    l2: float = 0.0

    keras_name = "convolution"
    numbers = ("l1", "l2")

    @property
    def penalties(self) -> tuple[tuple[float, float], ...]:
        """The penalties of the kernel."""
        return ((self.l1, self.l2),)

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """The convolution and the bias."""
        if len(input_shape) != 3:
            raise InvalidParameterError(
                f"{self} takes rows that are images of the shape (height, width, channels), and "
                f"gets rows of the shape {input_shape}."
            )
        kernel = ConvolutionLayer(self.kernel_size, input_shape[-1], self.filters, self.padding)
        return (kernel, ChannelBiasLayer(self.filters)) if self.use_bias else (kernel,)

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A Keras layer with Glorot's uniform initial kernel."""
        return keras.layers.Conv2D(
            self.filters,
            self.kernel_size,
            padding=self.padding,
            use_bias=self.use_bias,
            kernel_initializer=keras.initializers.GlorotUniform(seed=seeds.for_weights()),
            kernel_regularizer=keras_penalty(self.l1, self.l2),
            name=name,
        )


@reads(keras.layers.Conv1D)
@reads(keras.layers.Conv2D)
def read_convolution(layer: keras.layers.Layer) -> Sequence[Layer]:
    """A convolution of one group, its bias and its activation."""
    if (
        layer.groups != 1
        or layer.data_format != "channels_last"
        or layer.padding not in ("same", "valid")
        or getattr(layer, "lora_enabled", False)
    ):
        raise no_batched_form(layer)
    if layer.kernel_constraint is not None or layer.bias_constraint is not None:
        raise CannotJoinError(f"the weights of the layer {layer.name!r} have a constraint.")
    *kernel_size, n_inputs, filters = (int(size) for size in layer.kernel.shape)
    kernel = ConvolutionLayer(
        tuple(kernel_size),
        n_inputs,
        filters,
        layer.padding,
        tuple(layer.strides),
        tuple(layer.dilation_rate),
    )
    bias = (ChannelBiasLayer(filters),) if layer.use_bias else ()
    return kernel, *bias, *activation_layers(layer)


def as_images(values: Tensor) -> Tensor:
    """Series as images of height 1; images unchanged."""
    return values if len(values.shape) == 6 else tf.expand_dims(values, 3)


def pair(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Numbers for height and width."""
    return numbers if len(numbers) == 2 else (1, *numbers)


def places_of_windows(
    shape: Sequence[int], window: Sequence[int], strides: Sequence[int], padding: str
) -> tuple[int, ...]:
    """The number of windows along each axis."""
    if padding == "same":
        return tuple(-(-size // step) for size, step in zip(shape, strides, strict=True))
    return tuple(
        (size - length) // step + 1
        for size, length, step in zip(shape, window, strides, strict=True)
    )


@functools.cache
def grouped_gradients() -> bool:
    """Whether TensorFlow has the gradient of grouped convolutions on this machine.

    TensorFlow 2.21 has it only with oneDNN; without oneDNN, its kernel rejects the number
    of channels at run time.
    """
    rows, kernel = tf.ones((1, 2, 2, 2)), tf.ones((1, 1, 1, 2))

    @tf.function(autograph=False)
    def gradients() -> Any:
        with tf.GradientTape() as tape:
            tape.watch((rows, kernel))
            total = tf.reduce_sum(tf.nn.conv2d(rows, kernel, 1, "SAME"))
        return tape.gradient(total, (rows, kernel))

    try:
        gradients()
    except tf.errors.OpError:
        return False
    return True
