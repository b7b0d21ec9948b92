"""Warnings of a preparation, kept for the place where the fit would have given them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def recorded_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Keep every warning, and show none."""
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        yield recorded


def give_warnings(recorded: Sequence[warnings.WarningMessage]) -> None:
    """Give warnings again, from the lines that gave them first."""
    for warning in recorded:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def raise_where_warnings_are_errors(recorded: Sequence[warnings.WarningMessage]) -> None:
    """Raise the first of the warnings that the filters in force make an error."""
    with warnings.catch_warnings(record=True):
        give_warnings(recorded)
