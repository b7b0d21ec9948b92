"""Refuse names in a search space that the estimator does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.base import clone

from skhp.exceptions import InvalidParameterError
from skhp.search.dimensions import Choices, Dimension
from skhp.search.spaces import SearchSpace, understood
from skhp.shared.nearest_name import nearest_name

__all__ = ["refuse_unknown_names"]


def refuse_unknown_names(estimator: Any, space: SearchSpace) -> None:
    """Raise unless the estimator takes every name in the space.

    A name may belong to an estimator that the same sub-space puts in place:
    ``{"classifier": [SVC()], "classifier__C": (1, 10)}``.

    Parameters
    ----------
    estimator : estimator
    space : dict or list of dict
        As `skhp.search.spaces` describes it.

    Raises
    ------
    InvalidParameterError
        Lists every unknown name, with the nearest known one, or whatever else is wrong in the
        space.
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
    """Whether the estimator takes a name that it does not list, as routed parameters are."""
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
        # Setting a name inside an estimator would change the one in the space.
        return clone(dimension.values[0], safe=False)
    return dimension.rvs(random_state=0)
