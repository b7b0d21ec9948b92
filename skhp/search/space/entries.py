"""What the suggested spaces of all kinds of networks share: their types and common entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

Level = Literal["quick", "normal", "thorough"]

FOLDS = 5


class Entry(NamedTuple):
    """The values of a parameter, and a sentence that explains them."""

    values: list[Any]
    reason: str


class Table(NamedTuple):
    """The data that the values depend on.

    `sample` returns `X` and `y` of some rows, as the network gets them after the earlier steps of
    a pipeline, which `sample` fits.
    """

    sample: Callable[[], tuple[Any, Any]]
    n_rows: int
    is_of_classes: bool


class KindOfNetwork(NamedTuple):
    """The parameters by which a kind of network is recognised, and the entries of its space."""

    parameters: frozenset[str]
    entries: Callable[[Table, Mapping[str, Any], Level], dict[str, Entry]]


def rates(highest: float, lowest: float, count: int) -> tuple[float, ...]:
    """Learning rates that are evenly spaced in the logarithm."""
    exponents = np.linspace(np.log10(highest), np.log10(lowest), count)
    return tuple(float(f"{10**exponent:.2g}") for exponent in exponents)


def learning_rate_entry(values: tuple[float, ...]) -> Entry:
    """The entry of learning rates from :func:`rates`."""
    return Entry(
        list(values),
        f"{len(values)} steps from {values[0]:g} to {values[-1]:g}, even in the logarithm.",
    )


def batch_size_entry(wanted: tuple[int, ...], n_rows: int, known: Mapping[str, Any]) -> Entry:
    """The entry of batch sizes, none above the number of rows to train on."""
    most = training_rows(n_rows, known)
    sizes = sorted({min(size, most) for size in wanted})
    return Entry(
        sizes, f"Around 32, but at most the {most} rows to train on in each of {FOLDS} folds."
    )


def training_rows(n_rows: int, known: Mapping[str, Any]) -> int:
    """The number of rows that a network learns from in a fold, without held-out rows."""
    held_out = known.get("validation_fraction", 0.0) if known.get("early_stopping") else 0.0
    return max(1, int(n_rows * (1 - 1 / FOLDS) * (1 - held_out)))
