"""A target of numbers, and the rule that tells it from a target of classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from pandas.api import types

from skhp.exceptions import TableError
from skhp.tables.cell_texts import (
    are_meant_as_numbers,
    as_measured_or_text,
    is_infinite,
    is_meant_as_number,
    is_number,
    means_missing,
)
from skhp.tables.column_words import ColumnWords, typed_input
from skhp.tables.columns import refuse_beyond_float32
from skhp.tables.target import MIN_CLASS_ROWS, Target

PlaceOfRow = Callable[[int], str]

TargetKind = Literal["auto", "classes", "numbers"]
TASKS = ("auto", "classes", "numbers")

# More different whole numbers than this are rarely classes.
MOST_CLASSES = 20
# More different whole numbers than this are classes only if each of them is in enough rows.
_FEW_CLASSES = 10
# Two rows at least are scored in each fold.
_FEWEST_ROWS = 8


@dataclass(frozen=True, eq=False)
class NumericTarget:
    """A target of finite numbers, at least two of them different."""

    name: str
    numbers: np.ndarray

    @property
    def learnt(self) -> np.ndarray:
        """What models learn."""
        return self.numbers

    @property
    def in_table(self) -> np.ndarray:
        """The target as it stands in the table."""
        return self.numbers

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes."""
        return False


def is_measured(numbers: np.ndarray) -> bool:
    """Whether numbers are measured, and not the names of classes.

    As for scikit-learn's `type_of_target`, numbers with fractions are measured, unless there are
    only two of them. Whole numbers are measured if there are more than `MOST_CLASSES`, or if there
    are more than ten and one of them is in fewer rows than a class needs.
    """
    distinct, counts = np.unique(numbers, return_counts=True)
    finite = distinct[np.isfinite(distinct)]
    if (finite % 1 != 0).any():
        return len(distinct) > 2
    return len(distinct) > MOST_CLASSES or (
        len(distinct) > _FEW_CLASSES and counts.min() < MIN_CLASS_ROWS
    )


def numbers_to_learn(
    cells: pd.Series,
    words: ColumnWords,
    task: TargetKind,
    place_of_row: PlaceOfRow,
    *,
    is_text: bool,
) -> pd.Series | None:
    """The numbers of a target, NaN where a cell is missing; None if the target has classes.

    `task` decides; with "auto", `is_measured` does. A target that should be learnt as numbers, but
    cannot be, raises a TableError.
    """
    name = str(cells.name)
    if task == "numbers":
        if name in words.categories:
            raise TableError(
                f"the target {name!r} is given to --categories and to be learnt as numbers "
                "(--task numbers): leave out one of them."
            )
        numbers = numbers_of_column(
            cells,
            words,
            place_of_row,
            purpose="is to be learnt as numbers",
            mend="if its values are classes, give --task classes in place of --task numbers",
            is_text=is_text,
        )
    elif task == "classes" or name in words.categories:
        return None
    else:
        typed = as_measured_or_text(cells) if is_text and name not in words.numbers else cells
        if not are_numbers(typed):
            _refuse_spoiled_numbers(typed, place_of_row)
            return None
        if not is_measured(typed.dropna().to_numpy(dtype=float)):
            return None
        # This also refuses numbers of more digits than a float keeps.
        numbers = typed_input(cells, replace(words, numbers=(name,)), place_of_row, is_text)
    _refuse_words_of_classes(name, words)
    return numbers


def encode_numbers(numbers: pd.Series, place_of_row: PlaceOfRow) -> NumericTarget:
    """The target from numbers without missing ones; a TableError if nothing can be learnt."""
    name = str(numbers.name)
    refuse_beyond_float32(name, numbers, place_of_row)
    values = numbers.to_numpy(dtype=float)
    if len(values) < _FEWEST_ROWS:
        raise TableError(
            f"{len(values)} rows have a number in the target {name!r}, and at least "
            f"{_FEWEST_ROWS} are needed to train, stop and test: add rows."
        )
    if len(np.unique(values)) == 1:
        raise TableError(
            f"the target {name!r} is {values[0]:g} in every row, so that there is nothing to "
            "learn: name another column with --target, or add rows with other numbers."
        )
    return NumericTarget(name, values)


