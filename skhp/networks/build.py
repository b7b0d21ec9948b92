"""From a description to a Keras model with reproducible initial weights."""

from __future__ import annotations

import keras
import numpy as np

from skhp.networks.description import NetworkDescription

LOGITS_LAYER = "logits"
RESCALING_LAYER = "target_units"

_LEAST_SCALE = float(np.finfo(np.float32).tiny)

_OUTPUT_ACTIVATIONS = {"binary": "sigmoid", "multiclass": "softmax"}


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
    structure = description.structure
    seeds = iter(_layer_seeds(seed, 2 * len(structure.layer_sizes) + 1))
    # Keras 3.15 keeps 150 kB of every model that it has to find a name for.
    model = keras.Sequential([keras.Input((structure.n_inputs,), name="inputs")], name="mlp")
    for number, size in enumerate(structure.layer_sizes, start=1):
        # Batch normalisation subtracts the mean of its input, so a bias before it does nothing.
        model.add(
            _dense(size, next(seeds), description.l2, f"hidden_{number}", structure.batch_norm)
        )
        if structure.batch_norm:
            model.add(keras.layers.BatchNormalization(name=f"batch_norm_{number}"))
        model.add(keras.layers.Activation(structure.activation, name=f"activation_{number}"))
        dropout_seed = next(seeds)
        if structure.has_dropout:
            model.add(
                keras.layers.Dropout(
                    description.dropout, seed=dropout_seed, name=f"dropout_{number}"
                )
            )
    model.add(_dense(structure.n_outputs, next(seeds), description.l2, LOGITS_LAYER))
    if structure.output in _OUTPUT_ACTIVATIONS:
        activation = _OUTPUT_ACTIVATIONS[structure.output]
        model.add(keras.layers.Activation(activation, name="probabilities"))
    return model


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
    inputs = keras.Input(model.input_shape[1:], name="inputs")
    return keras.Sequential([inputs, *model.layers, rescaling], name="mlp")


def _dense(
    size: int, seed: int, l2: float, name: str, without_bias: bool = False
) -> keras.layers.Dense:
    return keras.layers.Dense(
        size,
        use_bias=not without_bias,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        kernel_regularizer=keras.regularizers.L2(l2) if l2 > 0 else None,
        name=name,
    )


def _layer_seeds(seed: int, count: int) -> list[int]:
    # Keras reduces a seed to 31 bits before use.
    states = np.random.SeedSequence(seed).generate_state(count)
    return [int(state) & 0x7FFFFFFF for state in states]
