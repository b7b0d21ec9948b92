"""Which scores a picture tells apart, where a few candidates are far worse than all others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["ScoreRange", "score_range"]

# Tukey's outer fence.
_FENCE = 3.0


class ScoreRange(NamedTuple):
    """Lowest and highest score that are told apart; how many scores are below the lowest."""

    low: float
    high: float
    n_below: int


def score_range(scores: np.ndarray) -> ScoreRange:
    """From the lowest score that is not an outlier to the highest.

    One R² of -10,000 would leave one colour for all others. The best are never outliers.

    Parameters
    ----------
    scores : ndarray
        NaN where there is none.

    Returns
    -------
    ScoreRange

    Examples
    --------
    >>> score_range(np.array([0.5, 0.6, 0.7, 0.8, -10_000.0]))
    ScoreRange(low=0.5, high=0.8, n_below=1)
    """
    finite = np.sort(scores[np.isfinite(scores)])
    if not len(finite):
        return ScoreRange(0.0, 1.0, 0)
    first, third = np.quantile(finite, [0.25, 0.75])
    within = finite[finite >= first - _FENCE * (third - first)]
    low = within[0] if third > first else finite[0]
    return ScoreRange(float(low), float(finite[-1]), int((finite < low).sum()))
