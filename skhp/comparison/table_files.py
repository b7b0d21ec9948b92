"""Read the file of a table, or say what it is instead."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from skhp.comparison.csv_files import read_csv
from skhp.exceptions import TableError
from skhp.shared.nearest_name import nearest_name

__all__ = ["is_csv", "read_frame"]


def is_csv(path: Path) -> bool:
    """Whether a file has no types, so that its cells are text."""
    return path.suffix.lower() == ".csv"


def read_frame(path: Path, header: bool | None) -> pd.DataFrame:
    """The table of a file; of a CSV file all cells are text, an empty one too."""
    try:
        return _read_frame(path, header)
    except OSError as error:
        raise TableError(
            f"{str(path)!r} cannot be read ({error.strerror or error}): give a file that can."
        ) from error


def _read_frame(path: Path, header: bool | None) -> pd.DataFrame:
    if path.is_dir():
        raise TableError(f"{str(path)!r} is a directory: name a CSV or Parquet file in it.")
    if not path.exists():
        siblings = path.parent.iterdir() if path.parent.is_dir() else ()
        suggestion = nearest_name(path.name, [sibling.name for sibling in siblings])
        raise TableError(
            f"no such file: {str(path)!r}.{suggestion} Give the path of a CSV or Parquet file."
        )
    if not path.is_file():
        # It would be waited for, and it is read more than once.
        raise TableError(f"{str(path)!r} is a pipe or a device: save the table as a file.")
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
