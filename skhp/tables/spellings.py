"""Find the spellings of one label: texts that differ in blanks, case, a final full stop and alike.

Whether they are one label, only the user can say: nothing is merged without a word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal

import pandas as pd

from skhp.tables.cell_types import is_number, without_quotes

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
    """What all spellings of one label have in common.

    With `numbers`, texts that are the same number, such as 1 and 1.0, are spellings of one label.
    """
    # Look-alikes once more after case: a capital may look like a letter where its small one is not.
    plain = unicodedata.normalize("NFKC", text).translate(_LOOK_ALIKES)
    plain = without_quotes("".join(letter for letter in plain if not _is_invisible(letter)))
    if numbers and is_number(plain):
        return Decimal(plain)
    return unicodedata.normalize("NFKC", plain.casefold()).translate(_LOOK_ALIKES).rstrip(".")


def spellings_of_one_label(labels: Iterable[object], *, numbers: bool = True) -> list[list[str]]:
    """Groups of two texts or more with the same key, each in the order of the alphabet."""
    groups: dict[object, list[str]] = {}
    for label in labels:
        if isinstance(label, str):
            groups.setdefault(spelling_key(label, numbers=numbers), []).append(label)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def main_spelling(group: Iterable[str], counts: Mapping[str, int] | pd.Series) -> str:
    """The most frequent spelling, or the shortest of these, without what surrounds it."""
    most = max(sorted(group), key=lambda text: (int(counts[text]), -len(text)))
    return without_quotes(unicodedata.normalize("NFC", most))


def describe_spellings(groups: list[list[str]], counts: Mapping[str, int] | pd.Series) -> str:
    """The spellings with the number of their rows, as words of a message."""
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
    # What looks the same on the screen is written as its code points.
    return repr(text) if text.isascii() else f"{text!r} = {text!a}"


def _is_invisible(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) in ("Cf", "Cc")
