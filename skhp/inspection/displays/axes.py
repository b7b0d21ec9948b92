"""The axes that displays draw on, and where the values of a parameter lie on them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skhp.inspection.value_text import NOT_SET, is_number, short_texts, value_key


def drawing_area(display: object, ax: Any = None, size: tuple[float, float] | None = None) -> Any:
    """The given axes, or those of a new figure with a size in inches."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__} draws with matplotlib, which is not installed. Install it "
            "with: pip install matplotlib"
        ) from error
    if ax is None:
        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax


# Below this ratio a logarithmic axis shows no more than a linear one.
_LEAST_LOG_RATIO = 10.0
_MOST_LEVELS = 12


@dataclass(frozen=True)
class ParameterScale:
    """An axis for one parameter."""

    kind: str  # "linear", "log" or "levels": the values side by side, numbers ascending
    labels: tuple[str, ...]
    keys: tuple[str, ...]  # the `value_key` of each value
    places: np.ndarray  # ascending; NaN for a number that is not set
    whole: bool = False  # whether all values are whole numbers

    @property
    def low(self) -> float:
        """The lowest position of a value."""
        return float(np.nanmin(self.places))

    @property
    def high(self) -> float:
        """The highest position of a value."""
        return float(np.nanmax(self.places))

    def positions(self, values: Sequence[Any]) -> np.ndarray:
        """Place of each value on the axis; NaN where a number is not set."""
        place_of = dict(zip(self.keys, self.places.tolist(), strict=True))
        return np.array([place_of[value_key(value)] for value in values])

    def shares(self, values: Sequence[Any]) -> np.ndarray:
        """Place of each value between 0, where the axis begins, and 1, where it ends."""
        return self._as_shares(self.positions(values))

    def ticks(self, least_gap: float) -> list[tuple[float, float, str]]:
        """Position, share and label of values that were tried and stand apart."""
        shares = self._as_shares(self.places)
        known = np.flatnonzero(np.isfinite(shares))
        kept: list[int] = []
        # Both ends come first, because they show where the axis ends.
        for place in [known[0], known[-1], *known[1:-1]]:
            if all(abs(shares[place] - shares[other]) >= least_gap - 1e-9 for other in kept):
                kept.append(int(place))
        return [(float(self.places[k]), float(shares[k]), self.labels[k]) for k in sorted(kept)]

    def _as_shares(self, positions: np.ndarray) -> np.ndarray:
        low, high = self.low, self.high
        if self.kind == "log":
            positions, low, high = np.log(positions), np.log(low), np.log(high)
        # A single value stands at the beginning of its axis.
        return (positions - low) / (high - low) if high > low else positions - low


def scale_of(
    values: Sequence[Any], *, levels: bool = False, label_length: int = 24
) -> ParameterScale:
    """Choose the axis for the values of a parameter.

    Numbers are on a logarithmic axis if it spreads them more evenly than a linear axis does.
    Other values are at levels; a few numbers are, too, if 0 or "not set" is among them.
    """
    numbers = [float(value) for value in values if is_number(value)]
    distinct = np.unique(numbers)
    only_numbers = all(is_number(value) or value is NOT_SET for value in values)
    not_set = any(value is NOT_SET for value in values)
    apart = not_set or (len(distinct) > 2 and distinct[0] == 0 and _spread(distinct[1:]))
    few = len(distinct) <= _MOST_LEVELS
    unplaced = not only_numbers or not len(distinct) or not np.isfinite(distinct).all()
    ordered = sorted(values, key=_order)
    texts = short_texts(ordered, label_length)
    labels, keys = tuple(texts.values()), tuple(texts)
    if levels or unplaced or (apart and few):
        return ParameterScale("levels", labels, keys, np.arange(float(len(labels))))
    first = {value_key(value): value for value in reversed(ordered)}
    places = [np.nan if first[key] is NOT_SET else float(first[key]) for key in keys]
    return ParameterScale(
        kind="log" if _spread(distinct) else "linear",
        labels=labels,
        keys=keys,
        places=np.array(places),
        whole=all(number.is_integer() for number in numbers),
    )


def _order(value: Any) -> tuple[int, float, str]:
    if value is NOT_SET:
        return 0, 0.0, ""
    if is_number(value) and np.isfinite(value):
        return 1, float(value), ""
    return 2, 0.0, value_key(value)


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


# Up to this number of values, each has a tick; with more, matplotlib chooses the ticks.
_MOST_TICKS = 10
_LEVEL_GAP = 0.04
_NUMBER_GAP = 0.07


def label_parameter_axis(axis: Any, scale: ParameterScale) -> None:
    """Set the scale of an axis, with ticks at the values that were tried."""
    is_levels = scale.kind == "levels"
    if not is_levels:
        axis.axes.set(**{f"{axis.axis_name}scale": scale.kind})
    if is_levels or len(scale.labels) <= _MOST_TICKS:
        ticks = scale.ticks(_LEVEL_GAP if is_levels else _NUMBER_GAP)
        labels = [label for *_, label in ticks]
        axis.set_ticks([position for position, *_ in ticks], labels)
        axis.set_minor_locator(_no_ticks())
        if axis.axis_name == "x" and sum(map(len, labels)) > _MOST_ACROSS:
            axis.set_tick_params(rotation=30)
            for label in axis.get_ticklabels():
                label.set_horizontalalignment("right")
    elif scale.whole and scale.kind == "linear":
        axis.get_major_locator().set_params(integer=True)


_MOST_ACROSS = 56
"""Characters that stand side by side along a picture of the usual width."""


def wrapped_name(name: str, width: int) -> str:
    """A name in lines, broken after underscores."""
    spaced = re.sub(r"_(?=[^_])", "_\0", name).replace("\0", " ")
    lines = textwrap.wrap(spaced, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(line.replace("_ ", "_") for line in lines)


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()
