"""The numbers in which the networks of one cohort may differ, besides their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from skhp.exceptions import CannotJoinError


@dataclass(frozen=True)
class NetworkNumbers:
    """Dropout rates and penalties of a network.

    `dropout` has a rate for each layer with dropout, `l1` and `l2` a penalty for each trainable
    weight.
    """

    dropout: tuple[float, ...]
    l1: tuple[float, ...]
    l2: tuple[float, ...]


def network_numbers(model: keras.Model) -> NetworkNumbers:
    """Dropout rates and penalties of a Keras model.

    Raises
    ------
    CannotJoinError
        If a regulariser is not Keras' own L1, L2 or L1L2.
    """
    penalties = [_penalty(variable.regularizer) for variable in model.trainable_variables]
    return NetworkNumbers(
        dropout=tuple(
            float(layer.rate) for layer in model.layers if type(layer) is keras.layers.Dropout
        ),
        l1=tuple(l1 for l1, _ in penalties),
        l2=tuple(l2 for _, l2 in penalties),
    )


def _penalty(regularizer: Any) -> tuple[float, float]:
    if regularizer is None:
        return 0.0, 0.0
    kind = type(regularizer)
    if kind not in (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2):
        raise CannotJoinError(f"the regulariser {kind.__name__} is none of L1, L2 and L1L2.")
    return float(getattr(regularizer, "l1", 0.0)), float(getattr(regularizer, "l2", 0.0))