def numbers_of_column(
    cells: pd.Series,
    words: ColumnWords,
    place_of_row: PlaceOfRow,
    *,
    purpose: str,
    mend: str,
    is_text: bool,
) -> pd.Series:
    """The numbers of a column that has to hold numbers, even if they have leading zeros."""
    name = str(cells.name)
    words = replace(words, numbers=(name,))
    found = first_text(cells, place_of_row)
    if found or not are_numbers(typed := typed_input(cells, words, place_of_row, is_text)):
        where, text = found or (place_of_row(0), np.asarray(cells.iloc[:1], object).item())
        raise TableError(
            f"the column {name!r} {purpose}, but {where} holds {text!r}, which is not a number: "
            "put a number there (with a decimal point), leave it empty, add --missing "
            f"{str(text)!r} if it means that the value is missing; {mend}."
        )
    return typed


def are_numbers(cells: pd.Series) -> bool:
    """Whether a column has a type of numbers; truth values are not numbers."""
    return types.is_numeric_dtype(cells) and not types.is_bool_dtype(cells)


def first_text(cells: pd.Series, place_of_row: PlaceOfRow) -> tuple[str, str] | None:
    """The place of the first text that is not a number, and this text; None if there is none."""
    for row, cell in cells.items():
        if isinstance(cell, str) and not (
            is_number(cell) or is_infinite(cell) or means_missing(cell)
        ):
            return place_of_row(int(row)), cell
    return None


def measured_note(target: NumericTarget) -> str:
    """A sentence that says that a target was taken for numbers, and how to have classes."""
    numbers = target.numbers
    fractions = ", some with fractions" if (numbers % 1 != 0).any() else ""
    return (
        f"the target {target.name!r} is learnt as numbers (regression), since it holds "
        f"{len(np.unique(numbers))} different ones{fractions}: if they are classes, add --task "
        "classes."
    )


def classes_note(target: Target) -> str | None:
    """A sentence about many numbers that were taken for classes; None for other targets."""
    if target.labels.dtype.kind not in "iuf" or len(target.labels) <= _FEW_CLASSES:
        return None
    return (
        f"the target {target.name!r} is learnt as {len(target.labels)} classes: if its numbers are "
        "measured or counted, add --task numbers."
    )


def _refuse_spoiled_numbers(cells: pd.Series, place_of_row: PlaceOfRow) -> None:
    """Refuse texts if most are meant as numbers, and too many of these differ to be classes."""
    name, texts = str(cells.name), cells.dropna()
    if types.infer_dtype(texts) != "string" or not are_meant_as_numbers(texts):
        return
    found = first_text(texts, place_of_row)
    # Spellings are counted in place of numbers, as "12,5", for example, is not read as a number.
    if found is None or not is_measured(pd.factorize(texts[texts.map(is_meant_as_number)])[0]):
        return
    where, text = found
    raise TableError(
        f"the target {name!r} is numbers for the most part, but {where} holds the text {text!r}: "
        "put a number there, with a decimal point and nothing else, or leave it empty; if "
        f"{text!r} means a missing value, add --missing {text!r}; if the values are classes, add "
        "--task classes."
    )


def _refuse_words_of_classes(name: str, words: ColumnWords) -> None:
    for option, columns in (
        ("--merge-labels", words.merge_labels),
        ("--keep-labels", words.keep_labels),
    ):
        if name in columns:
            raise TableError(
                f"{option} {name!r} is about the labels of classes, and the target {name!r} is "
                "learnt as numbers: leave it out or, if the numbers are classes, add "
                "--task classes."
            )
