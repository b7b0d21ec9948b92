"""From what the user gave to arrays, of any number of dimensions, that Keras can take."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import validate_data

from skhp.shared.unusable_tables import refuse_columns_without_numbers

_WHOLE_NUMBERS = [np.dtype(f"{sign}int{bits}") for bits in (8, 16, 32, 64) for sign in ("", "u")]


def checked_rows(estimator: BaseEstimator, X: Any, *, first: bool = False) -> np.ndarray:
    """Validated rows; `first` notes the number and the names of the columns.

    Whole numbers stay as they are, for embeddings and encoders; all else becomes float, of the
    precision that Keras uses.
    """
    refuse_columns_without_numbers(X, type(estimator).__name__)
    with overflow_to_infinity():
        checked = validate_data(estimator, X, reset=first, **_options())
    return dense(checked)


def checked_arrays(
    estimator: BaseEstimator, X: Any, y: Any, *, first: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Validated rows and their targets, which stay of the type they are."""
    refuse_columns_without_numbers(X, type(estimator).__name__)
    with overflow_to_infinity():
        checked, y = validate_data(estimator, X, y, reset=first, multi_output=True, **_options())
    return dense(checked), dense(y)


def numeric_target(estimator: BaseEstimator, y: np.ndarray) -> np.ndarray:
    """A target of numbers that Keras can represent."""
    if y.dtype.kind == "O":
        y = y.astype(np.float64)
    if y.dtype.kind not in "fiub":
        raise ValueError(
            f"{type(estimator).__name__} needs a target of numbers, got y of type {y.dtype}."
        )
    if y.dtype.kind == "f":
        with overflow_to_infinity():
            assert_all_finite(y.astype(_precision()), input_name="y")
    return y


def _options() -> dict[str, Any]:
    return {"dtype": [_precision(), *_WHOLE_NUMBERS], "allow_nd": True, "accept_sparse": "csr"}


def _precision() -> type[np.floating]:
    return np.float64 if keras.config.floatx() == "float64" else np.float32


def overflow_to_infinity() -> np.errstate:
    """Let values that overflow the precision become infinite: scikit-learn refuses those by name.

    NumPy would warn of the overflow, and of infinities of both signs in the sum that finds them.
    """
    return np.errstate(over="ignore", invalid="ignore")


def dense(array: Any) -> np.ndarray:
    """The array itself, or a sparse one made dense."""
    return array.toarray() if hasattr(array, "toarray") else array
