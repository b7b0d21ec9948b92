"""Whether two objects are interchangeable in a fit, and which library an object comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from skhp.shared.taken_rows import TakenRows


def library_of(thing: Any) -> str:
    """Name of the top package that defines a class or a function.

    Examples
    --------
    >>> from sklearn.base import clone
    >>> library_of(clone)
    'sklearn'
    """
    return (thing.__module__ or "").partition(".")[0]


def equal(one: Any, other: Any) -> bool:
    """Whether two values are certainly equal; values that cannot be compared count as unequal.

    Estimators are compared by class, parameters and `set_output`, not by fitted attributes.
    """
    if one is other:
        return True
    if isinstance(one, TakenRows):
        return one.equals(other)
    if isinstance(other, TakenRows):
        return other.equals(one)
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
        )
    if issparse(one):
        return one.dtype == other.dtype and one.shape == other.shape and not (one != other).nnz
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if hasattr(one, "get_params") and not isinstance(one, type):
        return equal(one.get_params(deep=False), other.get_params(deep=False)) and equal(
            _output_configuration(one), _output_configuration(other)
        )
    if _is_loss_of_keras(one):
        return equal(vars(one), vars(other))
    try:
        return bool(one.equals(other) if hasattr(one, "equals") else one == other)
    except (TypeError, ValueError):
        return False


def _is_loss_of_keras(value: Any) -> bool:
    """Whether a value is a loss of Keras, which can be compared by its attributes only."""
    kind = type(value)
    return (
        library_of(kind) == "keras" and hasattr(value, "reduction") and kind.__eq__ is object.__eq__
    )


def _output_configuration(estimator: Any) -> Any:
    # `set_output` changes what a transformer returns, although it is not a parameter.
    # scikit-learn has no public way to ask for it.
    return getattr(estimator, "_sklearn_output_config", None)
