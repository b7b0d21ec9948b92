"""Outputs of a network before its last activation, the same for a row whatever its neighbours."""

from __future__ import annotations

import keras
import numpy as np

from skhp.networks.build import LOGITS_LAYER

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
    X : ndarray of shape (n_samples, n_features), dtype float32

    Returns
    -------
    ndarray of shape (n_samples, n_outputs), dtype float64
    """
    layers = model.layers
    last = next(i for i, layer in enumerate(layers) if layer.name == LOGITS_LAYER)
    blocks = []
    for start in range(0, len(X), ROWS_AT_ONCE):
        block = X[start : start + ROWS_AT_ONCE]
        padded = np.pad(block, [(0, -len(block) % _TILE), (0, 0)])
        values = keras.ops.convert_to_tensor(padded)
        for layer in layers[: last + 1]:
            values = layer(values)
        blocks.append(keras.ops.convert_to_numpy(values)[: len(block)])
    return np.concatenate(blocks).astype(np.float64)
