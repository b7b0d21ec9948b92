"""The dropout layer of members that are vectorised: its noise and rate come from outside."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import keras
import tensorflow as tf

Tensor: TypeAlias = Any

# Noise and rates of the member that is being traced, one of each for each dropout layer.
_member: ContextVar[tuple[Sequence[Tensor], Sequence[Tensor]]] = ContextVar("member")


@contextmanager
def member_dropout(noise: Sequence[Tensor], rates: Sequence[Tensor]) -> Iterator[None]:
    """Let the dropout layers of a model take this noise and these rates."""
    token = _member.set((noise, rates))
    try:
        yield
    finally:
        _member.reset(token)


@keras.saving.register_keras_serializable("skhp")
class StreamDropout(keras.layers.Layer):
    """Dropout with the noise of the stream and the rate of the member.

    Parameters
    ----------
    number : int
        Which of the dropout layers of its model it is.
    """

    def __init__(self, number: int, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.number = number

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Note how many numbers a row needs."""
        self.noise_shape = (math.prod(size or 0 for size in input_shape[1:]),)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Drop what the noise says."""
        given = _member.get(None)
        if not training or given is None:
            return inputs
        noise, rate = given[0][self.number], given[1][self.number]
        kept = tf.reshape(noise, tf.shape(inputs)) >= rate
        return tf.where(kept, inputs / (1.0 - rate), 0.0)

    def get_config(self) -> dict[str, Any]:
        """What it was made with."""
        return {**super().get_config(), "number": self.number}
