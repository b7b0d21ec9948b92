"""Refuse values in a search space that the estimator would refuse in each fit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sklearn
from scipy import stats
from skopt.space import Dimension as SkoptDimension

from skhp.compat.scikit_learn import (
    ScikitLearnInvalidParameterError,
    StrOptions,
    constraints_of,
    validate_parameter_constraints,
)
from skhp.exceptions import InvalidParameterError
from skhp.search.dimensions import Choices, Dimension, Range
from skhp.search.foreign_spaces import SteppedNumbers
from skhp.search.layer_sizes import LayerSizes
from skhp.search.possible_estimators import with_choices
from skhp.shared.nearest_name import nearest_name

__all__ = ["known_values", "owners_of", "refuse_bad_values"]


def refuse_bad_values(
    estimator: Any, alternatives: Iterable[Sequence[tuple[str, Any, Dimension]]]
) -> None:
    """Raise unless the constraints of the estimator let every value of the space pass.

    Of a range both ends are tried. An estimator without constraints, as others than scikit-learn
    write them, is not asked.

    Parameters
    ----------
    estimator : estimator
    alternatives : iterable of sequence of (str, object, Dimension)
        Of each sub-space, names of parameters, what the user wrote, and what that stands for.

    Raises
    ------
    InvalidParameterError
        Lists every value that is refused, with what is expected.
    """
    if sklearn.get_config()["skip_parameter_validation"]:
        return
    mistakes: list[str] = []
    for parameters in alternatives:
        dimensions = {name: dimension for name, _, dimension in parameters}
        for name, written, dimension in parameters:
            owner_name, _, own_name = name.rpartition("__")
            for owner in owners_of(estimator, owner_name, dimensions):
                constraints = constraints_of(owner).get(own_name)
                if constraints is None:
                    continue
                for value in known_values(written, dimension):
                    mistake = _mistake(owner, own_name, constraints, value)
                    if mistake and (mistake := f"{name}: {mistake}") not in mistakes:
                        mistakes.append(mistake)
    if mistakes:
        raise InvalidParameterError(
            "The search space has values that the estimator refuses:\n" + "\n".join(mistakes)
        )


def owners_of(estimator: Any, owner_name: str, dimensions: dict[str, Dimension]) -> Iterator[Any]:
    """The estimators that a parameter may belong to, among those that are searched themselves."""
    if not owner_name:
        yield estimator
        return
    parts = owner_name.split("__")
    outer = {"__".join(parts[:end]) for end in range(1, len(parts) + 1)}
    places = {name: dimension for name, dimension in dimensions.items() if name in outer}
    for possible in with_choices(estimator, places) if places else [estimator]:
        owner = possible.get_params(deep=True).get(owner_name)
        if owner is not None:
            yield owner


def known_values(written: Any, dimension: Dimension) -> Iterator[Any]:
    """Values that the search may try, as far as they can be told."""
    if isinstance(dimension, Choices):
        yield from dimension.values
        return
    if isinstance(dimension, LayerSizes):
        yield dimension[0]
        return
    is_drawn = hasattr(written, "rvs") and not isinstance(written, SkoptDimension)
    if isinstance(dimension, Range):
        low, high, discrete = dimension.low, dimension.high, dimension.integer
    elif isinstance(written, stats.distributions.rv_frozen):
        low, high = (float(end) for end in written.support())
        discrete = isinstance(written.dist, stats.rv_discrete)
    elif isinstance(dimension.frozen, SteppedNumbers):
        yield from (dimension.frozen.low, dimension.frozen.high)
        return
    else:
        return
    for end, other in ((low, high), (high, low)):
        if math.isfinite(end):
            # Of real numbers a distribution hardly ever draws the end itself, which may be open:
            # uniform(0, 4) is fine for what must be above 0.
            inner = math.nextafter(end, other) if is_drawn and not discrete else end
            yield int(inner) if discrete else inner


def _mistake(owner: Any, name: str, constraints: Any, value: Any) -> str:
    try:
        validate_parameter_constraints(
            {name: constraints}, {name: value}, caller_name=type(owner).__name__
        )
    except ScikitLearnInvalidParameterError as error:
        options = [
            option
            for constraint in constraints
            if isinstance(constraint, StrOptions)
            for option in constraint.options
        ]
        suggestion = getattr(owner, "_suggestion", lambda _, *given: nearest_name(*given))
        return f"{error}{suggestion(name, value, options)}"
    return ""
