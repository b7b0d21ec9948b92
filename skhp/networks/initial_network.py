"""What a network starts from, without a Keras model for every member."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.networks.description import NetworkDescription
from skhp.networks.layered_network import LayeredNetwork
from skhp.networks.layers import ActivationLayer, LayerSeeds
from skhp.networks.network import flattened
from skhp.networks.network_numbers import NetworkNumbers

# Members of a search start from a few seeds and structures only.
_KEPT = 256


@dataclass(frozen=True, eq=False)
class InitialNetwork:
    """A network, its initial weights and its initial state, to be shared and not changed."""

    network: LayeredNetwork
    weights: np.ndarray
    state: np.ndarray


def network_of(description: NetworkDescription) -> LayeredNetwork:
    """The network that a description is of, the same for all of one structure."""
    return _network(description.structure)


def initial_network(description: NetworkDescription, seed: int) -> InitialNetwork:
    """What `build_network` makes for a description and a seed."""
    return _initial_network(description.structure, seed)


@functools.lru_cache(_KEPT)
def numbers_of(description: NetworkDescription) -> NetworkNumbers:
    """The numbers of a description: dropout rates, and the penalties of each weight."""
    dropout: list[float] = []
    penalties: list[tuple[float, float]] = []
    for placed in description.placed():
        n_weights = sum(len(layer.weight_shapes) for layer in placed.layers)
        given = placed.described.penalties
        penalties += [*given, *[(0.0, 0.0)] * (n_weights - len(given))]
        noisy = [layer for layer in placed.layers if layer.noise_shape is not None]
        dropout += [placed.described.dropout] * len(noisy)
    return NetworkNumbers(
        dropout=tuple(dropout),
        l1=tuple(l1 for l1, _ in penalties),
        l2=tuple(l2 for _, l2 in penalties),
    )


@functools.lru_cache(_KEPT)
def _network(structure: NetworkDescription) -> LayeredNetwork:
    layers = tuple(layer for placed in structure.placed() for layer in placed.layers)
    if structure.output == "regression" and isinstance(layers[-1], ActivationLayer):
        # Predictions leave the last activation out, as that of classes.
        raise InvalidParameterError(
            f"The last layer of a network for numbers is {structure.layers[-1]}, an activation; "
            "end in a layer without one, such as DenseDescription."
        )
    return LayeredNetwork(structure.input_shape, layers)


@functools.lru_cache(_KEPT)
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
