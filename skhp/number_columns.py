"""Columns that a network cannot take, as they hold text or dates: named, before any training."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import issparse

__all__ = [
    "columns_without_numbers",
    "refuse_columns_not_finite",
    "refuse_columns_without_numbers",
]

_SHOWN = 5
_MEND = (
    "Encode texts as numbers, by a OneHotEncoder or OrdinalEncoder of scikit-learn in a "
    "ColumnTransformer that stands before the network in a pipeline; make numbers, such as days, "
    "of dates; or leave these columns out."
)


def columns_without_numbers(X: Any) -> list[str]:
    """What each column of text or dates is, in words; texts that are numbers count as such.

    Examples
    --------
    >>> columns_without_numbers([[1, "Berlin"], [2, "Bonn"]])
    ["column 1, counted from 0, holds the text 'Berlin'"]
    """
    if issparse(X) or X is None:
        return []
    return [f"{name} {content}" for name, column in _columns(X) if (content := _content(column))]


def refuse_columns_without_numbers(X: Any, taker: str) -> None:
    """Raise ValueError if columns hold text or dates; `taker` is what takes numbers only."""
    columns = columns_without_numbers(X)
    if columns:
        more = f"; and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
        raise ValueError(
            f"{taker} takes numbers, but in X {'; '.join(columns[:_SHOWN])}{more}. {_MEND}"
        )


def refuse_columns_not_finite(X: Any, taker: str) -> None:
    """Raise ValueError if columns of a table hold NaN, or what is infinite as float32."""
    if issparse(X) or np.ndim(X) != 2:
        return
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = np.asarray(X, dtype=np.float32)
    except (TypeError, ValueError):
        return
    counts = (~np.isfinite(numbers)).sum(axis=0)
    if not counts.any():
        return
    names = list(getattr(X, "columns", range(numbers.shape[1])))
    found = [
        f"column {names[k]!r} in {counts[k]} row{'' if counts[k] == 1 else 's'}"
        for k in np.flatnonzero(counts)
    ]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    what = "NaN" if np.isnan(numbers).any() else "infinity or a value too large for float32"
    raise ValueError(
        f"Input X contains {what}: {', '.join(found[:_SHOWN])}{more}. {taker} takes finite numbers "
        "only: put a SimpleImputer of scikit-learn before it in a pipeline, or leave these rows or "
        "columns out."
    )


def _columns(X: Any) -> Iterator[tuple[str, Any]]:
    """Name and content of the columns that may hold something else than numbers."""
    if hasattr(X, "dtypes") and hasattr(X, "iloc"):
        for place, (name, dtype) in enumerate(zip(X.columns, X.dtypes, strict=True)):
            if getattr(dtype, "kind", "O") not in "biufc":
                yield f"column {name!r} of type {dtype}", X.iloc[:, place]
        return
    try:
        array = np.asarray(X)
    except ValueError:
        # Rows of different lengths, of which scikit-learn speaks.
        return
    if array.dtype.kind in "biufc":
        return
    if array.ndim == 2:
        for place in range(array.shape[1]):
            yield f"column {place}, counted from 0,", array[:, place]
    else:
        yield f"an array of the shape {array.shape}", array.ravel()


def _content(column: Any) -> str:
    """What a column holds that is not a number; nothing if all are numbers, or something else."""
    kind = getattr(column.dtype, "kind", "O")
    if kind in "mM":
        return "holds dates" if kind == "M" else "holds durations"
    categories = getattr(column, "cat", None)
    values: Iterable[Any] = column if categories is None else categories.categories
    for value in values:
        if isinstance(value, str | bytes) and not _is_number(value):
            plain = value.item() if isinstance(value, np.generic) else value
            return f"holds the text {plain!r}"
        if isinstance(value, datetime.date | datetime.time | np.datetime64) or (
            type(value).__name__ == "Period"
        ):
            return f"holds the date {value}"
        if isinstance(value, datetime.timedelta | np.timedelta64):
            return f"holds the duration {value}"
    return ""


def _is_number(text: str | bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
