"""Reads a search space, in the same way for random, Bayesian and TPE searches.

A space is a dict from names of parameters to their possible values, or a list of such dicts, which
are alternatives: a parameter that makes sense only for a certain value of another one stands in the
dicts that have this value. The forms of possible values:

==================================================== =============================================
list, array                                          one of its values
distribution of ``scipy.stats``                      what it draws; a random search takes anything
                                                     with ``rvs``
``(low, high)``, ``(low, high, "log-uniform")``      a range with both bounds; of whole numbers if
                                                     both are whole
a tuple of three numbers                             refused, as it may be a range or choices
other tuples                                         one of their values
``Real``, ``Integer``, ``Categorical`` of ``skopt``  as scikit-optimize says
``LayerSizes`` of ``skhp``                           stacks of hidden layers
distribution of ``optuna.distributions``             as Optuna says
==================================================== =============================================

In every search, a tuple of two numbers is a range, as in scikit-optimize, and not a choice between
the two, as in scikit-learn. A list of two numbers is a choice, as in scikit-learn. Write choices as
lists.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
from scipy import stats
from skopt.space import Categorical, Integer
from skopt.space import Dimension as SkoptDimension

from skhp.exceptions import InvalidParameterError
from skhp.search.space.dimensions import Choices, Distribution, Range
from skhp.search.space.foreign_spaces import is_optuna_distribution, read_optuna, refuse_hyperopt
from skhp.search.space.layer_sizes import LayerSizes
from skhp.shared.nearest_name import nearest_name

Dimension: TypeAlias = Choices | Range | Distribution | LayerSizes
SearchSpace: TypeAlias = Mapping[str, Any] | Sequence[Any]

_PRIORS = ("uniform", "log-uniform")


def read_dimension(name: str, value: Any) -> Dimension:
    """The dimension that a value in a search space stands for; errors mention `name`."""
    refuse_hyperopt(value, name)
    if isinstance(value, SkoptDimension):
        return _read_skopt(name, value)
    if isinstance(value, LayerSizes):
        return value
    if is_optuna_distribution(value):
        return read_optuna(value)
    if hasattr(value, "rvs"):
        return _read_distribution(name, value)
    if isinstance(value, tuple):
        return _read_tuple(name, value)
    if (
        isinstance(value, str | bytes | Mapping | Set)
        or not hasattr(value, "__getitem__")
        or not hasattr(value, "__len__")
        or getattr(value, "shape", (1,)) == ()
    ):
        raise InvalidParameterError(
            f"{name}={value!r} cannot be searched. Give a list of values, such as "
            f"[{value!r}], a tuple of bounds, such as (1e-5, 1e-1, 'log-uniform'), a distribution "
            "of scipy.stats or optuna.distributions, or a dimension of skopt.space."
        )
    return _choices(name, value)


def _choices(name: str, values: Any, weights: Any = None) -> Choices:
    if len(values) == 0:
        raise InvalidParameterError(
            f"{name}={values!r} is empty. Give at least one value, or leave the parameter out."
        )
    # scikit-optimize has already checked that they are probabilities.
    weights = None if weights is None else tuple(float(weight) for weight in weights)
    return Choices(tuple(values), weights)


def _range(name: str, low: Any, high: Any, *, log: bool, integer: bool) -> Range:
    number = int if integer else float
    received = f"{name}: the range from {low!r} to {high!r}"
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InvalidParameterError(f"{received} must have finite bounds.")
    if not low < high:
        raise InvalidParameterError(
            f"{received} must have its lower bound first, and below the upper one. Write a single "
            f"value or a few choices as a list: [{low!r}]."
        )
    if log and low <= 0:
        raise InvalidParameterError(
            f"{received} reaches 0 or below, where the logarithm is not defined. Start it above "
            "0, for example at 1e-6, or take the prior 'uniform'."
        )
    return Range(number(low), number(high), log=log, integer=integer)


def _read_tuple(name: str, value: tuple[Any, ...]) -> Dimension:
    bounds = value[:2]
    if not 2 <= len(value) <= 4 or not all(_is_number(bound) for bound in bounds):
        return _choices(name, value)
    prior: Any = value[2] if len(value) > 2 else "uniform"
    if not isinstance(prior, str):
        if isinstance(prior, Real | np.bool_) and (len(value) == 3 or value[3] in _PRIORS):
            raise _ambiguous(name, value)
        return _choices(name, value)
    base: Any = value[3] if len(value) > 3 else 10
    if prior not in _PRIORS or not isinstance(base, Integral) or base < 2:
        raise InvalidParameterError(
            f"{name}={value!r} must be (low, high), (low, high, prior) or (low, high, prior, base) "
            f"with a prior of {', '.join(map(repr, _PRIORS))} and a whole base from 2 up."
            f"{nearest_name(prior, _PRIORS) if prior not in _PRIORS else ''} Write choices as a "
            "list."
        )
    integer = all(isinstance(bound, Integral) for bound in bounds)
    return _range(name, *bounds, log=prior == "log-uniform", integer=integer)


def _ambiguous(name: str, value: tuple[Any, ...]) -> InvalidParameterError:
    low, high, third = value[:3]
    message = (
        f"{name}={value!r} is ambiguous: a tuple of two numbers is a range, and a third may be a "
        f"choice, a number of steps or a base. Write choices as a list, {list(value)!r}, and "
        f"ranges as ({low!r}, {high!r}) or ({low!r}, {high!r}, 'log-uniform')."
    )
    is_count = isinstance(third, Integral) and not isinstance(third, bool) and int(third) > 1
    if is_count and len(value) == 3 and 0 < low < high:
        message += (
            f" A list of {third} values is numpy.geomspace({low!r}, {high!r}, {third!r}), or "
            "numpy.linspace."
        )
    return InvalidParameterError(message)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _read_skopt(name: str, dimension: SkoptDimension) -> Dimension:
    if isinstance(dimension, Categorical):
        return _choices(name, dimension.categories, dimension.prior)
    return _range(
        name,
        *dimension.bounds,
        log=dimension.prior == "log-uniform",
        integer=isinstance(dimension, Integer),
    )


def _read_distribution(name: str, distribution: Any) -> Dimension:
    if not isinstance(distribution, stats.distributions.rv_frozen):
        return Distribution(distribution)
    low, high = distribution.support()
    if np.ndim(low) or np.ndim(high):
        raise InvalidParameterError(
            f"{name}: the distribution has the bounds {low} and {high}; it must draw one number "
            "at a time. Give it numbers, not arrays."
        )
    if np.isnan(low) or np.isnan(high):
        raise InvalidParameterError(
            f"{name}: scipy.stats.{distribution.dist.name} does not take the arguments "
            f"{distribution.args} {distribution.kwds}. uniform takes (low, high - low), with an "
            "extent above 0; loguniform (low, high), with 0 < low < high; randint (low, high), "
            "with low < high."
        )
    if isinstance(distribution.dist, type(stats.randint)):
        # SciPy allows a distribution of a single number.
        if low == high:
            return Choices((int(low),))
        return _range(name, int(low), int(high), log=False, integer=True)
    if isinstance(distribution.dist, type(stats.uniform)):
        return _range(name, float(low), float(high), log=False, integer=False)
    # A shifted loguniform is not even in the logarithm, as its median shows.
    if isinstance(distribution.dist, type(stats.loguniform)) and np.isclose(
        distribution.median(), math.sqrt(low * high) if low > 0 else 0.0, atol=0.0
    ):
        return _range(name, float(low), float(high), log=True, integer=False)
    return Distribution(distribution)


def understood(space: SearchSpace) -> tuple[dict[str, Dimension], ...]:
    """The alternatives of a search space, each a dict from names to dimensions."""
    mistakes = []
    found: list[dict[str, Dimension]] = []
    for alternative, _ in read_alternatives(space):
        found.append({})
        for name, value in alternative.items():
            try:
                found[-1][name] = read_dimension(name, value)
            except InvalidParameterError as error:
                mistakes.append(str(error))
    if mistakes:
        raise InvalidParameterError("\n".join(mistakes))
    return tuple(found)


def for_random(space: SearchSpace) -> list[dict[str, Any]]:
    """The space as scikit-learn's `ParameterSampler` takes it.

    Lists and distributions stay the same objects, so that the draws are the same as scikit-learn's.
    """
    dimensions = understood(space)
    return [
        {name: _drawable(value, known[name]) for name, value in alternative.items()}
        for alternative, known in zip(without_counts(space), dimensions, strict=True)
    ]


def read_alternatives(space: SearchSpace) -> Iterator[tuple[Mapping[str, Any], int | None]]:
    """Each dict of a space, with its own number of iterations if it has one."""
    refuse_hyperopt(space)
    listed = [space] if isinstance(space, Mapping) else space
    if isinstance(listed, str | bytes) or not isinstance(listed, Sequence):
        raise InvalidParameterError(
            f"A search space must be a dict or a list of dicts, got {space!r}."
        )
    if not listed or listed == [{}]:
        raise InvalidParameterError(
            f"The search space {space!r} is empty. Name at least one parameter, with its values."
        )
    for element in listed:
        alternative, count = element, None
        if isinstance(element, tuple) and len(element) == 2:
            alternative, count = element
            if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
                raise InvalidParameterError(
                    f"The number of iterations of a sub-space must be a whole number from 1 up, "
                    f"got {count!r}."
                )
        if not isinstance(alternative, Mapping):
            raise InvalidParameterError(
                f"Each element of a search space must be a dict from names of parameters to their "
                f"values, got {element!r}."
            )
        _refuse_names(alternative)
        yield alternative, None if count is None else int(count)


def _refuse_names(alternative: Mapping[Any, Any]) -> None:
    others = [name for name in alternative if not isinstance(name, str)]
    if others:
        named = ", ".join(f"{name!r} of type {type(name).__name__}" for name in others)
        raise InvalidParameterError(
            f"The keys of a search space must be names of parameters, as texts, got {named}. "
            "Write {'neurons': [5, 10]}: the name as the key, and its values in a list."
        )


def without_counts(space: SearchSpace) -> list[Mapping[str, Any]]:
    """The dicts of a space; raises if one has its own number of iterations."""
    alternatives = []
    for alternative, count in read_alternatives(space):
        if count is not None:
            raise InvalidParameterError(
                f"The pair of a sub-space and its number of iterations, {count}, is for "
                "BayesSearchCV only. Give the dict alone; n_iter counts for all of them together."
            )
        alternatives.append(alternative)
    return alternatives


def _drawable(value: Any, dimension: Dimension) -> Any:
    if isinstance(value, SkoptDimension | tuple) or is_optuna_distribution(value):
        plain = isinstance(dimension, Choices) and dimension.weights is None
        return list(dimension.values) if plain else dimension  # type: ignore[union-attr]
    return value


def refuse_without_quantiles(name: str, dimension: Dimension) -> None:
    """Raise if a distribution draws values, but cannot compute its quantiles."""
    if isinstance(dimension, Distribution) and not dimension.has_quantiles:
        raise InvalidParameterError(
            f"{name}: {dimension.frozen!r} draws by rvs but has no ppf and cdf, which Bayesian and "
            "TPE searches need. Give a distribution of scipy.stats, bounds such as (1e-5, 1e-1, "
            "'log-uniform'), or a list of values."
        )
