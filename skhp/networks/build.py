"""From a description to a Keras model with reproducible initial weights."""

from __future__ import annotations

import keras
import numpy as np

from skhp.networks.description import NetworkDescription
from skhp.networks.layers import LayerSeeds

RESCALING_LAYER = "target_units"

_LEAST_SCALE = float(np.finfo(np.float32).tiny)


def build_network(description: NetworkDescription, seed: int) -> keras.Model:
    """Build the Keras model of a description.

    Every random part (initial weights, dropout noise) gets a seed of its own, derived from `seed`,
    so that no global random generator is read.

    Parameters
    ----------
    description : NetworkDescription
        Layers and their numbers.
    seed : int
        Seed of the initial weights and of the dropout noise.

    Returns
    -------
    keras.Model
        Not compiled. Its layer named ``"logits"`` holds the values before the last activation.
    """
    seeds = LayerSeeds(seed)
    layers = [placed.described.keras_layer(placed.name, seeds) for placed in description.placed()]
    return _stack(description.input_shape, layers)


def rescaled_network(model: keras.Model, mean: np.ndarray, scale: np.ndarray) -> keras.Model:
    """The layers of a network of numbers, and one more that brings its outputs into other units.

    Parameters
    ----------
    model : keras.Model
        A model from `build_network`, whose layers and weights are shared.
    mean, scale : ndarray of shape (n_outputs,)
        Of an output `x` the new model makes ``x * scale + mean``.

    Returns
    -------
    keras.Model
        Not compiled.
    """
    # Beyond, a float32 would keep fewer than four digits of a deviation.
    fits = (np.abs(mean) <= 1000 * scale).all() and scale.min() > _LEAST_SCALE
    rescaling = keras.layers.Rescaling(
        scale,
        offset=mean,
        dtype="float32" if fits else "float64",
        name=RESCALING_LAYER,
    )
    return _stack(model.input_shape[1:], [*model.layers, rescaling])


def _stack(input_shape: tuple[int, ...], layers: list[keras.layers.Layer]) -> keras.Model:
    # Keras 3.15 keeps 150 kB of every model that it has to find a name for.
    return keras.Sequential([keras.Input(input_shape, name="inputs"), *layers], name="network")
