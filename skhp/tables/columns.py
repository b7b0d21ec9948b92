"""Tell columns of numbers from columns of categories, and refuse what is neither."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

import numpy as np
import pandas as pd
from pandas.api import types

from skhp.exceptions import TableError
from skhp.tables.cell_texts import are_meant_as_numbers, is_meant_as_number, is_number, is_padded

_SHOWN_TYPES = 3
_LARGEST = float(np.finfo(np.float32).max)

_DATE = re.compile(
    r"""\s*(
        \d{4}[-/.]\d{1,2}[-/.]\d{1,2}        # 2026-01-31, with or without a time
        | \d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}    # 31.1.2026
        | \d{1,2}[- ][A-Za-z]{3,9}[-, ]+\d{2,4} | [A-Za-z]{3,9}[ ]\d{1,2},?[ ]\d{4}
        | \d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([aApP][mM])?\s*$
    )""",
    re.VERBOSE,
)


def sort_columns(
    inputs: pd.DataFrame,
    categories: Collection[str] = (),
    place_of_row: Callable[[int], str] = "row {}".format,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the columns of numbers, and names of the columns of categories.

    Truth values are categories, and so is text whose values occur at least twice each on average.
    Text of which more than half is meant as numbers is a spoiled column of numbers, unless all
    cells are numbers and some have leading zeros: these are codes.

    A column is refused if it holds no value, text that is neither numbers nor categories, numbers
    that float32 cannot hold, or values of another type, such as dates.
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
            refuse_beyond_float32(name, cells, place_of_row)
            numbers.append(str(name))
    return tuple(numbers), tuple(sorted_categories)


def _is_category(
    name: object, cells: pd.Series, user_says_so: bool, place_of_row: Callable[[int], str]
) -> bool:
    kind = types.infer_dtype(cells)
    if kind in ("boolean", "categorical"):
        return True
    if kind in ("integer", "floating", "mixed-integer-float"):
        return user_says_so
    if kind != "string":
        raise TableError(
            f"column {name!r} holds {describe_type(cells, place_of_row)}, neither numbers nor "
            f"text: turn it into one of them, or leave it out with --drop {name!r}."
        )
    if not user_says_so:
        # A column of numbers only, some with leading zeros, holds codes.
        if not are_codes(cells):
            _refuse_spoiled_numbers(name, cells, place_of_row)
            _refuse_dates(name, cells, place_of_row)
        _refuse_text_that_rarely_repeats(name, cells)
    return True


def are_codes(cells: pd.Series) -> bool:
    """Whether all texts are numbers, and at least one of them has a leading zero."""
    distinct = cells.unique()
    return all(map(is_number, distinct)) and any(map(is_padded, distinct))


def describe_type(cells: pd.Series, place_of_row: Callable[[int], str] = "row {}".format) -> str:
    """Words for the type of cells that are neither numbers, text nor truth values."""
    if types.is_datetime64_any_dtype(cells.dtype) or types.infer_dtype(cells).startswith("date"):
        return f"dates (its type is {cells.dtype})"
    kinds = {type(value): row for row, value in reversed(list(cells.items()))}
    if len(kinds) == 1:
        (kind,) = kinds
        return f"values of type {kind.__name__} (its type is {cells.dtype})"
    shown = sorted(kinds.items(), key=lambda kind_and_row: kind_and_row[1])[:_SHOWN_TYPES]
    examples = [f"{kind.__name__} {cells[row]!r} in {place_of_row(row)}" for kind, row in shown]
    return f"values of several types ({', '.join(examples)})"


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
    if not are_meant_as_numbers(cells):
        return
    spoiled = [text for text in cells.unique() if not is_number(text)]
    # The first row, if none is spoiled: a Parquet file may hold plain numbers as text.
    row = cells.index[int(np.argmax(cells.isin(spoiled).to_numpy()))]
    text, place = cells[row], f"{place_of_row(row)} holds the text {cells[row]!r}"
    if spoiled:
        mend = "put a number there, with a decimal point and nothing else, or leave it empty"
        if not is_meant_as_number(text):
            mend += f"; if {text!r} means a missing value, add --missing {text!r}"
        raise TableError(
            f"column {name!r} is numbers for the most part, but {place}: {mend}; if the column is "
            f"categories, add --categories {name!r}."
        )
    raise TableError(
        f"column {name!r} keeps its numbers as text, {place}: add --numbers {name!r}, or, if they "
        f"are categories, --categories {name!r}."
    )


def _refuse_dates(name: object, cells: pd.Series, place_of_row: Callable[[int], str]) -> None:
    if all(map(_DATE.match, cells.unique())):
        row = cells.index[0]
        raise TableError(
            f"column {name!r} holds dates or times, {place_of_row(row)} {cells[row]!r}: turn it "
            f"into a number, such as days since a date, or leave it out with --drop {name!r}; if "
            f"they are categories, add --categories {name!r}; if the rows are the steps of a "
            "series, name the column to forecast with --forecast."
        )


def _refuse_text_that_rarely_repeats(name: object, cells: pd.Series) -> None:
    distinct = cells.nunique()
    if 2 * distinct <= len(cells):
        return
    if are_codes(cells):
        padded = next(text for text in cells if is_padded(text))
        raise TableError(
            f"column {name!r} holds {distinct} different codes in {len(cells)} rows ({padded!r} "
            f"begins with a zero, as codes do): leave it out with --drop {name!r}; if they are "
            f"numbers, add --numbers {name!r}; if they are categories, add --categories {name!r}."
        )
    raise TableError(
        f"column {name!r} holds {distinct} different texts in {len(cells)} rows, which looks "
        f"like an id, a date or free text: leave it out with --drop {name!r}, turn it into "
        f"numbers, or, if they are categories, add --categories {name!r}."
    )


def refuse_beyond_float32(
    name: object, cells: pd.Series, place_of_row: Callable[[int], str]
) -> None:
    """Raise a TableError for a number that is infinite or that a network cannot compute with."""
    numbers = cells.to_numpy(dtype=float)
    beyond = ~(np.abs(numbers) <= _LARGEST)
    if beyond.any():
        row = cells.index[int(np.argmax(beyond))]
        value = numbers[int(np.argmax(beyond))]
        what = (
            f"is infinite in {place_of_row(row)}"
            if np.isinf(value)
            else f"holds {value:g} in {place_of_row(row)}, which is beyond what a network computes "
            f"with (float32, up to {_LARGEST:.2g})"
        )
        raise TableError(f"column {name!r} {what}: put a number there or leave it empty.")
    _refuse_sentinel(name, cells, numbers, place_of_row)


def _refuse_sentinel(
    name: object, cells: pd.Series, numbers: np.ndarray, place_of_row: Callable[[int], str]
) -> None:
    # If the rows that a scaler learns from do not hold this number, it is scaled beyond float32.
    distances = np.abs(numbers - np.median(numbers))
    usual = numbers[distances <= np.quantile(distances, 0.75)]
    deviation = usual.std()
    far = int(np.argmax(distances))
    if deviation > 0 and distances[far] / deviation > _LARGEST:
        raise TableError(
            f"column {name!r} holds {numbers[far]:g} in {place_of_row(cells.index[far])}, which is "
            f"beyond what a network computes with once it is scaled by {deviation:.2g}, the "
            "standard deviation of the other rows: put a number there or leave it empty."
        )
