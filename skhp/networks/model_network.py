"""The network that a Keras model is: a stack of known layers, vectorised, or called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from skhp.exceptions import CannotJoinError
from skhp.networks.called_network import CalledNetwork
from skhp.networks.carried_variables import encoded, set_encoded
from skhp.networks.layered_network import layered_network
from skhp.networks.model_twin import model_twin, own_dropout, refusal
from skhp.networks.network import Network, Shapes, flattened
from skhp.networks.vectorized_model import VectorizedModel, vectorizes


def network_of_model(model: keras.Model, x: Any) -> Network:
    """A model as a network, by the way that costs least; `x` are rows that it takes."""
    # Layers of ours draw the noise of the stream, and not by a seed that somebody gave.
    own_noise = any(layer.seed is not None or layer.rate == 1 for layer in own_dropout(model))
    if isinstance(x, np.ndarray) and x.ndim == 2 and not own_noise:
        try:
            layered = layered_network(model)
        except CannotJoinError:
            pass
        else:
            # Weights that no layer is known to have, as of LoRA, or that are frozen.
            if (
                _shapes(model.trainable_variables) == layered.weight_shapes
                and _shapes(model.non_trainable_weights) == layered.state_shapes
            ):
                return layered
    try:
        twin = model_twin(model, x)
    except Exception as error:
        raise refusal(model, error) from None
    if vectorizes(model, twin):
        return VectorizedModel(twin.key_without_rates, twin)
    return CalledNetwork(twin)


def state_of_model(model: keras.Model, network: Network) -> np.ndarray:
    """What a member carries besides its weights, as a flat vector."""
    if isinstance(network, CalledNetwork):
        return encoded(model.non_trainable_variables)
    return flattened([variable.numpy() for variable in model.non_trainable_weights])


def set_state_of_model(model: keras.Model, network: Network, arrays: list[np.ndarray]) -> None:
    """Let a model carry what a member does, in arrays of the network's `state_shapes`."""
    if isinstance(network, CalledNetwork):
        set_encoded(model.non_trainable_variables, arrays)
        return
    for variable, value in zip(model.non_trainable_weights, arrays, strict=True):
        variable.assign(value)


def _shapes(variables: Iterable[keras.Variable]) -> Shapes:
    return tuple(tuple(variable.shape) for variable in variables)
