"""What the user says about the columns of a table, and what follows for their cells."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import pandas as pd
from pandas.api import types

from skhp.exceptions import TableError
from skhp.shared.nearest_name import nearest_name
from skhp.tables.cell_texts import (
    MOST_WHOLE,
    are_missing,
    as_labels,
    as_measured_or_text,
    as_numbers,
    describe_spellings,
    is_number,
    is_padded,
    looks_missing,
    main_spelling,
    refuse_lost_digits,
    spellings_of_one_label,
    without_quotes,
)
from skhp.tables.columns import are_codes, require_distinct_names

_SHOWN_COLUMNS = 8
_TRUTH = {"true", "false"}
_FIELDS_OF_NAMES = ("drop", "categories", "numbers", "merge_labels", "keep_labels")


@dataclass(frozen=True)
class ColumnWords:
    """What a user says about columns; blanks and quotes around their names may be left out."""

    target: str | None = None  # the column to learn; None is the last one
    drop: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()  # columns of categories, whatever their cells look like
    numbers: tuple[str, ...] = ()  # columns of numbers, such as 007
    missing: tuple[str, ...] = ()  # texts that mean a missing value; numbers in any notation
    merge_labels: tuple[str, ...] = ()  # columns where labels that look alike get one spelling
    keep_labels: tuple[str, ...] = ()  # columns whose labels differ, even if they look alike

    @classmethod
    def given(cls, target: str | None, **names: str | Sequence[str]) -> Self:
        """The words as a user gives them: one name or several."""
        # A single text is one name, not a sequence of letters.
        several = {of: (one,) if isinstance(one, str) else tuple(one) for of, one in names.items()}
        return cls(target, **several)

    def of_columns(self, columns: Sequence[str], table: str) -> ColumnWords:
        """A copy with the names as the table spells them; an unknown name is a TableError."""
        found = {
            field: tuple(_find_column(name, columns, table) for name in getattr(self, field))
            for field in _FIELDS_OF_NAMES
        }
        target = None if self.target is None else _find_column(self.target, columns, table)
        if target in found["drop"]:
            raise TableError(f"the target {target!r} is also to be dropped: take it out of --drop.")
        for first, second in (("categories", "numbers"), ("merge_labels", "keep_labels")):
            for name in found[first]:
                if name in found[second]:
                    options = [f"--{field.replace('_', '-')}" for field in (first, second)]
                    raise TableError(
                        f"column {name!r} is given to {options[0]} and to {options[1]}: take it "
                        "out of one of them."
                    )
        return replace(self, target=target, **found)

    def about(self, columns: Collection[str]) -> ColumnWords:
        """A copy for a table of these columns only, from which nothing is to be dropped."""
        kept = {
            field: tuple(name for name in getattr(self, field) if name in columns)
            for field in _FIELDS_OF_NAMES
        }
        return replace(self, target=self.target, **(kept | {"drop": ()}))


def kept_columns(
    frame: pd.DataFrame, words: ColumnWords, table: str, *, is_text: bool
) -> tuple[pd.DataFrame, ColumnWords]:
    """The columns that are not dropped, under distinct names, and the words with these names."""
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    frame = frame.reset_index(drop=True)
    if is_text:
        # pandas' type for text is slow: it creates a new object whenever a cell is read.
        frame = frame.astype(object)
    require_distinct_names(list(frame.columns), table)
    words = words.of_columns(list(frame.columns), table)
    return frame.drop(columns=list(words.drop)), words


def typed_input(
    column: pd.Series, words: ColumnWords, place_of_row: Callable[[int], str], is_text: bool
) -> pd.Series:
    """An input with the type that its cells have, or that the user says they have."""
    name = str(column.name)
    if name in words.numbers:
        typed = as_numbers(column, name, place_of_row)
    elif name in words.categories:
        return as_labels(column) if is_text else column
    else:
        typed = as_measured_or_text(column) if is_text else column
    are_numbers = types.is_numeric_dtype(typed) and not types.is_bool_dtype(typed)
    # A plain float, because numpy cannot compare a float16 to a number as large as MOST_WHOLE.
    if are_numbers and float(typed.abs().max()) >= MOST_WHOLE:
        refuse_lost_digits(column, name, place_of_row)
    return typed


def merge_spellings(
    labels: pd.Series, inputs: pd.DataFrame, categories: Collection[str], words: ColumnWords
) -> tuple[pd.Series, pd.DataFrame, tuple[str, ...]]:
    """Labels and inputs after the merging of spellings, and the names of the merged inputs.

    Spellings of one label are merged where the user says so. In a column about which the user says
    nothing, they are a TableError.
    """
    problems, merged = [], []
    labels = _without_quotes(labels)
    name = str(labels.name)
    groups = spellings_of_one_label(_texts(labels), numbers=name not in words.categories)
    if groups and name in words.merge_labels:
        labels = _merge(labels, groups)
    elif groups and name not in words.keep_labels:
        problems.append(_problem(f"the target {name!r} holds labels", name, labels, groups))
    if name not in words.keep_labels:
        problems += _missing_among_numbers(labels)
    # A column of the copy is replaced, never written to.
    inputs = inputs.copy(deep=False)
    for name in categories:
        # Among categories that the user named, 007 and 7 are two codes.
        of_numbers = name not in words.categories
        groups = spellings_of_one_label(_texts(inputs[name]), numbers=of_numbers)
        if name in words.merge_labels:
            merged.append(name)
            inputs[name] = _merge(inputs[name], groups)
        elif groups and name not in words.keep_labels:
            problem = _problem(f"column {name!r} holds categories", name, inputs[name], groups)
            if are_codes(inputs[name].dropna()):
                problem += f" If they are numbers, add --numbers {name!r}."
            problems.append(problem)
    if problems:
        raise TableError(" Also, ".join(problems))
    return labels, inputs, tuple(merged)


def missing_notes(labels: pd.Series, categories: pd.DataFrame, words: ColumnWords) -> Iterator[str]:
    """A sentence for each text that often means a missing value, and was taken for a label."""
    for column in (labels, *(categories[name] for name in categories)):
        is_target = column is labels
        if str(column.name) in words.keep_labels:
            continue
        for text in _texts(column):
            if looks_missing(text):
                what = "a class of the target" if is_target else "a category of column"
                yield (
                    f"{text!r} is {what} {str(column.name)!r} in {int((column == text).sum())} "
                    f"rows: if it means that the value is missing, add --missing {text!r}."
                )


def useless_notes(frame: pd.DataFrame, words: ColumnWords) -> Iterator[str]:
    """A sentence for each text that is said to mean a missing value and is in no cell."""
    for text in words.missing:
        if text.strip() and not any(are_missing(cells, [text]).any() for _, cells in frame.items()):
            yield f"no cell holds {text!r}, so that --missing {text!r} has no effect."


def code_notes(
    inputs: pd.DataFrame, categories: Collection[str], words: ColumnWords
) -> Iterator[str]:
    """A sentence for each column of numbers that was taken for categories."""
    for name in categories:
        padded = [text for text in _texts(inputs[name]) if is_padded(text)]
        if padded and name not in words.categories:
            yield (
                f"column {name!r} is taken for categories, since {padded[0]!r} begins with a "
                f"zero, as codes do: if it holds numbers, add --numbers {name!r}."
            )


def _texts(column: pd.Series) -> list[str]:
    # A cell of a DataFrame may be any object, such as a list.
    return list(dict.fromkeys(cell for cell in column if isinstance(cell, str)))


def _replaced(column: pd.Series, texts: Mapping[str, str]) -> pd.Series:
    cells = [texts.get(cell, cell) if isinstance(cell, str) else cell for cell in column]
    return pd.Series(cells, index=column.index, name=column.name)


def _problem(what: str, name: str, column: pd.Series, groups: list[list[str]]) -> str:
    return (
        f"{what} that look the same: {describe_spellings(groups, column.value_counts())}. If they "
        f"are, mend the file or add --merge-labels {name!r}; if they are not, add --keep-labels "
        f"{name!r}."
    )


def _merge(column: pd.Series, groups: list[list[str]]) -> pd.Series:
    counts = column.value_counts()
    merged = {text: main_spelling(group, counts) for group in groups for text in group}
    return _replaced(column, merged)


def _without_quotes(labels: pd.Series) -> pd.Series:
    distinct = _texts(labels)
    bare = {text: without_quotes(text) for text in distinct}
    # Some files quote labels that hold a blank. Blanks around a label without quotes stay.
    quoted = {text: label for text, label in bare.items() if text.strip() != label}
    if len({quoted.get(text, text).strip() for text in distinct}) < len(distinct):
        return labels
    return _replaced(labels, quoted)


def _missing_among_numbers(labels: pd.Series) -> list[str]:
    distinct = _texts(labels)
    missing = [text for text in distinct if looks_missing(text)]
    others = [text for text in distinct if text not in missing]
    bare = [without_quotes(text) for text in others]
    are_typed = all(map(is_number, bare)) or {text.casefold() for text in bare} <= _TRUTH
    if not missing or not others or not are_typed:
        return []
    name, text = str(labels.name), missing[0]
    return [
        f"the target {name!r} holds {bare[0]!r} and {text!r} ({int((labels == text).sum())} rows): "
        f"if {text!r} means that the value is missing, add --missing {text!r}; if it is a class of "
        f"its own, add --keep-labels {name!r}."
    ]


def _find_column(name: str, columns: Sequence[str], table: str) -> str:
    """The column that a name means; blanks and quotes may differ if only one column fits."""
    if name in columns:
        return name
    alike = [column for column in columns if _bare(column) == _bare(name)]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise TableError(
            f"{name!r} may be any of the columns {', '.join(map(repr, alike))} of {table}: give "
            "the name with its blanks and quotes."
        )
    # nearest_name tells capitals from small letters; a user does not.
    meant = next((column for column in columns if column.casefold() == name.casefold()), name)
    shown = ", ".join(map(repr, columns[:_SHOWN_COLUMNS]))
    more = len(columns) - _SHOWN_COLUMNS
    raise TableError(
        f"{table} has no column {name!r}.{nearest_name(meant, columns)} Its columns are {shown}"
        + (f" and {more} more." if more > 0 else ".")
    )


def _bare(name: str) -> str:
    return without_quotes(unicodedata.normalize("NFC", name.strip("\ufeff\u200b")))
