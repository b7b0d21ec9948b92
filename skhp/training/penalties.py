"""L1 and L2 penalties of the weights of a cohort, in the gradient and in the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from skhp.networks.network_numbers import NetworkNumbers
from skhp.training.cohort_state import MemberNumbers, ProgramKey

Tensor: TypeAlias = Any


class Penalties(NamedTuple):
    """Penalty of each weight, (S, C, K); None where no member has any."""

    l1: Tensor | None
    l2: Tensor | None


def weight_penalties(key: ProgramKey, numbers: MemberNumbers) -> Penalties:
    """The penalties of single weights, from those of the arrays that they are in."""
    sizes = [int(np.prod(shape)) for shape in key.network.weight_shapes]
    array_of_weight = np.repeat(np.arange(len(sizes)), sizes)
    return Penalties(
        l1=tf.gather(numbers.l1, array_of_weight, axis=-1) if key.l1 else None,
        l2=tf.gather(numbers.l2, array_of_weight, axis=-1) if key.l2 else None,
    )


def penalty_of_member(numbers: NetworkNumbers, arrays: Sequence[np.ndarray]) -> float:
    """What the weights of one member add to its loss, outside of a program."""
    total = 0.0
    for array, l1, l2 in zip(arrays, numbers.l1, numbers.l2, strict=True):
        if l1 or l2:
            total += l1 * float(np.abs(array).sum()) + l2 * float(np.square(array).sum())
    return total


def penalised(
    gradient: Tensor, weights: Tensor, penalties: Penalties
) -> tuple[Tensor, Tensor | float]:
    """The gradient with that of the penalty, and the penalty."""
    if penalties.l1 is not None:
        gradient += penalties.l1 * tf.sign(weights)
    if penalties.l2 is not None:
        gradient += 2.0 * penalties.l2 * weights
    return gradient, penalty(weights, penalties)


def penalty(weights: Tensor, penalties: Penalties) -> Tensor | float:
    """What the weights of each member add to its loss."""
    total: Tensor | float = 0.0
    if penalties.l1 is not None:
        total += tf.reduce_sum(penalties.l1 * tf.abs(weights), axis=-1)
    if penalties.l2 is not None:
        total += tf.reduce_sum(penalties.l2 * tf.square(weights), axis=-1)
    return total
