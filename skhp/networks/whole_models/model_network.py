"""The network of a Keras model: a stack of known layers, a vectorised model, or a called one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from skhp.exceptions import CannotJoinError
from skhp.networks.layered_network import LayeredNetwork, layered_network
from skhp.networks.network import Network, NetworkNumbers, Shapes, flattened, network_numbers
from skhp.networks.whole_models.called_network import CalledNetwork
from skhp.networks.whole_models.carried_variables import encoded, set_encoded
from skhp.networks.whole_models.model_twin import model_twin, own_dropout, refusal
from skhp.networks.whole_models.portable_model import parts_of
from skhp.networks.whole_models.vectorized_model import VectorizedModel, vectorizes


def network_of_model(model: keras.Model, x: Any) -> Network:
    """The cheapest network for a model; `x` are rows that the model takes."""
    if isinstance(x, np.ndarray) and x.ndim >= 2 and not _draws_other_noise(model):
        try:
            layered = layered_network(model, x.shape[1:])
        except CannotJoinError:
            pass
        else:
            # The model may have other weights than its layers say, as with LoRA, or frozen weights.
            if (
                len(layered.output_shape) == 1
                # Keras' optimizers update an Embedding row by row; a `LayeredNetwork` would not.
                and not any(layer.has_sparse_gradient for layer in layered.layers)
                and _shapes(model.trainable_variables) == layered.weight_shapes
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


def numbers_of_model(model: keras.Model, network: Network) -> NetworkNumbers:
    """The dropout rates and penalties of a model, as its network takes them."""
    numbers = network_numbers(model)
    if isinstance(network, LayeredNetwork):
        return numbers
    # All other layers that drop values keep their rates in the twin.
    return replace(numbers, dropout=tuple(float(layer.rate) for layer in own_dropout(model)))


def state_of_model(model: keras.Model, network: Network) -> np.ndarray:
    """The variables of a model that are not trained, as the flat vector that a member carries."""
    if isinstance(network, CalledNetwork):
        return encoded(model.non_trainable_variables)
    return flattened([variable.numpy() for variable in model.non_trainable_weights])


def set_state_of_model(model: keras.Model, network: Network, arrays: list[np.ndarray]) -> None:
    """Set a model to the state of a member, in arrays of the network's `state_shapes`."""
    if isinstance(network, CalledNetwork):
        set_encoded(model.non_trainable_variables, arrays)
        return
    for variable, value in zip(model.non_trainable_weights, arrays, strict=True):
        variable.assign(value)


def _draws_other_noise(model: keras.Model) -> bool:
    """Whether parts of a model draw noise that our layers would draw differently.

    A plain Dropout layer without a seed does not count, as any draws will do for it.
    """
    for part in parts_of(model):
        if type(part) is keras.layers.Dropout:
            if part.seed is not None or part.noise_shape is not None:
                return True
        elif hasattr(part, "seed_generator"):
            rates = (getattr(part, name, 0) for name in ("rate", "dropout", "recurrent_dropout"))
            if any(rates):
                return True
    return False


def _shapes(variables: Iterable[keras.Variable]) -> Shapes:
    return tuple(tuple(variable.shape) for variable in variables)
