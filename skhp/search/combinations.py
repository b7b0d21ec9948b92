"""Refuse values that the estimator takes one by one, and not together."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sklearn.base import clone

from skhp.exceptions import InvalidParameterError
from skhp.search.dimensions import Dimension
from skhp.search.parameter_values import known_values, owners_of

__all__ = ["refuse_bad_combinations"]

# What an estimator says of its own parameters before a fit; raises a ValueError or a TypeError.
_CHECK = "_check_combination"

# Combinations that are tried for each estimator within a sub-space.
_MOST_LOOKED_AT = 5000


def refuse_bad_combinations(
    estimator: Any, alternatives: Iterable[Sequence[tuple[str, Any, Dimension]]]
) -> None:
    """Raise unless the estimator itself lets every combination of the values pass.

    An estimator says so by a method ``_check_combination(self)``, which raises where parameters
    that are set do not go together. Of a range both ends are tried.

    Parameters
    ----------
    estimator : estimator
    alternatives : iterable of sequence of (str, object, Dimension)
        Of each sub-space, names of parameters, what the user wrote, and what that stands for.

    Raises
    ------
    InvalidParameterError
        Names the first combination of each kind, and how many there are.
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
                        for mistake in _mistakes(owner, owner_name, searched)
                        if mistake not in mistakes
                    ]
    if mistakes:
        raise InvalidParameterError(
            "The search space has values that do not go together: " + "\n".join(mistakes)
        )


def _mistakes(owner: Any, owner_name: str, searched: Mapping[str, list[Any]]) -> list[str]:
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
            # Other values beside the same mistake are the same mistake.
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
