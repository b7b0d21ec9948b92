"""Reads how a search prunes its candidates."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.population.cohorts.pruning import Pruning
from skhp.population.requests.requested_fits import may_join
from skhp.shared.nearest_name import nearest_name
from skhp.shared.pipelines import last_step

# What a network is watched by on its held-out rows does not compare where these differ.
_APART = ("callbacks", "class_weight", "loss", "monitor", "scale_target")
_KEYS = ("factor", "rungs")


def pruning_of(setting: Any, estimator: Any, population: bool) -> Pruning | None:
    """What the parameter `prune` of a searcher asks for.

    Parameters
    ----------
    setting : "halving", dict or None
    estimator : estimator
        Of the search.
    population : bool
        Whether candidates train together.

    Raises
    ------
    InvalidParameterError
        If it cannot be done.
    """
    if setting is None:
        return None
    if not population:
        raise InvalidParameterError(
            f"prune={setting!r} ranks candidates that train together: set population=True, or "
            "leave prune out."
        )
    if not may_join(estimator):
        raise InvalidParameterError(
            f"prune={setting!r} ends candidates between epochs of a population, and "
            f"{_named(estimator)} is not one of skhp's networks, nor a pipeline that ends in one: "
            "leave prune out."
        )
    given = {} if setting == "halving" else dict(setting)
    for name in given:
        if name not in _KEYS:
            raise InvalidParameterError(
                f"prune has {name!r}.{nearest_name(str(name), _KEYS)} "
                f"Give a dict of {' and '.join(map(repr, _KEYS))}."
            )
    return Pruning(
        rungs=_rungs(given.get("rungs")), factor=_factor(given.get("factor", 3)), apart=_APART
    )


def _named(estimator: Any) -> str:
    name, last = type(estimator).__name__, last_step(estimator)
    return name if last is estimator else f"{name}, whose last step is a {type(last).__name__},"


def pruned_are_last(results: dict[str, Any], metric: str) -> dict[str, Any]:
    """Results by which a candidate that was pruned is not the best."""
    pruned = np.isfinite(results["pruned_at_epoch"])
    ranks, means = results[f"rank_test_{metric}"], results[f"mean_test_{metric}"]
    return results | {
        f"rank_test_{metric}": np.where(pruned, ranks + len(ranks), ranks),
        f"mean_test_{metric}": np.where(pruned, -np.inf, means),
    }


def _rungs(given: Any) -> tuple[int, ...] | None:
    if given is None:
        return None
    rungs = tuple(given) if not isinstance(given, (str, Mapping, Real)) else ()
    whole = all(isinstance(rung, Integral) and not isinstance(rung, bool) for rung in rungs)
    if not rungs or not whole or rungs[0] < 1 or any(b <= a for a, b in pairwise(rungs)):
        raise InvalidParameterError(
            f"prune has rungs={given!r}: give numbers of epochs that rise, such as (10, 30)."
        )
    return tuple(int(rung) for rung in rungs)


def _factor(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, Real) or not float(given) > 1:
        raise InvalidParameterError(
            f"prune has factor={given!r}: give a number above 1; of 3, every third candidate goes "
            "on at each rung."
        )
    return float(given)
