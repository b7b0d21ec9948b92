"""A loop over the steps of a series for many members at once, with backpropagation written out.

TensorFlow's own gradient of a loop keeps and adds up arrays step by step; here the gradient of the
weights is one product over all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import keras
import tensorflow as tf

from skhp.networks.network import Tensor


class Activation(NamedTuple):
    """An activation, and its derivative as a function of its value."""

    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]


# The activations whose derivative follows from their value, by Keras' function.
ACTIVATIONS_OF_LOOPS: dict[Any, Activation] = {
    keras.activations.tanh: Activation(tf.tanh, lambda value: 1.0 - value * value),
    keras.activations.sigmoid: Activation(tf.sigmoid, lambda value: value * (1.0 - value)),
    keras.activations.relu: Activation(tf.nn.relu, lambda value: tf.cast(value > 0.0, tf.float32)),
    keras.activations.linear: Activation(tf.identity, tf.ones_like),
}


def activation_of_loop(name: str) -> Activation:
    """The activation that has this name in Keras."""
    return ACTIVATIONS_OF_LOOPS[getattr(keras.activations, name)]


class StepGradient(NamedTuple):
    """The gradient of the loss with respect to the arguments of a step."""

    inputs: Tensor
    inner: Tensor
    state: Tensor | float
    carry: Tensor | float


class Cell(Protocol):
    """One step of a recurrent layer."""

    gates: int
    # How many arrays of `units` numbers each step keeps for the gradient.
    kept: int
    has_carry: bool
    # Whether the gradients of `inputs` and `inner` differ.
    separate_inputs: bool

    def forward(
        self, inputs: Tensor, inner: Tensor, state: Tensor, carry: Tensor
    ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """The new state, the new carry, and the arrays kept for the gradient.

        `inputs` and `inner` are the products of the inputs and of the state with their kernels.
        """

    def backward(
        self, kept: Sequence[Tensor], state: Tensor, d_state: Tensor, d_carry: Tensor
    ) -> StepGradient:
        """The gradient of a step; `state` is the state before it."""


def run_loop(
    cell: Cell,
    inputs: Tensor,
    recurrent: Tensor,
    bias: Tensor | None = None,
    dropped: Tensor | None = None,
) -> Tensor:
    """The state after each step, of the shape (steps, streams, candidates, rows, units).

    Parameters
    ----------
    cell : Cell
    inputs : tensor of shape (steps, streams, candidates, rows, gates * units)
    recurrent : tensor of shape (streams, candidates, units, gates * units)
    bias : tensor of shape (streams, candidates, gates * units)
        Added to the product of the state.
    dropped : tensor of shape (streams, candidates, gates, rows, units)
        Factors of the state for each gate, the same in all steps.
    """
    n_steps = inputs.shape[0]
    streams, candidates, units = recurrent.shape[:3]
    rows = tf.shape(inputs)[3] if inputs.shape[3] is None else inputs.shape[3]

    def array(width: int) -> tf.TensorArray:
        shape = (streams, candidates, inputs.shape[3], width)
        return tf.TensorArray(tf.float32, size=n_steps, element_shape=shape, clear_after_read=False)

    def read_from(values: Tensor) -> tf.TensorArray:
        # An index would take five operations where this takes one.
        return array(values.shape[-1]).unstack(values)

    def parts(values: Tensor, count: int) -> Sequence[Tensor]:
        return tf.split(values, count, axis=-1) if count > 1 else [values]

    def by_gate(values: Tensor) -> Tensor:
        return tf.stack(parts(values, cell.gates), axis=2)

    def side_by_side(values: Tensor) -> Tensor:
        return tf.concat(tf.unstack(values, axis=2), axis=-1)

    def product(state: Tensor, kernel: Tensor) -> Tensor:
        if dropped is None:
            return state @ kernel
        return side_by_side((state[:, :, None] * dropped) @ by_gate(kernel))

    def product_back(d_inner: Tensor, kernel: Tensor) -> Tensor:
        if dropped is None:
            return tf.matmul(d_inner, kernel, transpose_b=True)
        by_gates = tf.matmul(by_gate(d_inner), by_gate(kernel), transpose_b=True)
        return tf.reduce_sum(by_gates * dropped, axis=2)

    @tf.custom_gradient
    def run(inputs: Tensor, recurrent: Tensor, bias: Tensor) -> tuple[Tensor, Any]:
        zeros = tf.zeros((streams, candidates, rows, units))
        by_step = read_from(inputs)

        def forward(
            step: Tensor, state: Tensor, carry: Tensor, states: Any, kept: Any
        ) -> tuple[Any, ...]:
            inner = product(state, recurrent) + bias[:, :, None]
            state, carry, of_step = cell.forward(by_step.read(step), inner, state, carry)
            kept = kept.write(step, tf.concat(of_step, axis=-1))
            return step + 1, state, carry, states.write(step, state), kept

        *_, states, kept = tf.while_loop(
            lambda step, *_: step < n_steps,
            forward,
            (
                tf.constant(0),
                zeros,
                zeros if cell.has_carry else tf.zeros(()),
                array(units),
                array(cell.kept * units),
            ),
            maximum_iterations=n_steps,
        )
        states, kept = states.stack(), kept.stack()

        def backward(d_states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            before = tf.concat([zeros[None], states[:-1]], axis=0)
            read_before, read_kept, read_d = read_from(before), read_from(kept), read_from(d_states)

            def step_back(
                step: Tensor, d_state: Tensor, d_carry: Tensor, d_inputs: Any, d_inner: Any
            ) -> tuple[Any, ...]:
                gradient = cell.backward(
                    parts(read_kept.read(step), cell.kept),
                    read_before.read(step),
                    d_state + read_d.read(step),
                    d_carry,
                )
                d_state = product_back(gradient.inner, recurrent) + gradient.state
                d_inner = d_inner.write(step, gradient.inner)
                if cell.separate_inputs:
                    d_inputs = d_inputs.write(step, gradient.inputs)
                return step - 1, d_state, gradient.carry, d_inputs, d_inner

            width = cell.gates * units
            *_, d_inputs, d_inner = tf.while_loop(
                lambda step, *_: step >= 0,
                step_back,
                (
                    tf.constant(n_steps - 1),
                    zeros,
                    zeros if cell.has_carry else tf.zeros(()),
                    array(width) if cell.separate_inputs else tf.zeros(()),
                    array(width),
                ),
                maximum_iterations=n_steps,
            )
            d_inner = d_inner.stack()
            d_inputs = d_inputs.stack() if cell.separate_inputs else d_inner
            return d_inputs, _kernel_gradient(before, d_inner), tf.reduce_sum(d_inner, axis=(0, 3))

        def _kernel_gradient(before: Tensor, d_inner: Tensor) -> Tensor:
            if dropped is None:
                return tf.matmul(together(before), together(d_inner), transpose_a=True)
            of_gates = [
                tf.matmul(together(before * mask), together(part), transpose_a=True)
                for mask, part in zip(
                    tf.unstack(dropped, axis=2), parts(d_inner, cell.gates), strict=True
                )
            ]
            return tf.concat(of_gates, axis=-1)

        return states, backward

    def together(values: Tensor) -> Tensor:
        """Steps and rows as one axis, for one product over all of them."""
        values = tf.transpose(values, (1, 2, 0, 3, 4))
        return tf.reshape(values, (streams, candidates, -1, values.shape[-1]))

    none = tf.zeros((streams, candidates, 1))
    return run(inputs, recurrent, none if bias is None else bias)
