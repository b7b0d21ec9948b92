"""What the texts of cells mean: numbers, missing values, labels and their spellings.

A file of text is read as text. Only here do its cells become numbers or truth values, and only
where nothing is lost by it: ``007`` is not 7, and a class called ``None`` is a class.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd
from pandas.api import types

from skhp.exceptions import TableError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_PADDED = re.compile(r"[+-]?0\d", re.ASCII)
_TRUTH = {"true": True, "false": False}
_QUOTES = {"'": "'", '"': '"', "`": "`", "\u2018": "\u2019", "\u201c": "\u201d"}

# What pandas takes for missing. Among numbers and truth values these texts mean nothing else.
_MISSING = {
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
}
_LOOKS_MISSING = {text.casefold() for text in _MISSING}
_LOOKS_MISSING |= {"", "?", "-", "--", ".", "missing", "nil"}

# Ways to write a number that are refused, because they could mean two things.
_THOUSANDS = re.compile(r"(?<=\d)[\s,.'\u2019_](?=\d{3}(?!\d))")
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]+")
_UNITS = "$\u20ac\u00a3\u00a5% \u00a0"

_MOST_DIGITS = 300
_SHOWN_DIGITS = 40
# A float cannot hold every whole number beyond this one.
MOST_WHOLE = 2**53


def is_number(text: str) -> bool:
    """Whether a text is a finite number, written with a decimal point."""
    return _NUMBER.fullmatch(text.strip()) is not None


def is_infinite(text: str) -> bool:
    """Whether a text is an infinite number."""
    return _INFINITE.fullmatch(text.strip()) is not None


def is_padded(text: str) -> bool:
    """Whether a number is written with a leading zero, as codes are and numbers are not."""
    return _PADDED.match(text.strip()) is not None and is_number(text)


def is_meant_as_number(text: str) -> bool:
    """Whether a text is a number in one of the many ways to write one."""
    plain = _THOUSANDS.sub("", without_quotes(text).strip(_UNITS).replace("\u2212", "-"))
    return _HEXADECIMAL.fullmatch(plain) is not None or is_number(plain.replace(",", "."))


def means_missing(text: object) -> bool:
    """Whether pandas takes a text for a missing cell, unless it is told otherwise."""
    return isinstance(text, str) and text.strip() in _MISSING


def looks_missing(text: str) -> bool:
    """Whether a text often means a missing value."""
    return text.strip().casefold() in _LOOKS_MISSING


def without_quotes(text: str) -> str:
    """A text without the blanks and the quotes that surround it."""
    text = text.strip()
    while len(text) > 2 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def with_missing_cells(column: pd.Series, missing: Collection[str] = ()) -> pd.Series:
    """A column in which empty cells, and those that `missing` names, are missing."""
    return column.mask(are_missing(column, [*missing, ""]))


def are_missing(column: pd.Series, missing: Collection[str]) -> pd.Series:
    """Which cells are one of the texts in `missing`, or the same number as one of them.

    A text with a leading zero is a code and not a number.
    """
    texts = {text.strip() for text in missing}
    numbers = {float(text) for text in texts if _is_plain_number(text)}
    if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        return _are_some(column, numbers)

    def is_missing(cell: object) -> bool:
        if isinstance(cell, str):
            plain = cell.strip()
            return plain in texts or (
                bool(numbers) and _is_plain_number(plain) and float(plain) in numbers
            )
        is_number = isinstance(cell, Real) and not isinstance(cell, bool | np.bool)
        return bool(numbers) and is_number and cell in numbers

    return pd.Series([is_missing(cell) for cell in column], index=column.index, dtype=bool)


def _are_some(column: pd.Series, numbers: Collection[float]) -> pd.Series:
    """Which cells of a column of numbers are one of some numbers, as the column holds them."""
    if types.is_float_dtype(column.dtype):
        # In a column of float32, -99.9 is the float32 that is nearest to it.
        dtype = getattr(column.dtype, "numpy_dtype", column.dtype)
        with np.errstate(over="ignore"):
            held = np.array(sorted(numbers)).astype(dtype)
        return column.isin(held[np.isfinite(held)]).astype(bool)
    return column.isin([int(number) for number in numbers if number % 1 == 0]).astype(bool)


def as_labels(column: pd.Series) -> pd.Series:
    """Labels as numbers or truth values if each is written in one way only, otherwise as text.

    So labels that differ in the file stay different, and ``007`` stays text.
    """
    if types.infer_dtype(column.dropna()) != "string":
        return column
    distinct = list(column.dropna().unique())
    plain = [text.strip() for text in distinct]
    values: list[float] | list[bool]
    if {text.casefold() for text in plain} <= set(_TRUTH):
        values = [_TRUTH[text.casefold()] for text in plain]
    elif all(is_number(text) and not is_padded(text) for text in plain):
        values = [_value(text) for text in plain]
        if max(map(abs, values)) > MOST_WHOLE:
            return column
    else:
        return column
    if len(set(values)) < len(distinct):
        return column
    return _replaced(column, dict(zip(distinct, values, strict=True)))


def as_measured_or_text(column: pd.Series) -> pd.Series:
    """A column as numbers or truth values if all its cells are these or missing, otherwise as text.

    Numbers with leading zeros are codes and stay text.
    """
    known = column.mask(column.isin([t for t in column.unique() if means_missing(t)])).dropna()
    distinct = list(known.unique())
    if not distinct:
        return column.mask(column.notna())
    plain = {text.strip().casefold() for text in distinct}
    if plain <= set(_TRUTH) and len(plain) == len(distinct):
        values = {text: _TRUTH[text.strip().casefold()] for text in distinct}
        return _replaced(column, values)
    if any(map(is_padded, distinct)):
        return column
    if all(map(_is_number_or_infinite, distinct)):
        return _replaced(column, {text: _value(text) for text in distinct})
    # In a spoiled column of numbers, "NA" is a missing cell; an error has to name another text.
    return known.reindex(column.index) if are_meant_as_numbers(known) else column


def are_meant_as_numbers(cells: pd.Series) -> bool:
    """Whether most of the texts are numbers, whatever their notation."""
    meant = [text for text in cells.unique() if is_meant_as_number(text)]
    return bool(2 * cells.isin(meant).sum() > len(cells))


def as_numbers(
    column: pd.Series, name: str, place_of_row: Callable[[int], str] = "row {}".format
) -> pd.Series:
    """The numbers of a column of text that is said to hold numbers."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = pd.Series(np.asarray(column), index=column.index, name=column.name)
    if types.infer_dtype(column.dropna()) != "string":
        return column
    distinct = [text for text in column.dropna().unique() if text.strip() not in _MISSING]
    spoiled = [text for text in distinct if not _is_number_or_infinite(text)]
    if spoiled:
        row = column.index[int(np.argmax(column.isin(spoiled).to_numpy()))]
        raise TableError(
            f"column {name!r} is said to be numbers, but {place_of_row(row)} holds the text "
            f"{column[row]!r}: put a number there (with a decimal point), leave it empty, or take "
            f"{name!r} out of --numbers."
        )
    return _replaced(column, {text: _value(text) for text in distinct})


