"""Any Keras model as a network: it is traced once, and called for each member of a cohort.

Nothing is computed for several members at once, so a layer can be whatever TensorFlow runs. A
population still saves Keras' other work: tracing for each fit, and Python for each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from skhp.networks.layers.layer import number_of_values
from skhp.networks.network import RowSums, RowwiseGradient, Shapes, Tensor
from skhp.networks.whole_models.carried_variables import decoded_in_graph, encoded_in_graph
from skhp.networks.whole_models.member_layers import member_dropout
from skhp.networks.whole_models.model_twin import ModelTwin, NetworkOfTwin

# Members that are computed at once. TensorFlow's kernels share the cores among them.
_AT_ONCE = 4


@dataclass(frozen=True)
class CalledNetwork(NetworkOfTwin):
    """A model that is called for each member; a `Network`.

    Two networks with equal twins can share a program.
    """

    twin: ModelTwin

    noise_shapes = ()
    # Each call costs time, so a batch is one call. Also, its rows may influence one another.
    shares_batches = False
    compiles = False

    @property
    def state_shapes(self) -> Shapes:
        """Shapes of all other variables of one member: statistics, frozen weights and seeds."""
        return self.twin.state_shapes

    @property
    def has_sparse_gradient(self) -> bool:
        """Whether Keras' optimizers get a gradient row by row, as they do from an Embedding."""
        return any(self.twin.sparse)

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
            raise ValueError("A CalledNetwork does not know its logits; ask for its outputs.")

        def called(member: _Member) -> Any:
            return self._called(member, member.of_stream(x), training)[:2]

        return self._for_members(called, _Members(weights, state, dropout, present, running))

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
    ) -> tuple[Tensor | RowwiseGradient, tuple[Tensor, ...], Tensor]:
        """As `Network.loss_gradient`."""

        def gradient(member: _Member) -> Any:
            x, y, *weights_of_rows = member.of_stream(rows)
            with tf.GradientTape() as tape:
                tape.watch(member.weights)
                outputs, after, added = self._called(member, x, True)
                total, *counted = loss(y, outputs, *weights_of_rows)
                if self.twin.adds_losses and divisor is not None:
                    # The loss that the model adds is divided later, together with the sum over the
                    # rows.
                    total += added * divisor[member.stream]
            parts = tape.gradient(total, member.weights)
            return self._flat_gradient(parts), (total, *counted), after

        return self._for_members(gradient, _Members(weights, state, dropout, present, running))

    def row_sums(
        self,
        weights: Tensor,
        state: Tensor,
        rows: tuple[Tensor, ...],
        *,
        loss: RowSums,
        running: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """As `Network.row_sums`."""

        def sums(member: _Member) -> Any:
            x, y, *weights_of_rows = member.of_stream(rows)
            outputs, _, added = self._called(member, x, False)
            total, *counted = loss(y, outputs, *weights_of_rows)
            return total + added, *counted

        return self._for_members(sums, _Members(weights, state, (), None, running))

    def _for_members(self, function: Callable[[_Member], Any], members: _Members) -> Any:
        with self.twin.lock:
            return members.mapped(lambda number: function(members.member(number, self)))

    def _called(self, member: _Member, x: Any, training: bool) -> tuple[Any, Tensor, Tensor]:
        """Outputs, the new state, and the sum of the losses that the model adds."""
        variables = self.twin.model.non_trainable_variables
        held = [
            decoded_in_graph(variable, value)
            for variable, value in zip(variables, member.state, strict=True)
        ]
        with member_dropout(member.dropout):
            outputs, after, added = self.twin.called(member.weights, held, x, training)
        moved = [
            # A variable without an assignment is still the given tensor.
            before if value is given else encoded_in_graph(variable, value)
            for variable, before, given, value in zip(
                variables, member.state, held, after, strict=True
            )
        ]
        return outputs, _flat(moved), added

    def _flat_gradient(self, parts: Sequence[Any]) -> Tensor | RowwiseGradient:
        # Weights that the loss does not depend on have no gradient.
        parts = [
            tf.zeros(shape) if part is None else part
            for shape, part in zip(self.weight_shapes, parts, strict=True)
        ]
        totals = [tf.convert_to_tensor(part) for part in parts]
        if not self.has_sparse_gradient:
            return _flat(totals)
        squares = [_sum_of_squares(*pair) for pair in zip(parts, totals, strict=True)]
        return RowwiseGradient(_flat(totals), _flat(squares))


def _sum_of_squares(part: Any, total: Tensor) -> Tensor:
    """The squares that Keras' optimizers take: for a repeated row, the sum of its squares."""
    if not isinstance(part, tf.IndexedSlices):
        return tf.square(total)
    return tf.math.unsorted_segment_sum(tf.square(part.values), part.indices, total.shape[0])


def _flat(parts: Sequence[Tensor]) -> Tensor:
    return tf.concat([tf.reshape(part, (-1,)) for part in parts], axis=0) if parts else tf.zeros(0)


@dataclass(frozen=True)
class _Member:
    """The tensors of one member."""

    weights: list[Tensor]
    state: list[Tensor]
    dropout: tuple[Tensor, ...]
    stream: Tensor
    n_rows: Tensor | None

    def of_stream(self, arrays: Any) -> Any:
        """The rows of its stream, without padding."""

        def own(array: Tensor) -> Tensor:
            rows = array[self.stream]
            return rows if self.n_rows is None else rows[: self.n_rows]

        return tf.nest.map_structure(own, arrays)


@dataclass(frozen=True)
class _Members:
    """The tensors of a cohort, whose first axes are streams and candidates."""

    weights: Tensor
    state: Tensor
    dropout: Sequence[Tensor]
    present: Tensor | None
    running: Tensor | None

    def member(self, number: Tensor, network: CalledNetwork) -> _Member:
        """A member by its number."""
        stream, candidate = number // self._shape[1], number % self._shape[1]
        n_rows = None
        if self.present is not None:
            # A stream without further rows gets one row of padding, and its gradient is not used.
            counts = tf.reduce_sum(self.present[stream])
            n_rows = tf.maximum(tf.cast(tf.round(counts), tf.int32), 1)
        return _Member(
            list(_parts(self.weights[stream, candidate], network.weight_shapes)),
            list(_parts(self.state[stream, candidate], network.state_shapes)),
            tuple(rate[stream, candidate] for rate in self.dropout),
            stream,
            n_rows,
        )

    def mapped(self, function: Callable[[Tensor], Any]) -> Any:
        """The values of a function for each member that runs, and zeros for the others."""
        traced = tf.function(function, autograph=False)
        one = traced.get_concrete_function(tf.TensorSpec((), tf.int32))
        count = math.prod(self._shape)
        numbers = tf.range(count)
        if self.running is not None:
            numbers = tf.boolean_mask(numbers, tf.reshape(self.running, (-1,)))
        # A loop keeps the graph of 100 members as small as the graph of one.
        values = tf.map_fn(
            one,
            numbers,
            fn_output_signature=tf.nest.map_structure(
                lambda made: tf.TensorSpec(made.shape, made.dtype), one.structured_outputs
            ),
            parallel_iterations=_AT_ONCE,
        )

        def of_cohort(value: Tensor) -> Tensor:
            sizes = [
                dynamic if static is None else static
                for static, dynamic in zip(value.shape, tf.unstack(tf.shape(value)), strict=True)
            ]
            if 0 in value.shape.as_list()[1:]:
                return tf.zeros((*self._shape, *sizes[1:]), value.dtype)
            if self.running is not None:
                value = tf.scatter_nd(numbers[:, None], value, (count, *sizes[1:]))
            return tf.reshape(value, (*self._shape, *sizes[1:]))

        return tf.nest.map_structure(of_cohort, values)

    @property
    def _shape(self) -> tuple[int, int]:
        streams, candidates = self.weights.shape[:2]
        return int(streams), int(candidates)


def _parts(vector: Tensor, shapes: Shapes) -> Iterator[Tensor]:
    """The arrays of one member, cut from its flat vector."""
    parts = tf.split(vector, [number_of_values((shape,)) for shape in shapes]) if shapes else ()
    return (tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True))
