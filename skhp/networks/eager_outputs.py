"""Outputs of any Keras model, the same for a row whatever its neighbours."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

# Measured with TensorFlow 2.21: the bits of a row's outputs depend on how many rows there are,
# unless that is a multiple of 8.
_MULTIPLE = 32

# Bounds the memory of one forward pass: that many numbers go into it, or one batch.
_NUMBERS_AT_ONCE = 2**18


def eager_outputs(model: keras.Model, inputs: Any, batch_size: int) -> Any:
    """Outputs for prediction, without the tracing and the data pipeline of ``model.predict``.

    Parameters
    ----------
    model : keras.Model
    inputs : ndarray or nested structure of ndarrays
    batch_size : int
        Rows that are known to fit into memory at once.

    Returns
    -------
    ndarray, or a nested structure of ndarrays as the model returns it
    """
    arrays = keras.tree.flatten(inputs)
    n_rows = len(arrays[0])
    at_once = max(batch_size, n_rows * _NUMBERS_AT_ONCE // sum(array.size for array in arrays))
    at_once = _rounded_up(min(at_once, n_rows))
    # The last row again, for as long as it takes.
    rows = np.minimum(np.arange(_rounded_up(n_rows)), n_rows - 1)
    blocks = []
    for start in range(0, len(rows), at_once):
        block = _taken(inputs, rows[start : start + at_once])
        outputs = model(block, training=False)
        blocks.append(keras.tree.map_structure(keras.ops.convert_to_numpy, outputs))
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts)[:n_rows], *blocks)


def _taken(arrays: Any, rows: np.ndarray) -> Any:
    return keras.tree.map_structure(lambda array: array[rows], arrays)


def _rounded_up(n_rows: int) -> int:
    return math.ceil(n_rows / _MULTIPLE) * _MULTIPLE
