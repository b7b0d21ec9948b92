"""What all recurrent layers share: masks, inner dropout, their description and their reader."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import keras
import tensorflow as tf

from skhp.exceptions import CannotJoinError, InvalidParameterError
from skhp.networks.layers.layer import (
    Layer,
    LayerContext,
    LayerDescription,
    LayerSeeds,
    no_batched_form,
    number_of_values,
)
from skhp.networks.layers.recurrent_loop import ACTIVATIONS_OF_LOOPS, Cell, Factors, run_loop
from skhp.networks.network import BYTES_OF_NUMBER, COPIES_OF_WEIGHTS, Cost, Shapes, Tensor


@dataclass(frozen=True)
class RecurrentLayer(Layer):
    """A recurrent layer of Keras.

    Attributes
    ----------
    return_sequences : bool
        Whether the layer returns the outputs of all steps, not only of the last one.
    go_backwards : bool
        Whether the steps are taken in reverse order; the outputs are in that order, too.
    zeroes_masked : bool
        Whether the output of a masked step is zero, not the output of the step before.
    drops_inputs, drops_states : bool
        Whether values of the inputs and of the state are dropped, the same ones in all steps.
    drops_by_gate : bool
        Whether different values are dropped for each gate.
    """

    n_inputs: int
    units: int
    use_bias: bool = True
    return_sequences: bool = False
    go_backwards: bool = False
    zeroes_masked: bool = False
    drops_inputs: bool = False
    drops_states: bool = False
    drops_by_gate: bool = False

    gates: ClassVar[int] = 1

    @property
    def weight_shapes(self) -> Shapes:  # type: ignore[override]
        """Shapes of the kernel, the recurrent kernel and the bias."""
        width = self.gates * self.units
        kernels = ((self.n_inputs, width), (self.units, width))
        return (*kernels, self.bias_shape) if self.use_bias else kernels

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """Shape of the bias."""
        return (self.gates * self.units,)

    @property
    def noise_shapes(self) -> Shapes:
        """One number for each input and for each unit, and for each gate where gates differ."""
        choices = self.gates if self.drops_by_gate else 1
        shapes = []
        if self.drops_inputs:
            shapes.append((choices, self.n_inputs))
        if self.drops_states:
            shapes.append((choices, self.units))
        return tuple(shapes)

    @abstractmethod
    def hidden(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        inputs_kept: Tensor | None,
        states_kept: Tensor | None,
        last: bool,
    ) -> Tensor:
        """The state after each step, (steps, streams, candidates, rows, units), or the last alone.

        `values` has the shape (streams, candidates or 1, rows, steps, inputs). `inputs_kept` and
        `states_kept` are factors, (streams, candidates, gates or 1, rows, inputs or units), 0 for
        dropped values.
        """

    def apply(
        self,
        values: Tensor,
        weights: Sequence[Tensor],
        state: Sequence[Tensor],
        context: LayerContext,
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """Walk over the steps; a masked step does not change the state."""
        mask = context.mask
        if self.go_backwards:
            values = tf.reverse(values, [3])
            mask = None if mask is None else tf.reverse(mask, [3])
        kept = iter(_factors(context)) if context.training else iter(())
        inputs_kept = next(kept, None) if self.drops_inputs else None
        states_kept = next(kept, None) if self.drops_states else None
        if mask is not None:
            values = _valid_first(values, mask)
        last = not self.return_sequences and mask is None
        hidden = self.hidden(values, weights, inputs_kept, states_kept, last)
        if last:
            return hidden[-1], state
        hidden = tf.transpose(hidden, (1, 2, 3, 0, 4))
        if mask is None:
            return hidden, state
        if not self.return_sequences:
            return _last_valid(hidden, mask), state
        return _in_place(hidden, mask, self.zeroes_masked), state

    def mask_after(self, values: Tensor, mask: Tensor) -> Tensor:
        """The same mask where the layer returns all steps."""
        return mask if self.return_sequences else None

    def is_masked_after(self, masked: bool) -> bool:
        """Whether returned steps may be masked."""
        return masked and self.return_sequences

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """One number for each unit, in each step or in the last one."""
        return (*input_shape[:-1], self.units) if self.return_sequences else (self.units,)

    def cost(self, input_shape: tuple[int, ...], rows: int) -> Cost:
        """The cost of each step of the series."""
        n_steps = input_shape[0]
        outputs = rows * n_steps * self.gates * self.units
        products = outputs * (self.n_inputs + self.units)
        of_step, of_output, of_product = self.seconds_of_parts
        n_weights = number_of_values(self.weight_shapes)
        # Gates and states of the forward pass, and their gradients.
        n_kept = rows * n_steps * (2 * self.n_inputs + (3 * self.gates + 4) * self.units)
        return Cost(
            n_steps * of_step + outputs * of_output + products * of_product,
            BYTES_OF_NUMBER * (COPIES_OF_WEIGHTS * n_weights + n_kept),
        )

    @property
    def seconds_of_parts(self) -> tuple[float, float, float]:
        """Seconds of a training step: for a step of the series, a gate of a unit, and a product.

        Measured in loops compiled by XLA: 8 to 128 units, 20 rows of 30 steps and 40 rows of 90.
        """
        return 0.0, 4e-9, 0.09e-9

    def turns(self, input_shape: tuple[int, ...]) -> int:
        """A forward and a backward turn for each step of the series."""
        return 2 * input_shape[0]

    def looped(
        self,
        cell: Cell,
        values: Tensor,
        weights: Sequence[Tensor],
        inputs_kept: Tensor | None,
        states_kept: Tensor | None,
        last: bool,
    ) -> Tensor:
        """The states by a loop over the steps, after one product for the inputs of all steps."""
        if inputs_kept is not None and inputs_kept.shape[2] == 1:
            values, inputs_kept = values * inputs_kept[:, :, 0, :, None], None
        by_step = tf.transpose(values, (3, 0, 1, 2, 4))
        return run_loop(cell, by_step, weights, Factors(inputs_kept, states_kept), last)


def _factors(context: LayerContext) -> list[Tensor]:
    """The dropout factors of each noise, (streams, candidates, gates or 1, rows, ...)."""
    factors = []
    for noise, rate in zip(context.noises, context.rates, strict=True):
        rate = rate[:, :, None, None, None]
        of_gates = tf.transpose(noise, (0, 2, 1, 3))[:, None]
        factors.append(tf.where(of_gates >= rate, 1.0 / (1.0 - rate), 0.0))
    return factors


def _valid_first(values: Tensor, mask: Tensor) -> Tensor:
    """The steps of each row in their order, but with the masked steps last."""
    order = tf.argsort(tf.cast(~mask, tf.int32), axis=-1, stable=True)
    if order.shape[1] != values.shape[1]:
        order = tf.repeat(order, values.shape[1], axis=1)
    return tf.gather(values, order, batch_dims=3)


def _last_valid(hidden: Tensor, mask: Tensor) -> Tensor:
    """The output of the last unmasked step of each row; zeros where all are masked."""
    counts = tf.reduce_sum(tf.cast(mask, tf.int32), axis=-1)
    counts = tf.repeat(counts, hidden.shape[1] // counts.shape[1], axis=1)
    last = tf.gather(hidden, tf.maximum(counts - 1, 0), batch_dims=3)
    return tf.where(counts[..., None] > 0, last, 0.0)


def _in_place(hidden: Tensor, mask: Tensor, zeroes_masked: bool) -> Tensor:
    """The outputs moved back to their steps; a masked step repeats the one before it, or is 0."""
    mask = tf.repeat(mask, hidden.shape[1] // mask.shape[1], axis=1)
    counts = tf.cumsum(tf.cast(mask, tf.int32), axis=-1)
    outputs = tf.gather(hidden, tf.maximum(counts - 1, 0), batch_dims=3)
    return tf.where((mask if zeroes_masked else counts > 0)[..., None], outputs, 0.0)


@dataclass(frozen=True)
class RecurrentDescription(LayerDescription):
    """A recurrent layer with Keras' activations.

    `drops_inputs` and `drops_states` say which dropout it has, `input_rate` and `state_rate` how
    much is dropped.
    """

    units: int
    return_sequences: bool = False
    drops_inputs: bool = False
    drops_states: bool = False
    input_rate: float = 0.5
    state_rate: float = 0.5

    numbers = ("input_rate", "state_rate")

    layer_kind: ClassVar[type[RecurrentLayer]]
    keras_kind: ClassVar[Callable[..., keras.layers.Layer]]

    @classmethod
    def of(
        cls,
        units: int,
        *,
        return_sequences: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> Self:
        """The description of a layer with these rates; 0 is no dropout."""
        return cls(
            units,
            return_sequences,
            drops_inputs=dropout > 0,
            drops_states=recurrent_dropout > 0,
            input_rate=dropout or cls.input_rate,
            state_rate=recurrent_dropout or cls.state_rate,
        )

    @property
    def dropouts(self) -> tuple[float, ...]:
        """Shares of the inputs and of the states that are dropped."""
        of_inputs = (self.input_rate,) if self.drops_inputs else ()
        return (*of_inputs, self.state_rate) if self.drops_states else of_inputs

    def layers(self, input_shape: tuple[int, ...]) -> tuple[RecurrentLayer, ...]:
        """The layer over series of this shape."""
        if len(input_shape) != 2:
            raise InvalidParameterError(
                f"{self} takes rows that are series, (steps, channels), and gets rows of the shape "
                f"{input_shape}."
            )
        return (
            self.layer_kind(
                input_shape[1],
                self.units,
                return_sequences=self.return_sequences,
                drops_inputs=self.drops_inputs,
                drops_states=self.drops_states,
                drops_by_gate=self.drops_states,
            ),
        )

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A layer with Keras' initial weights: a uniform kernel, an orthogonal recurrent kernel."""
        kernel = keras.initializers.GlorotUniform(seed=seeds.for_weights())
        recurrent = keras.initializers.Orthogonal(seed=seeds.for_weights())
        drops = self.drops_inputs or self.drops_states
        return type(self).keras_kind(
            self.units,
            kernel_initializer=kernel,
            recurrent_initializer=recurrent,
            return_sequences=self.return_sequences,
            dropout=self.input_rate if self.drops_inputs else 0.0,
            recurrent_dropout=self.state_rate if self.drops_states else 0.0,
            seed=seeds.for_noise() if drops else 0,
            name=name,
        )


