"""The protocol of a network that a cohort can train, its numbers and its cost."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import keras
import numpy as np
import tensorflow as tf

from skhp.exceptions import CannotJoinError

Tensor: TypeAlias = Any
Shapes: TypeAlias = tuple[tuple[int, ...], ...]
# Takes targets, outputs and one or more weights of rows; returns sums over the rows.
RowSums: TypeAlias = Callable[..., tuple[Tensor, ...]]

# Training keeps for each weight: its value, best value, gradient, optimizer slots, and the
# intermediate values of an update.
COPIES_OF_WEIGHTS = 12
BYTES_OF_NUMBER = 4


class Cost(NamedTuple):
    """What one training step costs for one member: seconds in a compiled program, and bytes."""

    seconds: float
    bytes: float

    def __add__(self, other: Cost) -> Cost:  # type: ignore[override]
        return Cost(self.seconds + other.seconds, self.bytes + other.bytes)


class RowwiseGradient(NamedTuple):
    """The gradient of weights that Keras' optimizers get row by row, as for an Embedding.

    `total` and `squares` have the shape (..., n_weights). Where a batch uses a row of the weights
    twice, Keras' optimizers square both gradients and add up the squares.
    """

    total: Tensor
    squares: Tensor


@runtime_checkable
class Network(Protocol):
    """The structure of a network, as one function for the members of a cohort.

    It is hashable, and two members with equal networks can share a program. Members are numbered
    by stream (the rows that they see) and candidate. The weights of a member are one flat vector,
    so the weights of a cohort are one tensor of shape (streams, candidates, n_weights).
    """

    def __hash__(self) -> int: ...

    @property
    def weight_shapes(self) -> Shapes:
        """Shapes of the trainable weights of one member, in Keras' order."""

    @property
    def state_shapes(self) -> Shapes:
        """Shapes of the variables of one member that are not trained, in Keras' order."""

    @property
    def noise_shapes(self) -> Shapes:
        """The shape of each noise that a layer needs for one row."""

    @property
    def shares_batches(self) -> bool:
        """Whether a batch may be split into parts whose gradients are added up."""

    @property
    def compiles(self) -> bool:
        """Whether XLA can compile its programs; if not, they run as plain graphs."""

    @property
    def turns(self) -> int:
        """The time to dispatch a plain graph, in units of the time for a stack of dense layers."""

    @property
    def varies_loss(self) -> bool:
        """Whether the numbers of a loss may differ from member to member."""

    @property
    def has_sparse_gradient(self) -> bool:
        """Whether Keras' optimizers get a gradient row by row, as they do from an Embedding."""

    @property
    def kin(self) -> Hashable:
        """Equal for networks that `widened` can bring into one structure."""

    @property
    def dropout_places(self) -> tuple[Any, ...]:
        """The places and kinds of layers with dropout; kin without dropout may join kin with it.

        The places of networks of one kind can be compared with `<`.
        """

    def widened(self, others: Sequence[Any]) -> Network | None:
        """The structure that has room for this network and its kin; None where there is none."""

    def cost(self, rows: int) -> Cost:
        """What one training step over this number of rows costs for one member."""

    def rows_at_once(self, members: int) -> int | None:
        """How many held-out rows a cohort evaluates at once, to save memory; None for all."""

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
        """Outputs of each member for the rows of its stream.

        Parameters
        ----------
        weights : tensor of shape (streams, candidates, n_weights)
        state : tensor of shape (streams, candidates, n_state)
        x : tensor of shape (streams, rows, ...)
        training : bool
        present : tensor of shape (streams, rows)
            1 for a row, 0 for padding. Needed in training where rows of a batch meet.
        noise : tensors of shape (streams, rows, ...)
            Uniform numbers from 0 to 1 for each entry of `noise_shapes`. Needed in training.
        dropout : tensors of shape (streams, candidates)
            The rate for each entry of `noise_shapes`.
        until_logits : bool, default=False
            Leave the last activation out.
        running : tensor of shape (streams, candidates)
            Whether the member still trains; the values returned for other members are undefined.

        Raises
        ------
        ValueError
            If `until_logits` is True and the network does not know its logits.

        Returns
        -------
        outputs : tensor of shape (streams, candidates, rows, units)
        state : tensor of shape (streams, candidates, n_state)
        """

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
        """The gradient of the loss of each member over the rows of its stream.

        Parameters
        ----------
        weights, state, present, noise, dropout, running
            As for `outputs`.
        rows : tensors of shape (streams, rows, ...), (streams, rows, ...), (streams, rows)
            Inputs, targets and weights. There may be several weights, and inputs and targets may
            be dicts or tuples of tensors.
        loss : callable
            ``loss(y, outputs, *weights)`` returns sums over the rows: first the loss, then
            any other sums. All arguments may have further axes, the same ones, before the axis of
            the rows.
        divisor : tensor of shape (streams,)
            What the sums will be divided by, for networks that add a loss of their own.

        Returns
        -------
        gradient : tensor of shape (streams, candidates, n_weights)
            A `RowwiseGradient` if `has_sparse_gradient`.
        sums : tensors of shape (streams, candidates)
        state : tensor of shape (streams, candidates, n_state)
        """

    def row_sums(
        self,
        weights: Tensor,
        state: Tensor,
        rows: tuple[Tensor, ...],
        *,
        loss: RowSums,
        running: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """The sums of `loss_gradient`, with the outputs for prediction."""


def in_parts(outputs: Callable[[Tensor], Tensor], x: Tensor, at_once: int | None) -> Tensor:
    """Outputs of shape (streams, candidates, rows, ...), computed `at_once` rows at a time.

    `x` has the shape (streams, rows, ...); the number of rows may be unknown.
    """
    n_rows = x.shape[1]
    if at_once is None or (n_rows is not None and n_rows <= at_once):
        return outputs(x)
    shapes = []

    def part(start: Tensor, parts: Any) -> tuple[Tensor, Any]:
        made = outputs(x[:, start : start + at_once])
        shapes.append(made.shape)
        rows_first = tf.transpose(made, [2, 0, 1, *range(3, made.shape.rank)])
        return start + at_once, parts.write(start // at_once, rows_first)

    count = tf.shape(x)[1]
    _, parts = tf.while_loop(
        lambda start, parts: start < count,
        part,
        (0, tf.TensorArray(tf.float32, 0, dynamic_size=True, infer_shape=False)),
        parallel_iterations=1,
    )
    streams, candidates, _, *units = shapes[0]
    whole = tf.ensure_shape(parts.concat(), (n_rows, streams, candidates, *units))
    return tf.transpose(whole, [1, 2, 0, *range(3, whole.shape.rank)])


def flattened(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays as one flat vector of float32."""
    if not arrays:
        return np.zeros(0, np.float32)
    return np.concatenate([np.asarray(array, np.float32).ravel() for array in arrays])


def unflattened(vector: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """The arrays of a flat vector."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parts = np.split(vector, ends) if len(shapes) else []
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


@dataclass(frozen=True)
class NetworkNumbers:
    """Dropout rates and penalties of a network.

    `dropout` has a rate for each noise, `l1` and `l2` a penalty for each trainable
    weight.
    """

    dropout: tuple[float, ...]
    l1: tuple[float, ...]
    l2: tuple[float, ...]


# Maps a Keras class to a function that returns the dropout rate of each noise of a layer.
DROPOUT_RATES: dict[type, Callable[[Any], tuple[float, ...]]] = {}


def network_numbers(model: keras.Model) -> NetworkNumbers:
    """Dropout rates and penalties of a Keras model."""
    penalties = [_penalty(variable.regularizer) for variable in model.trainable_variables]
    return NetworkNumbers(
        dropout=tuple(
            rate
            for layer in model.layers
            if type(layer) in DROPOUT_RATES
            for rate in DROPOUT_RATES[type(layer)](layer)
        ),
        l1=tuple(l1 for l1, _ in penalties),
        l2=tuple(l2 for _, l2 in penalties),
    )


def _penalty(regularizer: Any) -> tuple[float, float]:
    if regularizer is None:
        return 0.0, 0.0
    kind = type(regularizer)
    if kind not in (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2):
        raise CannotJoinError(f"the regulariser {kind.__name__} is not L1, L2 or L1L2.")
    return float(getattr(regularizer, "l1", 0.0)), float(getattr(regularizer, "l2", 0.0))
