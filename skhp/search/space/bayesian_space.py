"""Turns a search space into scikit-optimize's dimensions, and adds dimensions that it lacks."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state
from skopt.space import Categorical, Integer, Real
from skopt.space import Dimension as SkoptDimension

from skhp.compat.scikit_optimize import categories_at
from skhp.exceptions import InvalidParameterError
from skhp.search.space.dimensions import (
    HIGHEST_QUANTILE,
    LOWEST_QUANTILE,
    Choices,
    Distribution,
    Range,
)
from skhp.search.space.layer_sizes import LayerSizes
from skhp.search.space.space_reading import (
    Dimension,
    SearchSpace,
    read_alternatives,
    refuse_without_quantiles,
    understood,
)


class ExactCategorical(Categorical):
    """Categories that keep their type, while scikit-optimize 0.10.2 turns tuples into arrays."""

    def inverse_transform(self, Xt: ArrayLike) -> list[Any]:
        """The categories at transformed points."""
        return categories_at(self, Xt)


class Quantiles(Real):
    """Numbers of a distribution, searched by their quantiles from 0.001 to 0.999."""

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


class Stacks(SkoptDimension):
    """Stacks of layers, searched by their number of layers and the size of each layer.

    If a stack lacks a layer, that layer's coordinate is always in the middle, so that the surrogate
    learns nothing about its size.
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
        """Do nothing, as coordinates always lie between 0 and 1."""

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
        """Whether there is only one stack."""
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


SkoptSpace = dict[str, SkoptDimension]


def for_bayes(space: SearchSpace) -> list[SkoptSpace | tuple[SkoptSpace, int]]:
    """The space in dimensions of scikit-optimize.

    A distribution that is not a range is searched by its quantiles. The dimensions are new objects,
    because an ``skopt.Optimizer`` changes them. Their points are values that ``set_params`` takes.
    """
    converted: list[SkoptSpace | tuple[SkoptSpace, int]] = []
    mistakes = []
    for (alternative, count), known in zip(
        read_alternatives(space), understood(space), strict=True
    ):
        if not known:
            mistakes.append(
                "A Bayesian search has nothing to learn in an empty sub-space. Leave it out, or "
                "name a parameter with one value, such as {'dropout': [0.0]}."
            )
        dimensions = {}
        for name, value in alternative.items():
            try:
                dimensions[name] = _skopt_dimension(name, value, known[name])
            except InvalidParameterError as error:
                mistakes.append(str(error))
        converted.append(dimensions if count is None else (dimensions, count))
    if mistakes:
        raise InvalidParameterError("\n".join(mistakes))
    return converted


def _skopt_dimension(name: str, value: Any, dimension: Dimension) -> SkoptDimension:
    refuse_without_quantiles(name, dimension)
    if isinstance(dimension, LayerSizes):
        stacks = Stacks(dimension)
        return ExactCategorical([stacks.bounds[0]]) if stacks.is_constant else stacks
    if isinstance(dimension, Choices):
        return _categorical(name, value, dimension)
    if isinstance(value, SkoptDimension):
        return copy.copy(value)
    if isinstance(dimension, Range):
        prior = "log-uniform" if dimension.log else "uniform"
        if dimension.integer:
            return Integer(int(dimension.low), int(dimension.high), prior, dtype=int)
        return Real(dimension.low, dimension.high, prior)
    lowest = dimension.at_quantile(LOWEST_QUANTILE)
    if lowest == dimension.at_quantile(HIGHEST_QUANTILE):
        return ExactCategorical([lowest])
    return Quantiles(dimension)


def _categorical(name: str, value: Any, choices: Choices) -> SkoptDimension:
    try:
        distinct = len(set(choices.values)) == len(choices.values)
    except TypeError:
        raise InvalidParameterError(
            f"{name}: a Bayesian search needs choices that can be hashed, but one of "
            f"{list(choices.values)!r} cannot. Write its lists as tuples."
        ) from None
    if not distinct:
        raise InvalidParameterError(
            f"{name}: {list(choices.values)!r} holds equal values, which a Bayesian search cannot "
            "tell apart. Name each once; True equals 1, and 1.0 equals 1."
        )
    transform = value.transform_ if isinstance(value, Categorical) else None
    prior = None if choices.weights is None else list(choices.weights)
    return ExactCategorical(choices.values, prior=prior, transform=transform)
