"""Read a table of numbers and categories with a target of classes or of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import pandas as pd
from pandas.api import types
from sklearn.datasets import load_digits

from skhp.exceptions import SettingsError, TableError
from skhp.shared.nearest_name import nearest_name
from skhp.tables.cell_texts import MOST_WHOLE, as_labels, as_numbers, with_missing_cells
from skhp.tables.column_words import (
    ColumnWords,
    code_notes,
    kept_columns,
    merge_spellings,
    missing_notes,
    typed_input,
    useless_notes,
)
from skhp.tables.columns import sort_columns
from skhp.tables.leakage import leakage_notes
from skhp.tables.numeric_target import (
    TASKS,
    NumericTarget,
    TargetKind,
    classes_note,
    encode_numbers,
    measured_note,
    numbers_to_learn,
)
from skhp.tables.table_files import is_csv, line_of_row, read_frame
from skhp.tables.target import Target, encode_target


@dataclass(frozen=True, eq=False)
class Table:
    """Inputs and target of a study."""

    name: str
    inputs: pd.DataFrame
    target: Target | NumericTarget
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    target_by_default: bool = False  # no target was named, so it is the last column
    n_rows_without_target: int = 0  # these rows were left out
    merged: tuple[str, ...] = ()  # columns of categories whose spellings were merged
    missing: tuple[str, ...] = ()  # texts that mean a missing value
    notes: tuple[str, ...] = ()  # sentences on what a user should look at


def digits_table() -> Table:
    """scikit-learn's handwritten digits with the target "is it an 8?", true of 10%."""
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
    task: TargetKind = "auto",
    header: bool | None = None,
    drop: str | Sequence[str] = (),
    categories: str | Sequence[str] = (),
    numbers: str | Sequence[str] = (),
    missing: str | Sequence[str] = (),
    merge_labels: str | Sequence[str] = (),
    keep_labels: str | Sequence[str] = (),
) -> Table:
    """Read a CSV or Parquet file.

    A CSV file is read as text. A column becomes numbers if all its cells are numbers and none has a
    leading zero, as codes have. Among numbers, texts such as ``NA`` are missing cells, as pandas
    has it; among texts and classes only an empty cell is missing. The columns of a Parquet file
    have the types of the file, and those to drop are not read. `task` says whether the target
    has classes or is numbers; with "auto", `skhp.tables.numeric_target.is_measured` tells.
    """
    path = Path(path)
    words = ColumnWords.given(
        target,
        drop=drop,
        categories=categories,
        numbers=numbers,
        missing=missing,
        merge_labels=merge_labels,
        keep_labels=keep_labels,
    )

    def place_of_row(row: int) -> str:
        if is_csv(path):
            return f"line {line_of_row(path, row, header)}"
        return f"row {row} (counted from 0)"

    frame, words = read_frame(path, header, words)
    return _taken_apart(frame, words, task, path.name, place_of_row, is_text=is_csv(path))


def make_table(
    frame: pd.DataFrame,
    target: str | None = None,
    *,
    task: TargetKind = "auto",
    name: str = "the table",
    drop: str | Sequence[str] = (),
    categories: str | Sequence[str] = (),
    numbers: str | Sequence[str] = (),
    missing: str | Sequence[str] = (),
    merge_labels: str | Sequence[str] = (),
    keep_labels: str | Sequence[str] = (),
    place_of_row: Callable[[int], str] = "row {}".format,
) -> Table:
    """Take a DataFrame apart into inputs and target."""
    words = ColumnWords.given(
        target,
        drop=drop,
        categories=categories,
        numbers=numbers,
        missing=missing,
        merge_labels=merge_labels,
        keep_labels=keep_labels,
    )
    return _taken_apart(frame, words, task, name, place_of_row, is_text=False)


def _taken_apart(
    frame: pd.DataFrame,
    words: ColumnWords,
    task: TargetKind,
    name: str,
    place_of_row: Callable[[int], str],
    *,
    is_text: bool,
) -> Table:
    if task not in TASKS:
        raise SettingsError(
            f"unknown task {task!r}.{nearest_name(task, TASKS)} Use one of {', '.join(TASKS)}."
        )
    frame, words = kept_columns(frame, words, name, is_text=is_text)
    _require_content(frame, name)
    notes = list(useless_notes(frame, words))
    if is_text or words.missing:
        frame = pd.DataFrame(
            {name: with_missing_cells(cells, words.missing) for name, cells in frame.items()},
            copy=False,
        )
    chosen = frame.columns[-1] if words.target is None else words.target
    if chosen in words.numbers:
        frame = frame.assign(**{chosen: as_numbers(frame[chosen], chosen, place_of_row)})
    if frame[chosen].isna().all():
        raise TableError(
            f"the target {chosen!r} holds no value at all: fill it, or name another column with "
            "--target."
        )
    measured = numbers_to_learn(frame[chosen], words, task, place_of_row, is_text=is_text)
    if measured is not None:
        frame = frame.assign(**{chosen: measured})
    has_target = frame[chosen].notna()
    # Large tables are copied only where rows are left out.
    known = frame if has_target.all() else frame[has_target]
    inputs = pd.DataFrame(
        {
            name: typed_input(cells, words, place_of_row, is_text)
            for name, cells in known.drop(columns=chosen).items()
        },
        copy=False,
    )
    numbers, categories = sort_columns(inputs, words.categories, place_of_row)
    labels, inputs, merged = merge_spellings(known[chosen], inputs, categories, words)
    if is_text:
        notes += code_notes(inputs, categories, words)
    notes += missing_notes(labels, inputs[list(categories)], words)
    encoded: Target | NumericTarget
    if measured is not None:
        encoded = encode_numbers(labels, place_of_row)
        said = measured_note(encoded) if task == "auto" else None
    else:
        labels = as_labels(labels) if is_text else labels
        encoded = encode_target(_whole_again(labels), chosen, place_of_row)
        said = classes_note(encoded) if task == "auto" else None
    inputs = inputs.reset_index(drop=True)
    return Table(
        name=name,
        inputs=inputs,
        target=encoded,
        numbers=numbers,
        categories=categories,
        target_by_default=words.target is None,
        n_rows_without_target=len(frame) - len(known),
        merged=merged,
        missing=words.missing,
        notes=(*([said] if said else []), *notes, *leakage_notes(inputs, encoded)),
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
    # Missing values turned whole numbers into floats. Their rows are gone now, so 1.0 is 1 again.
    if types.is_float_dtype(column.dtype) and column.abs().max() < MOST_WHOLE:
        return column.astype("int64") if (column % 1 == 0).all() else column
    return column
