"""Dimensions for scikit-optimize that it lacks: exact choices, and quantiles of a distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from skopt.space import Categorical, Real

from skhp.search.dimensions import Distribution

__all__ = ["HIGHEST_QUANTILE", "LOWEST_QUANTILE", "ExactCategorical", "Quantiles"]

# Not 0 to 1: an optimizer often asks at the ends, where an unbounded distribution is infinite.
LOWEST_QUANTILE, HIGHEST_QUANTILE = 1e-3, 1 - 1e-3


class ExactCategorical(Categorical):
    """Categories that come back as they were given.

    scikit-optimize passes them through an array, which makes arrays of tuples.
    """

    def inverse_transform(self, Xt: ArrayLike) -> list[Any]:
        """The categories of transformed points."""
        return list(self.transformer.inverse_transform(Xt))


class Quantiles(Real):
    """Numbers searched by their quantiles in a distribution, from the 0.001th to the 0.999th.

    Parameters
    ----------
    distribution : Distribution
        With quantiles.
    """

    def __init__(self, distribution: Distribution) -> None:
        super().__init__(
            distribution.at_quantile(LOWEST_QUANTILE), distribution.at_quantile(HIGHEST_QUANTILE)
        )
        self.distribution = distribution

    def rvs(self, n_samples: int = 1, random_state: Any = None) -> list[float | int]:
        """Draw numbers."""
        random = check_random_state(random_state)
        return self.inverse_transform(random.random_sample(n_samples))

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Quantiles of numbers."""
        return np.asarray(self.distribution.frozen.cdf(np.asarray(X, dtype=float)))

    def inverse_transform(self, Xt: ArrayLike) -> list[float | int]:
        """Numbers at quantiles."""
        quantiles = np.clip(np.asarray(Xt, dtype=float), LOWEST_QUANTILE, HIGHEST_QUANTILE)
        return self.distribution.at_quantiles(quantiles)

    @property
    def transformed_bounds(self) -> tuple[float, float]:
        """Bounds of the quantiles."""
        return LOWEST_QUANTILE, HIGHEST_QUANTILE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantiles) and self.distribution == other.distribution

    def __hash__(self) -> int:
        return hash(self.distribution)

    def __repr__(self) -> str:
        return f"Quantiles({self.distribution.frozen!r})"
