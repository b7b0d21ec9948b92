"""The estimators that a search may put in place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from sklearn.base import clone

from skhp.search.dimensions import Choices, Dimension

__all__ = ["with_choices"]


def with_choices(estimator: Any, dimensions: Mapping[str, Dimension]) -> Iterator[Any]:
    """Copies of an estimator with every combination of some choices, from the outside inwards.

    A combination that the estimator does not take is left out. What is no choice stays as it is.

    Parameters
    ----------
    estimator : estimator
    dimensions : mapping of str to Dimension

    Yields
    ------
    estimator
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
                # Setting a name inside an estimator would change the one in the space.
                changed.set_params(**{name: clone(value, safe=False)})
        except (ValueError, TypeError, AttributeError):
            continue
        yield changed
