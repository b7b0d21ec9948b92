"""Amounts of memory and time as users write them, such as "500MB" and "10min"."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from numbers import Integral, Real
from typing import Any

from skhp.exceptions import InvalidParameterError

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B\s*", re.IGNORECASE)


def bytes_of(given: object) -> int | None:
    """The number of bytes; None if `given` is not an amount of memory.

    Examples
    --------
    >>> bytes_of("500MB"), bytes_of("1GiB"), bytes_of(8000), bytes_of("much")
    (500000000, 1073741824, 8000, None)
    """
    size: float = 0
    if isinstance(given, Integral) and not isinstance(given, bool):
        size = int(given)
    elif isinstance(given, str) and (match := _SIZE.fullmatch(given)):
        number, unit, binary = match.groups()
        if unit or not binary:
            size = float(number) * (1024 if binary else 1000) ** _POWERS[unit.upper()]
    return int(size) if size >= 1 and math.isfinite(size) else None


def as_text(size: int) -> str:
    """A number of bytes as text, with a unit and rounded up.

    Examples
    --------
    >>> as_text(512), as_text(28_600_000_000), as_text(48 * 10**18)
    ('512 bytes', '29 GB', '48,000,000 TB')
    """
    if size < 1000:
        return f"{size} bytes"
    power = min((len(str(size)) - 1) // 3, len(_POWERS) - 1)
    unit = {power: name for name, power in _POWERS.items()}[power]
    # Divided as whole numbers, since a float could overflow.
    return f"{-(-size // 1000**power):,} {unit}B"


_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(sec|min|s|m|h|d)\s*")


def seconds_of_budget(budget: Any, name: str = "time_budget") -> float | None:
    """The seconds of a time that the parameter `name` gives; None for no limit.

    Examples
    --------
    >>> seconds_of_budget("1h 30min")
    5400.0
    """
    seconds = None
    if budget is None:
        return None
    if isinstance(budget, timedelta):
        seconds = budget.total_seconds()
    elif isinstance(budget, Real) and not isinstance(budget, bool):
        seconds = float(budget)
    elif isinstance(budget, str):
        seconds = _seconds_of_text(budget)
    if seconds is None or not seconds > 0:
        raise InvalidParameterError(
            f"{name}={budget!r} is not a time: give seconds above 0, or a text such as "
            '"90s", "10min" or "1h 30min".'
        )
    return seconds


def _seconds_of_text(text: str) -> float | None:
    seconds, end = 0.0, 0
    for part in _PART.finditer(text):
        if part.start() != end:
            return None
        seconds += float(part[1]) * _UNITS[part[2]]
        end = part.end()
    return seconds if end == len(text) and end else None
