"""Gated recurrent units whose reset gate acts after the product with the recurrent kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import keras
import tensorflow as tf

from skhp.networks.layers.layer import no_batched_form, reads
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
class GRUCell:
    """One step, with the gates in Keras' order: update, reset, new state."""

    activation: str
    recurrent_activation: str

    changes_of_inputs: ClassVar[tuple[int, ...]] = (0, 1, 2)
    changes_of_inner: ClassVar[tuple[int, ...]] = (0, 1, 3)
    kept: ClassVar[tuple[int, ...]] = (2, 1, 1)
    has_carry: ClassVar[bool] = False

    def forward(
        self, inputs: Tensor, inner: Tensor, state: Tensor, carry: Tensor
    ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """The new state; the gates and the product before the reset are kept for the gradient."""
        units = state.shape[-1]
        both = inputs[..., : 2 * units] + inner[..., : 2 * units]
        gates = activation_of_loop(self.recurrent_activation).function(both)
        update, reset = gates[..., :units], gates[..., units:]
        resettable = inner[..., 2 * units :]
        new = activation_of_loop(self.activation).function(
            inputs[..., 2 * units :] + reset * resettable
        )
        return new + update * (state - new), carry, (gates, new, resettable)

    def backward(
        self, kept: Sequence[Tensor], state: Tensor, d_state: Tensor, d_carry: Tensor
    ) -> StepGradient:
        """The gradient through the gates."""
        gates, new, resettable = kept
        update, reset = tf.split(gates, 2, axis=-1)
        of_gates = activation_of_loop(self.recurrent_activation).derivative
        kept_share = d_state * update
        d_new = (d_state - kept_share) * activation_of_loop(self.activation).derivative(new)
        d_update = d_state * (state - new) * of_gates(update)
        d_reset = d_new * resettable * of_gates(reset)
        return StepGradient((d_update, d_reset, d_new, d_new * reset), kept_share, d_carry)


@dataclass(frozen=True)
class GRULayer(RecurrentLayer):
    """A layer of gated recurrent units."""

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"

    gates = 3

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """One bias for the product of the inputs, one for the product of the state."""
        return (2, 3 * self.units)

    def hidden(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        inputs_kept: Tensor | None,
        states_kept: Tensor | None,
        last: bool,
    ) -> Tensor:
        """Walk over the steps."""
        cell = GRUCell(self.activation, self.recurrent_activation)
        if self.use_bias:
            weights = (*weights[:2], *tf.unstack(weights[2], axis=2))
        return self.looped(cell, values, weights, inputs_kept, states_kept, last)


class GRUDescription(RecurrentDescription):
    """A layer of gated recurrent units."""

    keras_name = "gru"
    layer_kind = GRULayer
    keras_kind = keras.layers.GRU


@reads(keras.layers.GRU, takes_mask=True, rates=recurrent_rates)
def read_gru(layer: keras.layers.GRU) -> Sequence[RecurrentLayer]:
    """A GRU layer with `reset_after`, which is Keras' default."""
    if not layer.reset_after:
        raise no_batched_form(layer)
    return read_recurrent(
        layer,
        GRULayer,
        activation=loop_activation(layer, layer.activation),
        recurrent_activation=loop_activation(layer, layer.recurrent_activation),
    )