def refuse_lost_digits(
    column: pd.Series, name: str, place_of_row: Callable[[int], str] = "row {}".format
) -> None:
    """Raise a TableError for a whole number that changes when it becomes a float."""
    if types.is_float_dtype(column.dtype):
        return
    for text in column.dropna().unique():
        if _loses_digits(text):
            row = column.index[int(np.argmax(column.isin([text]).to_numpy()))]
            raise TableError(
                f"column {name!r} holds {str(text).strip()[:_SHOWN_DIGITS]} in "
                f"{place_of_row(row)}, more digits than a number keeps: if it is an id, leave it "
                "out with "
                f"--drop {name!r}, or, if it is categories, add --categories {name!r}."
            )


def _loses_digits(value: object) -> bool:
    text = str(value).strip()
    # Python takes long to read such an int, and a float cannot hold it.
    return _WHOLE.fullmatch(text) is not None and (
        len(text) > _MOST_DIGITS or int(float(text)) != int(text)
    )


def _is_plain_number(text: str) -> bool:
    return is_number(text) and not is_padded(text)


def _is_number_or_infinite(text: str) -> bool:
    return is_number(text) or is_infinite(text)


def _value(text: str) -> float:
    text = text.strip()
    if _WHOLE.fullmatch(text) and abs(int(text)) <= MOST_WHOLE:
        return int(text)
    return float(text)


