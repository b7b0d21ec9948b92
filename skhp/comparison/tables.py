"""Read a table of numbers and categories with a target of two classes or more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import pandas as pd
from pandas.api import types
from sklearn.datasets import load_digits

from skhp.comparison.columns import require_distinct_names, sort_columns
from skhp.comparison.csv_files import line_of_row, read_csv
from skhp.comparison.errors import TableError
from skhp.comparison.target import Target, encode_target
from skhp.suggestions import nearest_name

__all__ = ["Table", "digits_table", "make_table", "read_table"]

_SHOWN_COLUMNS = 8


@dataclass(frozen=True, eq=False)
class Table:
    """Inputs and target of a study.

    Parameters
    ----------
    name : str
        What a report calls it.
    inputs : DataFrame of shape (n_rows, n_columns)
    target : Target
    numbers, categories : tuple of str
        The columns of `inputs` by what they hold.
    target_by_default : bool, default=False
        Whether the target was not named but is the last column.
    n_rows_without_target : int, default=0
        Rows that were left out because their target is missing.
    """

    name: str
    inputs: pd.DataFrame
    target: Target
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    target_by_default: bool = False
    n_rows_without_target: int = 0


def digits_table() -> Table:
    """scikit-learn's bundled handwritten digits as "is it an 8?", which 10% are.

    Examples
    --------
    >>> table = digits_table()
    >>> table.inputs.shape, table.target.rare_label, int(table.target.codes.sum())
    ((1797, 64), 'yes', 174)
    """
    digits = load_digits(as_frame=True)
    is_an_8 = digits.target.eq(8).map({True: "yes", False: "no"})
    target = encode_target(is_an_8, "is it an 8?")
    return Table(
        name="scikit-learn's digits",
        inputs=digits.data,
        target=target,
        numbers=tuple(digits.data.columns),
        categories=(),
    )


def read_table(
    path: str | PathLike[str],
    target: str | None = None,
    *,
    header: bool | None = None,
    drop: Sequence[str] = (),
    categories: Sequence[str] = (),
) -> Table:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : path-like
        Ends in ``.csv`` (commas, UTF-8) or ``.parquet``.
    target : str, default=None
        The column to learn; None is the last one.
    header : bool, default=None
        Whether the first line of a CSV file holds the column names; None refuses a first line that
        looks like values. Without a header the columns are ``column_1``, ``column_2`` and so on.
    drop : sequence of str, default=()
        Columns to leave out.
    categories : sequence of str, default=()
        Columns that are categories although they look like something else, such as numbers.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        If there is no such file or column, or what is in it cannot be used.
    """
    path = Path(path)
    try:
        frame = _read_frame(path, header)
    except OSError as error:
        raise TableError(
            f"{str(path)!r} cannot be read ({error.strerror or error}): give a file that can."
        ) from error

    def place_of_row(row: int) -> str:
        if path.suffix.lower() == ".csv":
            return f"line {line_of_row(path, row, header)}"
        return f"row {row}, counted from 0,"

    return make_table(
        frame,
        target,
        name=path.name,
        drop=drop,
        categories=categories,
        place_of_row=place_of_row,
    )


