"""Give an estimator, and every estimator within it, a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

__all__ = ["fit_seed", "has_seed", "seeded"]

_LARGEST_SEED = 2**31 - 1


def fit_seed(*numbers: int) -> int:
    """The seed of a fit, by the numbers that tell it from all others.

    Examples
    --------
    >>> fit_seed(3, 0) == fit_seed(3, 0), fit_seed(3, 0) == fit_seed(0, 3)
    (True, False)
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0]) % _LARGEST_SEED


def has_seed(estimator: Any) -> bool:
    """Whether the estimator or one within it has the parameter `random_state`."""
    return bool(_seed_names(estimator))


def seeded(estimator: Any, seed: int) -> Any:
    """A clone, in which every parameter `random_state` has a number drawn from a seed.

    Parameters
    ----------
    estimator : estimator
        Those within it, as in a pipeline or a searcher, are seeded too.
    seed : int

    Returns
    -------
    estimator

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> a, b, c = (seeded(LogisticRegression(), seed).random_state for seed in (1, 1, 2))
    >>> a == b, a == c
    (True, False)
    """
    names = _seed_names(estimator)
    draws = np.random.RandomState(seed).randint(_LARGEST_SEED, size=len(names))
    values = dict(zip(names, draws.tolist(), strict=True))
    copied = clone(estimator)
    return copied.set_params(**values) if values else copied


def _seed_names(estimator: Any) -> list[str]:
    return sorted(
        name
        for name in estimator.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    )
