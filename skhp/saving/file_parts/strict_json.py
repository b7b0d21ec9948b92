"""JSON with none of the things that readers of JSON disagree about."""

from __future__ import annotations

import json
import math
from typing import Any

from skhp.exceptions import FileRefusedError

_MOST_DIGITS = 20
_MOST_LEVELS = 100


def json_bytes(value: Any) -> bytes:
    """The bytes of a value of plain types; floats keep all their digits."""
    return json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":")).encode()


def json_value(content: bytes, name: str, most_levels: int = _MOST_LEVELS) -> Any:
    """The value of JSON in ASCII or UTF-8.

    Raises
    ------
    FileRefusedError
        If the text is not JSON; if it holds NaN, infinity, a name twice in one object, or a whole
        number of more than 20 digits; or if it is nested more than `most_levels` deep.
    """

    def refused(what: str) -> FileRefusedError:
        return FileRefusedError(f"has a part {name!r} that {what}")

    def constant(text: str) -> Any:
        raise refused(f"holds {text}, which is not JSON")

    def whole(text: str) -> int:
        if len(text) > _MOST_DIGITS:
            raise refused(f"holds a whole number of {len(text)} digits")
        return int(text)

    def number(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise refused(f"holds {text[:30]}, which is beyond the range of numbers")
        return value

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise refused("names something twice in one object")
        return found

    try:
        text = content.decode("utf-8")
        if _levels(text, most_levels) > most_levels:
            raise refused(f"is nested more than {most_levels} levels deep")
        return json.loads(
            text,
            parse_constant=constant,
            parse_int=whole,
            parse_float=number,
            object_pairs_hook=unique,
        )
    except FileRefusedError:
        raise
    except (ValueError, RecursionError) as error:
        raise refused(f"is not JSON: {error}") from error


def _levels(text: str, enough: int) -> int:
    """An upper bound of the levels of a text, counted without looking into its strings."""
    opened = text.count("[") + text.count("{")
    if opened <= enough:
        return opened
    level = deepest = 0
    within = escaped = False
    for letter in text:
        if within:
            if escaped:
                escaped = False
            elif letter == "\\":
                escaped = True
            elif letter == '"':
                within = False
        elif letter == '"':
            within = True
        elif letter in "[{":
            level += 1
            deepest = max(deepest, level)
        elif letter in "]}":
            level -= 1
    return deepest
