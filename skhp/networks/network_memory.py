"""How large a multilayer perceptron would be, told before anything of it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral

from skhp.networks.description import automatic_neurons, layer_sizes
from skhp.networks.network import BYTES_OF_NUMBER, COPIES_OF_WEIGHTS

# Measured with TensorFlow 2.21 on programs of 50 to 400 layers of 2 units, of which Keras' own fit
# takes the most.
_BYTES_OF_LAYER = 3_500_000
_BYTES_OF_LAYERS_SQUARED = 2_600
_MOST_LAYERS_READ = 100_000


@dataclass(frozen=True)
class NetworkSize:
    """The number of weights of a multilayer perceptron, and of its hidden layers."""

    weights: int
    layers: int

    @property
    def bytes_to_train(self) -> int:
        """An estimate of the memory that its training takes, besides that of the rows."""
        of_weights = COPIES_OF_WEIGHTS * BYTES_OF_NUMBER * self.weights
        of_program = _BYTES_OF_LAYER * self.layers + _BYTES_OF_LAYERS_SQUARED * self.layers**2
        return of_weights + of_program


def network_size(
    n_inputs: int,
    n_outputs: int,
    hidden_layers: int | str,
    neurons: int | Sequence[int] | str,
    batch_norm: bool,
) -> NetworkSize:
    """The size that a network of these parameters would have.

    Examples
    --------
    >>> network_size(10, 1, hidden_layers=10**9, neurons=2, batch_norm=False)
    NetworkSize(weights=6000000019, layers=1000000000)
    """
    if isinstance(neurons, str | Integral):
        count = 1 if isinstance(hidden_layers, str) else int(hidden_layers)
        size = automatic_neurons(n_inputs) if isinstance(neurons, str) else int(neurons)
        # In closed form: a tuple of that many sizes might not fit into memory itself.
        within = max(count - 1, 0) * (size + 1) * size
        ends = [n_inputs, size, n_outputs] if count else [n_inputs, n_outputs]
        units = count * size
    # An array without dimensions is for `layer_sizes` to refuse: it has no length.
    elif (
        hasattr(neurons, "__len__")
        and getattr(neurons, "ndim", 1) != 0
        and len(neurons) > _MOST_LAYERS_READ
    ):
        # One unit each at least; to read them may take more memory than there is.
        return NetworkSize(2 * len(neurons), len(neurons))
    else:
        sizes = layer_sizes(hidden_layers, neurons, n_inputs)
        count, within, units = len(sizes), 0, sum(sizes)
        ends = [n_inputs, *sizes, n_outputs]
    weights = within + sum((before + 1) * after for before, after in pairwise(ends))
    # A scale, an offset and two moving statistics in place of a bias.
    return NetworkSize(weights + (3 * units if batch_norm else 0), count)
