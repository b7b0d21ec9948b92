"""A regressor of windows that needs no TensorFlow, and a study that several tests share."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from skhp.study.series.series_study import SeriesSettings, run_series_study
from skhp.tables.series import make_series


class QuickRegressor(RegressorMixin, BaseEstimator):
    """A linear regression by gradient descent, behind the parameters of skhp's networks."""

    def __init__(
        self, time_steps=None, learning_rate=1e-2, batch_size=32, epochs=9, random_state=None
    ):
        self.time_steps = time_steps
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state

    def fit(self, X, y):
        rows, random = self._rows(X), np.random.default_rng(self.random_state)
        self.mean_, self.scale_ = y.mean(), y.std()
        target, self.weights_ = (y - self.mean_) / self.scale_, np.zeros(rows.shape[1])
        losses = []
        for _ in range(self.epochs):
            order = random.permutation(len(rows))
            for begin in range(0, len(rows), self.batch_size):
                batch = order[begin : begin + self.batch_size]
                error = rows[batch] @ self.weights_ - target[batch]
                self.weights_ -= self.learning_rate * rows[batch].T @ error / len(batch)
            losses.append(float(np.mean((rows @ self.weights_ - target) ** 2)))
        self.history_, self.best_epoch_ = {"loss": losses}, self.epochs
        return self

    def predict(self, X):
        return self._rows(X) @ self.weights_ * self.scale_ + self.mean_

    def _rows(self, X):
        return np.asarray(X)[:, -(self.time_steps or 0) :].reshape(len(X), -1)


@pytest.fixture
def network():
    return QuickRegressor()


def monthly(n_steps=120):
    """Sales that repeat after 12 months, with prices as another channel."""
    random = np.random.default_rng(0)
    steps = np.arange(n_steps)
    sold = 50 + 10 * np.sin(2 * np.pi * steps / 12) + random.normal(size=n_steps)
    months = pd.date_range("2010-01-01", periods=n_steps, freq="MS")
    return pd.DataFrame({"month": months, "sold": sold, "price": random.normal(size=n_steps)})


@pytest.fixture(scope="session")
def sales():
    return make_series(monthly(), "sold", name="sales.csv")


@pytest.fixture(scope="session")
def study(sales):
    settings = SeriesSettings(folds=3, repeats=3, verdict_repeats=2)
    return run_series_study(sales, settings, network=QuickRegressor())
