"""Find the column of dates in a table, and read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from skhp.exceptions import TableError
from skhp.tables.cell_texts import are_missing, is_number

# Day and month can be confused only in the notations of the third line.
_DAYS = (
    "ISO8601",
    *("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y"),
    *("%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%m-%d-%Y", "%d-%m-%Y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y"),
)
_MONTHS = ("%Y/%m", "%m/%Y", "%m.%Y", "%m-%Y", "%b-%y", "%b-%Y", "%b %Y", "%B %Y", "%Y-%b", "%Y %b")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H")
_NOTATIONS = (
    *(day + time for time in _TIMES for day in _DAYS if day != "ISO8601" or not time),
    *_MONTHS,
)
_QUARTER = re.compile(r"(\d{4})[- ]?Q([1-4])", re.IGNORECASE)
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AP]M)?", re.IGNORECASE)
_COMPACT = re.compile(r"(1[6-9]|2[0-2])\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_YEAR = re.compile(r"(1[5-9]|2[0-2])\d{2}")
_NAMES_OF_YEARS = ("year", "date", "time", "period", "jahr", "datum")
_SAMPLE = 20
_YEARS_TO_COME = 10


class Dates(NamedTuple):
    """The dates of the rows, and the columns that hold them."""

    of_rows: pd.DatetimeIndex
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """The names of the columns, for messages."""
        return " and ".join(map(repr, self.columns))


def find_dates(frame: pd.DataFrame, place_of_row: Callable[[int], str]) -> Dates | None:
    """The dates of the rows of a table; None if it has no column of dates.

    If several columns hold dates, the first column whose dates are in order is taken, or else the
    first column. Dates that are not in order are combined with a column of times of day. A date
    that is missing or cannot be read raises a TableError.
    """
    found = [
        Dates(_index(_every(read, frame[name], place_of_row)), (str(name),))
        for name, cells in frame.items()
        if (read := _as_dates(cells)) is not None
    ]
    if not found:
        return None
    first = next((dates for dates in found if _in_order(dates.of_rows)), found[0])
    if not _in_order(first.of_rows):
        for name, cells in frame.items():
            if _are_times(cells):
                texts = first.of_rows.strftime("%Y-%m-%d") + " " + cells.str.strip()
                read = _as_dates(pd.Series(list(texts), index=frame.index, name=name))
                if read is not None:
                    return Dates(_index(read), (*first.columns, str(name)))
    return first


def refuse_disorder(dates: Dates, place_of_row: Callable[[int], str]) -> None:
    """Raise a TableError where a date is not later than the one before it."""
    later = dates.of_rows[1:] > dates.of_rows[:-1]
    if later.all():
        return
    row = int(np.argmin(later))
    before, after = (date_text(dates.of_rows[at]) for at in (row, row + 1))
    if dates.of_rows[row + 1] in dates.of_rows[: row + 1]:
        raise TableError(
            f"the rows are out of order: {place_of_row(row + 1)} has the date {after} in column "
            f"{dates.name}, as an earlier row has: give each date once; if the table holds several "
            "series, keep the rows of one of them."
        )
    backwards = " (newest first)" if not later.any() else ""
    raise TableError(
        f"the rows are out of order{backwards}: {place_of_row(row + 1)} has the date {after}, "
        f"which is before {before} in the row above it: sort the rows by {dates.name}, the oldest "
        "first."
    )


def date_text(date: pd.Timestamp) -> str:
    """A date, with its time of day where it has one."""
    return str(date.date() if date == date.normalize() else date)


def _in_order(dates: pd.DatetimeIndex) -> bool:
    return bool((dates[1:] > dates[:-1]).all())


def _index(read: pd.Series) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(read)


def _every(read: pd.Series, cells: pd.Series, place_of_row: Callable[[int], str]) -> pd.Series:
    wrong = read.isna().to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        cell = cells.iloc[row]
        what = f"holds {cell!r}, which is not a date" if pd.notna(cell) else "has no date"
        raise TableError(
            f"column {str(cells.name)!r} holds dates, but {place_of_row(row)} {what}: mend that "
            f"cell, or leave the column out with --drop {str(cells.name)!r}."
        )
    return read


def _as_dates(cells: pd.Series) -> pd.Series | None:
    """The dates in a column, with NaT for other cells; None if most cells are not dates."""
    if types.is_datetime64_any_dtype(cells.dtype):
        return _without_zone(cells)
    if isinstance(cells.dtype, pd.PeriodDtype):
        return cells.dt.to_timestamp()
    known = cells.dropna()
    kind = types.infer_dtype(known)
    if known.empty or kind not in ("string", "integer", "floating", "date", "datetime"):
        return None
    if kind in ("date", "datetime"):
        return _without_zone(pd.to_datetime(cells, utc=True))
    texts = known.map(_plain)
    # Texts that pandas reads as missing do not keep a column of numbers from being dates.
    texts = texts[~are_missing(texts, ("NA", "NaN", "nan", "null", "None"))]
    if not len(texts):
        return None
    readings = _of_numbers(texts) if all(map(is_number, texts)) else _of_texts(texts)
    best = max(readings, key=_quality, default=None)
    if best is None or 2 * int(best.notna().sum()) <= len(known):
        return None
    return best.reindex(cells.index)


def _plain(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _of_numbers(texts: pd.Series) -> Iterator[pd.Series]:
    """Dates from whole numbers like 20260131, or from years if the column's name says so."""
    if all(map(_COMPACT.fullmatch, texts)):
        yield pd.to_datetime(texts, format="%Y%m%d", errors="coerce")
    name = str(texts.name).casefold()
    if any(word in name for word in _NAMES_OF_YEARS) and all(map(_YEAR.fullmatch, texts)):
        yield pd.to_datetime(texts, format="%Y", errors="coerce")


