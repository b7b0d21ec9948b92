"""A study of a series from end to end: tune a network and ridge, repeat the winner, compare."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin, clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skhp.comparison.compared import ScoredFits, scored_fits
from skhp.comparison.metric_scorers import SHORT_NAMES, metric_scorers, number_scoring_name
from skhp.comparison.outer_fits import repeat_seeds
from skhp.comparison.outer_splits import outer_splits
from skhp.comparison.scores import NumberScores, score_regressor
from skhp.exceptions import SettingsError
from skhp.sequences import ChannelScaler
from skhp.shared.terminal import OnProgress
from skhp.study.network_search import NetworkSearch
from skhp.study.repeats import Repeat
from skhp.study.search_space import SearchSpace
from skhp.study.series.forecasts import (
    LAST_VALUE,
    NETWORK,
    RIDGE,
    RIDGE_ALPHAS,
    SEASON_AGO,
    StepOfWindow,
    steps_to_a_season_ago,
    tune_ridge_of_windows,
)
from skhp.study.series.windows import WindowedSeries, windows_of
from skhp.study.settings import Settings
from skhp.study.tuning import tune_and_repeat
from skhp.tables.series import Series

LEARNING_RATES = (3e-2, 1e-2, 3e-3, 1e-3)
BATCH_SIZES = (20, 60)


@dataclass(frozen=True)
class SeriesSettings(Settings):
    """How a study of a series is done; a value out of range raises a SettingsError.

    `horizon` is the number of steps from the end of a window to its target. `scoring` is a score of
    numbers, such as "mae" or "rmse". `verdict_repeats` is the number of seeds with which the
    network is trained before each stretch of the verdict.
    """

    scoring: str = "neg_mean_absolute_error"
    repeats: int = 10
    verdict_repeats: int = 3
    horizon: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.horizon < 1:
            raise SettingsError(
                f"horizon is {self.horizon}: at least 1 is needed, the step after the last known "
                "one."
            )

    @property
    def scorer(self) -> str:
        """scikit-learn's name of the scoring."""
        return number_scoring_name(self.scoring, "a series")

    def _check_scoring(self) -> None:
        number_scoring_name(self.scoring, "a series")


@dataclass(frozen=True, eq=False)
class SeriesStudy:
    """The result of a study of a series.

    `errors` holds the errors of the simple forecasts on the test windows, by name. `scored` holds
    the scores of all forecasts on stretches of the whole series. `pipeline` ends in the network of
    the first repeat, and `next_forecast` is its prediction beyond the end of the series.
    """

    series: Series
    settings: SeriesSettings
    scoring: str
    windows: WindowedSeries
    ridge: GridSearchCV
    errors: Mapping[str, NumberScores]
    search: NetworkSearch
    n_candidates: int
    repeats: tuple[Repeat, ...]
    scored: ScoredFits
    pipeline: Pipeline
    next_forecast: float
    seconds: float


def run_series_study(
    series: Series,
    settings: SeriesSettings | None = None,
    *,
    network: RegressorMixin | None = None,
    on_progress: OnProgress | None = None,
) -> SeriesStudy:
    """Compare a tuned recurrent network to simple forecasts of a series.

    The last quarter of the steps is for testing. The network and a ridge regression over windows
    are tuned on the earlier windows, in folds that follow one another in time; scaling is learnt
    within each fold. The network, with its best settings, and the simple forecasts are then
    compared on ten stretches of the second half of the series.

    `network` is a regressor of windows with the parameters `time_steps`, `learning_rate`,
    `batch_size` and `random_state` (for a halving search also `epochs`) and the fitted attributes
    ``history_`` and ``best_epoch_``; None means ``KerasRNNRegressor(validation_rows="last")``.
    """
    begin = time.monotonic()
    settings = SeriesSettings() if settings is None else settings
    windows = windows_of(series, settings.horizon, settings.folds)
    split, scoring = windows.split, settings.scorer
    folds = windows.folds(settings.folds)
    network = _default_network() if network is None else clone(network)

    def errors_of(fitted: Any) -> NumberScores:
        return score_regressor(fitted, split.X_test, split.y_test, get_scorer(scoring))

    tuned = tune_and_repeat(
        Pipeline([("scaling", ChannelScaler()), ("network", network)]),
        split,
        folds,
        scoring,
        SearchSpace(LEARNING_RATES, BATCH_SIZES, {"time_steps": windows.time_steps}),
        settings,
        lambda scorer: tune_ridge_of_windows(
            split.X_train, split.y_train, scorer, folds, windows.time_steps
        ),
        len(RIDGE_ALPHAS) * len(windows.time_steps),
        errors_of,
        on_progress,
    )
    simple = {**_naive_forecasts(series, windows), RIDGE: tuned.baseline.best_estimator_}
    return SeriesStudy(
        series=series,
        settings=settings,
        scoring=scoring,
        windows=windows,
        ridge=tuned.baseline,
        errors={
            name: errors_of(clone(one).fit(split.X_train, split.y_train))
            for name, one in simple.items()
        },
        search=tuned.search,
        n_candidates=tuned.n_candidates,
        repeats=tuned.repeats,
        scored=_scored({**simple, NETWORK: tuned.winner}, windows, settings, on_progress),
        pipeline=tuned.kept,
        next_forecast=float(tuned.kept.predict(_last_window(series, windows))[0]),
        seconds=time.monotonic() - begin,
    )


def _default_network() -> RegressorMixin:
    # The import is here because it loads TensorFlow.
    from skhp.estimators.recurrent.regressor import KerasRNNRegressor

    # Windows drawn at random would overlap with the windows that the network learns from.
    return KerasRNNRegressor(validation_rows="last")


def _naive_forecasts(series: Series, windows: WindowedSeries) -> dict[str, StepOfWindow]:
    naive = {LAST_VALUE: StepOfWindow(series.position)}
    if windows.season is not None:
        steps = steps_to_a_season_ago(windows.season.length, windows.horizon)
        naive[SEASON_AGO] = StepOfWindow(series.position, steps)
    return naive


def _last_window(series: Series, windows: WindowedSeries) -> np.ndarray:
    """The window that ends with the series, whose target is not known yet."""
    return series.values.to_numpy()[None, -windows.X.shape[1] :]


def _scored(
    forecasts: Mapping[str, Any],
    windows: WindowedSeries,
    settings: SeriesSettings,
    on_progress: OnProgress | None,
) -> ScoredFits:
    """Scores on stretches of the whole series; scores of networks are means over several seeds."""
    seeds = repeat_seeds(settings.seed, settings.verdict_repeats)
    names = list(dict.fromkeys((settings.scorer, *SHORT_NAMES.values())))
    return scored_fits(
        forecasts,
        windows.X,
        windows.y,
        windows.y,
        outer_splits(windows.stretches(), windows.X, windows.y, seeds, stratified=False),
        seeds,
        metric_scorers(names, forecasts[LAST_VALUE], windows.y, for_classes=False),
        frozenset(),
        for_classes=False,
        stage="verdict",
        on_progress=on_progress,
    )
