"""The parts of a file: one JSON document, and the arrays that it refers to by number."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from skhp.exceptions import CannotSaveError, FileRefusedError
from skhp.saving.file_parts.archive import MOST_MEMBERS
from skhp.saving.file_parts.arrays import array_bytes, array_from

DOCUMENT = "estimator.json"
STEPS = "steps.skops"
NAMES = re.compile(r"estimator\.json|steps\.skops|arrays/(?:0|[1-9]\d{0,5})\.npy")


class WrittenParts:
    """Collects the arrays of a file while its document is made."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {}

    def put(self, array: np.ndarray, name: str) -> int:
        """Keep an array; the number by which the document refers to it."""
        number = len(self.members)
        if number > MOST_MEMBERS - 10:
            raise CannotSaveError(f"{name} is one of more than {number} arrays, too many to save.")
        self.members[f"arrays/{number}.npy"] = array_bytes(array, name)
        return number

    def digests(self) -> list[str]:
        """A digest of each array, in the order of their numbers."""
        return [_digest(content) for content in self.members.values()]


class ReadParts:
    """Hands out the arrays of a file, each once."""

    def __init__(self, members: Mapping[str, bytes], digests: Any) -> None:
        names = [name for name in members if name.startswith("arrays/")]
        if names != [f"arrays/{number}.npy" for number in range(len(names))]:
            raise FileRefusedError("has arrays that are not numbered from 0 on")
        if not isinstance(digests, list) or len(digests) != len(names):
            raise FileRefusedError(f"has {len(names)} arrays, and its document is about others")
        for name, digest in zip(names, digests, strict=True):
            if _digest(members[name]) != digest:
                raise FileRefusedError(f"has an array {name!r} that differs from its checksum")
        self._left = {number: members[name] for number, name in enumerate(names)}
        self.total = sum(map(len, self._left.values()))

    def take(self, number: Any) -> np.ndarray:
        """The array of a number, to be taken only once."""
        if type(number) is not int or number not in self._left:
            raise FileRefusedError(
                f"refers to an array {short(number)} that it does not have, or has used already"
            )
        return array_from(self._left.pop(number), f"arrays/{number}.npy")

    def refuse_rest(self) -> None:
        """Refuse a file with arrays that its document does not refer to."""
        if self._left:
            raise FileRefusedError(f"has {len(self._left)} arrays that nothing refers to")


def short(value: Any) -> str:
    """A value as a short text for an error."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def field(document: Any, name: str, *kinds: type) -> Any:
    """A field of a JSON object, of one of these types exactly."""
    if not isinstance(document, dict) or name not in document:
        raise FileRefusedError(f"lacks {name!r} in {short(document)}")
    value = document[name]
    if type(value) not in kinds:
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise FileRefusedError(f"has {name}={short(value)}, where {expected} is expected")
    return value


def only(document: dict[str, Any], *names: str) -> None:
    """Refuse fields of other names."""
    others = document.keys() - set(names)
    if others:
        raise FileRefusedError(f"has fields {short(sorted(others))} that do not belong there")


def whole(document: Any, name: str, least: int = 0, most: int = 2**53) -> int:
    """A whole number within a range, ends included."""
    value: int = field(document, name, int)
    if not least <= value <= most:
        raise FileRefusedError(f"has {name}={value}, which is not from {least} to {most}")
    return value


def one_of(document: Any, name: str, known: Any) -> str:
    """A text out of those that are known."""
    value: str = field(document, name, str)
    if value not in known:
        raise FileRefusedError(f"has {name}={short(value)}; known are {', '.join(sorted(known))}")
    return value
