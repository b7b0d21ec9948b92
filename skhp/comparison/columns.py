"""Tell columns of numbers from columns of categories, and refuse what is neither."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import pandas as pd
from pandas.api import types

from skhp.comparison.errors import TableError

__all__ = ["require_distinct_names", "sort_columns"]


def sort_columns(
    inputs: pd.DataFrame,
    categories: Collection[str] = (),
    place_of_row: Callable[[int], str] = "row {}".format,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the columns of numbers and of those of categories.

    Truth values are categories, and so is text whose values come back: at least twice each on
    average. A column of which more than half reads as numbers is one of numbers, spoiled if any of
    it does not.

    Parameters
    ----------
    inputs : DataFrame
        Its index is the position of the row in the file.
    categories : collection of str, default=()
        Columns that are categories whatever is in them.
    place_of_row : callable, default="row {}".format
        What a message calls the row at a position.

    Returns
    -------
    numbers, categories : tuples of str
        In the order of the table.

    Raises
    ------
    TableError
        For a column without any value, of text that is neither numbers nor categories, with
        infinite numbers, or of another type, such as dates.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [30, 41, None, 52], "ward": ["a", "b", "a", "b"]})
    >>> sort_columns(table)
    (('age',), ('ward',))
    """
    numbers, sorted_categories = [], []
    for name, column in inputs.items():
        cells = column.dropna()
        if cells.empty:
            raise TableError(
                f"column {name!r} holds no value at all: fill it, or leave it out with "
                f"--drop {name!r}."
            )
        if _is_category(name, cells, name in categories, place_of_row):
            sorted_categories.append(str(name))
        else:
            _refuse_infinite(name, cells, place_of_row)
            numbers.append(str(name))
    return tuple(numbers), tuple(sorted_categories)


def _is_category(
    name: object, cells: pd.Series, is_said_to_be: bool, place_of_row: Callable[[int], str]
) -> bool:
    kind = types.infer_dtype(cells)
    if kind in ("boolean", "categorical"):
        return True
    if kind in ("integer", "floating"):
        return is_said_to_be
    if kind != "string":
        raise TableError(
            f"column {name!r} holds neither numbers nor text (its type is {cells.dtype}): turn it "
            f"into one of them, or leave it out with --drop {name!r}."
        )
    if not is_said_to_be:
        _refuse_spoiled_numbers(name, cells, place_of_row)
        _refuse_text_that_is_no_category(name, cells)
    return True


def require_distinct_names(names: Sequence[str], table: str) -> None:
    """Raise a TableError if two columns have the same name."""
    for position, name in enumerate(names):
        first = names.index(name)
        if first < position:
            raise TableError(
                f"two columns of {table} are named {name!r} (columns {first + 1} and "
                f"{position + 1}): rename one of them."
            )


def _refuse_spoiled_numbers(
    name: object, cells: pd.Series, place_of_row: Callable[[int], str]
) -> None:
    # A comma for the decimal point is the commonest way to spoil all of a column.
    meant = pd.to_numeric(cells.str.replace(",", ".", regex=False), errors="coerce").notna()
    if 2 * meant.sum() <= len(cells):
        return
    spoiled = pd.to_numeric(cells, errors="coerce").isna()
    # None is spoiled where a Parquet file holds numbers as text.
    row = cells.index[int(np.argmax(spoiled.to_numpy()))]
    raise TableError(
        f"column {name!r} is numbers for the most part, but {place_of_row(row)} holds the text "
        f"{cells[row]!r}: put a number there (with a decimal point) or leave it empty; if the "
        f"column is categories, add --categories {name!r}."
    )


def _refuse_text_that_is_no_category(name: object, cells: pd.Series) -> None:
    distinct = cells.nunique()
    if 2 * distinct > len(cells):
        raise TableError(
            f"column {name!r} holds {distinct} different texts in {len(cells)} rows, which looks "
            f"like an id, a date or free text: leave it out with --drop {name!r}, turn it into "
            f"numbers, or, if they are categories, add --categories {name!r}."
        )


def _refuse_infinite(name: object, cells: pd.Series, place_of_row: Callable[[int], str]) -> None:
    infinite = np.isinf(cells.to_numpy(dtype=float))
    if infinite.any():
        row = cells.index[int(np.argmax(infinite))]
        raise TableError(
            f"column {name!r} is infinite in {place_of_row(row)}: put a number there or leave it "
            "empty."
        )
