"""Windows over a series, each with the value to forecast from it."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pandas.api.types import is_numeric_dtype

from skhp.exceptions import InvalidParameterError
from skhp.sequences.dates import as_times, gaps
from skhp.shared.nearest_name import nearest_name


class Windows(NamedTuple):
    """Windows of a series, their targets, and the places of the targets in the series."""

    X: np.ndarray
    y: np.ndarray
    index: Any


def sliding_windows(
    series: ArrayLike,
    time_steps: int,
    horizon: int = 1,
    target: Hashable | None = None,
) -> Windows:
    """Cut a series into windows, each with the value to forecast from it.

    A window holds `time_steps` consecutive steps, and its target lies `horizon` steps after the
    last of them. A window therefore never holds its own target or any later value. If windows are
    split in the order of time, as by scikit-learn's ``TimeSeriesSplit``, no training window holds
    the target of a test window.

    Parameters
    ----------
    series : array-like of shape (n_steps,) or (n_steps, n_channels)
        Finite numbers in the order of time, one step per row. If a pandas Series or DataFrame has
        dates or numbers as its index, they have to be in order and without gaps.
    time_steps : int
        Number of steps in a window.
    horizon : int, default=1
        Number of steps from the last step of a window to its target.
    target : str or int, default=None
        The channel to forecast: the name of a column, or its position if columns have no names.
        May be None only if the series has a single channel.

    Returns
    -------
    X : ndarray of shape (n_windows, time_steps) or (n_windows, time_steps, n_channels)
        The windows, as `KerasRNNRegressor` takes them; two-dimensional for a one-dimensional
        series.
    y : ndarray of shape (n_windows,)
        The target of each window.
    index : ndarray or pandas.Index of shape (n_windows,)
        The place of each target in the series: its entry in the pandas index, or its row number.

    Raises
    ------
    ValueError
        If the series is too short, is out of order, has gaps or holds a number that is not finite.
    InvalidParameterError
        If a parameter is out of its range, or the series has no channel `target`.

    Examples
    --------
    >>> from skhp.sequences import sliding_windows
    >>> X, y, index = sliding_windows([10, 20, 30, 40, 50], time_steps=3)
    >>> X
    array([[10., 20., 30.],
           [20., 30., 40.]])
    >>> y, index
    (array([40., 50.]), array([3, 4]))
    """
    _refuse_counts(time_steps=time_steps, horizon=horizon)
    places = getattr(series, "index", None) if hasattr(series, "iloc") else None
    _refuse_disorder(places)
    values = _finite_steps(series)
    column = _position(series, values, target)
    n_windows = len(values) - time_steps - horizon + 1
    if n_windows < 1:
        raise ValueError(
            f"Windows of time_steps={time_steps}, with targets horizon={horizon} steps later, need "
            f"a series of at least {time_steps + horizon} steps, got {len(values)}."
        )
    windows = np.lib.stride_tricks.sliding_window_view(values, time_steps, axis=0)[:n_windows]
    X = windows.copy() if values.ndim == 1 else windows.transpose(0, 2, 1).copy()
    first = time_steps + horizon - 1
    y = values[first:] if values.ndim == 1 else values[first:, column]
    index = np.arange(first, len(values)) if places is None else places[first:]
    return Windows(X, y.copy(), index)


def _refuse_counts(**counts: Any) -> None:
    wrong = [
        f"{name} must be a whole number from 1 up, got {value!r}"
        for name, value in counts.items()
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1
    ]
    if wrong:
        raise InvalidParameterError(f"{'; '.join(wrong)}.")


def _finite_steps(series: ArrayLike) -> np.ndarray:
    try:
        given = np.asarray(series)
        if given.dtype.kind in "cmM":
            raise TypeError(f"it holds values of type {given.dtype}")
        values = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The series must hold numbers only, one row a step: {str(error).rstrip('.')}. Leave "
            "other columns out, and give each step the same number of channels."
        ) from error
    if values.ndim not in (1, 2) or 0 in values.shape[1:]:
        raise ValueError(
            "The series must have the shape (n_steps,) or (n_steps, n_channels), got "
            f"{values.shape}."
        )
    every_channel = tuple(range(1, values.ndim))
    missing = np.flatnonzero(~np.isfinite(values).all(axis=every_channel))
    if len(missing):
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(
            f"The series is not finite at step {missing[0]}{more}, counted from 0. Fill gaps, as "
            "by pandas' interpolate(), or take the part without them."
        )
    return values


def _position(series: ArrayLike, values: np.ndarray, target: Hashable | None) -> int:
    n_channels = 1 if values.ndim == 1 else values.shape[1]
    names = list(getattr(series, "columns", range(n_channels)))
    if target is None:
        if n_channels > 1:
            raise InvalidParameterError(
                f"target must say which of the {n_channels} channels is forecast: one of {names}."
            )
        return 0
    if target not in names:
        hint = nearest_name(str(target), [str(name) for name in names])
        raise InvalidParameterError(
            f"target={target!r} is not a channel of the series, which has {names}.{hint}"
        )
    return names.index(target)


def _refuse_disorder(places: Any) -> None:
    """Raise ValueError if dates or numbers are out of order, repeated, or have gaps."""
    if isinstance(places, pd.MultiIndex):
        raise ValueError(
            f"The series has an index of {places.nlevels} levels, and one place a step was "
            "expected. Cut each of several series into windows of its own, and join the windows."
        )
    times = as_times(places)
    if times is None:
        return
    what = "number" if is_numeric_dtype(times.dtype) else "date"
    if times.hasnans:
        at = int(np.flatnonzero(times.isna())[0])
        raise ValueError(f"Step {at} of the series, counted from 0, has no {what}. Give it one.")
    later = np.asarray(times[1:] > times[:-1])
    if not later.all():
        at = int(np.flatnonzero(~later)[0])
        raise ValueError(
            f"The series is out of order: {places[at]} is followed by {places[at + 1]}, and a "
            f"later {what} was expected in its index. Sort it, as by sort_index(), and give each "
            f"{what} once; or call reset_index(drop=True), if the rows are in the order of time."
        )
    missing = gaps(times)
    if missing:
        at, expected = missing[0]
        raise ValueError(
            f"The series has a gap: {places[at]} is followed by {places[at + 1]}, and {expected} "
            "was expected in its index. Fill it, as by asfreq() or reindex() and interpolate() of "
            "pandas; or call reset_index(drop=True), if the steps are equally spaced by their "
            "nature, as trading days are."
        )
