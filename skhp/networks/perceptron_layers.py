"""From the parameters of a multilayer perceptron to the layers that it is made of."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from numbers import Integral

from skhp.exceptions import InvalidParameterError
from skhp.networks.description import NetworkDescription
from skhp.networks.layers import (
    ActivationDescription,
    BatchNormalizationDescription,
    DenseDescription,
    DropoutDescription,
    LayerDescription,
)
from skhp.networks.network_memory import NetworkSize, network_size
from skhp.objectives.losses import OutputKind

_MOST_LAYERS_READ = 100_000
# The first hidden layer, one that follows another, and one more of the same size.
_DISTINCT_LAYERS = 3
# Members of a search are of a few descriptions only.
_KEPT = 256


def multilayer_perceptron(
    *,
    n_inputs: int,
    n_outputs: int,
    output: OutputKind,
    hidden_layers: int | str,
    neurons: int | Sequence[int] | str,
    activation: str,
    batch_norm: bool,
    dropout: float,
    l2: float,
) -> NetworkDescription:
    """Description of a multilayer perceptron from the parameters of an estimator.

    Raises
    ------
    InvalidParameterError
        If `hidden_layers` and `neurons` do not go together.

    Examples
    --------
    >>> description = multilayer_perceptron(
    ...     n_inputs=3, n_outputs=1, output="regression", hidden_layers=1, neurons=2,
    ...     activation="tanh", batch_norm=False, dropout=0.0, l2=0.0,
    ... )
    >>> for layer in description.layers:
    ...     print(layer)
    DenseDescription(units=2, use_bias=True, l1=0.0, l2=0.0)
    ActivationDescription(function='tanh')
    DenseDescription(units=1, use_bias=True, l1=0.0, l2=0.0)
    """
    sizes = layer_sizes(hidden_layers, neurons, n_inputs)
    return _perceptron(
        int(n_inputs),
        (*sizes, int(n_outputs)),
        output,
        activation,
        bool(batch_norm),
        float(dropout),
        float(l2),
    )


@functools.lru_cache(_KEPT)
def _perceptron(
    n_inputs: int,
    sizes: tuple[int, ...],
    output: OutputKind,
    activation: str,
    batch_norm: bool,
    dropout: float,
    l2: float,
) -> NetworkDescription:
    layers: list[LayerDescription] = []
    *hidden, n_outputs = sizes
    for size in hidden:
        # Batch normalisation subtracts the mean of its input, so a bias before it does nothing.
        layers.append(DenseDescription(size, use_bias=not batch_norm, l2=l2))
        if batch_norm:
            layers.append(BatchNormalizationDescription())
        layers.append(ActivationDescription(activation))
        if dropout > 0:
            layers.append(DropoutDescription(dropout))
    layers.append(DenseDescription(n_outputs, l2=l2))
    return NetworkDescription((n_inputs,), tuple(layers), output)


def multilayer_perceptron_size(
    n_inputs: int,
    n_outputs: int,
    hidden_layers: int | str,
    neurons: int | Sequence[int] | str,
    batch_norm: bool,
) -> NetworkSize:
    """The size that a multilayer perceptron would have, told also where no memory could hold it.

    Examples
    --------
    >>> multilayer_perceptron_size(10, 1, hidden_layers=10**9, neurons=2, batch_norm=False)
    NetworkSize(weights=6000000019, layers=1000000000)
    """

    def size_with(sizes: tuple[int, ...]) -> NetworkSize:
        described = _perceptron(
            n_inputs, (*sizes, n_outputs), "regression", "linear", bool(batch_norm), 0.0, 0.0
        )
        return network_size(described)

    if isinstance(neurons, str | Integral):
        count = _number_of_layers(hidden_layers)
        size = automatic_neurons(n_inputs) if isinstance(neurons, str) else int(neurons)
        made = size_with((size,) * min(count, _DISTINCT_LAYERS))
        if count <= _DISTINCT_LAYERS:
            return made
        # A tuple of that many sizes might not fit into memory itself.
        further = made.weights - size_with((size,) * (_DISTINCT_LAYERS - 1)).weights
        return NetworkSize(made.weights + (count - _DISTINCT_LAYERS) * further, count)
    # An array without dimensions is for `layer_sizes` to refuse: it has no length.
    if (
        hasattr(neurons, "__len__")
        and getattr(neurons, "ndim", 1) != 0
        and len(neurons) > _MOST_LAYERS_READ
    ):
        # One unit each at least; to read them may take more memory than there is.
        return NetworkSize(2 * len(neurons), len(neurons))
    return size_with(layer_sizes(hidden_layers, neurons, n_inputs))


def automatic_neurons(n_inputs: int) -> int:
    """Two thirds of the number of inputs, rounded down, never under 2.

    Examples
    --------
    >>> automatic_neurons(10)
    6
    >>> automatic_neurons(1)
    2
    """
    return max(2, 2 * n_inputs // 3)


def layer_sizes(
    hidden_layers: int | str, neurons: int | Sequence[int] | str, n_inputs: int
) -> tuple[int, ...]:
    """Sizes of the hidden layers that the parameters `hidden_layers` and `neurons` stand for.

    With `hidden_layers` of ``"auto"`` there are as many as `neurons` has entries, and one where it
    is one number or ``"auto"``.

    Raises
    ------
    InvalidParameterError
        If `neurons` is a sequence of another length than `hidden_layers`, or holds anything but
        whole numbers from 1 up.

    Examples
    --------
    >>> layer_sizes(2, "auto", n_inputs=10)
    (6, 6)
    >>> layer_sizes("auto", (8, 4), n_inputs=10)
    (8, 4)
    """
    if isinstance(neurons, str):
        return (automatic_neurons(n_inputs),) * _number_of_layers(hidden_layers)
    without_length = getattr(neurons, "ndim", 1) == 0 and not isinstance(neurons, Integral)
    if isinstance(neurons, bool) or without_length:
        raise InvalidParameterError(
            f"neurons must be a whole number from 1 up, one a layer or 'auto', got {neurons!r}."
        )
    if isinstance(neurons, Integral):
        return (int(neurons),) * _number_of_layers(hidden_layers)
    sizes = tuple(neurons)  # type: ignore[arg-type]
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
            raise InvalidParameterError(
                f"neurons={neurons!r} holds {size!r}; each layer needs a whole number of neurons "
                "from 1 up."
            )
    if not isinstance(hidden_layers, str) and len(sizes) != hidden_layers:
        entries = "1 entry" if len(sizes) == 1 else f"{len(sizes)} entries"
        raise InvalidParameterError(
            f"neurons={neurons!r} has {entries}, but hidden_layers={hidden_layers!r}. Give one "
            f"number a layer, or set hidden_layers='auto', which is {len(sizes)} then."
        )
    return tuple(int(size) for size in sizes)


def _number_of_layers(hidden_layers: int | str) -> int:
    return 1 if isinstance(hidden_layers, str) else int(hidden_layers)
