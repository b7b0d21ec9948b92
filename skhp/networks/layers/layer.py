"""Base classes of layers and of their descriptions, and the registry of readers of Keras' layers.

A new kind is a new file: a frozen dataclass that derives from `Layer`, and a reader under
`reads(keras class)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar, NamedTuple, Self

import keras
import numpy as np

from skhp.exceptions import CannotJoinError
from skhp.networks.network import (
    BYTES_OF_NUMBER,
    COPIES_OF_WEIGHTS,
    DROPOUT_RATES,
    Cost,
    Shapes,
    Tensor,
)

# Measured on two cores: seconds of a step of a compiled program for each weight, and for each
# output of a row. A layer of fewer than `_LEAST_UNITS` units takes as long as a layer of
# `_LEAST_UNITS`: it does not fill a vector register.
_WEIGHT_SECONDS = 3e-9
_OUTPUT_SECONDS = 3e-9
_LEAST_UNITS = 16
# Rows in and out, and their gradients.
_COPIES_OF_OUTPUTS = 4


class LayerContext(NamedTuple):
    """The arguments of a layer besides its values, weights and state.

    `shared` says that the values are the same for all candidates of a stream; the second axis of
    the values then has length 1. `present`, (streams, rows), is 1 for a row and 0 for
    padding. `noises`, (streams, rows, ...), and `rates`, (streams, candidates), belong to this
    layer. `mask`, (streams, candidates or 1, rows, steps), is True for the steps of a series that
    count, and None where all count.
    """

    training: bool
    shared: bool
    present: Tensor = None
    noises: Sequence[Tensor] = ()
    rates: Sequence[Tensor] = ()
    mask: Tensor = None

    @property
    def noise(self) -> Tensor:
        """The noise of a layer that has one noise."""
        return self.noises[0]

    @property
    def rate(self) -> Tensor:
        """The rates of a layer that has one noise."""
        return self.rates[0]


class Layer:
    """One kind of layer, computed for many members at once.

    Equal layers can share a program, so a kind is a frozen dataclass with all that its program
    depends on.

    Attributes
    ----------
    weight_shapes, state_shapes : tuple of shapes
        Shapes of the trainable weights and of the other variables, in Keras' order.
    noise_shape : tuple of int or None
        Shape of the noise for one row, where the layer drops values in training. Such a layer does
        nothing at a rate of 0, so it may be added to a network without dropout.
    noise_shapes : tuple of shapes
        Shapes of all noises, for a layer that drops values besides its other work.
    has_sparse_gradient : bool
        Whether Keras' optimizers get a gradient row by row.
    keeps_zeros : bool
        Whether added units with zero weights return zeros.
    rows_meet : bool
        Whether the rows of a batch influence one another in training.
    compiles : bool
        Whether XLA can and should compile the layer; XLA lacks some of TensorFlow's kernels.
    keeps_order : bool
        Whether larger inputs of a channel give larger outputs, so that a maximum may be taken
        before the layer.
    takes_maximum : bool
        Whether it is the maximum over places of a channel.
    """

    weight_shapes: Shapes = ()
    state_shapes: Shapes = ()
    noise_shape: tuple[int, ...] | None = None
    keeps_zeros: bool = False
    rows_meet: bool = False
    compiles: bool = True
    keeps_order: bool = False
    takes_maximum: bool = False
    has_sparse_gradient: bool = False

    @property
    def noise_shapes(self) -> Shapes:
        """Shapes of all noises for one row."""
        return () if self.noise_shape is None else (self.noise_shape,)

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Values, (streams, candidates or 1, rows, ...), and state after this layer.

        Each weight and each part of the state begins with the axes (streams, candidates).
        """
        raise TypeError(f"{type(self).__name__} does not define `apply`.")

    def mask_after(self, values: Tensor, mask: Tensor) -> Tensor:
        """The mask after this layer, from the values and the mask before it."""
        return mask

    def is_masked_after(self, masked: bool) -> bool:
        """Whether steps may be masked after this layer; `masked` says the same before it."""
        return masked

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the outputs for one row of this shape."""
        return input_shape

    def cost(self, input_shape: tuple[int, ...], rows: int) -> Cost:
        """What a training step over this number of rows costs for one member."""
        return weighted_cost(self.weight_shapes, 1, rows)

    def turns(self, input_shape: tuple[int, ...]) -> int:
        """What the layer adds to `Network.turns`, such as two for each step of a loop."""
        return 0

    def without_width(self) -> Layer:
        """The layer without its numbers of units; equal for layers that differ only in these."""
        return self

    def widened(self, input_shape: tuple[int, ...], alike: Sequence[Self]) -> Layer:
        """The layer with room for inputs of this shape and for the units of all `alike` layers."""
        return self


def weighted_cost(weight_shapes: Shapes, places: int, rows: int) -> Cost:
    """The cost of weights whose kernels are used at this number of places of each row.

    A place is the row itself, a step of a series or a pixel of an image.
    """
    n_weights = number_of_values(weight_shapes)
    widths = [shape[-1] for shape in weight_shapes if len(shape) > 1]
    n_outputs = rows * places * sum(widths)
    n_computed = rows * places * sum(max(width, _LEAST_UNITS) for width in widths)
    return Cost(
        n_weights * _WEIGHT_SECONDS + n_computed * _OUTPUT_SECONDS,
        BYTES_OF_NUMBER * (COPIES_OF_WEIGHTS * n_weights + _COPIES_OF_OUTPUTS * n_outputs),
    )


def number_of_values(shapes: Shapes) -> int:
    """Numbers in arrays of these shapes."""
    return sum(math.prod(shape) for shape in shapes)


LayerReader = Callable[[Any], Sequence[Layer]]


class _Reading(NamedTuple):
    """The reader of a Keras class, and whether it supports masked steps."""

    layers: LayerReader
    takes_mask: bool = False


_READERS: dict[type, _Reading] = {keras.layers.InputLayer: _Reading(lambda layer: ())}


def reads(
    kind: type,
    *,
    takes_mask: bool = False,
    rates: Callable[[Any], tuple[float, ...]] | None = None,
) -> Callable[[LayerReader], LayerReader]:
    """Register a function as the reader of the layers of a Keras class.

    The function returns layers that compute the same as the Keras layer, or raises
    `CannotJoinError` where there are none. `takes_mask` says that they also do where steps are
    masked; `rates` returns the dropout rate of each noise of the Keras layer.
    """

    def register(reader: LayerReader) -> LayerReader:
        _READERS[kind] = _Reading(reader, takes_mask)
        if rates is not None:
            DROPOUT_RATES[kind] = rates
        return reader

    return register


def read_layer(layer: keras.layers.Layer, masked: bool = False) -> Sequence[Layer]:
    """Layers that compute the same as a Keras layer; `masked` says that steps may be masked."""
    if not layer.trainable and layer.weights:
        raise CannotJoinError(f"the layer {layer.name!r} is frozen (trainable=False).")
    if getattr(layer, "activity_regularizer", None) is not None:
        raise CannotJoinError(f"the layer {layer.name!r} has an activity regulariser.")
    reading = _READERS.get(type(layer))
    if reading is None:
        raise no_batched_form(layer)
    if masked and not reading.takes_mask:
        raise CannotJoinError(
            f"the layer {layer.name!r} ({type(layer).__name__}) has no batched form for series "
            "whose steps are masked."
        )
    return reading.layers(layer)


def no_batched_form(layer: keras.layers.Layer) -> CannotJoinError:
    """The exception for a layer, or for settings of a layer, without a batched form."""
    return CannotJoinError(
        f"the layer {layer.name!r} ({type(layer).__name__}) has no batched form."
    )


class LayerSeeds:
    """Seeds for the random parts of the layers of a network, in the order of the layers.

    Weights and noise are counted separately, so that dropout does not change initial weights.
    """

    def __init__(self, seed: int) -> None:
        self._sequence = np.random.SeedSequence(seed)
        self._drawn = [0, 0]

    def for_weights(self) -> int:
        """A seed for the initial values of the next array of weights."""
        return self._next(0)

    def for_noise(self) -> int:
        """A seed for the noise of the next layer with dropout."""
        return self._next(1)

    def _next(self, kind: int) -> int:
        place = 2 * self._drawn[kind] + kind
        self._drawn[kind] += 1
        # Keras reduces a seed to 31 bits before use.
        return int(self._sequence.generate_state(place + 1)[-1]) & 0x7FFFFFFF


def keras_penalty(l1: float, l2: float) -> keras.regularizers.Regularizer | None:
    """The regulariser of a weight; None where it has no penalty."""
    if l1 > 0:
        return keras.regularizers.L1L2(l1, l2)
    return keras.regularizers.L2(l2) if l2 > 0 else None


class LayerDescription:
    """One layer of a network, described by its parameters.

    A kind is a frozen dataclass in the file of its `Layer`. It builds the Keras layer, which gives
    the initial weights, and our layers that compute the same.

    Attributes
    ----------
    keras_name : str
        Keras' layers of this kind get this name and a number.
    numbers : tuple of str
        Fields that may differ within one program. Each needs a default, which replaces its value in
        a structure.
    penalties : tuple of (float, float)
        L1 and L2 penalty of the first weights; the other weights have none.
    dropout : float
        Share that is dropped, where the layer has noise.
    dropouts : tuple of float
        The share that each noise drops, where a layer has several noises.
    """

    keras_name: ClassVar[str]
    numbers: ClassVar[tuple[str, ...]] = ()

    @property
    def penalties(self) -> tuple[tuple[float, float], ...]:
        """L1 and L2 penalty of each weight."""
        return ()

    @property
    def dropout(self) -> float:
        """Share that is dropped."""
        return 0.0

    @property
    def dropouts(self) -> tuple[float, ...]:
        """Share that is dropped by each noise."""
        return (self.dropout,)

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """Our layers that compute the same as the Keras layer; its reader returns equal ones."""
        raise TypeError(f"{type(self).__name__} does not define `layers`.")

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A new Keras layer, with a separate seed for each random part."""
        raise TypeError(f"{type(self).__name__} does not define `keras_layer`.")

    @property
    def structure(self) -> Self:
        """Equal for layers that can share a program."""
        record: Any = self
        varying = [field for field in fields(record) if field.name in self.numbers]
        return replace(record, **{field.name: field.default for field in varying})
