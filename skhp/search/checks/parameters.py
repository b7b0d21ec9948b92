"""Refuses names, values and combinations of a search space that the estimator does not take."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sklearn
from scipy import stats
from sklearn.base import clone
from skopt.space import Dimension as SkoptDimension

from skhp.compat.scikit_learn import (
    ScikitLearnInvalidParameterError,
    StrOptions,
    constraints_of,
    validate_parameter_constraints,
)
from skhp.exceptions import InvalidParameterError
from skhp.search.space.dimensions import Choices, Range
from skhp.search.space.foreign_spaces import SteppedNumbers
from skhp.search.space.layer_sizes import LayerSizes
from skhp.search.space.space_reading import Dimension, SearchSpace, understood
from skhp.shared.nearest_name import nearest_name


def with_choices(estimator: Any, dimensions: Mapping[str, Dimension]) -> Iterator[Any]:
    """Copies of an estimator with each combination of those dimensions that are choices.

    Outer parameters are set first. A combination that the estimator does not take is left out.
    """
    choices = {
        name: dimension.values
        for name, dimension in sorted(dimensions.items(), key=lambda item: item[0].count("__"))
        if isinstance(dimension, Choices)
    }
    for combination in itertools.product(*choices.values()):
        changed = clone(estimator)
        try:
            for name, value in zip(choices, combination, strict=True):
                # Cloned, as setting a nested parameter would change the estimator in the space.
                changed.set_params(**{name: clone(value, safe=False)})
        except (ValueError, TypeError, AttributeError):
            continue
        yield changed


def refuse_bad_values(
    estimator: Any, alternatives: Iterable[Sequence[tuple[str, Any, Dimension]]]
) -> None:
    """Raise if a value of the space does not meet the constraints of the estimator.

    Both ends of a range are tried. `alternatives` are the sub-spaces: for each parameter its name,
    the value as the user wrote it, and its dimension.
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
                    mistake = _constraint_mistake(owner, own_name, constraints, value)
                    if mistake and (mistake := f"{name}: {mistake}") not in mistakes:
                        mistakes.append(mistake)
    if mistakes:
        raise InvalidParameterError(
            "The search space has values that the estimator refuses:\n" + "\n".join(mistakes)
        )


def owners_of(estimator: Any, owner_name: str, dimensions: dict[str, Dimension]) -> Iterator[Any]:
    """The estimators that a parameter may belong to, also if the search itself sets them."""
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
    """Values that the search may try, as far as they are known."""
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
            # A distribution of real numbers hardly ever draws its end, which may be open:
            # uniform(0, 4) is fine for a parameter that must be above 0.
            inner = math.nextafter(end, other) if is_drawn and not discrete else end
            yield int(inner) if discrete else inner


def _constraint_mistake(owner: Any, name: str, constraints: Any, value: Any) -> str:
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


def refuse_unknown_names(estimator: Any, space: SearchSpace) -> None:
    """Raise unless the estimator takes every name in the space.

    A name may belong to an estimator that the same sub-space sets:
    ``{"classifier": [SVC()], "classifier__C": (1, 10)}``.
    """
    known = estimator.get_params(deep=True)
    mistakes = []
    for dimensions in understood(space):
        for name in dimensions:
            if name not in known and not _is_taken(estimator, name, dimensions):
                mistake = (
                    f"{type(estimator).__name__} has no parameter {name!r}."
                    f"{nearest_name(name, known)}"
                )
                if mistake not in mistakes:
                    mistakes.append(mistake)
    if mistakes:
        mistakes.append(f"The parameters are: {', '.join(sorted(known))}.")
        raise InvalidParameterError("\n".join(mistakes))


def _is_taken(estimator: Any, name: str, dimensions: Mapping[str, Dimension]) -> bool:
    """Whether the estimator takes a name that it does not list, such as a routed parameter."""
    parts = name.split("__")
    outer = ["__".join(parts[:end]) for end in range(1, len(parts))]
    changed = clone(estimator)
    try:
        for place in outer:
            if place in dimensions:
                changed.set_params(**{place: _any_value(dimensions[place])})
        changed.set_params(**{name: _any_value(dimensions[name])})
    except (ValueError, TypeError, AttributeError):
        return False
    return True


def _any_value(dimension: Dimension) -> Any:
    if isinstance(dimension, Choices):
        # Cloned, as setting a nested parameter would change the estimator in the space.
        return clone(dimension.values[0], safe=False)
    return dimension.rvs(random_state=0)


# The method by which an estimator refuses its own parameters, with a ValueError or TypeError.
_CHECK = "_check_combination"

# The most combinations that are tried for each estimator within a sub-space.
_MOST_LOOKED_AT = 5000


def refuse_bad_combinations(
    estimator: Any, alternatives: Iterable[Sequence[tuple[str, Any, Dimension]]]
) -> None:
    """Raise if the estimator itself refuses a combination of the values.

    An estimator refuses a combination by a method ``_check_combination(self)``. Both ends of a
    range are tried. For each kind of mistake, the error names the first combination and the number
    of combinations.
    """
    mistakes: list[str] = []
    for parameters in alternatives:
        dimensions = {name: dimension for name, _, dimension in parameters}
        of_owners: dict[str, dict[str, list[Any]]] = {}
        for name, written, dimension in parameters:
            owner_name, _, own_name = name.rpartition("__")
            values = list(known_values(written, dimension))
            if values:
                of_owners.setdefault(owner_name, {})[own_name] = values
        for owner_name, searched in of_owners.items():
            for owner in owners_of(estimator, owner_name, dimensions):
                if hasattr(type(owner), _CHECK):
                    mistakes += [
                        mistake
                        for mistake in _combination_mistakes(owner, owner_name, searched)
                        if mistake not in mistakes
                    ]
    if mistakes:
        raise InvalidParameterError(
            "The search space has values that do not go together: " + "\n".join(mistakes)
        )


def _combination_mistakes(
    owner: Any, owner_name: str, searched: Mapping[str, list[Any]]
) -> list[str]:
    changed = clone(owner)
    first: dict[str, str] = {}
    count: dict[str, int] = {}
    n_combinations = math.prod(map(len, searched.values()))
    for combination in itertools.islice(itertools.product(*searched.values()), _MOST_LOOKED_AT):
        values = dict(zip(searched, combination, strict=True))
        changed.set_params(**values)
        try:
            getattr(changed, _CHECK)()
        except (ValueError, TypeError) as error:
            # The same mistake is listed once, whatever the values of the other parameters.
            named = [name for name in values if re.search(rf"\b{re.escape(name)}\b", str(error))]
            kind = re.sub(r"[-+.\d]+", "", str(error))
            prefix = f"{owner_name}__" if owner_name else ""
            shown = ", ".join(f"{prefix}{name}={values[name]!r}" for name in named or values)
            first.setdefault(kind, f"{shown}: {error}")
            count[kind] = count.get(kind, 0) + 1
    return [
        f"{text} ({count[kind]} of {n_combinations} combinations)" if n_combinations > 1 else text
        for kind, text in first.items()
    ]
