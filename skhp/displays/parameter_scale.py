"""Where the values of a parameter lie on an axis."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from numbers import Real
from typing import Any

import numpy as np

__all__ = ["NOT_SET", "ParameterScale", "is_number", "label_of", "scale_of"]

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 24
# Below this ratio a logarithmic axis shows nothing that a linear one does not.
_LEAST_LOG_RATIO = 10.0
_MOST_LEVELS = 12


class _NotSet(Enum):
    NOT_SET = "not set"


NOT_SET = _NotSet.NOT_SET
"""The value of a parameter in a candidate that does not have it."""


@dataclass(frozen=True)
class ParameterScale:
    """An axis for one parameter.

    Parameters
    ----------
    kind : {"linear", "log", "levels"}
        Levels are the values side by side, numbers ascending.
    labels : tuple of str
        Of the levels; empty for numbers.
    low, high : float
        First and last position that a value has.
    """

    kind: str
    labels: tuple[str, ...]
    low: float
    high: float

    def positions(self, values: Sequence[Any]) -> np.ndarray:
        """Place of each value on the axis; NaN where a number is not set."""
        if self.kind == "levels":
            return np.array([float(self.labels.index(label_of(value))) for value in values])
        return np.array([np.nan if value is NOT_SET else float(value) for value in values])

    def shares(self, values: Sequence[Any]) -> np.ndarray:
        """Place of each value between 0, the first of the axis, and 1, the last."""
        positions, low, high = self.positions(values), self.low, self.high
        if self.kind == "log":
            positions, low, high = np.log(positions), np.log(low), np.log(high)
        return (positions - low) / (high - low) if high > low else np.zeros(len(positions))


def scale_of(values: Sequence[Any], *, levels: bool = False) -> ParameterScale:
    """Choose the axis for the values of a parameter.

    Numbers are on a logarithmic axis where that spreads them more evenly than a linear one. What is
    no number is at levels, and so are a few numbers of which 0 or "not set" stands apart.

    Parameters
    ----------
    values : sequence
        Numbers, anything else, or `NOT_SET`.
    levels : bool, default=False
        Whether numbers, too, are to be at levels.

    Examples
    --------
    >>> scale_of([0.001, 0.01, 0.1]).kind, scale_of([10, 20, 30]).kind, scale_of(["relu"]).kind
    ('log', 'linear', 'levels')
    """
    numbers = [float(value) for value in values if is_number(value)]
    others = {label_of(value) for value in values if not is_number(value)}
    distinct = np.unique(numbers)
    apart = NOT_SET in values or (len(distinct) > 2 and distinct[0] == 0 and _spread(distinct[1:]))
    few = len(distinct) <= _MOST_LEVELS
    if levels or others - {label_of(NOT_SET)} or not len(distinct) or (apart and few):
        ordered = {label_of(value): None for value in sorted(values, key=_order)}
        return ParameterScale("levels", tuple(ordered), 0.0, len(ordered) - 1.0)
    kind = "log" if _spread(distinct) else "linear"
    return ParameterScale(kind, (), float(distinct[0]), float(distinct[-1]))


def label_of(value: Any) -> str:
    """A value in a few characters."""
    if value is NOT_SET:
        return "not set"
    if isinstance(value, str):
        return _SHORT.repr(value)[1:-1]
    if is_number(value):
        return f"{value:.6g}"
    return _SHORT.repr(value)


def is_number(value: Any, *, numpy_only: bool = False) -> bool:
    """Whether a value is a real number and no truth value."""
    if isinstance(value, bool | np.bool_):
        return False
    return isinstance(value, np.number if numpy_only else Real)


def _order(value: Any) -> tuple[int, float, str]:
    if value is NOT_SET:
        return 0, 0.0, ""
    if is_number(value):
        return 1, float(value), ""
    return 2, 0.0, label_of(value)


def _spread(distinct: np.ndarray) -> bool:
    """Whether ascending numbers are spread over decades."""
    if len(distinct) < 2 or distinct[0] <= 0 or distinct[-1] < _LEAST_LOG_RATIO * distinct[0]:
        return False
    if len(distinct) == 2:
        return bool(distinct[-1] >= _LEAST_LOG_RATIO**2 * distinct[0])
    return _off_centre(np.log(distinct)) < _off_centre(distinct)


def _off_centre(values: np.ndarray) -> float:
    """How far the median is from the middle, as a share of the extent."""
    share = (np.median(values) - values[0]) / (values[-1] - values[0])
    return float(abs(share - 0.5))
