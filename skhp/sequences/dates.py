"""The time between the steps of a series, and the gaps in its dates."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype

# The step is taken from the dates at this many places of a series.
_PARTS = 50


class Gap(NamedTuple):
    """The position of the last date before a gap, and the date that was expected after it."""

    position: int
    expected: Any


def as_times(places: Any) -> Any:
    """An index as dates or numbers, which have an order; None if it holds anything else.

    Texts are dates if all of them are written in the order year, month, day.
    """
    if places is None or isinstance(places, pd.DatetimeIndex | pd.PeriodIndex | pd.TimedeltaIndex):
        return places
    if is_bool_dtype(places.dtype) or isinstance(places.dtype, pd.CategoricalDtype):
        return None
    if is_numeric_dtype(places.dtype):
        return places
    try:
        return pd.DatetimeIndex(pd.to_datetime(places, format="ISO8601"))
    except (TypeError, ValueError):
        return None


def gaps(dates: Any) -> list[Gap]:
    """The gaps in sorted dates or numbers; only two of them have none, as no step is known."""
    if is_numeric_dtype(dates.dtype):
        return _gaps_of_numbers(np.asarray(dates, dtype=float), dates)
    if isinstance(dates, pd.PeriodIndex):
        expected = dates[:-1] + 1
    elif len(dates) < 3 or _frequency(dates) is not None:
        return []
    else:
        expected = dates[:-1] + step_of(dates)
    wrong = np.flatnonzero(dates[1:] != expected).tolist()
    return [Gap(position, expected[position]) for position in wrong]


def _gaps_of_numbers(numbers: np.ndarray, given: Any) -> list[Gap]:
    if len(numbers) < 3:
        return []
    steps = np.diff(numbers)
    sizes, counts = np.unique(steps, return_counts=True)
    step = sizes[counts.argmax()]
    # Numbers such as 0.1, 0.2, 0.3 are not equally spaced to the last bit.
    wrong = np.flatnonzero(~np.isclose(steps, step, rtol=1e-6, atol=0)).tolist()
    whole = is_integer_dtype(given.dtype)
    return [
        Gap(place, int(numbers[place] + step) if whole else numbers[place] + step)
        for place in wrong
    ]


def step_of(dates: Any) -> Any:
    """The most frequent step of three or more dates: a calendar step, like a month, or a time."""
    calendar = _calendar_step(dates)
    if calendar is not None:
        return calendar
    return (dates[1:] - dates[:-1]).to_series().mode().iloc[0]


def _calendar_step(dates: Any) -> Any:
    """The most frequent calendar step, such as a month; None if there is none."""
    if not isinstance(dates, pd.DatetimeIndex):
        return None
    # Three dates give the step at one place; the most frequent of several places is taken.
    starts = np.linspace(0, len(dates) - 3, min(_PARTS, len(dates) - 2)).astype(int)
    found = (_frequency(dates[start : start + 3]) for start in starts)
    counts = Counter(step for step in found if step is not None)
    if counts and pd.offsets.Day() in counts and (dates.day_of_week < 5).all():
        return pd.offsets.BusinessDay()
    return counts.most_common(1)[0][0] if counts else None


def _frequency(dates: Any) -> Any:
    # pandas 3.1 warns that a later version returns an offset instead of its name.
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        named = pd.infer_freq(dates)
    return None if named is None else pd.tseries.frequencies.to_offset(named)
