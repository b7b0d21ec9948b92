"""Windows over a series: what they hold, what they never hold, and series that are refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline

from skhp import InvalidParameterError
from skhp.sequences import ChannelScaler, sliding_windows


@given(
    n_steps=st.integers(2, 40),
    n_channels=st.integers(1, 3),
    time_steps=st.integers(1, 10),
    horizon=st.integers(1, 5),
)
def test_each_window_ends_a_horizon_before_its_target(n_steps, n_channels, time_steps, horizon):
    # Every number says its own step and channel.
    series = np.arange(n_steps)[:, None] * 10.0 + np.arange(n_channels)
    if n_steps < time_steps + horizon:
        with pytest.raises(ValueError, match=f"at least {time_steps + horizon} steps, got"):
            sliding_windows(series, time_steps, horizon, target=0)
        return
    X, y, index = sliding_windows(series, time_steps, horizon, target=n_channels - 1)
    assert X.shape == (n_steps - time_steps - horizon + 1, time_steps, n_channels)
    for window, target, place in zip(X, y, index, strict=True):
        assert target == series[place, n_channels - 1]
        np.testing.assert_array_equal(
            window, series[place - horizon - time_steps + 1 : place - horizon + 1]
        )


def test_a_series_of_one_channel_gives_a_table():
    X, y, index = sliding_windows([1, 2, 3, 4], 2)
    np.testing.assert_array_equal(X, [[1, 2], [2, 3]])
    np.testing.assert_array_equal(y, [3, 4])
    np.testing.assert_array_equal(index, [2, 3])


def test_pandas_gives_its_names_and_dates():
    days = pd.date_range("2024-02-27", periods=5)
    frame = pd.DataFrame({"price": np.arange(5.0), "volume": np.arange(5.0) + 100}, index=days)
    X, y, index = sliding_windows(frame, 2, horizon=2, target="volume")
    np.testing.assert_array_equal(y, [103, 104])
    np.testing.assert_array_equal(X[0], [[0, 100], [1, 101]])
    assert list(index) == list(days[3:])


def test_what_is_cut_out_is_a_copy():
    series = np.arange(6.0)
    X, y, _ = sliding_windows(series, 2)
    X[:], y[:] = 0, 0
    np.testing.assert_array_equal(series, np.arange(6.0))


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize("horizon", [1, 4])
def test_no_window_to_learn_from_holds_what_a_scored_one_is_to_forecast(gap, horizon):
    # Each number is its own step in time.
    X, y, _ = sliding_windows(np.arange(60.0), 7, horizon)
    for train, test in TimeSeriesSplit(4, gap=gap).split(X):
        assert max(X[train].max(), y[train].max()) + gap < y[test].min()


def test_scaling_is_learnt_in_the_training_fold():
    X, y, _ = sliding_windows(np.arange(80.0), 5)
    seen = []

    class Noting(ChannelScaler):
        def fit(self, X, y=None):
            seen.append(X.max())
            return super().fit(X, y)

    folds = TimeSeriesSplit(3)
    cross_val_score(make_pipeline(Noting(), Ridge()), X, y, cv=folds)
    assert seen == [X[train].max() for train, _ in folds.split(X)]


@pytest.mark.parametrize("frequency", ["D", "B", "h", "MS", "ME", "QE", "YS", "W"])
def test_dates_in_step_are_taken_and_a_gap_is_named(frequency):
    days = pd.date_range("2019-01-01", periods=60, freq=frequency)
    series = pd.Series(np.arange(60.0), index=days)
    assert len(sliding_windows(series, 3).X) == 57
    with pytest.raises(ValueError, match="has a gap") as refusal:
        sliding_windows(series.drop(days[30]), 3)
    for day in days[29:32]:
        assert str(day) in str(refusal.value)


def test_a_gap_in_periods_is_named():
    months = pd.period_range("2019-01", periods=12, freq="M").delete(4)
    with pytest.raises(ValueError, match="2019-04 is followed by 2019-06, and 2019-05 was"):
        sliding_windows(pd.Series(np.arange(11.0), index=months), 2)


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (["2024-01-03", "2024-01-02", "2024-01-04"], "out of order: 2024-01-03.* by 2024-01-02"),
        (["2024-01-02", "2024-01-02", "2024-01-03"], "out of order: 2024-01-02.* by 2024-01-02"),
        (["2024-01-02", None, "2024-01-03"], "Step 1 .* has no date"),
    ],
)
def test_dates_out_of_order_are_refused(days, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(pd.Series([1.0, 2.0, 3.0], index=pd.DatetimeIndex(days)), 1)


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ([1.0, np.nan, 2.0, np.inf], "not finite at step 1, and 1 more"),
        ([[1, 2], [3]], "same number of channels"),
        (["a", "b"], "numbers only"),
        (np.zeros((3, 2, 2)), r"got \(3, 2, 2\)"),
        (np.zeros((3, 0)), r"got \(3, 0\)"),
        (3.0, r"got \(\)"),
        ([1.0, 2.0], "at least 3 steps, got 2"),
    ],
)
def test_series_without_meaning_are_refused(series, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(series, 2)


def test_all_wrong_parameters_are_named():
    with pytest.raises(InvalidParameterError, match=r"time_steps .* got 0; horizon .* got 1.5"):
        sliding_windows([1, 2, 3], 0, 1.5)
    with pytest.raises(InvalidParameterError, match=r"which of the 2 channels"):
        sliding_windows(np.zeros((9, 2)), 2)
    frame = pd.DataFrame({"price": np.arange(9.0), "volume": 1.0})
    with pytest.raises(InvalidParameterError, match=r"'prize' is not a channel.* mean 'price'"):
        sliding_windows(frame, 2, target="prize")


DAYS = pd.date_range("2024-01-01", periods=20)


@pytest.mark.parametrize(
    ("index", "message"),
    {
        "numbers that fall": (range(20, 0, -1), "out of order: 20 is followed by 19"),
        "years in any order": ([2003, 2001, *range(2004, 2022)], "2003 is followed by 2001"),
        "rows left out": ([*range(5), *range(6, 21)], "gap: 4 is followed by 6, and 5 was"),
        "seconds": (np.r_[0.1:1.1:0.1, 1.2:2.15:0.1], "gap: 1.0.* is followed by 1.2"),
        "texts": (DAYS[::-1].astype(str), "2024-01-20.* is followed by 2024-01-19"),
        "date objects": (pd.Index(DAYS.date[::-1], dtype=object), "a later date was expected"),
        "a text without its neighbour": (DAYS.delete(3).union(["2024-01-21"]).astype(str), "gap:"),
        "levels": (pd.MultiIndex.from_product([["a", "b"], range(10)]), "index of 2 levels"),
    }.values(),
)
def test_an_index_that_has_an_order_is_checked(index, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(pd.Series(np.arange(20.0), index=index), 3)


@pytest.mark.parametrize(
    "index",
    {
        "numbers": range(100, 120),
        "tenths": np.arange(20) / 10,
        "days": DAYS.astype(str),
        "names": [f"step {k % 7}" for k in range(20)],
        "categories": pd.CategoricalIndex(list("abababababababababab")),
    }.values(),
)
def test_any_other_index_is_taken(index):
    windows = sliding_windows(pd.Series(np.arange(20.0), index=index), 3)
    assert len(windows.X) == 17
    assert list(windows.index) == list(pd.Index(index)[3:])


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (np.arange(9.0) * 1j, "values of type complex128"),
        (pd.date_range("2024-01-01", periods=9), "values of type datetime64"),
        ([], "at least 3 steps, got 0"),
        ([[1.0, 2.0], [3.0]], r"shape was \(2,\) \+ inhomogeneous part\. Leave"),
    ],
)
def test_what_is_not_a_series_of_numbers_is_refused(series, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(series, 2)


def test_a_channel_is_suggested_once():
    with pytest.raises(
        InvalidParameterError, match=r"has \['sold', 'price'\]\. Did you mean 'sold'\?$"
    ):
        sliding_windows(pd.DataFrame({"sold": range(9), "price": range(9)}), 2, target="slod")
