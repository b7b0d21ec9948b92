"""TensorFlow's kernels for whole series, with the weights of Keras' layers."""

from __future__ import annotations

import tensorflow as tf

from skhp.networks.network import Tensor


def lstm_series(
    by_step: Tensor,
    state: Tensor,
    memory: Tensor,
    kernel: Tensor,
    recurrent_kernel: Tensor,
    bias: Tensor,
) -> tuple[Tensor, Tensor]:
    """States and memories, each (steps, rows, units), after each step of an LSTM of Keras.

    `by_step` has the shape (steps, rows, channels); `state` and `memory` are
    the values before the first step. The activations are tanh and the sigmoid.
    """
    return fused_lstm(
        by_step,
        in_order_of_kernel(tf.concat([kernel, recurrent_kernel], axis=0)),
        in_order_of_kernel(bias),
        state,
        memory,
    )


def fused_lstm(
    by_step: Tensor, kernel: Tensor, bias: Tensor, state: Tensor, memory: Tensor
) -> tuple[Tensor, Tensor]:
    """As `lstm_series`, with both kernels in one array, and the gates in TensorFlow's order."""
    no_peephole = tf.zeros((kernel.shape[-1] // 4,))
    # Not BlockLSTMV2, the newer kernel: in TensorFlow 2.21 its registered gradient has the gates in
    # another order.
    outputs = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.cast(tf.shape(by_step)[0], tf.int64),
        x=by_step,
        cs_prev=memory,
        h_prev=state,
        w=kernel,
        b=bias,
        wci=no_peephole,
        wcf=no_peephole,
        wco=no_peephole,
        forget_bias=0.0,
        cell_clip=-1.0,
        use_peephole=False,
    )
    return outputs.h, outputs.cs


def in_order_of_kernel(array: Tensor) -> Tensor:
    """The gates in the order of TensorFlow's kernel; Keras' is input, forget, new, output."""
    first, forget, new, last = tf.split(array, 4, axis=-1)
    return tf.concat([first, new, forget, last], axis=-1)
