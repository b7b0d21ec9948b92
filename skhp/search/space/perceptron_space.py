"""The suggested space of a multilayer perceptron, by a linear check and the number of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from skhp.search.space.entries import (
    FOLDS,
    Entry,
    KindOfNetwork,
    Level,
    Table,
    batch_size_entry,
    learning_rate_entry,
    rates,
    training_rows,
)
from skhp.search.space.linear_check import LinearCheck, check_linear

# On tables, wider layers cost more time than they gain.
MOST_NEURONS = 512
ROWS_PER_INPUT = 10


class _Grid(NamedTuple):
    """The values that a level searches; `neurons` are multiples of the number of inputs."""

    learning_rates: tuple[float, ...]
    batch_sizes: tuple[int, ...]
    neurons: tuple[float, ...]
    dropout: tuple[float, ...] = ()
    l2: tuple[float, ...] = ()


_FEW, _TWO_THIRDS, _ALL, _TWICE = 1 / 4, 2 / 3, 1.0, 2.0
_ENOUGH_ROWS: dict[str, _Grid] = {
    "quick": _Grid(rates(1e-2, 1e-4, 3), (32,), (_TWO_THIRDS, _TWICE)),
    "normal": _Grid(rates(1e-1, 1e-5, 5), (16, 64), (_FEW, _TWO_THIRDS, _TWICE)),
    "thorough": _Grid(rates(1e-1, 1e-5, 9), (16, 32, 64), (_FEW, 0.5, _TWO_THIRDS, _ALL, _TWICE)),
}
# With few rows, twice as many neurons as inputs overfit.
_FEW_ROWS: dict[str, _Grid] = {
    "quick": _Grid(rates(1e-2, 1e-4, 3), (32,), (_TWO_THIRDS,), (0.0, 0.2)),
    "normal": _Grid(rates(1e-1, 1e-5, 5), (32,), (_FEW, _TWO_THIRDS), (0.0, 0.2), (0.0, 1e-3)),
    "thorough": _Grid(
        rates(1e-1, 1e-5, 5),
        (16, 64),
        (_FEW, _TWO_THIRDS, _ALL),
        (0.0, 0.2, 0.4),
        (0.0, 1e-4, 1e-2),
    ),
}


def _entries(table: Table, known: Mapping[str, Any], level: Level) -> dict[str, Entry]:
    X, y = table.sample()
    n_inputs, n_rows = np.shape(X)[1], table.n_rows
    check = check_linear(X, y, classification=table.is_of_classes)
    few = training_rows(n_rows, known) < ROWS_PER_INPUT * n_inputs
    grid = (_FEW_ROWS if few else _ENOUGH_ROWS)[level]
    entries = {
        "hidden_layers": _hidden_layers_entry(check, level),
        "neurons": _neurons_entry(grid, n_inputs),
        "learning_rate": learning_rate_entry(grid.learning_rates),
        "batch_size": batch_size_entry(grid.batch_sizes, n_rows, known),
    }
    if grid.dropout or grid.l2:
        reason = (
            f"{training_rows(n_rows, known)} rows to train on in each of {FOLDS} folds are fewer "
            f"than {ROWS_PER_INPUT} for each of the {n_inputs} inputs."
        )
        for name, values in (("dropout", grid.dropout), ("l2", grid.l2)):
            if values:
                entries[name] = Entry(list(values), reason)
    return entries


def _hidden_layers_entry(check: LinearCheck | None, level: Level) -> Entry:
    if check is None:
        return Entry([1, 2], "Too few rows to say whether a linear model is enough.")
    compared = (
        f"the {check.metric} of a linear model is {check.linear_score:.3f} and that of "
        f"{check.other_name} {check.other_score:.3f} (standard error of the difference "
        f"{check.standard_error:.3f}, {check.n_folds} folds of {check.n_rows} rows)."
    )
    if check.is_enough:
        # With 0 hidden layers, all numbers of neurons give the same network.
        values = [0, 1] if level == "quick" else [0, 1, 2]
        return Entry(values, f"A hidden layer may not be needed: {compared}")
    return Entry([1, 2], f"One or two, as a linear model is not enough: {compared}")


def _neurons_entry(grid: _Grid, n_inputs: int) -> Entry:
    names = {
        _FEW: "a quarter",
        0.5: "half",
        _TWO_THIRDS: "two thirds",
        _ALL: "all",
        _TWICE: "twice",
    }
    # Rounded down, as with neurons="auto"; 1e-9 is for products with 2 / 3 that are just too small.
    wanted = [max(2, int(share * n_inputs + 1e-9)) for share in grid.neurons]
    sizes = sorted({min(size, MOST_NEURONS) for size in wanted})
    shares = [names[share] for share in grid.neurons]
    listed = f"{', '.join(shares[:-1])} and {shares[-1]}" if len(shares) > 1 else shares[0]
    bounds = ", but at least 2" if min(wanted) == 2 else ""
    bounds += f", but at most {MOST_NEURONS}" if max(wanted) > MOST_NEURONS else ""
    return Entry(sizes, f"{listed.capitalize()} the {n_inputs} inputs{bounds}.")


PERCEPTRON = KindOfNetwork(
    frozenset({"hidden_layers", "neurons", "learning_rate", "batch_size", "dropout", "l2"}),
    _entries,
)
