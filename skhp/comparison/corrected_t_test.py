"""The t-test for scores of overlapping training sets: Nadeau and Bengio (2003)."""

from __future__ import annotations

from collections.abc import Iterable
from math import isclose, nan, sqrt
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

__all__ = ["CorrectedTTest", "corrected_t_test"]

# Rounding of equal sums leaves this much; without the limit it would be significant.
_ROUNDING = 1e-10


class CorrectedTTest(NamedTuple):
    """A mean, its 95% interval, and the p-value of its being 0 (two-sided)."""

    mean: float
    low: float
    high: float
    p_value: float


def corrected_t_test(values: Iterable[float], test_per_train: float) -> CorrectedTTest:
    """Test whether the mean of values from resampled splits is 0.

    The training sets of resampled splits overlap, so that the scores are no independent draws, and
    the usual variance of the mean, s2 / n, is far too small. The corrected one is
    s2 * (1 / n + n_test / n_train).

    Parameters
    ----------
    values : iterable of float
        One from each split, as a rule the difference of two scores.
    test_per_train : float
        Test rows of a split per training row.

    Returns
    -------
    CorrectedTTest
        A single value has no interval and no p-value: they are NaN.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52 (2003).

    Examples
    --------
    >>> result = corrected_t_test([0.1, 0.2, 0.3, 0.2], test_per_train=0.25)
    >>> print(f"{result.low:.3f} to {result.high:.3f}, p = {result.p_value:.3f}")
    0.016 to 0.384, p = 0.041
    """
    sample = np.array(list(values), dtype=float)
    n, mean = len(sample), float(sample.mean())
    if n < 2:
        return CorrectedTTest(mean, nan, nan, nan)
    if all(isclose(value, mean, rel_tol=_ROUNDING) for value in sample):
        return CorrectedTTest(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    error = sqrt(float(sample.var(ddof=1)) * (1 / n + test_per_train))
    reach = float(student.ppf(0.975, n - 1)) * error
    p_value = 2 * float(student.sf(abs(mean) / error, n - 1))
    return CorrectedTTest(mean, mean - reach, mean + reach, p_value)
