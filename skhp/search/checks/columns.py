"""Refuse tables whose texts or dates would reach the network of each candidate."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from sklearn import get_config
from sklearn.base import clone
from sklearn.utils import resample

from skhp.population.requests.requested_fits import may_join
from skhp.shared.pipelines import last_step, steps_before
from skhp.shared.unusable_data import (
    columns_without_numbers,
    refuse_columns_not_finite,
    refuse_columns_without_numbers,
)

__all__ = ["refuse_unusable_columns"]

_ROWS_TO_TRY = 200

# What scikit-learn, NumPy and pandas say where a step takes numbers only.
_NO_NUMBERS = (
    *("could not convert string to float", "argument must be", "could not be promoted"),
    *("dtype='numeric' is not compatible", "Cannot cast", "Cannot convert", "not supported for"),
)


def refuse_unusable_columns(estimator: Any, space: Any, X: Any, y: Any) -> None:
    """Raise if texts, dates or missing values of a table reach a network that takes numbers.

    Where steps of a pipeline stand before it, they are fitted to a few rows. Steps that the search
    itself changes, and what fails for another reason, are left to the candidates.

    Parameters
    ----------
    estimator : estimator
        Of the search.
    space : dict, list of dict or callable
        That is searched.
    X, y : array-like

    Raises
    ------
    ValueError
        Names the columns.
    """
    if not may_join(estimator):
        return
    network, before = type(last_step(estimator)).__name__, steps_before(estimator)
    if not columns_without_numbers(X):
        if not before and not get_config()["assume_finite"]:
            refuse_columns_not_finite(X, network)
        return
    if not before:
        refuse_columns_without_numbers(X, network)
        return
    if _changes(space, [name for name, _ in before]):
        return
    rows, target = X, y
    try:
        if len(X) > _ROWS_TO_TRY:
            # The target is cut together with the rows.
            sample = {"replace": False, "n_samples": _ROWS_TO_TRY, "random_state": 0}
            rows, target = (resample(X, **sample), y) if y is None else resample(X, y, **sample)
        for name, step in before:
            if hasattr(step, "fit_resample"):
                continue
            taker = f"The step {name!r} of the pipeline, a {type(step).__name__},"
            with warnings.catch_warnings(action="ignore"):
                rows = clone(step).fit_transform(rows, target)
    except Exception as error:
        if any(words in str(error) for words in _NO_NUMBERS):
            refuse_columns_without_numbers(rows, taker)
        return
    refuse_columns_without_numbers(rows, f"{network}, behind the steps of the pipeline,")


def _changes(space: Any, steps: list[str]) -> bool:
    """Whether a search changes one of these steps, or may do so."""
    if callable(space):
        return True
    listed = [space] if isinstance(space, Mapping) else space
    dicts = [one[0] if isinstance(one, tuple) and one else one for one in listed]
    names = {str(name) for one in dicts if isinstance(one, Mapping) for name in one}
    return any(
        step == name or step.startswith(f"{name}__") or name.startswith(f"{step}__")
        for name in names
        for step in steps
    )
