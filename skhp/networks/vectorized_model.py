"""A Keras model as one function of weights and rows, for many members at once.

A member is called by `keras.Model.stateless_call` with its own weights, and `tf.vectorized_map`
makes one program of all members: streams outside, candidates inside, so that the candidates of a
stream share its rows.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skhp.networks.layers.layer import weighted_cost
from skhp.networks.network import Cost, RowSums, Shapes, Tensor

RECURRENT_LAYERS = frozenset({"LSTM", "GRU", "SimpleRNN"})


@dataclass(frozen=True)
class VectorizedModel:
    """A model as one function of weights and rows; two with equal keys can share a program.

    It is a `skhp.networks.Network`.
    """

    key: Hashable
    model: keras.Model = field(compare=False, repr=False)
    held: Sequence[np.ndarray] = field(compare=False, repr=False)
    has_sparse_gradient: bool = field(compare=False)

    state_shapes = ()
    shares_batches = True
    compiles = True
    turns = 1
    varies_loss = False

    @property
    def weight_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the trainable weights of one member, in Keras' order."""
        return tuple(tuple(variable.shape) for variable in self.model.trainable_variables)

    @property
    def noise_shapes(self) -> Shapes:
        """For each dropout layer, the shape of the noise that it needs for one row."""
        return tuple(
            layer.noise_shape for layer in self.model.layers if type(layer) is StreamDropout
        )

    @property
    def kin(self) -> Hashable:
        """The network itself: its layers cannot be widened."""
        return self

    def cost(self, rows: int) -> Cost:
        """The cost of its weights at each step of a series or pixel of an image."""
        total = Cost(0.0, 0.0)
        for layer in self.model.layers:
            shapes = tuple(tuple(variable.shape) for variable in layer.trainable_variables)
            if shapes:
                total += weighted_cost(shapes, _places_of_row(layer), rows)
        return total

    dropout_places = ()

    def widened(self, others: Sequence[Any]) -> None:
        """None, as its layers cannot be widened."""
        return

    def outputs(
        self,
        weights: Tensor,
        state: Tensor,
        x: Tensor,
        *,
        training: bool,
        present: Tensor | None = None,
        noise: Sequence[Tensor] = (),
        dropout: Sequence[Tensor] = (),
        until_logits: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """As `Network.outputs`."""
        if until_logits:
            raise ValueError("A VectorizedModel does not know its logits; ask for its outputs.")

        def called(weights: Tensor, rates: Any, x: Tensor, noise: Any) -> Tensor:
            return self._called(weights, rates, x, noise, training)

        return _for_members(called, weights, dropout, (x, tuple(noise))), state

    def loss_gradient(
        self,
        weights: Tensor,
        state: Tensor,
        rows: tuple[Tensor, ...],
        *,
        loss: RowSums,
        present: Tensor,
        noise: Sequence[Tensor],
        dropout: Sequence[Tensor],
    ) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
        """As `Network.loss_gradient`.

        The gradient is taken for each member by itself: under XLA, that of all outputs at once
        takes 20 times as long.
        """

        def gradient(
            weights: Tensor, rates: Any, noise: Any, x: Tensor, y: Tensor, *weights_of_rows: Tensor
        ) -> tuple[Tensor, tuple[Tensor, ...]]:
            with tf.GradientTape() as tape:
                tape.watch(weights)
                outputs = self._called(weights, rates, x, noise, True)
                sums = loss(y, outputs, *weights_of_rows)
            return tape.gradient(sums[0], weights), sums

        return *_for_members(gradient, weights, dropout, (tuple(noise), *rows)), state

    def row_sums(
        self, weights: Tensor, state: Tensor, rows: tuple[Tensor, ...], *, loss: RowSums
    ) -> tuple[Tensor, ...]:
        """As `Network.row_sums`.

        They are made of each member by itself: Keras takes a crossentropy from the logits, where
        the outputs come straight from an activation.
        """

        def sums(weights: Tensor, rates: Any, x: Tensor, y: Tensor, *of_rows: Tensor) -> Any:
            return loss(y, self._called(weights, rates, x, (), False), *of_rows)

        return _for_members(sums, weights, (), rows)

    def _called(self, weights: Tensor, rates: Any, x: Tensor, noise: Any, training: bool) -> Tensor:
        shapes = self.weight_shapes
        parts = tf.split(weights, [math.prod(shape) for shape in shapes])
        own = [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
        held = [tf.constant(value) for value in self.held]
        with member_dropout(noise, rates):
            return self.model.stateless_call(own, held, x, training=training)[0]


def _places_of_row(layer: keras.layers.Layer) -> int:
    """How often a layer uses its kernels for one row."""
    is_recurrent = type(layer).__name__ in RECURRENT_LAYERS
    shape = layer.input.shape if is_recurrent else layer.output.shape
    return math.prod(length or 1 for length in shape[1:-1])


def _for_members(function: Any, weights: Tensor, dropout: Sequence[Tensor], of_stream: Any) -> Any:
    """The function of the weights and rates of each member and of the arrays of its stream."""

    def for_candidates(stream: tuple[Any, ...]) -> Any:
        weights, dropout, shared = stream
        return _vectorized(lambda own: function(*own, *shared), (weights, dropout))

    return _vectorized(for_candidates, (weights, tuple(dropout), of_stream))


def _vectorized(function: Any, elements: Any) -> Any:
    return tf.vectorized_map(function, elements, fallback_to_while_loop=False)


# Noise and rates of the member that is being traced, one of each for each dropout layer.
_member: ContextVar[tuple[Sequence[Tensor], Sequence[Tensor]]] = ContextVar("member")


@contextmanager
def member_dropout(noise: Sequence[Tensor], rates: Sequence[Tensor]) -> Iterator[None]:
    """Let the dropout layers of a model take this noise and these rates."""
    token = _member.set((noise, rates))
    try:
        yield
    finally:
        _member.reset(token)


@keras.saving.register_keras_serializable("skhp")
class StreamDropout(keras.layers.Layer):
    """Dropout with the noise of the stream and the rate of the member."""

    def __init__(self, number: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.number = number

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Note how many numbers a row needs."""
        self.noise_shape = (math.prod(size or 0 for size in input_shape[1:]),)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Drop what the noise says."""
        given = _member.get(None)
        if not training or given is None:
            return inputs
        noise, rate = given[0][self.number], given[1][self.number]
        kept = tf.reshape(noise, tf.shape(inputs)) >= rate
        return tf.where(kept, inputs / (1.0 - rate), 0.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "number": self.number}
