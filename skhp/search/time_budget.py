"""How long a search may take, as people write it."""

from __future__ import annotations

import re
from datetime import timedelta
from numbers import Real
from typing import Any

from skhp.exceptions import InvalidParameterError

_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(sec|min|s|m|h|d)\s*")


def seconds_of_budget(budget: Any) -> float | None:
    """Seconds of a time budget.

    Parameters
    ----------
    budget : float, str, timedelta or None
        Seconds, or a text such as "10min", "1.5h" or "1h 30min".

    Returns
    -------
    float or None
        None for no limit.

    Raises
    ------
    InvalidParameterError
        If it is no time above 0.

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
            f"time_budget={budget!r} is no time: give seconds above 0, or a text such as "
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
