"""Simple recurrent layers: the state is an activation of the inputs and of the previous state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import keras

from skhp.networks.layers.layer import reads
from skhp.networks.layers.recurrent import (
    RecurrentDescription,
    RecurrentLayer,
    loop_activation,
    read_recurrent,
    recurrent_rates,
)
from skhp.networks.layers.recurrent_loop import StepGradient, activation_of_loop
from skhp.networks.network import Tensor


@dataclass(frozen=True)
class SimpleRNNCell:
    """One step."""

    activation: str

    changes_of_inputs: ClassVar[tuple[int, ...]] = (0,)
    changes_of_inner: ClassVar[tuple[int, ...]] = (0,)
    kept: ClassVar[tuple[int, ...]] = (1,)
    has_carry: ClassVar[bool] = False

    def forward(
        self, inputs: Tensor, inner: Tensor, state: Tensor, carry: Tensor
    ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """The new state, which is all that is kept."""
        state = activation_of_loop(self.activation).function(inputs + inner)
        return state, carry, (state,)

    def backward(
        self, kept: Sequence[Tensor], state: Tensor, d_state: Tensor, d_carry: Tensor
    ) -> StepGradient:
        """The gradient through the activation."""
        change = d_state * activation_of_loop(self.activation).derivative(kept[0])
        return StepGradient((change,), 0.0, d_carry)


@dataclass(frozen=True)
class SimpleRNNLayer(RecurrentLayer):
    """A simple recurrent layer."""

    activation: str = "tanh"

    def hidden(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        inputs_kept: Tensor | None,
        states_kept: Tensor | None,
        last: bool,
    ) -> Tensor:
        """Walk over the steps."""
        cell = SimpleRNNCell(self.activation)
        return self.looped(cell, values, weights, inputs_kept, states_kept, last)


class SimpleRNNDescription(RecurrentDescription):
    """A simple recurrent layer."""

    keras_name = "simple_rnn"
    layer_kind = SimpleRNNLayer
    keras_kind = keras.layers.SimpleRNN


@reads(keras.layers.SimpleRNN, takes_mask=True, rates=recurrent_rates)
def read_simple_rnn(layer: keras.layers.SimpleRNN) -> Sequence[RecurrentLayer]:
    """A SimpleRNN layer."""
    return read_recurrent(
        layer, SimpleRNNLayer, activation=loop_activation(layer, layer.activation)
    )
