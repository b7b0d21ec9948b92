"""Descriptions of networks as frozen records: the layers, the output, and the size."""

from __future__ import annotations

import functools
import reprlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import NamedTuple

from skhp.exceptions import InvalidParameterError
from skhp.networks.layers import (
    ActivationDescription,
    BatchNormalizationDescription,
    BidirectionalDescription,
    DenseDescription,
    DropoutDescription,
    EmbeddingDescription,
    GRUDescription,
    Layer,
    LayerDescription,
    LSTMDescription,
    RecurrentDescription,
    SimpleRNNDescription,
)
from skhp.networks.layers.layer import number_of_values
from skhp.networks.network import BYTES_OF_NUMBER, COPIES_OF_WEIGHTS
from skhp.objectives.losses import OutputKind

LOGITS_LAYER = "logits"

_OUTPUT_ACTIVATIONS = {"binary": "sigmoid", "multiclass": "softmax"}


class PlacedLayer(NamedTuple):
    """A layer at its place: its name in Keras, its input shape, and our layers that compute it."""

    name: str
    described: LayerDescription
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class NetworkDescription:
    """A network as a stack of layers."""

    input_shape: tuple[int, ...]
    layers: tuple[LayerDescription, ...]
    output: OutputKind

    @property
    def structure(self) -> NetworkDescription:
        """The description with default numbers; equal for networks that can share a program."""
        return _structure(self)

    def placed(self) -> Iterator[PlacedLayer]:
        """Yield each layer, and last the activation of the output."""
        shape, counts = self.input_shape, Counter[str]()
        for number, described in enumerate(self.layers, start=1):
            counts[described.keras_name] += 1
            name = f"{described.keras_name}_{counts[described.keras_name]}"
            is_last = number == len(self.layers)
            layers = described.layers(shape)
            yield PlacedLayer(LOGITS_LAYER if is_last else name, described, shape, layers)
            for layer in layers:
                shape = layer.output_shape(shape)
        if self.output in _OUTPUT_ACTIVATIONS:
            last = ActivationDescription(_OUTPUT_ACTIVATIONS[self.output])
            yield PlacedLayer("probabilities", last, shape, last.layers(shape))


# The members of a search have only a few distinct descriptions and structures.
_CACHE_SIZE = 256


@functools.lru_cache(_CACHE_SIZE)
def _structure(description: NetworkDescription) -> NetworkDescription:
    layers = tuple(layer.structure for layer in description.layers)
    return replace(description, layers=layers)


# Memory of Keras' own fit, which takes more than the compiled programs; measured with TensorFlow
# 2.21 on 50 to 400 layers of 2 units.
_BYTES_OF_LAYER = 3_500_000
_BYTES_OF_LAYERS_SQUARED = 2_600


@dataclass(frozen=True)
class NetworkSize:
    """The number of weights of a network, and the number of its hidden layers with a kernel."""

    weights: int
    layers: int

    @property
    def bytes_to_train(self) -> int:
        """The estimated memory that training the network takes, without the memory of the rows."""
        of_weights = COPIES_OF_WEIGHTS * BYTES_OF_NUMBER * self.weights
        of_program = _BYTES_OF_LAYER * self.layers + _BYTES_OF_LAYERS_SQUARED * self.layers**2
        return of_weights + of_program


@functools.lru_cache(_CACHE_SIZE)
def network_size(description: NetworkDescription) -> NetworkSize:
    """The size of a described network."""
    n_weights = n_layers = 0
    for placed in description.placed():
        shapes = tuple(shape for layer in placed.layers for shape in layer.weight_shapes)
        states = tuple(shape for layer in placed.layers for shape in layer.state_shapes)
        n_weights += number_of_values(shapes) + number_of_values(states)
        n_layers += any(len(shape) > 1 for shape in shapes)
    return NetworkSize(n_weights, max(n_layers - 1, 0))


_MOST_LAYERS_READ = 100_000
# The first hidden layer, the second, and the third, which has the size of every further one.
_DISTINCT_LAYERS = 3


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
    """Description of a multilayer perceptron from the parameters of an estimator."""
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


