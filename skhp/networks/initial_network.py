"""What a multilayer perceptron starts from, without a Keras model for every member."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from skhp.networks.build import build_network
from skhp.networks.description import NetworkDescription, NetworkStructure
from skhp.networks.layered_network import LayeredNetwork, layered_network
from skhp.networks.network import flattened
from skhp.networks.network_numbers import NetworkNumbers

# Members of a search start from a few seeds and structures only.
_KEPT = 256


@dataclass(frozen=True, eq=False)
class InitialNetwork:
    """Structure, initial weights and initial state of a network, to be shared and not changed."""

    network: LayeredNetwork
    weights: np.ndarray
    state: np.ndarray


def initial_network(structure: NetworkStructure, seed: int) -> InitialNetwork:
    """What `build_network` makes for a structure and a seed."""
    return _initial_network(structure, seed)


@functools.lru_cache(_KEPT)
def numbers_of(description: NetworkDescription) -> NetworkNumbers:
    """The numbers of a description: dropout rates, and the penalty of each kernel."""
    network = _network(description.structure)
    return NetworkNumbers(
        dropout=(description.dropout,) * len(network.noise_shapes),
        l1=(0.0,) * len(network.weight_shapes),
        l2=tuple(description.l2 if len(shape) > 1 else 0.0 for shape in network.weight_shapes),
    )


@functools.lru_cache(_KEPT)
def _initial_network(structure: NetworkStructure, seed: int) -> InitialNetwork:
    model = build_network(NetworkDescription(structure, dropout=0.5, l2=0.0), seed)
    network = layered_network(model)
    moving = model.non_trainable_variables
    state = [variable.numpy() for variable in moving if variable.name.startswith("moving_")]
    weights = flattened([variable.numpy() for variable in model.trainable_variables])
    initial = InitialNetwork(network, weights, flattened(state))
    initial.weights.flags.writeable = initial.state.flags.writeable = False
    return initial


@functools.lru_cache(_KEPT)
def _network(structure: NetworkStructure) -> LayeredNetwork:
    return _initial_network(replace(structure, has_l2=False), 0).network
