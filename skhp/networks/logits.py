"""Outputs of a network before its last activation, the same for a row whatever its neighbours."""

from __future__ import annotations

import keras
import numpy as np

from skhp.networks.build import LOGITS_LAYER

# Bounds the memory of one forward pass; measured: bits do not depend on it.
ROWS_AT_ONCE = 8192


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
        values = keras.ops.convert_to_tensor(X[start : start + ROWS_AT_ONCE])
        for layer in layers[: last + 1]:
            values = layer(values)
        blocks.append(keras.ops.convert_to_numpy(values))
    return np.concatenate(blocks).astype(np.float64)
