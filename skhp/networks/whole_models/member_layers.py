"""Layers that replace Keras' own in the twin of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import tensorflow as tf

from skhp.networks.kernels import lstm_series
from skhp.networks.network import Tensor

# Rates and noises of the member that is being traced, by the number of the `MemberDropout` layer;
# without noises, the layers draw them by their seeds.
_member: ContextVar[tuple[Sequence[Tensor], Sequence[Tensor]]] = ContextVar("member")


@contextmanager
def member_dropout(rates: Sequence[Tensor], noise: Sequence[Tensor] = ()) -> Iterator[None]:
    """Let the `MemberDropout` layers of a model take these rates and, if there is any, noise."""
    token = _member.set((rates, noise))
    try:
        yield
    finally:
        _member.reset(token)


@keras.saving.register_keras_serializable("skhp")
class MemberDropout(keras.layers.Dropout):
    """Keras' Dropout at the rate of the member."""

    def __init__(self, number: int = 0, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.number = number

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Drop by the given noise, or else by the seed of Keras' layer."""
        given = _member.get(None)
        if not training or given is None or self.rate == 1:
            return super().call(inputs, training=training)
        rates, noise = given
        rate = rates[self.number]
        if noise:
            kept = tf.reshape(noise[self.number], tf.shape(inputs)) >= rate
            return tf.where(kept, inputs / (1.0 - rate), 0.0)
        if self.rate == 0:
            return inputs
        # Keras' own function does not take a tensor as the rate. The next line brings the seed into
        # 32 bits, as that function does.
        seed = tf.cast(tf.math.floormod(self.seed_generator.next(), tf.int32.max - 1), tf.int32)
        shape = self.noise_shape
        if shape is not None:
            sizes = tf.shape(inputs)
            shape = [sizes[k] if size is None else size for k, size in enumerate(shape)]
        return tf.nn.experimental.stateless_dropout(inputs, rate=rate, noise_shape=shape, seed=seed)


@keras.saving.register_keras_serializable("skhp")
class FusedLSTM(keras.layers.LSTM):
    """Keras' LSTM by TensorFlow's kernel for whole series, where the kernel computes the same."""

    def inner_loop(
        self, sequences: Tensor, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        """The last output, all outputs and the states after the last step."""
        cell = self.cell
        if mask is not None or (training and cell.recurrent_dropout):
            return super().inner_loop(sequences, initial_state, mask, training=training)
        if training and 0 < cell.dropout < 1:
            # As in Keras, all steps drop the same values.
            sequences *= cell.get_dropout_mask(sequences[:, 0, :])[:, None]
        by_step = tf.transpose(sequences, (1, 0, 2))
        if self.go_backwards:
            by_step = by_step[::-1]
        state, memory = initial_state
        states, memories = lstm_series(
            by_step,
            state,
            memory,
            tf.convert_to_tensor(cell.kernel),
            tf.convert_to_tensor(cell.recurrent_kernel),
            tf.convert_to_tensor(cell.bias),
        )
        return states[-1], tf.transpose(states, (1, 0, 2)), [states[-1], memories[-1]]


def can_be_fused(config: dict[str, Any]) -> bool:
    """Whether TensorFlow's kernel computes the same as an LSTM of this configuration."""
    return (
        config["activation"] == "tanh"
        and config["recurrent_activation"] == "sigmoid"
        and config["use_bias"]
        and not config["recurrent_dropout"]
        and not config["stateful"]
    )
