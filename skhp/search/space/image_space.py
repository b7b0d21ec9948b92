"""The suggested space of a convolutional network, whose blocks are limited by the image size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skhp.search.space.entries import (
    Entry,
    KindOfNetwork,
    Level,
    Table,
    batch_size_entry,
    learning_rate_entry,
    rates,
)


class _Grid(NamedTuple):
    """The values that a level searches."""

    learning_rates: tuple[float, ...]
    batch_sizes: tuple[int, ...]
    blocks: tuple[int, ...]
    filters: tuple[int, ...]
    dropout: tuple[float, ...] = ()


_IMAGES: dict[str, _Grid] = {
    "quick": _Grid(rates(1e-2, 1e-4, 3), (32,), (1, 2), (8, 16)),
    "normal": _Grid(rates(1e-2, 1e-4, 5), (32,), (1, 2, 3), (8, 32), (0.0, 0.3)),
    "thorough": _Grid(rates(1e-2, 1e-4, 5), (16, 64), (1, 2, 3), (8, 16, 32), (0.0, 0.2, 0.4)),
}
# A single pixel holds no pattern for a further convolution.
_LEAST_PIXELS = 2


def _sides(X: ArrayLike, image_shape: Any) -> tuple[int, int]:
    """Height and width of the images."""
    shape = np.shape(X)
    if image_shape is not None:
        return int(image_shape[0]), int(image_shape[1])
    return (int(shape[1]), int(shape[2])) if len(shape) > 2 else (1, int(shape[-1]))


def _entries(table: Table, known: Mapping[str, Any], level: Level) -> dict[str, Entry]:
    X, _ = table.sample()
    grid = _IMAGES[level]
    height, width = sides = _sides(X, known["image_shape"])
    fitting = [n for n in grid.blocks if max(sides) >> (n - 1) >= _LEAST_PIXELS] or [1]
    entries = {
        "hidden_layers": Entry(
            fitting,
            f"Each block halves the images of {height} x {width} pixels; the last block still gets "
            f"{_LEAST_PIXELS} pixels or more along the longer side.",
        ),
        "filters": Entry(
            list(grid.filters), "Filters of the first block, doubled where the image halves."
        ),
        "learning_rate": learning_rate_entry(grid.learning_rates),
        "batch_size": batch_size_entry(grid.batch_sizes, table.n_rows, known),
    }
    if grid.dropout:
        reason = "Dropout of the hidden layer behind the blocks, which has most of the weights."
        entries["dropout"] = Entry(list(grid.dropout), reason)
    return entries


CONVOLUTIONAL = KindOfNetwork(
    frozenset({"hidden_layers", "filters", "image_shape", "learning_rate", "batch_size"}),
    _entries,
)
