"""The season of a series, by its autocorrelation or else by its dates."""

import numpy as np
import pandas as pd
import pytest

from skhp.sequences.dates import step_of
from skhp.study.series.season import find_season


def step(frequency):
    return step_of(pd.date_range("2019-01-01", periods=60, freq=frequency))


def season_of(kind, n_steps, seed=0):
    random = np.random.default_rng(seed)
    steps, noise = np.arange(n_steps), random.normal(size=n_steps)
    return {
        "week": np.resize(random.normal(size=7), n_steps) + 0.5 * noise,
        "week on a walk": np.resize(3 * random.normal(size=7), n_steps) + np.cumsum(noise) / 2,
        "growing": steps * (1 + 0.3 * np.sin(2 * np.pi * steps / 12)) + noise,
        "year": 10 * np.sin(2 * np.pi * steps / 365) + 4 * noise,
        "alternating": (-1.0) ** steps,
    }[kind]


@pytest.mark.parametrize(
    ("kind", "n_steps", "length"),
    [
        ("week", 150, 7),
        ("week on a walk", 300, 7),
        ("growing", 120, 12),
        ("alternating", 30, 2),
    ],
)
def test_a_season_is_found_without_dates(kind, n_steps, length):
    season = find_season(season_of(kind, n_steps))
    assert season.length == length
    assert "by the autocorrelation of the" in season.source


def test_the_calendar_tells_how_long_a_year_is():
    # Noise moves the peak.
    assert find_season(season_of("year", 2000), step("D")).length == 365


@pytest.mark.parametrize("n_steps", [60, 500])
def test_noise_trends_and_walks_have_no_season(n_steps):
    random = np.random.default_rng(0)
    for _ in range(20):
        noise = random.normal(size=n_steps)
        for values in (noise, np.cumsum(noise), np.arange(n_steps) / 3 + noise):
            assert find_season(values) is None


@pytest.mark.parametrize(
    ("frequency", "length", "name"),
    [
        ("D", 7, "days"),
        ("B", 5, "working days"),
        ("MS", 12, "months"),
        ("BME", 12, "months"),
        ("QE", 4, "quarters"),
        ("h", 24, "hours"),
        ("W-MON", 52, "weeks"),
    ],
)
def test_dates_tell_the_usual_season_where_none_is_found(frequency, length, name):
    noise = np.random.default_rng(1).normal(size=600)
    assert find_season(noise, step(frequency)) == (length, f"as is usual for {name}")


@pytest.mark.parametrize("frequency", ["YS", "3h", "s"])
def test_other_steps_have_no_usual_season(frequency):
    assert find_season(np.random.default_rng(0).normal(size=100), step(frequency)) is None


def test_a_season_has_to_fit_three_times():
    noise = np.random.default_rng(0).normal(size=35)
    assert find_season(noise, step("MS")) is None


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [3.0] * 40])
def test_series_without_any_change_have_no_season(values):
    assert find_season(np.array(values)) is None