@functools.lru_cache(_CACHE_SIZE)
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
    """The size of a multilayer perceptron, even of one that would not fit into memory."""

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
        # A tuple with a size for each layer might not fit into memory.
        further = made.weights - size_with((size,) * (_DISTINCT_LAYERS - 1)).weights
        return NetworkSize(made.weights + (count - _DISTINCT_LAYERS) * further, count)
    # An array without dimensions has no length; `layer_sizes` refuses it.
    if (
        hasattr(neurons, "__len__")
        and getattr(neurons, "ndim", 1) != 0
        and len(neurons) > _MOST_LAYERS_READ
    ):
        # A lower bound, with one unit in each layer: reading all sizes may exhaust the memory.
        return NetworkSize(2 * len(neurons), len(neurons))
    return size_with(layer_sizes(hidden_layers, neurons, n_inputs))


def automatic_neurons(n_inputs: int) -> int:
    """Two thirds of the number of inputs, rounded down, but at least 2."""
    return max(2, 2 * n_inputs // 3)


def layer_sizes(
    hidden_layers: int | str, neurons: int | Sequence[int] | str, n_inputs: int
) -> tuple[int, ...]:
    """Sizes of the hidden layers that the parameters `hidden_layers` and `neurons` stand for.

    With ``hidden_layers="auto"`` there is one layer for each entry of `neurons`, and a single layer
    where `neurons` is a number or ``"auto"``.
    """
    if isinstance(neurons, str):
        return (automatic_neurons(n_inputs),) * _number_of_layers(hidden_layers)
    without_length = getattr(neurons, "ndim", 1) == 0 and not isinstance(neurons, Integral)
    if isinstance(neurons, bool) or without_length:
        raise InvalidParameterError(
            "neurons must be a whole number from 1 up, a list of one such number per layer, or "
            f"'auto', got {neurons!r}."
        )
    if isinstance(neurons, Integral):
        return (int(neurons),) * _number_of_layers(hidden_layers)
    sizes = tuple(neurons)  # type: ignore[arg-type]
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
            raise InvalidParameterError(
                f"neurons={reprlib.repr(neurons)} holds {size!r}; each layer needs a whole number "
                "of neurons from 1 up."
            )
    if not isinstance(hidden_layers, str) and len(sizes) != hidden_layers:
        entries = "1 entry" if len(sizes) == 1 else f"{len(sizes)} entries"
        raise InvalidParameterError(
            f"neurons={reprlib.repr(neurons)} has {entries}, but hidden_layers={hidden_layers!r}. "
            f"Give one number per layer, or set hidden_layers='auto', which then "
            f"means {len(sizes)}."
        )
    return tuple(int(size) for size in sizes)


def _number_of_layers(hidden_layers: int | str) -> int:
    return 1 if isinstance(hidden_layers, str) else int(hidden_layers)


_CELLS: dict[str, type[RecurrentDescription]] = {
    "lstm": LSTMDescription,
    "gru": GRUDescription,
    "simple": SimpleRNNDescription,
}


def recurrent_network(
    *,
    input_shape: tuple[int, ...],
    n_outputs: int,
    output: OutputKind,
    cell: str,
    sizes: tuple[int, ...],
    dropout: float,
    recurrent_dropout: float,
    bidirectional: bool,
    embedding: tuple[int, int] | None,
) -> NetworkDescription:
    """Description of a recurrent network from the parameters of an estimator.

    `embedding` holds the size of the vocabulary and the length of its vectors. Each layer after the
    first drops some of its inputs, the same ones in all steps.
    """
    layers: list[LayerDescription] = []
    if embedding is not None:
        layers.append(EmbeddingDescription(*embedding))
    for number, size in enumerate(sizes, start=1):
        recurrent = _CELLS[cell].of(
            int(size),
            return_sequences=number < len(sizes),
            dropout=float(dropout) if layers else 0.0,
            recurrent_dropout=float(recurrent_dropout),
        )
        layers.append(BidirectionalDescription(recurrent) if bidirectional else recurrent)
    if dropout > 0:
        layers.append(DropoutDescription(float(dropout)))
    layers.append(DenseDescription(int(n_outputs)))
    return NetworkDescription(tuple(map(int, input_shape)), tuple(layers), output)
