"""The season of a series: after how many steps it repeats."""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.signal import find_peaks

# A season has to fit this many times into the training part.
_FEWEST_SEASONS = 3
# A peak of the autocorrelation that is this high, and this far above the troughs beside it, is a
# season. These limits found hardly any season in 60 random walks, series of noise and trends.
_LEAST_HEIGHT = 0.3
_LEAST_PROMINENCE = 0.2
# At twice the lag, the autocorrelation has to keep this share of its height.
_KEPT = 0.5
# The peak at a multiple of the season may be a little higher than the peak at the season itself.
_AS_HIGH = 0.9
# Noise moves a peak by some steps; a usual season this close (relative to its length) is taken.
_NEAR = 0.04

# The usual seasons, in steps; the first is taken if the autocorrelation shows no season.
_MONTHS, _QUARTERS = ("months", (12,)), ("quarters", (4,))
_USUAL: dict[str, tuple[str, tuple[int, ...]]] = {
    "min": ("minutes", (60, 1440)),
    "15min": ("quarters of an hour", (96, 672)),
    "30min": ("half hours", (48, 336)),
    "h": ("hours", (24, 168)),
    "D": ("days", (7, 365)),
    "B": ("working days", (5, 261)),
    "W": ("weeks", (52,)),
    **dict.fromkeys(("MS", "ME", "BMS", "BME"), _MONTHS),
    **dict.fromkeys(("QS", "QE", "BQS", "BQE"), _QUARTERS),
}


class Season(NamedTuple):
    """The length of a season in steps, and a phrase on how it was found."""

    length: int
    source: str


def find_season(training: np.ndarray, step: Any = None) -> Season | None:
    """The season of a series by its autocorrelation or, failing that, by the step of its dates.

    `training` holds the steps that a forecast may learn from. The autocorrelation of the changes
    from step to step comes first, as a trend disturbs it less; then comes the
    autocorrelation of the values without their linear trend.
    """
    most = len(training) // _FEWEST_SEASONS
    name, every = _usual(step)
    usual = [length for length in every if length <= most]
    steps = np.arange(len(training))
    trend = np.polyval(np.polyfit(steps, training, 1), steps) if len(steps) > 1 else training
    for values, of in ((np.diff(training), "changes"), (training - trend, "values")):
        found = _peak(values, most)
        if found is not None:
            lag, height = found
            near = [length for length in usual if abs(length - lag) <= _NEAR * length]
            length = near[0] if near else lag
            return Season(
                length, f"by the autocorrelation of the {of} in the training part ({height:.2f})"
            )
    if usual:
        return Season(usual[0], f"as is usual for {name}")
    return None


def _peak(values: np.ndarray, most: int) -> tuple[int, float] | None:
    """The lag and height of the first peak among the highest peaks of the autocorrelation."""
    n = len(values)
    if most < 2 or np.ptp(values) <= 1e-9 * max(1.0, float(np.abs(values).max())):
        return None
    height = max(_LEAST_HEIGHT, 3 / sqrt(n))
    correlation = _autocorrelation(values, min(2 * most + most // 10 + 2, n - 1))
    peaks, _ = find_peaks(correlation, height=height, prominence=_LEAST_PROMINENCE)
    lasting = [
        int(lag)
        for lag in peaks
        if 2 <= lag <= most
        and correlation[2 * lag - lag // 20 - 1 : 2 * lag + lag // 20 + 2].max()
        > _KEPT * correlation[lag]
    ]
    if not lasting:
        return None
    highest = max(correlation[lag] for lag in lasting)
    lag = next(lag for lag in lasting if correlation[lag] >= _AS_HIGH * highest)
    # A long lag has fewer pairs of steps. That keeps peaks of noise low, but also moves peaks of
    # seasons to shorter lags, which the factor below corrects.
    near = np.arange(max(2, lag - lag // 10), min(lag + lag // 10, most) + 1)
    return int(near[np.argmax(correlation[near] * n / (n - near))]), float(correlation[lag])


def _autocorrelation(values: np.ndarray, most: int) -> np.ndarray:
    centred = values - values.mean()
    transformed = np.fft.rfft(centred, 2 * len(values))
    products = np.fft.irfft(transformed * np.conj(transformed))[: most + 1]
    return products / products[0]


def _usual(step: Any) -> tuple[str, tuple[int, ...]]:
    """The name of a calendar step, and the usual seasons in such steps."""
    if step is None:
        return "", ()
    # "W-SUN" is a week, whatever day it ends on.
    name = pd.tseries.frequencies.to_offset(step).freqstr.split("-")[0]
    return _USUAL.get(name, ("", ()))
