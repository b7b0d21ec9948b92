"""What a network is made of, as frozen records: a tuple of layers, and what it puts out."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from skhp.networks.layers import ActivationDescription, Layer, LayerDescription
from skhp.objectives.losses import OutputKind

LOGITS_LAYER = "logits"

_OUTPUT_ACTIVATIONS = {"binary": "sigmoid", "multiclass": "softmax"}


class PlacedLayer(NamedTuple):
    """A layer in its place: its name in Keras, what comes into it, and our layers that it is."""

    name: str
    described: LayerDescription
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class NetworkDescription:
    """A network as a stack of layers.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row.
    layers : tuple of LayerDescription
        The last one puts out the logits.
    output : {"binary", "multiclass", "regression"}
        What the logits are of, which decides the activation after them.
    """

    input_shape: tuple[int, ...]
    layers: tuple[LayerDescription, ...]
    output: OutputKind

    @property
    def structure(self) -> NetworkDescription:
        """What two networks must share to be trained by one program: all but numbers."""
        return _structure(self)

    def placed(self) -> Iterator[PlacedLayer]:
        """Walk over the layers, and over the activation that the output has."""
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


# Members of a search are of a few descriptions only.
@functools.lru_cache(256)
def _structure(description: NetworkDescription) -> NetworkDescription:
    layers = tuple(layer.structure for layer in description.layers)
    return replace(description, layers=layers)
