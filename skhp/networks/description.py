"""What a multilayer perceptron is made of, as frozen records.

The structure is what two networks must share to be trained by one compiled program; the numbers
may differ from one network to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

from skhp.exceptions import InvalidParameterError
from skhp.objectives.losses import OutputKind

ACTIVATIONS = (
    "celu",
    "elu",
    "exponential",
    "gelu",
    "hard_sigmoid",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "swish",
    "tanh",
)


@dataclass(frozen=True)
class NetworkStructure:
    """Layers of a multilayer perceptron: all that decides the shape of its program."""

    n_inputs: int
    n_outputs: int
    layer_sizes: tuple[int, ...]
    activation: str
    output: OutputKind
    batch_norm: bool
    has_dropout: bool
    has_l2: bool


@dataclass(frozen=True)
class NetworkDescription:
    """A multilayer perceptron: its structure and the numbers that may vary without changing it."""

    structure: NetworkStructure
    dropout: float
    l2: float


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


def describe_network(
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
    structure = NetworkStructure(
        n_inputs=n_inputs,
        n_outputs=n_outputs,
        layer_sizes=layer_sizes(hidden_layers, neurons, n_inputs),
        activation=activation,
        output=output,
        batch_norm=bool(batch_norm),
        has_dropout=bool(dropout > 0),
        has_l2=bool(l2 > 0),
    )
    return NetworkDescription(structure, dropout=float(dropout), l2=float(l2))
