"""What a kind of layer is in a network that parameters describe, before any weights are made."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, ClassVar, Self

import keras
import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.networks.layers.layer import Layer


class LayerSeeds:
    """Seeds for the random parts of the layers of a network, in the order of the layers.

    Weights and noise are counted apart, so that dropout changes no initial weight.

    Parameters
    ----------
    seed : int
        A whole number from 0 up.
    """

    def __init__(self, seed: int) -> None:
        self._sequence = np.random.SeedSequence(seed)
        self._drawn = [0, 0]

    def for_weights(self) -> int:
        """A seed for the initial values of the next array of weights."""
        return self._next(0)

    def for_noise(self) -> int:
        """A seed for the noise of the next layer with dropout."""
        return self._next(1)

    def _next(self, kind: int) -> int:
        place = 2 * self._drawn[kind] + kind
        self._drawn[kind] += 1
        # Keras reduces a seed to 31 bits before use.
        return int(self._sequence.generate_state(place + 1)[-1]) & 0x7FFFFFFF


def width_of_vectors(input_shape: tuple[int, ...], kind: LayerDescription) -> int:
    """Number of units that come into a layer which takes vectors.

    Raises
    ------
    InvalidParameterError
        If rows are not vectors there.
    """
    if len(input_shape) != 1:
        raise InvalidParameterError(
            f"{kind} takes rows that are vectors, and gets rows of the shape {input_shape}: put a "
            "layer before it that makes vectors of them."
        )
    return input_shape[0]


def keras_penalty(l1: float, l2: float) -> keras.regularizers.Regularizer | None:
    """The regulariser of a weight; None where it has no penalty."""
    if l1 > 0:
        return keras.regularizers.L1L2(l1, l2)
    return keras.regularizers.L2(l2) if l2 > 0 else None


class LayerDescription:
    """One layer of a network that parameters describe.

    A kind is a frozen dataclass in the file of its `Layer`. It says what Keras is to build, and by
    which of our layers that is computed; initial weights are those that Keras' layer has.

    Attributes
    ----------
    keras_name : str
        Keras' layers of this kind get this name and a number.
    numbers : tuple of str
        Fields that may differ within one program. Each needs a default, which stands in their place
        in a structure.
    penalties : tuple of (float, float)
        L1 and L2 penalty of each weight; weights that are left out have none.
    dropout : float
        Share that is dropped, where the layer has noise.
    """

    keras_name: ClassVar[str]
    numbers: ClassVar[tuple[str, ...]] = ()

    @property
    def penalties(self) -> tuple[tuple[float, float], ...]:
        """L1 and L2 penalty of each weight."""
        return ()

    @property
    def dropout(self) -> float:
        """Share that is dropped."""
        return 0.0

    def layers(self, input_shape: tuple[int, ...]) -> tuple[Layer, ...]:
        """The layers that do what Keras' layer does, as the reader of that layer returns them."""
        raise TypeError(f"{type(self).__name__} does not define `layers`.")

    def keras_layer(self, name: str, seeds: LayerSeeds) -> keras.layers.Layer:
        """A new layer of Keras, each random part of it with a seed of its own."""
        raise TypeError(f"{type(self).__name__} does not define `keras_layer`.")

    @property
    def structure(self) -> Self:
        """Equal for layers that can share a program."""
        record: Any = self
        varying = [field for field in fields(record) if field.name in self.numbers]
        return replace(record, **{field.name: field.default for field in varying})
