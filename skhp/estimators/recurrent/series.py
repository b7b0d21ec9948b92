"""Checks of rows that are series of numbers or tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from skhp.estimators.tables import (
    dense,
    overflow_to_infinity,
    refuse_too_large_when_dense,
)
from skhp.shared.unusable_data import refuse_columns_without_numbers, refuse_ragged

# Networks compute in float32, which has every whole number up to here exactly.
MOST_TOKENS = 2**24

_PADDING = (
    ": pad the shorter ones, for example by keras.utils.pad_sequences; tokens are padded with 0"
)


def checked_series(estimator: BaseEstimator, X: Any, *, first: bool, tokens: bool) -> np.ndarray:
    """Checked series of shape (rows, steps, channels), or tokens of shape (rows, steps).

    `first` is true in `fit`, where the estimator stores the number of steps, and their names if a
    table has names.
    """
    name = type(estimator).__name__
    refuse_ragged(X, "steps", _PADDING)
    _refuse_dimensions(name, X, tokens)
    refuse_columns_without_numbers(X, name)
    refuse_too_large_when_dense(estimator, X)
    with overflow_to_infinity():
        checked = validate_data(
            estimator,
            X,
            reset=first,
            dtype=np.float64 if tokens else np.float32,
            accept_sparse="csr",
            allow_nd=True,
        )
    checked = dense(checked)
    return checked if tokens or checked.ndim == 3 else checked[:, :, None]


def _refuse_dimensions(name: str, X: Any, tokens: bool) -> None:
    try:
        shape = tuple(X.shape) if hasattr(X, "shape") else np.asarray(X).shape
    except ValueError as error:
        raise ValueError(
            f"X cannot be made an array of series: {str(error).rstrip('.')}. Expected the shape "
            "(n_samples, steps, channels), with the same number of channels in each step."
        ) from None
    if tokens and len(shape) > 2:
        raise ValueError(
            f"X has the shape {shape}, but with embedding_dim set {name} takes whole numbers of "
            "the shape (n_samples, steps). Set embedding_dim=None for series of several channels."
        )
    if len(shape) > 3:
        raise ValueError(
            f"X has {len(shape)} dimensions, with the shape {shape}, but {name} takes series of "
            "the shape (n_samples, steps, channels), or (n_samples, steps) for one channel."
        )
    if len(shape) == 3 and 0 in shape[1:]:
        raise ValueError(
            f"X has the shape {shape}, but {name} takes series of the shape (n_samples, steps, "
            "channels), with at least one step and one channel."
        )


def refuse_other_channels(name: str, rows: np.ndarray, channels: int) -> None:
    """Raise ValueError if the number of channels differs from the one seen in `fit`."""
    if rows.ndim == 3 and rows.shape[2] != channels:
        raise ValueError(
            f"X has {rows.shape[2]} channels, but {name} is expecting {channels} channels, as in "
            f"fit: series of the shape (n_samples, {rows.shape[1]}, {channels})."
        )


def last_steps(name: str, rows: np.ndarray, time_steps: int | None) -> np.ndarray:
    """The last `time_steps` steps of each series; None returns all steps."""
    if time_steps is None:
        return rows
    if time_steps > rows.shape[1]:
        raise ValueError(
            f"{name} has time_steps={time_steps}, but the series in X have {rows.shape[1]} steps "
            f"(shape {rows.shape}). Give longer series, or time_steps from 1 to {rows.shape[1]}."
        )
    return np.ascontiguousarray(rows[:, -time_steps:])


def refuse_other_numbers_than_tokens(name: str, rows: np.ndarray) -> None:
    """Raise ValueError if rows hold anything but whole numbers from 0 up."""
    for wrong, what in (
        (rows < 0, "a negative number"),
        (rows != np.floor(rows), "not a whole number"),
        (rows >= MOST_TOKENS, f"not below {MOST_TOKENS}"),
    ):
        if wrong.any():
            row, step = np.argwhere(wrong)[0]
            raise ValueError(
                f"X holds {rows[row, step]:g} in row {row}, step {step}, which is {what}: with "
                f"embedding_dim set, {name} takes whole numbers from 0 up, 0 being padding."
            )


def refuse_unknown_tokens(rows: np.ndarray, vocabulary_size: int, *, given: bool) -> None:
    """Raise ValueError if a token is not below the size of the vocabulary."""
    largest = int(rows.max())
    if largest >= vocabulary_size:
        row, step = np.argwhere(rows == largest)[0]
        told = (
            f"vocabulary_size={vocabulary_size} has"
            if given
            else f"the vocabulary seen in fit, of size {vocabulary_size}, has"
        )
        raise ValueError(
            f"X holds the token {largest} in row {row}, step {step}, but {told} tokens from 0 to "
            f"{vocabulary_size - 1}. Set vocabulary_size to {largest + 1} or more, or replace "
            "unknown tokens by one known token."
        )


def without_unknown_tokens(rows: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """Rows in which tokens beyond the vocabulary are padding, which the network skips."""
    unknown = rows >= vocabulary_size
    return np.where(unknown, 0, rows) if unknown.any() else rows
