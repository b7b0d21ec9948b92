"""Cut a series into windows, and split them in the order of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import TimeSeriesSplit

from skhp.exceptions import TableError
from skhp.sequences import sliding_windows
from skhp.study.repeats import Split
from skhp.study.series.forecasts import steps_to_a_season_ago
from skhp.study.series.season import Season, find_season
from skhp.tables.series import Series

TEST_SHARE = 0.25
# A window may hold this share of the series at most, or few windows would be left.
_MOST_OF_SERIES = 1 / 8
# A season is not used if the windows that reach back to it would have more cells than this.
_MOST_CELLS = 10_000_000
_LENGTHS_WITHOUT_SEASON = (7, 15, 30)
_LONGEST_SEASON_IN_WINDOW = 30
_FEWEST_TRAINING_WINDOWS = 30
_VERDICT_STRETCHES = 10


@dataclass(frozen=True, eq=False)
class WindowedSeries:
    """Windows of a series with their targets, in the order of time.

    `time_steps` are the window lengths to search. The windows in `X` are as long as the longest of
    these, or longer if the value a season ago lies further back.
    """

    X: np.ndarray
    y: np.ndarray
    places: np.ndarray  # the step of each target in the series
    n_training: int  # the first windows are for training
    first_test: int  # the windows from here on are for testing
    horizon: int
    time_steps: tuple[int, ...]
    season: Season | None
    no_season_because: str | None

    @property
    def split(self) -> Split:
        """The windows to train on, and the later ones to test on."""
        train, test = slice(0, self.n_training), slice(self.first_test, None)
        return Split(self.X[train], self.X[test], self.y[train], self.y[test])

    def folds(self, n_folds: int) -> TimeSeriesSplit:
        """Folds of the training windows, each scored on later windows than it learns from.

        The gap leaves out targets that are not known yet when the first scored forecast is made.
        """
        return TimeSeriesSplit(n_folds, gap=self.horizon - 1)

    def stretches(self) -> TimeSeriesSplit:
        """Ten stretches of the second half, each forecast from all windows known before it."""
        size = max(1, len(self.y) // (2 * _VERDICT_STRETCHES))
        return TimeSeriesSplit(_VERDICT_STRETCHES, test_size=size, gap=self.horizon - 1)


def windows_of(series: Series, horizon: int, n_folds: int) -> WindowedSeries:
    """Cut a series into windows; a series that is too short raises a TableError."""
    n_steps = len(series.values)
    first_test_step = n_steps - int(n_steps * TEST_SHARE)
    # Training ends with the last target that is known when the first test window ends.
    n_known = first_test_step - horizon + 1
    # The first fold learns from about as many windows as each fold scores.
    fewest = max(_FEWEST_TRAINING_WINDOWS, (n_folds + 1) * (horizon + 4))
    season, why_not = _usable_season(series, n_known, horizon, fewest)
    time_steps = _lengths(season, n_steps)
    back = 1 + (steps_to_a_season_ago(season.length, horizon) if season else 0)
    width = max(*time_steps, back)
    # This is the largest possible number of training windows: some targets may be missing.
    _refuse_short(series, n_known - horizon - width + 1, fewest, horizon, n_folds)
    X, y, places = sliding_windows(series.values.to_numpy(), width, horizon, series.position)
    known = series.is_known[places]
    X, y, places = X[known], y[known], places[known]
    n_training = int((places < n_known).sum())
    first_test = int((places < first_test_step).sum())
    _refuse_short(series, n_training if first_test < len(y) else 0, fewest, horizon, n_folds)
    return WindowedSeries(
        X, y, places, n_training, first_test, horizon, time_steps, season, why_not
    )


def _refuse_short(series: Series, n_training: int, fewest: int, horizon: int, n_folds: int) -> None:
    if n_training >= fewest:
        return
    few = " or fewer --folds" if n_folds > 2 else ""
    shorter = ", a shorter --horizon" if horizon > 1 else ""
    raise TableError(
        f"{series.name} has {len(series.values)} steps, which gives {max(0, n_training)} windows "
        f"to train and tune on, and at least {fewest} are needed: give more rows{shorter}{few}."
    )


def _usable_season(
    series: Series, n_known: int, horizon: int, fewest: int
) -> tuple[Season | None, str | None]:
    """The season to forecast by, if there is one, and the reason if there is none."""
    training = series.values[series.target].to_numpy()[: max(n_known, 0)]
    season = find_season(training, series.step) if n_known > 2 else None
    if season is None:
        return None, "no season was found, neither by autocorrelation nor by dates"
    needed = steps_to_a_season_ago(season.length, horizon) + 1
    n_cells = needed * series.values.size
    if n_known - horizon - needed < max(fewest, n_known // 2) or n_cells > _MOST_CELLS:
        return None, (
            f"the season of {season.length} steps, {season.source}, is too long for windows of "
            "this series"
        )
    return season, None


def _lengths(season: Season | None, n_steps: int) -> tuple[int, ...]:
    """Window lengths to search: half a season, one season and two seasons if it is short."""
    if season is not None and season.length <= _LONGEST_SEASON_IN_WINDOW:
        wished = (-(-season.length // 2), season.length, 2 * season.length)
    else:
        wished = _LENGTHS_WITHOUT_SEASON
    most = max(2, int(n_steps * _MOST_OF_SERIES))
    return tuple(sorted({min(max(length, 2), most) for length in wished}))
