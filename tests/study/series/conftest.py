"""A study of a series that several tests share."""

import numpy as np
import pandas as pd
import pytest

from skhp.study.series.series_study import SeriesSettings, run_series_study
from skhp.tables.series import make_series
from tests.study.quick_networks import QuickRegressor


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
