"""Read a series from a table with one step per row: the column to forecast, and other channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skhp.exceptions import TableError
from skhp.sequences.dates import gaps, step_of
from skhp.tables.cell_texts import is_padded, with_missing_cells
from skhp.tables.column_words import ColumnWords, kept_columns, typed_input, useless_notes
from skhp.tables.columns import sort_columns
from skhp.tables.dates import Dates, date_text, find_dates, refuse_disorder
from skhp.tables.numeric_target import are_numbers, first_text, numbers_of_column
from skhp.tables.table_files import is_csv, line_of_row, read_frame

_SHOWN_COLUMNS = 6
# If a larger share of the steps differs, the dates have no usual step to name.
_MOST_GAPS = 0.2
_REPEATS_TARGET = 0.95


@dataclass(frozen=True, eq=False)
class Series:
    """A series of steps in the order of time, with the column to forecast."""

    name: str
    values: pd.DataFrame  # a column per channel, including the target; no cell is missing
    target: str
    is_known: np.ndarray  # for each step, whether the table holds its target
    dates: Dates | None = None
    step: Any = None  # the usual time between two steps: an offset of pandas, or a time
    notes: tuple[str, ...] = ()  # sentences on what a user should look at

    @property
    def position(self) -> int:
        """The position of the target among the channels."""
        return self.values.columns.get_loc(self.target)


def read_series(
    path: str | PathLike[str],
    target: str,
    *,
    header: bool | None = None,
    drop: str | Sequence[str] = (),
    numbers: str | Sequence[str] = (),
    missing: str | Sequence[str] = (),
) -> Series:
    """Read a CSV or Parquet file whose rows are the steps of a series.

    The rows have to be in the order of the column of dates, if there is one. Columns of numbers are
    channels; other columns are left out, and a note names them. A missing cell gets the value of
    the row before, and is not forecast.
    """
    path = Path(path)
    words = ColumnWords.given(target, drop=drop, numbers=numbers, missing=missing)

    def place_of_row(row: int) -> str:
        if is_csv(path):
            return f"line {line_of_row(path, row, header)}"
        return f"row {row} (counted from 0)"

    frame, words = read_frame(path, header, words, of_series=True)
    return _taken_apart(frame, words, path.name, place_of_row, is_text=is_csv(path))


def make_series(frame: pd.DataFrame, target: str, *, name: str = "the series") -> Series:
    """Make a series from a DataFrame, as `read_series` does from a file."""
    return _taken_apart(frame, ColumnWords(target), name, "row {}".format, is_text=False)


def _taken_apart(
    frame: pd.DataFrame,
    words: ColumnWords,
    name: str,
    place_of_row: Callable[[int], str],
    *,
    is_text: bool,
) -> Series:
    frame, words = kept_columns(frame, words, name, is_text=is_text)
    target = str(words.target)
    if frame.empty:
        raise TableError(f"{name} has column names but no rows: add rows.")
    notes = list(useless_notes(frame, words))
    if is_text or words.missing:
        frame = pd.DataFrame(
            {of: with_missing_cells(cells, words.missing) for of, cells in frame.items()}
        )
    others = frame.drop(columns=[target, *words.numbers], errors="ignore")
    dates = find_dates(others, place_of_row)
    if dates is not None:
        refuse_disorder(dates, place_of_row)
        frame = frame.drop(columns=list(dates.columns))
    channels = {target: _numbers_of_target(frame[target], words, place_of_row, is_text)}
    left_out: dict[str, str] = {}
    for of, cells in frame.drop(columns=target).items():
        typed = typed_input(cells, words, place_of_row, is_text)
        why = _why_left_out(cells, typed, place_of_row, is_wanted=of in words.numbers)
        if why:
            left_out[str(of)] = why
        else:
            channels[str(of)] = typed
    values = pd.DataFrame({str(of): channels[str(of)] for of in frame if of in channels})
    sort_columns(values, (), place_of_row)
    step = None
    if dates is not None and len(dates.of_rows) >= 3:
        step = step_of(dates.of_rows)
    notes += _gap_notes(dates, step, place_of_row)
    notes += _left_out_notes(left_out)
    values = values.astype(float)
    is_known = values[target].notna().to_numpy()
    # Missing values are filled from earlier steps only, so that no value leaks back in time.
    begins = {of: int(cells.notna().to_numpy().argmax()) for of, cells in values.items()}
    begin = max(begins.values())
    if begin:
        latest = max(begins, key=lambda of: begins[of])
        notes.append(
            f"column {latest!r} has no value before {place_of_row(begin)}, which is the first row "
            "used."
        )
    values = values.iloc[begin:].reset_index(drop=True)
    notes += _missing_notes(values, target)
    values = values.ffill()
    if dates is not None:
        dates = dates._replace(of_rows=dates.of_rows[begin:])
    _refuse_constant(values[target], target)
    notes += _repeating_notes(values, target)
    return Series(name, values, target, is_known[begin:], dates, step, tuple(notes))


def _numbers_of_target(
    cells: pd.Series, words: ColumnWords, place_of_row: Callable[[int], str], is_text: bool
) -> pd.Series:
    name = str(cells.name)
    if cells.isna().all():
        raise TableError(
            f"the column {name!r} holds no value at all: fill it, or name another one with "
            "--forecast."
        )
    return numbers_of_column(
        cells,
        words,
        place_of_row,
        purpose="is to be forecast",
        mend="or name another column with --forecast",
        is_text=is_text,
    )


def _why_left_out(
    cells: pd.Series, typed: pd.Series, place_of_row: Callable[[int], str], *, is_wanted: bool
) -> str | None:
    if cells.isna().all() or typed.isna().all():
        return "it holds no value at all"
    if not are_numbers(typed):
        where, text = first_text(cells, place_of_row) or (place_of_row(0), cells.iloc[0])
        what = "begins with a zero, as codes do" if is_padded(str(text)) else "is not a number"
        return f"{where} holds {text!r}, which {what}"
    if _counts_up(typed) and not is_wanted:
        return "it counts up by the same step from row to row"
    return None


def _counts_up(cells: pd.Series) -> bool:
    steps = np.diff(cells.to_numpy(dtype=float))
    return len(steps) > 1 and bool(steps[0] > 0 and (steps == steps[0]).all())


def _left_out_notes(left_out: dict[str, str]) -> Iterator[str]:
    for name, why in list(left_out.items())[:_SHOWN_COLUMNS]:
        yield f"column {name!r} is left out, as {why}."
    rest = list(left_out)[_SHOWN_COLUMNS:]
    if rest:
        yield f"{len(rest)} more columns are left out, too: {', '.join(map(repr, rest))}."


def _gap_notes(dates: Dates | None, step: Any, place_of_row: Callable[[int], str]) -> Iterator[str]:
    if dates is None:
        yield "no column of dates was found: the rows are taken for equal steps, the oldest first."
        return
    found = gaps(dates.of_rows)
    if not found:
        return
    taken = "the rows are nevertheless taken for equally spaced steps"
    if len(found) > _MOST_GAPS * len(dates.of_rows):
        yield f"the dates in {dates.name} are not equally spaced; {taken}."
        return
    position, expected = found[0]
    several = "a gap" if len(found) == 1 else f"{len(found)} gaps"
    first = "" if len(found) == 1 else ", the first one"
    yield (
        f"the dates in {dates.name} have {several}{first} in {place_of_row(position + 1)}, where "
        f"{date_text(dates.of_rows[position + 1])} stands in place of {date_text(expected)}; "
        f"{taken}."
    )


def _missing_notes(values: pd.DataFrame, target: str) -> Iterator[str]:
    for name, count in values.isna().sum().items():
        if count:
            cells = "1 cell" if count == 1 else f"{count} cells"
            have = "has" if count == 1 else "have"
            more = f" and {'is' if count == 1 else 'are'} not forecast" if name == target else ""
            yield (
                f"{cells} of column {name!r} {'is' if count == 1 else 'are'} missing: "
                f"{'it' if count == 1 else 'they'} {have} the value of the row before{more}."
            )


def _refuse_constant(cells: pd.Series, target: str) -> None:
    if cells.nunique() == 1:
        raise TableError(
            f"the column {target!r} holds {cells.iloc[0]:g} in every row, so that there is nothing "
            "to forecast: name another one with --forecast."
        )


def _repeating_notes(values: pd.DataFrame, target: str) -> Iterator[str]:
    """A sentence for each channel that already holds the next value of the target."""
    later = values[target].to_numpy()[1:]
    for name, cells in values.drop(columns=target).items():
        if np.mean(cells.to_numpy()[:-1] == later) > _REPEATS_TARGET:
            yield (
                f"column {name!r} holds the value that {target!r} has one step later: if it is not "
                f"known in time, leave it out with --drop {name!r}."
            )