def _of_texts(texts: pd.Series) -> Iterator[pd.Series]:
    quarters = [_QUARTER.fullmatch(text) for text in texts]
    if all(quarters):
        firsts = [f"{of[1]}-{3 * int(of[2]) - 2:02}-01" for of in quarters if of]
        yield pd.Series(pd.to_datetime(firsts), index=texts.index)
        return
    # Most columns of text hold no dates, and a sample of cells shows that quickly.
    sample = texts.iloc[np.linspace(0, len(texts) - 1, min(_SAMPLE, len(texts))).astype(int)]
    for notation in _NOTATIONS:
        if _read(sample, notation).notna().any():
            yield _read(texts, notation)


def _read(texts: pd.Series, notation: str) -> pd.Series:
    # utc=True allows offsets that differ from row to row, as with daylight saving time.
    read = pd.to_datetime(texts, format=notation, errors="coerce", utc=True)
    read = read.dt.tz_localize(None)
    if "%y" not in notation:
        return read
    # A year of two digits that would lie far in the future belongs to the last century.
    latest = pd.Timestamp.now() + pd.DateOffset(years=_YEARS_TO_COME)
    return read.where(~(read > latest), read - pd.DateOffset(years=100))


def _quality(read: pd.Series) -> tuple[int, int, int]:
    """The numbers of dates and of dates in order, and how uniform the steps between them are."""
    dates = read.dropna()
    steps = dates.diff().iloc[1:]
    return len(dates), int((steps > pd.Timedelta(0)).sum()), -steps.nunique()


def _without_zone(cells: pd.Series) -> pd.Series:
    return cells if cells.dt.tz is None else cells.dt.tz_convert(None)


def _are_times(cells: pd.Series) -> bool:
    known = cells.dropna()
    if len(known) < len(cells) or types.infer_dtype(known) != "string":
        return False
    return all(_TIME_OF_DAY.fullmatch(text.strip()) for text in known)
