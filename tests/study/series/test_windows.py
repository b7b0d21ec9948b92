"""Windows of a study: what may be learnt from when a forecast is made, and series too short."""

import numpy as np
import pandas as pd
import pytest

from skhp.exceptions import TableError
from skhp.study.series.forecasts import StepOfWindow, steps_to_a_season_ago
from skhp.study.series.windows import windows_of
from skhp.tables.series import make_series


def counting(n_steps, **more):
    """A series whose values are the squares of their steps, which have no season."""
    return make_series(pd.DataFrame({"x": np.arange(n_steps) ** 2.0, **more}), "x")


@pytest.mark.parametrize("horizon", [1, 3])
def test_nothing_is_learnt_that_is_not_known_when_a_forecast_is_made(horizon):
    series = counting(200)
    windows = windows_of(series, horizon, n_folds=4)
    step = {value: n for n, value in enumerate(series.values["x"])}

    def latest_and_first(train, test):
        """The latest step that is learnt, and the moment of the first forecast scored."""
        latest = max(step[value] for value in windows.y[train])
        moment = min(step[window[-1, 0]] for window in windows.X[test])
        assert all(
            step[target] == step[window[-1, 0]] + horizon
            for window, target in zip(windows.X[test], windows.y[test], strict=True)
        )
        return latest, moment

    rows = np.arange(len(windows.y))
    latest, moment = latest_and_first(rows[: windows.n_training], rows[windows.first_test :])
    assert latest == moment
    assert min(step[y] for y in windows.split.y_test) == 150
    assert max(step[y] for y in windows.split.y_test) == 199
    for splitter, within in (
        (windows.folds(4), windows.n_training),
        (windows.stretches(), len(windows.y)),
    ):
        splits = list(splitter.split(rows[:within]))
        assert len(splits) in (4, 10)
        for train, test in splits:
            latest, moment = latest_and_first(train, test)
            assert latest == moment


def test_windows_are_as_long_as_the_longest_or_reach_back_to_the_season(sales):
    windows = windows_of(sales, 1, n_folds=3)
    assert windows.season.length == 12
    assert windows.time_steps == (6, 12, 15)
    assert windows.X.shape[1:] == (15, 2)
    without = windows_of(counting(400), 1, n_folds=3)
    assert without.season is None
    assert "no season was found" in without.no_season_because
    assert without.time_steps == (7, 15, 30)
    days = pd.date_range("2010-01-01", periods=1600)
    year = np.sin(np.arange(1600) * 2 * np.pi / 365)
    long = windows_of(make_series(pd.DataFrame({"d": days, "x": year}), "x"), 1, n_folds=3)
    assert (long.season.length, long.X.shape[1], long.time_steps) == (365, 365, (7, 15, 30))


@pytest.mark.parametrize(("season", "horizon"), [(12, 1), (12, 12), (7, 10), (1, 3)])
def test_a_season_ago_is_known_and_whole_seasons_before_the_target(season, horizon):
    back = steps_to_a_season_ago(season, horizon)
    assert back >= 0
    assert (back + horizon) % season == 0
    assert back < season
    window = np.arange(30.0)[None, :, None]
    forecast = StepOfWindow(0, back).fit(window).predict(window)
    assert (29 + horizon - forecast[0]) % season == 0


def test_steps_that_are_not_known_are_no_targets():
    values = np.arange(120) ** 2.0
    frame = pd.DataFrame({"x": values})
    frame.loc[[60, 110], "x"] = np.nan
    windows = windows_of(make_series(frame, "x"), 1, n_folds=3)
    assert set(windows.y) == set(values[15:]) - {60**2, 110**2}
    assert 60 not in windows.places


@pytest.mark.parametrize(
    ("n_steps", "horizon", "n_folds", "message"),
    [
        (
            30,
            1,
            5,
            "has 30 steps, which gives 20 windows .* 30 .*: give more rows or fewer",
        ),
        (300, 80, 5, "a shorter --horizon"),
        (60, 100, 2, "a shorter --horizon"),
        (3, 1, 2, "give more rows"),
    ],
)
def test_series_that_are_too_short_are_refused(n_steps, horizon, n_folds, message):
    with pytest.raises(TableError, match=message):
        windows_of(counting(n_steps), horizon, n_folds)
