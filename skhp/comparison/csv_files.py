"""Read a CSV file, or name the line at which it stops being a table.

pandas alone fills short lines with missing values, renames doubled columns and takes the first row
of a file without a header for names. So the outline of the file is checked first, by the ``csv``
module, whose reading agrees with that of pandas.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from skhp.comparison.columns import require_distinct_names
from skhp.comparison.errors import TableError

__all__ = ["line_of_row", "read_csv"]

_ENCODING = "utf-8-sig"


def read_csv(path: Path, header: bool | None = None) -> pd.DataFrame:
    """Read a comma-separated file whose lines all have as many cells.

    Parameters
    ----------
    path : Path
        An existing file, UTF-8.
    header : bool, default=None
        Whether the first line holds the column names. None: it does, unless most of it are
        numbers, which is refused. Without a header the columns are named ``column_1`` and so on.

    Returns
    -------
    DataFrame
        As ``pandas.read_csv`` reads it, so that what is learned from it fits what a user reads
        later; a column without a name is called ``Unnamed: 0`` and so on, as there.

    Raises
    ------
    TableError
        If the file is empty, not text, ragged, separated by something else, or has a doubled name.
    """
    names = _check_outline(path, header)
    with warnings.catch_warnings():
        # A date of an unusual form is text here like any other; pandas need not say so.
        warnings.simplefilter("ignore", UserWarning)
        try:
            return pd.read_csv(
                path,
                names=names,
                header=None if header is False else 0,
                index_col=False,
                low_memory=False,
                encoding=_ENCODING,
            )
        except pd.errors.ParserError as error:
            raise TableError(
                f"{str(path)!r} cannot be read as CSV: {str(error).strip()}. Mend that line."
            ) from error


def line_of_row(path: Path, row: int, header: bool | None = None) -> int:
    """The line, counted from 1, at which a row, counted from 0, begins in a CSV file."""
    wanted = row if header is False else row + 1
    for position, (line, _) in enumerate(_lines(path)):
        if position == wanted:
            return line
    raise IndexError(f"{path} has no row {row}")


@contextmanager
def _text_only(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise TableError(
            f"{str(path)!r} is not UTF-8 text, so not a CSV file that can be read: save it as CSV "
            "in UTF-8."
        ) from error
    except csv.Error as error:
        raise TableError(
            f"{str(path)!r} cannot be read as CSV: {error}. Is a quote left open in it?"
        ) from error


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each line that is not blank: the number of the line at which it begins, and its cells."""
    with _text_only(path), path.open(encoding=_ENCODING, newline="") as file:
        reader = csv.reader(file)
        begin = 1
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield begin, cells
            begin = reader.line_num + 1


def _check_outline(path: Path, header: bool | None) -> list[str]:
    lines = _lines(path)
    _, first = next(lines, (0, []))
    if not first:
        raise TableError(f"{str(path)!r} is empty: give a file with column names and rows.")
    if any("\0" in cell for cell in first):
        raise TableError(f"{str(path)!r} is a binary file: save the table as CSV in UTF-8.")
    if len(first) == 1:
        _refuse_one_column(path, first[0])
    for line, cells in lines:
        if len(cells) != len(first):
            raise TableError(
                f"line {line} of {str(path)!r} has {len(cells)} cells, the first line has "
                f"{len(first)}: mend that line (a text with a comma in it needs quotes around it)."
            )
    if header is False:
        return [f"column_{position}" for position in range(1, len(first) + 1)]
    if header is None and sum(map(_is_number, first)) > len(first) / 2:
        raise TableError(
            f"the first line of {str(path)!r} seems to hold values, not column names (it begins "
            f"with {', '.join(first[:3])}): add --no-header if it is a row, --header if it is "
            "names."
        )
    names = [name or f"Unnamed: {position}" for position, name in enumerate(first)]
    require_distinct_names(names, repr(str(path)))
    return names


def _refuse_one_column(path: Path, line: str) -> None:
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if separator in line:
            raise TableError(
                f"the cells of {str(path)!r} seem to be separated by {name}: save it separated by "
                "commas."
            )
    raise TableError(
        f"{str(path)!r} has one column only: a target and at least one more column are needed."
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
