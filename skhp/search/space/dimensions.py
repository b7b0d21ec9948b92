"""The values that a parameter of a search may have: choices, a range, or a distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state


@dataclass(frozen=True)
class Choices:
    """One of several values, with equal chances unless there are weights."""

    values: tuple[Any, ...]
    weights: tuple[float, ...] | None = None

    def rvs(self, *, random_state: int | np.random.RandomState | None = None) -> Any:
        """Draw one value."""
        return self.at_quantile(check_random_state(random_state).random_sample())

    def at_quantile(self, quantile: float) -> Any:
        """The value at this quantile, in the order of the values."""
        weights = np.ones(len(self.values)) if self.weights is None else np.array(self.weights)
        cumulative = np.cumsum(weights) / weights.sum()
        # The quantile 1 belongs to the last value with a weight above 0.
        last = int(np.flatnonzero(weights)[-1])
        return self.values[min(int(np.searchsorted(cumulative, quantile, side="right")), last)]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included, drawn evenly or evenly in the logarithm."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def rvs(self, *, random_state: int | np.random.RandomState | None = None) -> float | int:
        """Draw one number."""
        random = check_random_state(random_state)
        if self.integer and not self.log:
            return int(random.randint(self.low, self.high + 1, dtype=np.int64))
        return self.at_share(random.random_sample())

    def at_share(self, share: float) -> float | int:
        """The number that has this share of the range below it."""
        low, high = self._ends
        if self.log:
            drawn = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        else:
            drawn = low + share * (high - low)
        drawn = min(max(drawn, self.low), self.high)
        return round(drawn) if self.integer else float(drawn)

    def share_of(self, number: float) -> float:
        """The share of the range that lies below a number."""
        low, high = self._ends
        if self.log:
            return math.log(number / low) / math.log(high / low)
        return (number - low) / (high - low)

    @property
    def _ends(self) -> tuple[float, float]:
        # Half a unit more at both ends, so that rounding draws the first and the last whole number
        # as often as the others.
        margin = 0.5 if self.integer else 0.0
        return self.low - margin, self.high + margin


@dataclass(frozen=True)
class Distribution:
    """Anything else with ``rvs(random_state=)``; some searches also need ``ppf`` and ``cdf``."""

    frozen: Any

    def rvs(self, *, random_state: int | np.random.RandomState | None = None) -> Any:
        """Draw one value."""
        return self.frozen.rvs(random_state=check_random_state(random_state))

    def at_quantile(self, quantile: float) -> float | int:
        """The value at this quantile, as a plain number."""
        return self.at_quantiles([quantile])[0]

    def at_quantiles(self, quantiles: ArrayLike) -> list[float | int]:
        """The values at many quantiles."""
        values = np.asarray(self.frozen.ppf(np.asarray(quantiles)), dtype=float).tolist()
        # Only SciPy's discrete distributions have a probability mass function.
        has_mass = hasattr(getattr(self.frozen, "dist", self.frozen), "pmf")
        if has_mass or getattr(self.frozen, "is_whole", False):
            return [int(value) if value.is_integer() else value for value in values]
        return values

    @property
    def has_quantiles(self) -> bool:
        """Whether the distribution can compute its quantiles and their inverse."""
        return hasattr(self.frozen, "ppf") and hasattr(self.frozen, "cdf")


# Not 0 to 1, as an optimizer often asks for both ends, where an unbounded distribution is infinite.
LOWEST_QUANTILE, HIGHEST_QUANTILE = 1e-3, 1 - 1e-3
