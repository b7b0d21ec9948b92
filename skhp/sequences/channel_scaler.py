"""Scaling of series channel by channel."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from skhp.shared.unusable_data import (
    refuse_columns_without_numbers,
    refuse_ragged,
    refuse_several_inputs,
)


class ChannelScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale each channel of windows to mean 0 and unit variance over all rows and steps.

    scikit-learn's StandardScaler takes tables only, and would scale each step of a window
    separately. In a pipeline, the scales are learnt from the training fold alone.

    Parameters
    ----------
    copy : bool, default=True
        Whether to copy windows before scaling; False scales arrays of floats in place.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_channels,)
        Mean and standard deviation of each channel over all rows and steps; the scale of a constant
        channel is 1.
    n_features_in_ : int
        Number of steps of a window, which scikit-learn counts as features.

    See Also
    --------
    sliding_windows : Cuts a series into windows.

    Examples
    --------
    >>> import numpy as np
    >>> from skhp.sequences import ChannelScaler
    >>> windows = np.arange(12.0).reshape(2, 3, 2)
    >>> ChannelScaler().fit(windows).mean_
    array([5., 6.])
    """

    def __init__(self, copy: bool = True) -> None:
        self.copy = copy

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the mean and deviation of each channel.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, n_channels) or (n_samples, n_steps)
            Windows; two-dimensional ones have one channel.
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a number is not finite, or the shape is not one of the above.
        """
        windows = self._checked(X, first=True)
        scaler = StandardScaler().fit(windows.reshape(-1, self._n_channels))
        self.mean_, self.scale_ = scaler.mean_, scaler.scale_
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Scale windows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, n_channels) or (n_samples, n_steps)

        Returns
        -------
        scaled : ndarray of the same shape
        """
        check_is_fitted(self)
        scaled = self._checked(X, first=False)
        scaled -= self.mean_.astype(scaled.dtype)
        scaled /= self.scale_.astype(scaled.dtype)
        return scaled

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Bring scaled windows back to the original units.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, n_channels) or (n_samples, n_steps)

        Returns
        -------
        windows : ndarray of the same shape
        """
        check_is_fitted(self)
        windows = self._checked(X, first=False)
        windows *= self.scale_.astype(windows.dtype)
        windows += self.mean_.astype(windows.dtype)
        return windows

    def _checked(self, X: ArrayLike, *, first: bool) -> np.ndarray:
        refuse_several_inputs(X)
        refuse_ragged(X, "steps")
        refuse_columns_without_numbers(X, "ChannelScaler")
        windows: np.ndarray = validate_data(
            self,
            X,
            reset=first,
            dtype=[np.float64, np.float32],
            allow_nd=True,
            copy=self.copy,
            force_writeable=True,
        )
        n_channels = 1 if windows.ndim == 2 else windows.shape[-1]
        if windows.ndim > 3:
            raise ValueError(
                "ChannelScaler takes windows of the shape (n_samples, n_steps, n_channels) or "
                f"(n_samples, n_steps), got {windows.shape}."
            )
        if first:
            self._n_channels = n_channels
        elif n_channels != self._n_channels:
            raise ValueError(
                f"X has {n_channels} channels, but this ChannelScaler was fitted on "
                f"{self._n_channels}."
            )
        return windows
