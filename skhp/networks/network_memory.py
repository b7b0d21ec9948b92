"""How large a network would be, told before anything of it is made."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from skhp.networks.description import NetworkDescription
from skhp.networks.layers.layer import number_of_values
from skhp.networks.network import BYTES_OF_NUMBER, COPIES_OF_WEIGHTS

# Measured with TensorFlow 2.21 on programs of 50 to 400 layers of 2 units, of which Keras' own fit
# takes the most.
_BYTES_OF_LAYER = 3_500_000
_BYTES_OF_LAYERS_SQUARED = 2_600


@dataclass(frozen=True)
class NetworkSize:
    """The number of weights of a network, and of the layers with a kernel before its last one."""

    weights: int
    layers: int

    @property
    def bytes_to_train(self) -> int:
        """An estimate of the memory that its training takes, besides that of the rows."""
        of_weights = COPIES_OF_WEIGHTS * BYTES_OF_NUMBER * self.weights
        of_program = _BYTES_OF_LAYER * self.layers + _BYTES_OF_LAYERS_SQUARED * self.layers**2
        return of_weights + of_program


# Members of a search are of a few structures only.
@functools.lru_cache(256)
def network_size(description: NetworkDescription) -> NetworkSize:
    """The size of the network that a description is of."""
    n_weights = n_layers = 0
    for placed in description.placed():
        shapes = tuple(shape for layer in placed.layers for shape in layer.weight_shapes)
        states = tuple(shape for layer in placed.layers for shape in layer.state_shapes)
        n_weights += number_of_values(shapes) + number_of_values(states)
        n_layers += any(len(shape) > 1 for shape in shapes)
    return NetworkSize(n_weights, max(n_layers - 1, 0))