def read_recurrent(layer: Any, kind: type[RecurrentLayer], **own: Any) -> tuple[RecurrentLayer]:
    """Our layer that computes the same as a recurrent layer of Keras."""
    constrained = (layer.kernel_constraint, layer.recurrent_constraint, layer.bias_constraint)
    if any(constraint is not None for constraint in constrained):
        raise CannotJoinError(f"the weights of the layer {layer.name!r} have a constraint.")
    if layer.return_state or layer.stateful or max(layer.dropout, layer.recurrent_dropout) >= 1:
        raise no_batched_form(layer)
    if len(layer.cell.kernel.shape) != 2:
        raise no_batched_form(layer)
    drops = bool(layer.dropout or layer.recurrent_dropout)
    return (
        kind(
            n_inputs=int(layer.cell.kernel.shape[0]),
            units=int(layer.units),
            use_bias=bool(layer.use_bias),
            return_sequences=bool(layer.return_sequences),
            go_backwards=bool(layer.go_backwards),
            zeroes_masked=bool(layer.zero_output_for_mask),
            drops_inputs=layer.dropout > 0,
            drops_states=layer.recurrent_dropout > 0,
            # Keras' implementation 1 computes a product for each gate, and draws noise for each.
            drops_by_gate=drops and getattr(layer.cell, "implementation", 2) == 1,
            **own,
        ),
    )


def recurrent_rates(layer: Any) -> tuple[float, ...]:
    """The rates of the dropout inside a recurrent layer of Keras, where it has any."""
    rates = (getattr(layer, name, 0.0) for name in ("dropout", "recurrent_dropout"))
    return tuple(float(rate) for rate in rates if rate > 0)


def loop_activation(layer: Any, function: Any) -> str:
    """The name of an activation whose derivative the loops know."""
    if function not in ACTIVATIONS_OF_LOOPS:
        raise no_batched_form(layer)
    return str(function.__name__)
