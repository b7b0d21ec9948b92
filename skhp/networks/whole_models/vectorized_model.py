"""A Keras model as one function of weights and rows, for many members at once.

A member is called by `keras.Model.stateless_call` with its own weights, and `tf.vectorized_map`
makes one program of all members: streams outside, candidates inside, so that the candidates of a
stream share its rows.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from skhp.networks.network import RowSums, Shapes, Tensor
from skhp.networks.whole_models.member_layers import MemberDropout, member_dropout
from skhp.networks.whole_models.model_twin import ModelTwin, NetworkOfTwin, own_dropout
from skhp.shared.equality import library_of

# Measured (benchmarks/network_kinds.py): these layers, which compute products of matrices or
# element by element, cost many members no more than Keras' own fit does.
_VECTORIZED_LAYERS = frozenset(
    {
        keras.layers.Activation,
        keras.layers.Add,
        keras.layers.Average,
        keras.layers.Concatenate,
        keras.layers.Dense,
        keras.layers.Dropout,
        keras.layers.ELU,
        keras.layers.Flatten,
        keras.layers.Identity,
        keras.layers.InputLayer,
        keras.layers.LayerNormalization,
        keras.layers.LeakyReLU,
        keras.layers.Maximum,
        keras.layers.Minimum,
        keras.layers.Multiply,
        keras.layers.PReLU,
        keras.layers.ReLU,
        keras.layers.Rescaling,
        keras.layers.Reshape,
        keras.layers.Softmax,
        keras.layers.Subtract,
    }
)


# Operations of a functional model that are not layers, by the names of their classes.
_ARITHMETIC = frozenset({"Add", "Subtract", "Multiply", "Divide", "TrueDivide", "GetItem"})


def _is_of_arithmetic(operation: Any) -> bool:
    return isinstance(operation, keras.layers.Layer) or type(operation).__name__ in _ARITHMETIC


def vectorizes(model: keras.Model, twin: ModelTwin) -> bool:
    """Whether a model is known to cost less as a `VectorizedModel` than as a `CalledNetwork`."""
    return (
        library_of(type(model)) == "keras"
        and len(model.inputs) == len(model.outputs) == 1
        and not model.non_trainable_weights
        and all(type(layer) in _VECTORIZED_LAYERS for layer in model.layers)
        and all(_is_of_arithmetic(operation) for operation in getattr(model, "operations", ()))
        and not (twin.uses_dropout_twice or twin.rows_meet or twin.adds_losses)
        and all(
            layer.noise_shape is None and layer.seed is None and layer.rate < 1
            for layer in own_dropout(model)
        )
    )


@dataclass(frozen=True)
class VectorizedModel(NetworkOfTwin):
    """A model as one function of weights and rows; two with equal keys can share a program.

    It is a `Network`.
    """

    key: Hashable
    twin: ModelTwin = field(compare=False)

    state_shapes = ()
    shares_batches = True
    compiles = True
    has_sparse_gradient = False

    @property
    def noise_shapes(self) -> Shapes:
        """For each dropout layer, the shape of the noise that it needs for one row."""
        return tuple(
            (math.prod(layer.input.shape[1:]),)
            for layer in self.twin.model.layers
            if isinstance(layer, MemberDropout)
        )

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
        running: Tensor | None = None,
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
        running: Tensor | None = None,
        divisor: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
        """As `Network.loss_gradient`.

        The gradient is taken for each member by itself: under XLA, one gradient of all outputs
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
        self,
        weights: Tensor,
        state: Tensor,
        rows: tuple[Tensor, ...],
        *,
        loss: RowSums,
        running: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """As `Network.row_sums`.

        The sums are computed for each member by itself, because Keras computes a crossentropy from
        the logits where the outputs come directly from an activation.
        """

        def sums(weights: Tensor, rates: Any, x: Tensor, y: Tensor, *of_rows: Tensor) -> Any:
            return loss(y, self._called(weights, rates, x, (), False), *of_rows)

        return _for_members(sums, weights, (), rows)

    def _called(self, weights: Tensor, rates: Any, x: Tensor, noise: Any, training: bool) -> Tensor:
        model, shapes = self.twin.model, self.weight_shapes
        parts = tf.split(weights, [math.prod(shape) for shape in shapes])
        own = [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
        # These variables are seeds, which are not used: the noise comes from the stream.
        held = [
            tf.zeros(variable.shape, variable.dtype) for variable in model.non_trainable_variables
        ]
        with member_dropout(rates, noise):
            return model.stateless_call(own, held, x, training=training)[0]


def _for_members(function: Any, weights: Tensor, dropout: Sequence[Tensor], of_stream: Any) -> Any:
    """Call a function with the weights and rates of each member and the arrays of its stream."""

    def for_candidates(stream: tuple[Any, ...]) -> Any:
        weights, dropout, shared = stream
        return _vectorized(lambda own: function(*own, *shared), (weights, dropout))

    return _vectorized(for_candidates, (weights, tuple(dropout), of_stream))


def _vectorized(function: Any, elements: Any) -> Any:
    return tf.vectorized_map(function, elements, fallback_to_while_loop=False)
