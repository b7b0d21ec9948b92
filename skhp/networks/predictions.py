"""Outputs of a network before its last activation, the same for a row whatever its neighbours."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skhp.networks.description import LOGITS_LAYER
from skhp.networks.layered_network import LayeredNetwork
from skhp.networks.program_cache import ProgramCache

# Bounds the memory of one forward pass.
ROWS_AT_ONCE = 8192

# Matrix products of very few rows run other code, with other rounding, than those of many:
# TensorFlow 2.21 on a CPU gives a single row other last bits than the same row among others.
# Measured: with a multiple of 32 rows, the bits of a row do not depend on how many there are.
_TILE = 32


def logits(model: keras.Model, X: np.ndarray) -> np.ndarray:
    """Logits of the rows of `X`, or the outputs themselves for a regression network.

    Parameters
    ----------
    model : keras.Model
        A model from :func:`skhp.networks.build_network`.
    X : ndarray of shape (n_samples, ...), dtype float32

    Returns
    -------
    ndarray of shape (n_samples, n_outputs), dtype float64
    """
    layers = model.layers
    last = next(i for i, layer in enumerate(layers) if layer.name == LOGITS_LAYER)
    blocks = []
    for start in range(0, len(X), ROWS_AT_ONCE):
        block = X[start : start + ROWS_AT_ONCE]
        padded = np.pad(block, [(0, -len(block) % _TILE), *[(0, 0)] * (block.ndim - 1)])
        values = keras.ops.convert_to_tensor(padded)
        for layer in layers[: last + 1]:
            values = layer(values)
        blocks.append(keras.ops.convert_to_numpy(values)[: len(block)])
    return np.concatenate(blocks).astype(np.float64)


programs = ProgramCache()


def predicted_logits(
    network: LayeredNetwork, weights: np.ndarray, state: np.ndarray, X: np.ndarray
) -> np.ndarray:
    """Outputs before the last activation, the same for a row whatever its neighbours.

    Parameters
    ----------
    network : LayeredNetwork
    weights : ndarray of shape (n_weights,)
    state : ndarray of shape (n_state,)
    X : ndarray of shape (n_samples, ...), dtype float32

    Returns
    -------
    ndarray of shape (n_samples, n_outputs), dtype float64
    """
    return predicted_logits_of_members(network, weights[None], state[None], X)[0]


def predicted_logits_of_members(
    network: LayeredNetwork, weights: np.ndarray, states: np.ndarray, X: np.ndarray
) -> np.ndarray:
    """Outputs of several members for the same rows, bit by bit those that each has by itself.

    Parameters
    ----------
    network : LayeredNetwork
    weights : ndarray of shape (n_members, n_weights)
    states : ndarray of shape (n_members, n_state)
    X : ndarray of shape (n_samples, ...), dtype float32

    Returns
    -------
    ndarray of shape (n_members, n_samples, n_outputs), dtype float64
    """
    program = programs.get(network, lambda: _program(network))
    members = tf.constant(weights), tf.constant(states)
    blocks = []
    for start in range(0, len(X), ROWS_AT_ONCE):
        block = X[start : start + ROWS_AT_ONCE]
        padded = np.zeros((1, len(block) + -len(block) % _TILE, *X.shape[1:]), np.float32)
        padded[0, : len(block)] = block
        outputs = program(*members, tf.constant(padded))
        blocks.append(outputs.numpy()[:, : len(block)])
    return np.concatenate(blocks, axis=1).astype(np.float64)


def _program(network: LayeredNetwork) -> Any:
    def outputs_of_one(member: tuple[Any, Any], x: Any) -> Any:
        weights, state = (part[None, None] for part in member)
        logits, _ = network.outputs(weights, state, x, training=False, until_logits=True)
        return logits[0, 0]

    # One after the other: products of the same shapes, whoever else is there, and a turn of this
    # loop takes a tenth of the time of a call.
    @tf.function(autograph=False)
    def outputs(weights: Any, states: Any, x: Any) -> Any:
        return tf.map_fn(
            lambda member: outputs_of_one(member, x),
            (weights, states),
            fn_output_signature=tf.float32,
        )

    n_weights, n_state = (
        sum(math.prod(shape) for shape in shapes)
        for shapes in (network.weight_shapes, network.state_shapes)
    )
    return outputs.get_concrete_function(
        *(tf.TensorSpec((None, size), tf.float32) for size in (n_weights, n_state)),
        tf.TensorSpec((1, None, *network.input_shape), tf.float32),
    )
