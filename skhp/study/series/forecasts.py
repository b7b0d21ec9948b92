"""Simple forecasts to compare a network to: the last value, the value a season ago, ridge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import BaseCrossValidator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from skhp.comparison.named_baselines import QuietSearch

# These penalties are for scaled inputs and a scaled target.
RIDGE_ALPHAS = np.logspace(-2, 4, 7)

LAST_VALUE = "last value"
SEASON_AGO = "season ago"
RIDGE = "ridge"
NETWORK = "network"


class StepOfWindow(RegressorMixin, BaseEstimator):
    """Forecasts the value of a channel some steps before the end of a window."""

    def __init__(self, channel: int = 0, steps_before_end: int = 0) -> None:
        self.channel = channel
        self.steps_before_end = steps_before_end

    def fit(self, X: np.ndarray, y: Any = None) -> Self:
        """Learn nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        """One step of each window."""
        check_is_fitted(self)
        return np.asarray(X)[:, -1 - self.steps_before_end, self.channel]


class LastSteps(TransformerMixin, BaseEstimator):
    """Turns the last steps of each window into a row of a table."""

    def __init__(self, time_steps: int = 1) -> None:
        self.time_steps = time_steps

    def fit(self, X: np.ndarray, y: Any = None) -> Self:
        """Learn nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """A row for each window."""
        return np.asarray(X)[:, -self.time_steps :].reshape(len(X), -1)


def steps_to_a_season_ago(season: int, horizon: int) -> int:
    """Number of steps from the end of a window back to the step a season before its target.

    If the horizon is longer than a season, that step is not known yet when the forecast is made,
    and the latest known step that lies several whole seasons before the target is taken.
    """
    return -(-horizon // season) * season - horizon


def tune_ridge_of_windows(
    X: np.ndarray,
    y: np.ndarray,
    scorer: Any,
    folds: BaseCrossValidator,
    time_steps: Sequence[int],
) -> QuietSearch:
    """Tune the penalty and the window length of a ridge regression by cross validation."""
    linear = TransformedTargetRegressor(Ridge(), transformer=StandardScaler())
    pipeline = Pipeline(
        [("window", LastSteps()), ("scaling", StandardScaler()), ("ridge", linear)],
    )
    values = {"window__time_steps": list(time_steps), "ridge__regressor__alpha": RIDGE_ALPHAS}
    search = QuietSearch(pipeline, values, scoring=scorer, cv=folds, error_score="raise")
    return search.fit(X, y)
