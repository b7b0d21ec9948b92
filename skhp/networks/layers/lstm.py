"""Long short-term memory, by TensorFlow's kernel for whole series or by a loop over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import keras
import tensorflow as tf

from skhp.networks.kernels import fused_lstm, in_order_of_kernel
from skhp.networks.layers.layer import number_of_values, reads
from skhp.networks.layers.recurrent import (
    RecurrentDescription,
    RecurrentLayer,
    loop_activation,
    read_recurrent,
    recurrent_rates,
)
from skhp.networks.layers.recurrent_loop import StepGradient, activation_of_loop
from skhp.networks.network import Tensor

# Milliseconds of CPU for one of several members, one channel; 20 rows of 30 steps / 40 of 90:
#   units                     32           64          128
#   kernel             0.8 / 3.5    1.9 / 9.3     13 /  46
#   loop under XLA     0.6 / 3.8    1.9 / 9.3    5.3 /  26
#   Keras' own fit     5.4                        11 /  34
# The kernel adds to the gradient of all weights in each step. It needs no compilation, so it is
# taken where both cost the same.
_MOST_FUSED_WEIGHTS = 2**15


@dataclass(frozen=True)
class LSTMCell:
    """One step, with the gates in Keras' order: input, forget, new memory, output."""

    activation: str
    recurrent_activation: str

    changes_of_inputs: ClassVar[tuple[int, ...]] = (0, 1, 2, 3)
    changes_of_inner: ClassVar[tuple[int, ...]] = (0, 1, 2, 3)
    kept: ClassVar[tuple[int, ...]] = (1, 1, 1, 1, 1, 1)
    has_carry: ClassVar[bool] = True

    def forward(
        self, inputs: Tensor, inner: Tensor, state: Tensor, carry: Tensor
    ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """The new state and memory; the gates, the old and the activated memory are kept."""
        activation = activation_of_loop(self.activation).function
        of_gates = activation_of_loop(self.recurrent_activation).function
        first, forget, new, last = tf.split(inputs + inner, 4, axis=-1)
        first, forget, last = of_gates(first), of_gates(forget), of_gates(last)
        new = activation(new)
        memory = forget * carry + first * new
        shown = activation(memory)
        return last * shown, memory, (first, forget, new, last, carry, shown)

    def backward(
        self, kept: Sequence[Tensor], state: Tensor, d_state: Tensor, d_carry: Tensor
    ) -> StepGradient:
        """The gradient through the gates and the memory."""
        first, forget, new, last, before, shown = kept
        activation = activation_of_loop(self.activation).derivative
        of_gates = activation_of_loop(self.recurrent_activation).derivative
        d_memory = d_carry + d_state * last * activation(shown)
        changes = (
            d_memory * new * of_gates(first),
            d_memory * before * of_gates(forget),
            d_memory * first * activation(new),
            d_state * shown * of_gates(last),
        )
        return StepGradient(changes, 0.0, d_memory * forget)


@dataclass(frozen=True)
class LSTMLayer(RecurrentLayer):
    """A layer of long short-term memory."""

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"

    gates = 4

    @property
    def is_fused(self) -> bool:
        """Whether TensorFlow's kernel can compute the layer, and costs less than the loop."""
        usual = (self.activation, self.recurrent_activation) == ("tanh", "sigmoid")
        n_weights = number_of_values(self.weight_shapes[:2])
        drops = self.drops_states or self.drops_by_gate
        return usual and not drops and n_weights <= _MOST_FUSED_WEIGHTS

    @property
    def compiles(self) -> bool:  # type: ignore[override]
        """Whether XLA can compile it; XLA does not have TensorFlow's kernel."""
        return not self.is_fused

    @property
    def seconds_of_parts(self) -> tuple[float, float, float]:
        """The seconds of the kernel, measured with 8 to 64 units, or else of a loop."""
        return (12e-6, 2e-9, 0.16e-9) if self.is_fused else super().seconds_of_parts

    def turns(self, input_shape: tuple[int, ...]) -> int:
        """Zero where one kernel computes all steps."""
        return 0 if self.is_fused else super().turns(input_shape)

    def hidden(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        inputs_kept: Tensor | None,
        states_kept: Tensor | None,
        last: bool,
    ) -> Tensor:
        """Call the kernel for each member, or walk over the steps."""
        if not self.is_fused:
            cell = LSTMCell(self.activation, self.recurrent_activation)
            return self.looped(cell, values, weights, inputs_kept, states_kept, last)
        if inputs_kept is not None:
            values = values * inputs_kept[:, :, 0, :, None]
        return self._fused(values, weights, last)

    def _fused(self, values: Tensor, weights: Sequence[Tensor], last: bool) -> Tensor:
        kernels = tf.concat(weights[:2], axis=2)
        streams, candidates = kernels.shape[:2]
        # The gradient of `unstack` is one `stack`; the gradient of an index would be,
        # for each member, an array of the size of all members.
        of_members = tf.unstack(_flat(in_order_of_kernel(kernels)))
        if self.use_bias:
            biases = tf.unstack(_flat(in_order_of_kernel(weights[2])))
        else:
            biases = [tf.zeros((4 * self.units,))] * len(of_members)
        by_step = tf.unstack(_flat(tf.transpose(values, (0, 1, 3, 2, 4))))
        start = tf.zeros((tf.shape(values)[2], self.units))
        states = []
        for member, (kernel, bias) in enumerate(zip(of_members, biases, strict=True)):
            series = by_step[member * len(by_step) // len(of_members)]
            hidden, _ = fused_lstm(series, kernel, bias, start, start)
            states.append(hidden[-1:] if last else hidden)
        hidden = tf.stack(states, axis=1)
        return tf.reshape(hidden, (hidden.shape[0], streams, candidates, -1, self.units))


def _flat(array: Tensor) -> Tensor:
    """The members on one axis."""
    streams, candidates, *own = array.shape
    return tf.reshape(array, (streams * candidates, *(-1 if n is None else n for n in own)))


class LSTMDescription(RecurrentDescription):
    """A layer of long short-term memory."""

    keras_name = "lstm"
    layer_kind = LSTMLayer
    keras_kind = keras.layers.LSTM


@reads(keras.layers.LSTM, takes_mask=True, rates=recurrent_rates)
def read_lstm(layer: keras.layers.LSTM) -> Sequence[RecurrentLayer]:
    """An LSTM layer."""
    return read_recurrent(
        layer,
        LSTMLayer,
        activation=loop_activation(layer, layer.activation),
        recurrent_activation=loop_activation(layer, layer.recurrent_activation),
    )