def make_table(
    frame: pd.DataFrame,
    target: str | None = None,
    *,
    name: str = "the table",
    drop: Sequence[str] = (),
    categories: Sequence[str] = (),
    place_of_row: Callable[[int], str] = "row {}".format,
) -> Table:
    """Take a DataFrame apart into inputs and target.

    Parameters
    ----------
    frame : DataFrame
        Rows whose target is missing are left out.
    target, drop, categories
        As for `read_table`.
    name : str, default="the table"
        What messages and reports call it.
    place_of_row : callable, default="row {}".format
        What a message calls the row at a position counted from 0.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        If there is no such column, or what is in the table cannot be used.

    Examples
    --------
    >>> frame = pd.DataFrame({"age": range(12), "sick": [0, 0, 1] * 4})
    >>> table = make_table(frame)
    >>> table.target.name, table.numbers
    ('sick', ('age',))
    """
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    frame = frame.reset_index(drop=True)
    require_distinct_names(list(frame.columns), name)
    for column in (*drop, *categories, *([] if target is None else [target])):
        _require_column(column, frame, name)
    if target in drop:
        raise TableError(f"the target {target!r} is also to be dropped: take it out of --drop.")
    frame = frame.drop(columns=list(drop))
    _require_content(frame, name)
    chosen = frame.columns[-1] if target is None else target
    known = frame[frame[chosen].notna()]
    if known.empty:
        raise TableError(
            f"the target {chosen!r} holds no value at all: fill it, or name another column with "
            "--target."
        )
    encoded = encode_target(_whole_again(known[chosen]), chosen)
    inputs = known.drop(columns=chosen)
    numbers, sorted_categories = sort_columns(inputs, categories, place_of_row)
    return Table(
        name=name,
        inputs=inputs.reset_index(drop=True),
        target=encoded,
        numbers=numbers,
        categories=sorted_categories,
        target_by_default=target is None,
        n_rows_without_target=len(frame) - len(known),
    )


def _require_content(frame: pd.DataFrame, table: str) -> None:
    n_columns = len(frame.columns)
    if n_columns < 2:
        raise TableError(
            f"{table} has {n_columns} column{'' if n_columns == 1 else 's'} to use: a target and "
            "at least one more column are needed."
        )
    for position, column in enumerate(frame.columns, start=1):
        if column.startswith("Unnamed: "):
            raise TableError(
                f"column {position} of {table} has no name: give it one, or leave it out with "
                f"--drop {column!r}, as row numbers should be."
            )
    if frame.empty:
        raise TableError(f"{table} has column names but no rows: add rows.")


def _whole_again(column: pd.Series) -> pd.Series:
    # Missing values have turned whole numbers into floats; now that their rows are gone, a class
    # is 1 again, not 1.0.
    if types.is_float_dtype(column.dtype) and (column % 1 == 0).all():
        return column.astype("int64")
    return column


def _require_column(column: str, frame: pd.DataFrame, table: str) -> None:
    names = list(frame.columns)
    if column in names:
        return
    # For the nearest name, capitals count as other letters; for a user they are the same.
    meant = next((name for name in names if name.casefold() == column.casefold()), column)
    shown = ", ".join(map(repr, names[:_SHOWN_COLUMNS]))
    more = len(names) - _SHOWN_COLUMNS
    raise TableError(
        f"{table} has no column {column!r}.{nearest_name(meant, names)} Its columns are {shown}"
        + (f" and {more} more." if more > 0 else ".")
    )


def _read_frame(path: Path, header: bool | None) -> pd.DataFrame:
    if path.is_dir():
        raise TableError(f"{str(path)!r} is a directory: name a CSV or Parquet file in it.")
    if not path.exists():
        siblings = path.parent.iterdir() if path.parent.is_dir() else ()
        suggestion = nearest_name(path.name, [sibling.name for sibling in siblings])
        raise TableError(
            f"no such file: {str(path)!r}.{suggestion} Give the path of a CSV or Parquet file."
        )
    match path.suffix.lower():
        case ".csv":
            return read_csv(path, header)
        case ".parquet":
            return _read_parquet(path, header)
        case ending:
            raise TableError(
                f"{str(path)!r} ends in {ending!r}, which is not read here: save the table as "
                ".csv or .parquet."
            )


def _read_parquet(path: Path, header: bool | None) -> pd.DataFrame:
    if header is not None:
        raise TableError(
            f"{str(path)!r} is a Parquet file, which always has column names: leave out --header "
            "and --no-header."
        )
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except ValueError as error:
        raise TableError(
            f"{str(path)!r} cannot be read as Parquet ({str(error).splitlines()[0].rstrip('.')}): "
            "save the table again, as Parquet or CSV."
        ) from error
