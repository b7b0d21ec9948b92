"""A loop over the steps of a series for many members at once, with backpropagation written out.

TensorFlow's own gradient of a loop keeps and adds up arrays step by step; here the gradient of all
weights is one product over all steps. Separate products for the biases and for the kernel of a few
inputs would take a third of a training step under XLA.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import keras
import tensorflow as tf

from skhp.networks.layers.dense import product
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


class Cell(Protocol):
    """One step of a recurrent layer.

    Attributes
    ----------
    changes_of_inputs, changes_of_inner : tuple of int
        For each gate, the position in `StepGradient.changes` of the gradient of the product of the
        inputs, and of the gradient of the product of the state.
    kept : tuple of int
        The widths, in units, of the arrays that a step keeps for the gradient.
    has_carry : bool
        Whether a second array goes from step to step.
    """

    changes_of_inputs: ClassVar[tuple[int, ...]]
    changes_of_inner: ClassVar[tuple[int, ...]]
    kept: ClassVar[tuple[int, ...]]
    has_carry: ClassVar[bool]

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


class StepGradient(NamedTuple):
    """The gradient of the loss with respect to the arguments of a step.

    `changes` are the gradients of the two products; `state` leaves out what the state gets through
    its product.
    """

    changes: Sequence[Tensor]
    state: Tensor | float
    carry: Tensor | float


class Factors(NamedTuple):
    """Factors of dropout, (streams, candidates, gates, rows, ...), the same in all steps.

    None drops nothing.
    """

    inputs: Tensor | None
    states: Tensor | None


def run_loop(
    cell: Cell, values: Tensor, weights: Sequence[Tensor], factors: Factors, last: bool
) -> Tensor:
    """The state after each step, (steps, streams, candidates, rows, units), or the last alone.

    `values` has the shape (steps, streams, candidates or 1, rows, inputs). The weights are both
    kernels, the bias of the inputs and the bias of the product of the state; biases may be left
    out.
    """
    streams, candidates, units = weights[1].shape[:3]
    n_steps, n_inputs = values.shape[0], values.shape[-1]
    rows = tf.shape(values)[3] if values.shape[3] is None else values.shape[3]
    all_gates = tuple(range(len(cell.changes_of_inputs)))
    # Gates whose inputs and states are the same are columns of one product.
    by_gate = any(factor is not None for factor in factors)
    groups = [(gate,) for gate in all_gates] if by_gate else [all_gates]

    def array(width: int) -> tf.TensorArray:
        shape = (streams, candidates, values.shape[3], width)
        return tf.TensorArray(tf.float32, size=n_steps, element_shape=shape, clear_after_read=False)

    def read_from(by_step: Tensor) -> tf.TensorArray:
        # An index would take five operations where this takes one.
        return array(by_step.shape[-1]).unstack(by_step)

    def columns(array: Tensor, numbers: Sequence[int]) -> Tensor:
        """These columns, each as wide as the units."""
        count = array.shape[-1] // units
        if tuple(numbers) == tuple(range(count)):
            return array
        parts = tf.split(array, count, axis=-1)
        return _joined([parts[number] for number in numbers])

    def inputs_of(gates: Sequence[int], values: Tensor) -> Tensor:
        return values if factors.inputs is None else values * factors.inputs[:, :, gates[0]]

    def states_of(gates: Sequence[int], states: Tensor) -> Tensor:
        return states if factors.states is None else states * factors.states[:, :, gates[0]]

    def together(by_step: Tensor) -> Tensor:
        """Steps and rows as one axis, for one product over all of them."""
        array = tf.transpose(by_step, (1, 2, 0, 3, 4))
        return tf.reshape(array, (streams, array.shape[1], -1, array.shape[-1]))

    def by_steps(array: Tensor) -> Tensor:
        array = tf.reshape(array, (streams, candidates, n_steps, -1, array.shape[-1]))
        return tf.transpose(array, (2, 0, 1, 3, 4))

    def projected(values: Tensor, kernel: Tensor, *biases: Tensor) -> Tensor:
        parts = []
        for gates in groups:
            own = together(inputs_of(gates, values))
            parts.append(product(own, columns(kernel, gates), shared=own.shape[1] == 1))
        return by_steps(_with(biases[:1], _joined(parts)))

    def projected_back(changes: Tensor, kernel: Tensor) -> Tensor:
        parts = []
        for gates in groups:
            own = columns(changes, [cell.changes_of_inputs[gate] for gate in gates])
            back = tf.matmul(together(own), columns(kernel, gates), transpose_b=True)
            parts.append(inputs_of(gates, by_steps(back)))
        total = tf.add_n(parts)
        return total if values.shape[2] > 1 else tf.reduce_sum(total, axis=2, keepdims=True)

    def inner_of(state: Tensor, recurrent: Tensor, *biases: Tensor) -> Tensor:
        parts = [states_of(gates, state) @ columns(recurrent, gates) for gates in groups]
        return _with(biases[1:], _joined(parts))

    def inner_back(changes: Sequence[Tensor], recurrent: Tensor) -> Tensor:
        parts = []
        for gates in groups:
            own = _joined([changes[cell.changes_of_inner[gate]] for gate in gates])
            back = tf.matmul(own, columns(recurrent, gates), transpose_b=True)
            parts.append(states_of(gates, back))
        return tf.add_n(parts)

    def weights_back(values: Tensor, before: Tensor, changes: Tensor) -> list[Tensor]:
        of_inputs, of_inner = [], []
        copies = (1, 1, candidates // values.shape[2], 1, 1)
        values = tf.tile(values, copies)
        for gates in groups:
            # One product for both kernels and both biases.
            sources = (
                inputs_of(gates, values),
                tf.ones_like(before[..., :1]),
                states_of(gates, before),
            )
            wanted = [cell.changes_of_inputs[gate] for gate in gates]
            wanted_inner = [cell.changes_of_inner[gate] for gate in gates]
            needed = sorted({*wanted, *wanted_inner})
            gradient = tf.matmul(
                together(_joined(sources)), together(columns(changes, needed)), transpose_a=True
            )
            of_inputs.append(columns(gradient, [needed.index(number) for number in wanted]))
            of_inner.append(columns(gradient, [needed.index(number) for number in wanted_inner]))
        kernel, bias, _ = tf.split(_joined(of_inputs), (n_inputs, 1, units), axis=2)
        _, inner_bias, recurrent = tf.split(_joined(of_inner), (n_inputs, 1, units), axis=2)
        return [kernel, recurrent, bias[:, :, 0], inner_bias[:, :, 0]][: len(weights)]

    @tf.custom_gradient
    def run(values: Tensor, *weights: Tensor) -> tuple[Tensor, Any]:
        kernel, recurrent, *biases = weights
        zeros = tf.zeros((streams, candidates, rows, units))
        no_carry = zeros if cell.has_carry else tf.zeros(())
        inputs = read_from(projected(values, kernel, *biases))

        def forward(
            step: Tensor, state: Tensor, carry: Tensor, before: Any, kept: Any
        ) -> tuple[Any, ...]:
            inner = inner_of(state, recurrent, *biases)
            after, carry, of_step = cell.forward(inputs.read(step), inner, state, carry)
            # The arrays stay separate: XLA would copy all of them once more to join them.
            kept = tuple(one.write(step, new) for one, new in zip(kept, of_step, strict=True))
            return step + 1, after, carry, before.write(step, state), kept

        _, state, _, before, kept = tf.while_loop(
            lambda step, *_: step < n_steps,
            forward,
            (
                tf.constant(0),
                zeros,
                no_carry,
                array(units),
                tuple(array(width * units) for width in cell.kept),
            ),
            maximum_iterations=n_steps,
        )
        before, kept = before.stack(), [one.stack() for one in kept]

        def backward(d_states: Tensor) -> tuple[Tensor, ...]:
            read_before, read_kept = read_from(before), [read_from(one) for one in kept]
            read_d = None if last else read_from(d_states)

            def step_back(
                step: Tensor, d_state: Tensor, d_carry: Tensor, changes: Any
            ) -> tuple[Any, ...]:
                gradient = cell.backward(
                    [one.read(step) for one in read_kept],
                    read_before.read(step),
                    d_state if read_d is None else d_state + read_d.read(step),
                    d_carry,
                )
                d_state = inner_back(gradient.changes, recurrent) + gradient.state
                changes = changes.write(step, _joined(gradient.changes))
                return step - 1, d_state, gradient.carry, changes

            n_changes = 1 + max(*cell.changes_of_inputs, *cell.changes_of_inner)
            *_, changes = tf.while_loop(
                lambda step, *_: step >= 0,
                step_back,
                (
                    tf.constant(n_steps - 1),
                    d_states[0] if last else zeros,
                    no_carry,
                    array(n_changes * units),
                ),
                maximum_iterations=n_steps,
            )
            changes = changes.stack()
            return projected_back(changes, kernel), *weights_back(values, before, changes)

        return (state[None] if last else tf.concat([before[1:], state[None]], axis=0)), backward

    return run(values, *weights)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=-1)


def _with(biases: Sequence[Tensor], array: Tensor) -> Tensor:
    return array + biases[0][:, :, None] if biases else array
