"""Outputs of trained networks through programs that take the weights as an input.

A program is traced once for each structure, so that scoring many members of a search neither builds
nor traces a model for each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from skhp.networks.batched_network import BatchedNetwork
from skhp.networks.program_cache import ProgramCache

# Bounds the memory of one forward pass.
ROWS_AT_ONCE = 8192

# Matrix products of very few rows run other code, with other rounding, than those of many:
# TensorFlow 2.21 on a CPU gives a single row other last bits than the same row among others.
# Measured: with a multiple of 32 rows, the bits of a row do not depend on how many there are.
_TILE = 32

programs = ProgramCache()


def predicted_logits(
    network: BatchedNetwork, weights: np.ndarray, state: np.ndarray, X: np.ndarray
) -> np.ndarray:
    """Outputs before the last activation, the same for a row whatever its neighbours.

    Parameters
    ----------
    network : BatchedNetwork
    weights : ndarray of shape (n_weights,)
    state : ndarray of shape (n_state,)
    X : ndarray of shape (n_samples, n_features), dtype float32

    Returns
    -------
    ndarray of shape (n_samples, n_outputs), dtype float64
    """
    program = programs.get(network, lambda: _program(network, X.shape[1]))
    weights, state = weights[None, None], state[None, None]
    blocks = []
    for start in range(0, len(X), ROWS_AT_ONCE):
        block = X[start : start + ROWS_AT_ONCE]
        padded = np.zeros((1, len(block) + -len(block) % _TILE, X.shape[1]), np.float32)
        padded[0, : len(block)] = block
        outputs = program(*(tf.constant(array) for array in (weights, state, padded)))
        blocks.append(outputs.numpy()[: len(block)])
    return np.concatenate(blocks).astype(np.float64)


def _program(network: BatchedNetwork, n_inputs: int) -> Any:
    sizes = (
        sum(int(np.prod(shape)) for shape in shapes)
        for shapes in (network.weight_shapes, network.state_shapes)
    )

    @tf.function(autograph=False)
    def outputs(weights: Any, state: Any, x: Any) -> Any:
        logits, _ = network.outputs(weights, state, x, training=False, until_logits=True)
        return logits[0, 0]

    n_weights, n_state = sizes
    return outputs.get_concrete_function(
        *(tf.TensorSpec((1, 1, size), tf.float32) for size in (n_weights, n_state)),
        tf.TensorSpec((1, None, n_inputs), tf.float32),
    )
