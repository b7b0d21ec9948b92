"""Dimensions that scikit-optimize lacks: exact choices, quantiles, and stacks of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from skopt.space import Categorical, Dimension, Real

from skhp.compat.scikit_optimize import categories_at
from skhp.search.space.dimensions import Distribution
from skhp.search.space.layer_sizes import LayerSizes

__all__ = ["HIGHEST_QUANTILE", "LOWEST_QUANTILE", "ExactCategorical", "Quantiles", "Stacks"]

# Not 0 to 1: an optimizer often asks at the ends, where an unbounded distribution is infinite.
LOWEST_QUANTILE, HIGHEST_QUANTILE = 1e-3, 1 - 1e-3


class ExactCategorical(Categorical):
    """Categories that come back as they were given.

    scikit-optimize passes them through an array, which makes arrays of tuples.
    """

    def inverse_transform(self, Xt: ArrayLike) -> list[Any]:
        """The categories of transformed points."""
        return categories_at(self, Xt)


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


class Stacks(Dimension):
    """Stacks of layers, searched by their number of layers and the size of each.

    Sizes of layers that a stack does not have are in the middle, whatever was asked for, so that
    nothing is learnt about them.

    Parameters
    ----------
    sizes : LayerSizes
    """

    def __init__(self, sizes: LayerSizes) -> None:
        self.sizes = sizes
        self.name = None

    def rvs(self, n_samples: int = 1, random_state: Any = None) -> list[tuple[int, ...]]:
        """Draw stacks."""
        random = check_random_state(random_state)
        return [self.sizes.rvs(random_state=random) for _ in range(n_samples)]

    def transform(self, X: Any) -> np.ndarray:
        """Coordinates of stacks."""
        return np.array([self.sizes.coordinates(stack) for stack in X])

    def inverse_transform(self, Xt: ArrayLike) -> list[tuple[int, ...]]:
        """Stacks at coordinates."""
        return [self.sizes.at(row) for row in np.reshape(Xt, (-1, self.transformed_size)).tolist()]

    def set_transformer(self, transform: str = "normalize") -> None:
        """Coordinates lie between 0 and 1 for every surrogate."""

    @property
    def transformed_size(self) -> int:
        """Number of coordinates."""
        return self.sizes.n_coordinates

    @property
    def transformed_bounds(self) -> list[tuple[float, float]]:
        """Bounds of the coordinates."""
        return [(0.0, 1.0)] * self.transformed_size

    @property
    def bounds(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The smallest and the largest stack."""
        zero, one = ([end] * self.transformed_size for end in (0.0, 1.0))
        return self.sizes.at(zero), self.sizes.at(one)

    @property
    def is_constant(self) -> bool:
        """Whether there is one stack only."""
        return self.bounds[0] == self.bounds[1]

    def distance(self, a: tuple[int, ...], b: tuple[int, ...]) -> float:
        """Distance between two stacks."""
        first, second = self.transform([a, b])
        return float(np.linalg.norm(first - second))

    def __contains__(self, point: Any) -> bool:
        return self.sizes.allows(point)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stacks) and self.sizes == other.sizes

    def __hash__(self) -> int:
        return hash(self.sizes)

    def __repr__(self) -> str:
        return f"Stacks({self.sizes!r})"