def _replaced(column: pd.Series, values: dict[str, float] | dict[str, bool]) -> pd.Series:
    # pandas infers the type of a list of values as it does when it reads a file.
    cells = pd.Series([values.get(text, np.nan) for text in column], index=column.index)
    return cells.rename(column.name)


_SHOWN_GROUPS = 3
_SHOWN_SPELLINGS = 4

# Letters of other scripts that no reader can tell from Latin ones, and the many dashes.
_LETTERS = (
    # Cyrillic
    "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422"
    "\u0425\u0423\u0430\u0435\u0455\u0456\u0458\u043e\u0440\u0441\u0443\u0445"
    # Greek
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5"
    "\u03a7\u03bf"
)
_DASHES_AND_APOSTROPHES = "\u2010\u2011\u2012\u2013\u2014\u2212\u2018\u2019"
_LOOK_ALIKES = str.maketrans(
    _LETTERS + _DASHES_AND_APOSTROPHES,
    "ABESIJKMHOPCTXYaesijopcyxABEZHIKMNOPTYXo" + 6 * "-" + 2 * "'",
)


def spelling_key(text: str, *, numbers: bool = True) -> object:
    """A key that all spellings of one label share.

    With `numbers`, texts that are the same number, such as 1 and 1.0, are spellings of one label.
    """
    # The look-alikes are replaced again in small letters: some are alike in one case only.
    plain = unicodedata.normalize("NFKC", text).translate(_LOOK_ALIKES)
    plain = without_quotes("".join(letter for letter in plain if not _is_invisible(letter)))
    if numbers and is_number(plain):
        return Decimal(plain)
    return unicodedata.normalize("NFKC", plain.casefold()).translate(_LOOK_ALIKES).rstrip(".")


def spellings_of_one_label(labels: Iterable[object], *, numbers: bool = True) -> list[list[str]]:
    """Groups of two or more texts with the same key, each group sorted."""
    groups: dict[object, list[str]] = {}
    for label in labels:
        if isinstance(label, str):
            groups.setdefault(spelling_key(label, numbers=numbers), []).append(label)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def main_spelling(group: Iterable[str], counts: Mapping[str, int] | pd.Series) -> str:
    """The most frequent spelling, the shortest of equals, without blanks and quotes around it."""
    most = max(sorted(group), key=lambda text: (int(counts[text]), -len(text)))
    return without_quotes(unicodedata.normalize("NFC", most))


def describe_spellings(groups: list[list[str]], counts: Mapping[str, int] | pd.Series) -> str:
    """Words for the spellings of each group and their numbers of rows."""
    described = []
    for group in groups[:_SHOWN_GROUPS]:
        texts = [_shown(text) for text in group[:_SHOWN_SPELLINGS]]
        numbers = [str(int(counts[text])) for text in group[:_SHOWN_SPELLINGS]]
        numbers[0] += " row" if numbers[0] == "1" else " rows"
        parts = [f"{text} ({n})" for text, n in zip(texts, numbers, strict=True)]
        more = len(group) - len(parts)
        if more:
            parts.append(f"{more} more")
        described.append(f"{', '.join(parts[:-1])} and {parts[-1]}")
    if len(groups) > _SHOWN_GROUPS:
        described.append(f"{len(groups) - _SHOWN_GROUPS} more such groups")
    return "; ".join(described)


def _shown(text: str) -> str:
    # Letters that look the same on the screen differ in their code points.
    return repr(text) if text.isascii() else f"{text!r} = {text!a}"


def _is_invisible(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) in ("Cf", "Cc")
