"""The suggested space of a recurrent network: its size, and the length of its windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

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
    """The values that a level searches; `windows` are shares of the steps of a row."""

    learning_rates: tuple[float, ...]
    batch_sizes: tuple[int, ...]
    layers: tuple[int, ...]
    neurons: tuple[int, ...]
    windows: tuple[float, ...]
    dropout: tuple[float, ...] = ()


_SERIES: dict[str, _Grid] = {
    "quick": _Grid(rates(1e-2, 1e-4, 3), (32,), (1,), (16, 64), (0.5, 1.0)),
    "normal": _Grid(rates(1e-1, 1e-5, 5), (32,), (1, 2), (16, 64), (0.5, 1.0), (0.0, 0.2)),
    "thorough": _Grid(
        rates(1e-1, 1e-5, 5),
        (16, 32, 64),
        (1, 2),
        (16, 32, 128),
        (0.25, 0.5, 1.0),
        (0.0, 0.2, 0.4),
    ),
}


def _entries(table: Table, known: Mapping[str, Any], level: Level) -> dict[str, Entry]:
    X, _ = table.sample()
    grid, n_steps = _SERIES[level], np.shape(X)[1]
    neurons = grid.neurons
    windows = sorted({max(1, int(share * n_steps)) for share in grid.windows})
    units = f"{', '.join(map(str, neurons[:-1]))} and {neurons[-1]}"
    entries = {
        "neurons": Entry(list(neurons), f"{units} units, from a small network to a large one."),
        "time_steps": Entry(
            list(windows), f"The last {windows[0]} up to all {n_steps} steps of a row."
        ),
        "learning_rate": learning_rate_entry(grid.learning_rates),
        "batch_size": batch_size_entry(grid.batch_sizes, table.n_rows, known),
    }
    if len(grid.layers) > 1:
        entries["hidden_layers"] = Entry(list(grid.layers), "One layer, or a second on top of it.")
    if grid.dropout:
        entries["dropout"] = Entry(
            list(grid.dropout), "No dropout, and dropout against overfitting."
        )
    return entries


RECURRENT = KindOfNetwork(
    frozenset({"cell", "neurons", "learning_rate", "batch_size", "dropout", "time_steps"}),
    _entries,
)
