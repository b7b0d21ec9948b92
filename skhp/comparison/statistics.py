"""The t-test for scores of overlapping training sets: Nadeau and Bengio (2003)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isclose, nan, sqrt
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

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


def least_clear_difference(test: CorrectedTTest, n_values: int, n_tests: int = 1) -> float:
    """The least mean that a test of such values would have found to be other than 0.

    Of several tests that are looked at together, the smallest of all p-values has to be below 0.05
    / `n_tests`, as Holm's and Bonferroni's methods ask for.

    Examples
    --------
    >>> test = corrected_t_test([0.1, 0.2, 0.3, 0.2], test_per_train=0.25)
    >>> round(least_clear_difference(test, 4), 3), round(least_clear_difference(test, 4, 3), 3)
    (0.184, 0.28)
    """
    one, several = (float(student.ppf(1 - 0.025 / n, n_values - 1)) for n in (1, n_tests))
    return (test.high - test.low) / 2 * several / one


def rows_needed(n_rows: int, difference: float, least_clear: float) -> float:
    """About how many rows a table needs for a difference to be clear that a smaller one has shown.

    The variance of a mean over splits, and so the square of the least clear difference, shrinks
    as 1 / rows: its part 1 / n vanishes with repeats, what remains is that of the scores of test
    sets (Nadeau and Bengio), whose size grows with the table. This is the usual rule for the size
    of a sample, n = (t * s / difference) ** 2, for a difference that stays as it was found.

    Examples
    --------
    >>> rows_needed(500, difference=0.01, least_clear=0.04)
    8000.0
    """
    return n_rows * (least_clear / difference) ** 2


def holm(p_values: Sequence[float]) -> np.ndarray:
    """P-values that can be held against one level, however many there are of them.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none is less than the one
    before it, nor more than 1.

    NaN is no test: it stays, and does not count.

    References
    ----------
    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
    Statistics 6 (1979).

    Examples
    --------
    >>> holm([0.03, 0.01, 0.02]).tolist()
    [0.04, 0.03, 0.04]
    """
    adjusted = np.array(p_values, dtype=float)
    tests = np.flatnonzero(~np.isnan(adjusted))
    order = tests[np.argsort(adjusted[tests], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(adjusted[order] * factors), 1.0)
    return adjusted
