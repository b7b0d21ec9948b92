"""Read the columns of a Parquet file that are used, one by one, with the types of the file.

pandas would read all columns, hold them twice on the way, turn decimals and days into objects, and
whole numbers beside missing cells into floats that lose digits.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from skhp.exceptions import TableError
from skhp.tables.cell_texts import MOST_WHOLE
from skhp.tables.column_words import ColumnWords
from skhp.tables.columns import require_distinct_names

ENDINGS = (".parquet", ".pq")

_MAGIC = b"PAR1"
_INDEX = re.compile(r"__index_level_\d+__")
_SAMPLE = 1024
_EXTENSION = b"ARROW:extension:name"


def is_parquet(begin: bytes) -> bool:
    """Whether a file with these first bytes is Parquet, whatever its name."""
    # The first field of the headers that follow the magic bytes always begins with this byte.
    return begin.startswith(_MAGIC + b"\x15")


def read_parquet(
    path: Path, words: ColumnWords, *, of_series: bool = False
) -> tuple[pd.DataFrame, ColumnWords]:
    """The columns that are not dropped, and the words about them, under the names of the file.

    A column of a table that holds neither numbers nor text nor truth values is refused before
    anything is read. An index that pandas has stored is left out of a table, and comes first in a
    series, as it holds the dates.
    """
    _check_bytes(path)
    try:
        with pq.ParquetFile(path) as file:
            names, words = _used_columns(file.schema_arrow, words, path, of_series=of_series)
            columns = {shown: _read_column(file, path, name) for shown, name in names.items()}
            n_rows = file.metadata.num_rows
    except TableError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise TableError(
            f"{str(path)!r} cannot be read as Parquet ({reason}): save the table again, as Parquet "
            "or CSV."
        ) from error
    # A column for itself is not copied into a block of all columns of its type.
    frame = pd.DataFrame(columns, index=pd.RangeIndex(n_rows), copy=False)
    return frame, words


def _check_bytes(path: Path) -> None:
    with path.open("rb") as file:
        begin = file.read(_SAMPLE)
        size = file.seek(0, 2)
        file.seek(max(0, size - len(_MAGIC)))
        end = file.read()
    if not begin:
        raise TableError(f"{str(path)!r} is empty: give a file with column names and rows.")
    if begin.startswith(b"PARE") or end == b"PARE":
        raise TableError(f"{str(path)!r} is encrypted: save the table without encryption.")
    if not begin.startswith(_MAGIC):
        mend = "save the table again, as Parquet or CSV"
        if b"\0" not in begin and b"," in begin:
            mend = "if it is CSV, as it seems, rename it to end in .csv"
        raise TableError(
            f"{str(path)!r} cannot be read as Parquet, since it does not begin as such a file "
            f"does: {mend}."
        )
    if end != _MAGIC:
        raise TableError(
            f"{str(path)!r} cannot be read as Parquet, as its end is missing: it is damaged, or is "
            "still being written; copy it or save the table again."
        )


def _used_columns(
    schema: pa.Schema, words: ColumnWords, path: Path, *, of_series: bool
) -> tuple[dict[str, str], ColumnWords]:
    """The names of the columns to read, each with its name in the file, and the words."""
    stored = (schema.pandas_metadata or {}).get("index_columns", [])
    index = [name for name in stored if isinstance(name, str) and name in schema.names]
    names = [name for name in schema.names if name not in index]
    of_file = {name: name for name in names}
    require_distinct_names(names, path.name)
    if of_series:
        unnamed = {name: "index" for name in index if _INDEX.fullmatch(name) and len(index) == 1}
        of_file = {unnamed.get(name, name): name for name in index} | of_file
    words = words.of_columns(list(of_file), path.name)
    of_file = {shown: name for shown, name in of_file.items() if shown not in words.drop}
    if not of_series and of_file:
        target = list(of_file)[-1] if words.target is None else words.target
        for name in of_file:
            _refuse_type(schema.field(name), is_target=name == target)
    return of_file, words.about(of_file)


def _refuse_type(field: pa.Field, *, is_target: bool) -> None:
    kind, name = field.type, field.name
    if _is_extension(field):
        holds, mend = "values of a type of its own", "turn it into numbers or text"
    else:
        if types.is_dictionary(kind):
            kind = kind.value_type
        if _is_plain(kind):
            return
        if types.is_temporal(kind):
            holds = "dates or times"
            mend = "turn it into a number, such as days since a date"
        elif types.is_nested(kind):
            holds = "lists or records, not single values"
            mend = "write each of their parts as a column of its own"
        else:
            holds, mend = "bytes or the like", "turn it into numbers or text"
    if is_target:
        raise TableError(
            f"the target {name!r} holds {holds} (its type is {field.type}): name another column "
            f"with --target, or {mend}."
        )
    series = ""
    if holds == "dates or times":
        series = (
            "; if the rows are the steps of a series, name the column to forecast with --forecast"
        )
    raise TableError(
        f"column {name!r} holds {holds} (its type is {field.type}): {mend}, or leave it out with "
        f"--drop {name!r}{series}."
    )


def _is_extension(field: pa.Field) -> bool:
    # The type of an extension that nobody has registered is that of its storage.
    is_known = isinstance(field.type, pa.BaseExtensionType)
    return is_known or _EXTENSION in (field.metadata or {})


def _is_plain(kind: pa.DataType) -> bool:
    return (
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_boolean(kind)
        or types.is_null(kind)
        or _is_text(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _read_column(file: pq.ParquetFile, path: Path, name: str) -> pd.Series:
    field = file.schema_arrow.field(name)
    if _is_extension(field):
        # pandas knows its own extensions, such as periods.
        return pd.read_parquet(path, columns=[name])[name].reset_index(drop=True)
    # The name "a" also reads a column "a.b", as if it were a part of "a".
    cells = file.read(columns=[name]).column(name)
    kind = cells.type
    if types.is_dictionary(kind) and not _is_text(kind.value_type):
        cells = cells.cast(kind.value_type)
        kind = cells.type
    if types.is_decimal(kind):
        cells = _numbers_of_decimals(cells)
        kind = cells.type
    if types.is_null(kind):
        return pd.Series(np.full(len(cells), np.nan))
    if _is_text(kind):
        return _texts(cells)
    if types.is_integer(kind) and cells.null_count:
        return _whole_numbers(cells)
    if types.is_date(kind):
        cells = cells.cast(pa.timestamp("ms"))
    elif types.is_time(kind):
        return _texts(cells.cast(pa.string()))
    return cells.to_pandas()


def _numbers_of_decimals(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    if cells.type.scale <= 0:
        try:
            return cells.cast(pa.int64())
        except pa.ArrowInvalid:
            # Whole numbers of so many digits are ids: as text, they are refused or categories.
            return cells.cast(pa.string())
    # Through text, since Arrow's own numbers differ from the nearest ones in their last bit.
    return cells.cast(pa.string()).cast(pa.float64())


def _texts(cells: pa.ChunkedArray) -> pd.Series:
    """Texts as plain objects, where equal texts share one; NaN where a cell is missing."""
    encoded = cells.dictionary_encode().unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.chunks)
    distinct = np.array([*encoded.dictionary.to_pylist(), np.nan], dtype=object)
    codes = encoded.indices.fill_null(len(distinct) - 1).to_numpy(zero_copy_only=False)
    return pd.Series(distinct[codes], dtype=object)


def _whole_numbers(cells: pa.ChunkedArray) -> pd.Series:
    """Whole numbers with missing cells as floats, unless these lose digits."""
    extremes = pc.min_max(cells).as_py()
    largest = max((abs(value) for value in extremes.values() if value is not None), default=0)
    if largest < MOST_WHOLE:
        return cells.to_pandas()
    of_pandas = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}
    return cells.to_pandas(types_mapper=of_pandas.get)
