"""Networks built from descriptions: Keras models, initial weights, and saved records.

A pickled estimator holds a record instead of a Keras model file: the record is smaller, loads only
numbers, and lets training continue where it stopped (with optimizer state and dropout noise).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.networks.description import NetworkDescription
from skhp.networks.layered_network import LayeredNetwork
from skhp.networks.layers import ActivationLayer, LayerSeeds
from skhp.networks.network import NetworkNumbers, flattened
from skhp.objectives.losses import NetworkLoss, keras_loss

RESCALING_LAYER = "target_units"

_LEAST_SCALE = float(np.finfo(np.float32).tiny)


def build_network(description: NetworkDescription, seed: int) -> keras.Model:
    """Build the Keras model of a description.

    Every random part (initial weights, dropout noise) gets a seed of its own, derived from `seed`,
    so that no global random generator is read.
    """
    seeds = LayerSeeds(seed)
    layers = [placed.described.keras_layer(placed.name, seeds) for placed in description.placed()]
    return _stack(description.input_shape, layers)


def rescaled_network(model: keras.Model, mean: np.ndarray, scale: np.ndarray) -> keras.Model:
    """A regression network with one more layer, which converts its outputs to other units."""
    # Outside these limits, float32 would keep fewer than four digits of a deviation from the mean.
    fits = (np.abs(mean) <= 1000 * scale).all() and scale.min() > _LEAST_SCALE
    rescaling = keras.layers.Rescaling(
        scale,
        offset=mean,
        dtype="float32" if fits else "float64",
        name=RESCALING_LAYER,
    )
    return _stack(model.input_shape[1:], [*model.layers, rescaling])


def _stack(input_shape: tuple[int, ...], layers: list[keras.layers.Layer]) -> keras.Model:
    # Keras 3.15 keeps 150 kB for each model whose name it has to make up.
    return keras.Sequential([keras.Input(input_shape, name="inputs"), *layers], name="network")


@dataclass(frozen=True)
class SavedNetwork:
    """A compiled network as plain arrays and dicts."""

    description: NetworkDescription
    loss: str | NetworkLoss
    optimizer: dict[str, Any]
    steps_per_execution: int
    variables: list[np.ndarray]
    optimizer_variables: list[np.ndarray]


def compile_network(
    model: keras.Model,
    description: NetworkDescription,
    loss: str | NetworkLoss,
    optimizer: keras.optimizers.Optimizer,
    steps_per_execution: int,
) -> None:
    """Compile a network of :func:`build_network` so that Keras can train it."""
    model.compile(
        optimizer=optimizer,
        loss=keras_loss(loss, description.output),
        steps_per_execution=steps_per_execution,
        # Measured on networks for tables: XLA compiles longer than the whole training runs.
        jit_compile=False,
    )


def save_network(
    model: keras.Model, description: NetworkDescription, loss: str | NetworkLoss
) -> SavedNetwork:
    """Record of a compiled network."""
    return SavedNetwork(
        description=description,
        loss=loss,
        optimizer=keras.optimizers.serialize(model.optimizer),
        steps_per_execution=model.steps_per_execution,
        variables=_values(model.variables),
        optimizer_variables=_values(model.optimizer.variables),
    )


def restore_network(saved: SavedNetwork) -> keras.Model:
    """Compiled network of a record."""
    model = build_network(saved.description, seed=0)
    optimizer = keras.optimizers.deserialize(saved.optimizer)
    compile_network(model, saved.description, saved.loss, optimizer, saved.steps_per_execution)
    optimizer.build(model.trainable_variables)
    for variable, value in zip(model.variables, saved.variables, strict=True):
        variable.assign(value)
    for variable, value in zip(optimizer.variables, saved.optimizer_variables, strict=True):
        variable.assign(value)
    return model


def _values(variables: list[keras.Variable]) -> list[np.ndarray]:
    return [np.array(variable.value.numpy()) for variable in variables]


# The members of a search have only a few distinct seeds and structures.
_CACHE_SIZE = 256


@dataclass(frozen=True, eq=False)
class InitialNetwork:
    """A network, its initial weights and its initial state, to be shared and not changed."""

    network: LayeredNetwork
    weights: np.ndarray
    state: np.ndarray


def network_of(description: NetworkDescription) -> LayeredNetwork:
    """The network of a description; descriptions of equal structure share one network."""
    return _network(description.structure)


def initial_network(description: NetworkDescription, seed: int) -> InitialNetwork:
    """The structure, weights and state of the model that `build_network` makes."""
    return _initial_network(description.structure, seed)


@functools.lru_cache(_CACHE_SIZE)
def numbers_of(description: NetworkDescription) -> NetworkNumbers:
    """The numbers of a description: dropout rates, and the penalties of each weight."""
    dropout: list[float] = []
    penalties: list[tuple[float, float]] = []
    for placed in description.placed():
        n_weights = sum(len(layer.weight_shapes) for layer in placed.layers)
        given = placed.described.penalties
        penalties += [*given, *[(0.0, 0.0)] * (n_weights - len(given))]
        if any(layer.noise_shapes for layer in placed.layers):
            dropout += placed.described.dropouts
    return NetworkNumbers(
        dropout=tuple(dropout),
        l1=tuple(l1 for l1, _ in penalties),
        l2=tuple(l2 for _, l2 in penalties),
    )


@functools.lru_cache(_CACHE_SIZE)
def _network(structure: NetworkDescription) -> LayeredNetwork:
    layers = tuple(layer for placed in structure.placed() for layer in placed.layers)
    if structure.output == "regression" and isinstance(layers[-1], ActivationLayer):
        # Predictions leave out the last activation, so a regression network must not end in one.
        raise InvalidParameterError(
            f"The last layer of a regression network is {structure.layers[-1]}, an activation; end "
            "with a layer that has no activation, such as DenseDescription."
        )
    return LayeredNetwork(structure.input_shape, layers)


@functools.lru_cache(_CACHE_SIZE)
def _initial_network(structure: NetworkDescription, seed: int) -> InitialNetwork:
    seeds = LayerSeeds(seed)
    weights: list[np.ndarray] = []
    state: list[np.ndarray] = []
    for placed in structure.placed():
        if any(layer.weight_shapes or layer.state_shapes for layer in placed.layers):
            made = placed.described.keras_layer(placed.name, seeds)
            made.build((None, *placed.input_shape))
            weights += [variable.numpy() for variable in made.trainable_variables]
            state += [variable.numpy() for variable in made.non_trainable_weights]
    initial = InitialNetwork(_network(structure), flattened(weights), flattened(state))
    initial.weights.flags.writeable = initial.state.flags.writeable = False
    return initial
