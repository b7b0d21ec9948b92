"""Scaling channel by channel, against scikit-learn's scaler of one column."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhp.sequences import ChannelScaler


@parametrize_with_checks([ChannelScaler()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("shape", [(6, 4, 3), (6, 4)])
def test_every_channel_is_scaled_as_one_column(shape):
    X = np.random.default_rng(0).normal(3, 5, shape)
    scaled = ChannelScaler().fit_transform(X)
    channels = X.reshape(*X.shape, 1) if X.ndim == 2 else X
    own = scaled.reshape(channels.shape)
    for channel in range(channels.shape[-1]):
        column = channels[..., channel].reshape(-1, 1)
        expected = StandardScaler().fit_transform(column)
        np.testing.assert_allclose(own[..., channel].reshape(-1, 1), expected)


def test_the_inverse_brings_back_what_was_given():
    X = np.random.default_rng(0).normal(3, 5, (6, 4, 2)).astype(np.float32)
    given = X.copy()
    scaler = ChannelScaler().fit(X)
    scaled = scaler.transform(X)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaler.inverse_transform(scaled), X, rtol=1e-5)
    np.testing.assert_array_equal(X, given)


def test_a_constant_channel_stays_finite():
    assert (ChannelScaler().fit_transform(np.full((3, 2, 1), 7.0)) == 0).all()


def test_other_shapes_are_refused():
    scaler = ChannelScaler().fit(np.zeros((5, 4, 2)))
    with pytest.raises(ValueError, match=r"X has 3 channels, but .* fitted on 2"):
        scaler.transform(np.zeros((5, 4, 3)))
    with pytest.raises(ValueError, match=r"got \(2, 2, 2, 2\)"):
        ChannelScaler().fit(np.zeros((2, 2, 2, 2)))


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([[1.0, 2.0], [3.0]], "2 steps in row 0 and 1 in row 1"),
        (np.array([["2024-01-01"] * 3] * 2, dtype="datetime64[D]"), "holds dates"),
        ({"a": np.ones((3, 2))}, "X is a dict"),
        (pd.DataFrame({0: [1.0], "name": ["a"]}), "column 'name' .* holds the text 'a'"),
        (pd.Series([np.ones(3), np.ones(3)]), r"the shape \(3,\) in row 0, .* shape \(2, 3\)"),
    ],
)
def test_what_is_not_windows_of_numbers_is_refused(windows, message):
    with pytest.raises(ValueError, match=message):
        ChannelScaler().fit(windows)
