"""Read the table in a file: CSV as text, or the line is named at which it stops being a table.

pandas silently fills short lines with missing values, renames columns of the same name, takes the
first row of a file without a header for names and leaves out what follows a NUL byte. So the bytes
and the number of cells in each line are checked first; the ``csv`` module counts cells as pandas
does.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pandas as pd

from skhp.exceptions import TableError
from skhp.shared.nearest_name import nearest_name
from skhp.tables.cell_texts import is_number
from skhp.tables.column_words import ColumnWords
from skhp.tables.columns import require_distinct_names
from skhp.tables.parquet_files import ENDINGS, is_parquet, read_parquet

_ENCODING = "utf-8-sig"

# UTF-32 comes first, because its marks begin with a mark of UTF-16.
_OTHER_ENCODINGS = (
    ((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "UTF-32"),
    ((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "UTF-16"),
)


def read_csv(
    path: Path, header: bool | None = None, *, may_be_one_column: bool = False
) -> pd.DataFrame:
    """Read a comma-separated file whose lines all have the same number of cells.

    Each cell is text as it stands in the file, an empty cell an empty text. Where `header` is None,
    the first line holds the names, and is refused if most of its cells are numbers; without a
    header the columns are called ``column_1`` and so on. A column without a name is called
    ``Unnamed: 0`` and so on, as pandas calls it.
    """
    _check_bytes(path)
    names = _check_outline(path, header, may_be_one_column)
    try:
        return pd.read_csv(
            path,
            names=names,
            header=None if header is False else 0,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            encoding=_ENCODING,
        )
    except pd.errors.ParserError as error:
        raise TableError(
            f"{str(path)!r} cannot be read as CSV: {str(error).strip()}. Mend that line."
        ) from error


def line_of_row(path: Path, row: int, header: bool | None = None) -> int:
    """The line, counted from 1, at which a row, counted from 0, begins in a CSV file."""
    wanted = row if header is False else row + 1
    for position, (line, *_) in enumerate(_lines(path)):
        if position == wanted:
            return line
    raise IndexError(f"{path} has no row {row}")


def _check_bytes(path: Path) -> None:
    with path.open("rb") as file:
        begin = file.read(5)
        if is_parquet(begin):
            raise TableError(f"{str(path)!r} is a Parquet file: rename it to end in .parquet.")
        for marks, name in _OTHER_ENCODINGS:
            if begin.startswith(marks):
                raise TableError(
                    f"{str(path)!r} is {name}, not UTF-8 text: save it as CSV in UTF-8."
                )
        file.seek(0)
        # No byte of a character in UTF-8 is a line feed, so lines can be looked at one by one.
        for line, content in enumerate(file, start=1):
            if b"\0" in content:
                raise TableError(
                    f"line {line} of {str(path)!r} holds a NUL byte, so it is damaged, a binary "
                    "file, or text in UTF-16: save the table again, as CSV in UTF-8."
                )
            try:
                content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise TableError(
                    f"line {line} of {str(path)!r} is not UTF-8 text: save it as CSV in UTF-8, "
                    "not in an older encoding such as Latin-1."
                ) from error


def _lines(path: Path) -> Iterator[tuple[int, list[str], bool]]:
    """Each row that is not blank: its first line (from 1), its cells, whether it spans lines."""
    begin = 1
    try:
        with path.open(encoding=_ENCODING, newline="") as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                if len(cells) > 1 or (cells and cells[0].strip()):
                    yield begin, cells, reader.line_num > begin
                begin = reader.line_num + 1
    except csv.Error as error:
        raise TableError(
            f"{str(path)!r} cannot be read as CSV from line {begin} on: {error}. Is a quote left "
            "open, or is a quote within a cell not written twice?"
        ) from error


def _check_outline(path: Path, header: bool | None, may_be_one_column: bool) -> list[str]:
    lines = _lines(path)
    _, first, _ = next(lines, (0, [], False))
    if not first:
        raise TableError(f"{str(path)!r} is empty: give a file with column names and rows.")
    _refuse_other_separators(path, first)
    if len(first) == 1 and not may_be_one_column:
        raise TableError(
            f"{str(path)!r} has one column only: a target and at least one more column are needed."
        )
    for line, cells, has_line_ends in lines:
        if len(cells) != len(first):
            mend = "a text with a comma in it needs quotes around it"
            if has_line_ends:
                mend = "it spans several lines: is a quote left open in it?"
            raise TableError(
                f"line {line} of {str(path)!r} has {len(cells)} cells, the first line has "
                f"{len(first)}: mend that line ({mend})."
            )
    if header is False:
        return [f"column_{position}" for position in range(1, len(first) + 1)]
    if header is None and sum(map(is_number, first)) > len(first) / 2:
        raise TableError(
            f"the first line of {str(path)!r} seems to hold values, not column names (it begins "
            f"with {', '.join(first[:3])}): add --no-header if it is a row, --header if it is "
            "names."
        )
    names = [name or f"Unnamed: {position}" for position, name in enumerate(first)]
    require_distinct_names(names, repr(str(path)))
    return names


def _refuse_other_separators(path: Path, first: list[str]) -> None:
    # In a file with another separator, commas within names or numbers make cells, too.
    line = ",".join(first)
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if line.count(separator) >= len(first) and (len(first) == 1 or separator != "|"):
            raise TableError(
                f"the cells of {str(path)!r} seem to be separated by {name}: save it separated by "
                "commas."
            )


def is_csv(path: Path) -> bool:
    """Whether a file is CSV, which has no types, so that its cells are text."""
    return path.suffix.lower() == ".csv"


def read_frame(
    path: Path, header: bool | None, words: ColumnWords, *, of_series: bool = False
) -> tuple[pd.DataFrame, ColumnWords]:
    """The table in a file, and the words about the columns that were read.

    In a CSV file all cells are text, empty ones included. Of a Parquet file, columns that are
    dropped are not read.
    """
    try:
        return _read_frame(path, header, words, of_series)
    except OSError as error:
        raise TableError(
            f"{str(path)!r} cannot be read ({error.strerror or error}): give a file that can be "
            "read."
        ) from error


def _read_frame(
    path: Path, header: bool | None, words: ColumnWords, of_series: bool
) -> tuple[pd.DataFrame, ColumnWords]:
    if path.is_dir():
        _refuse_directory(path)
    if not path.exists():
        siblings = path.parent.iterdir() if path.parent.is_dir() else ()
        suggestion = nearest_name(path.name, [sibling.name for sibling in siblings])
        raise TableError(
            f"no such file: {str(path)!r}.{suggestion} Give the path of a CSV or Parquet file."
        )
    if not path.is_file():
        # A pipe may never end, and the file is read more than once.
        raise TableError(f"{str(path)!r} is a pipe or a device: save the table as a file.")
    ending = path.suffix.lower()
    if ending == ".csv":
        return read_csv(path, header, may_be_one_column=of_series), words
    if ending not in ENDINGS:
        raise TableError(
            f"{str(path)!r} ends in {path.suffix!r}, which is not read here: save the table as "
            ".csv or .parquet."
        )
    if header is not None:
        raise TableError(
            f"{str(path)!r} is a Parquet file, which always has column names: leave out --header "
            "and --no-header."
        )
    return read_parquet(path, words, of_series=of_series)


def _refuse_directory(path: Path) -> NoReturn:
    mend = "name a CSV or Parquet file in it"
    if any(file.suffix.lower() in ENDINGS for file in path.rglob("*")):
        mend += (
            ", or make one file of its Parquet files, with pandas by "
            f"pandas.read_parquet({str(path)!r}).to_parquet('table.parquet')"
        )
    raise TableError(f"{str(path)!r} is a directory: {mend}.")
