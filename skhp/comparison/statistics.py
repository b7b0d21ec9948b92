"""The frame of a comparison, and its tests: Nadeau and Bengio (2003), Holm (1979)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isclose, nan, sqrt
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

from skhp.comparison.outer_fits import RepeatedScores
from skhp.comparison.scores import FoldScores

# Values this close differ by rounding alone, and a test would find even that significant.
_ROUNDING = 1e-10


class CorrectedTTest(NamedTuple):
    """A mean, its 95% interval, and the two-sided p-value for a true mean of 0."""

    mean: float
    low: float
    high: float
    p_value: float


def corrected_t_test(values: Iterable[float], test_per_train: float) -> CorrectedTTest:
    """Test whether the mean of values from resampled splits is 0.

    The training sets of resampled splits overlap, so that the scores are not independent draws, and
    the usual variance of the mean, s2 / n, is far too small. The corrected variance is
    s2 * (1 / n + n_test / n_train).

    A single value has no interval and no p-value: they are NaN.
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
    """The least mean that the test would have found to differ from 0, at the same spread.

    With several tests, the smallest p-value has to be below 0.05 / `n_tests`, as Holm's and
    Bonferroni's methods ask.
    """
    one, several = (float(student.ppf(1 - 0.025 / n, n_values - 1)) for n in (1, n_tests))
    return (test.high - test.low) / 2 * several / one


def rows_needed(n_rows: int, difference: float, least_clear: float) -> float:
    """About how many rows a table needs until a difference that was found in `n_rows` is clear.

    The variance of a mean over splits, and so the square of the least clear difference, shrinks
    as 1 / rows: with many repeats, only the variance of the scores of test sets remains (Nadeau
    and Bengio), and these sets grow with the table. This is the usual rule for the size of a
    sample, n = (t * s / difference) ** 2, if the difference stays the same.
    """
    return n_rows * (least_clear / difference) ** 2


def holm(p_values: Sequence[float]) -> np.ndarray:
    """P-values adjusted by Holm's method for their number.

    The smallest of m is multiplied by m, the next by m - 1, and so on; no result is less than the
    one before it, or more than 1. NaN stays NaN and does not count as a test.
    """
    adjusted = np.array(p_values, dtype=float)
    tests = np.flatnonzero(~np.isnan(adjusted))
    order = tests[np.argsort(adjusted[tests], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(adjusted[order] * factors), 1.0)
    return adjusted


def comparison_frame(
    scores: Mapping[str, RepeatedScores],
    metrics: Sequence[str],
    baseline: str,
    test_per_train: float,
    drawn_anew: bool,
    from_0_to_1: Collection[str] = (),
    dummy: str | None = None,
) -> pd.DataFrame:
    """One row for each estimator and metric.

    Where the splits are not `drawn_anew`, repeats differ in their seeds alone and say nothing about
    other rows, so their mean is tested. The intervals of the metrics `from_0_to_1` end at 0 and 1.
    All estimators are tested against the dummy as well; Holm's method does not count the dummy.
    """

    def tested(of_splits: np.ndarray) -> CorrectedTTest:
        values = of_splits if drawn_anew else of_splits.mean(axis=0)
        return corrected_t_test(values.ravel(), test_per_train)

    rows = {}
    for name, (of_repeats, of_seeds) in scores.items():
        seconds = float(np.mean([one.seconds for row in of_repeats for one in row]))
        brier = float(np.mean([one.brier for row in of_repeats for one in row]))
        for metric in metrics:
            of_splits = _by_fold(of_repeats, metric)
            mean, low, high, _ = tested(of_splits)
            if metric in from_0_to_1:
                # A t-test knows no bounds and may give 1.02; NaN stays NaN.
                low, high = float(np.maximum(low, 0.0)), float(np.minimum(high, 1.0))
            difference, over_dummy = (
                CorrectedTTest(nan, nan, nan, nan)
                if other is None or name == other
                else tested(_differences(of_splits, _by_fold(scores[other].of_repeats, metric)))
                for other in (baseline, dummy)
            )
            rows[name, metric] = {
                "mean": mean,
                "std": _spread_of_rows(of_splits),
                "low": low,
                "high": high,
                "difference": difference.mean,
                "difference_low": difference.low,
                "difference_high": difference.high,
                "p_value": difference.p_value,
                "p_value_adjusted": nan,
                "dummy_difference": over_dummy.mean,
                "dummy_difference_low": over_dummy.low,
                "dummy_difference_high": over_dummy.high,
                "dummy_p_value": over_dummy.p_value,
                "seed_std": _spread_of_rows(_by_fold(of_seeds, metric)) if of_seeds else 0.0,
                "brier": brier,
                "seconds": seconds,
            }
    index = pd.MultiIndex.from_tuples(rows, names=["estimator", "metric"])
    frame = pd.DataFrame(list(rows.values()), index=index)
    # The dummy is a check, not one more chance for an estimator to be better than the baseline.
    counted = frame["p_value"].where(index.get_level_values("estimator") != dummy)
    frame["p_value_adjusted"] = counted.groupby(level="metric").transform(holm)
    return frame


def natural_frame(frame: pd.DataFrame, lower_is_better: Collection[str]) -> pd.DataFrame:
    """A copy of the frame in which errors and losses are positive."""
    natural = frame.copy()
    turned = natural.index.get_level_values("metric").isin(list(lower_is_better))
    natural.loc[turned, ["mean", "difference"]] *= -1
    for low, high in (("low", "high"), ("difference_low", "difference_high")):
        natural.loc[turned, [low, high]] = -natural.loc[turned, [high, low]].to_numpy()
    return natural


def _by_fold(rows: Sequence[Sequence[FoldScores]], metric: str) -> np.ndarray:
    return np.array([[one.scores[metric] for one in row] for row in rows])


def _differences(scores: np.ndarray, of_baseline: np.ndarray) -> np.ndarray:
    same = np.isclose(scores, of_baseline, rtol=_ROUNDING, atol=0.0)
    return np.where(same, 0.0, scores - of_baseline)


def _spread_of_rows(scores: np.ndarray) -> float:
    means = scores.mean(axis=1)
    if len(means) < 2:
        return nan
    # Equal rows have a spread of exactly 0, which rounding would miss.
    return 0.0 if np.ptp(scores, axis=0).max() == 0 else float(means.std(ddof=1))


def long_scores(scores: Mapping[str, Sequence[Sequence[FoldScores]]], counted: str) -> pd.DataFrame:
    """A row for each score; the column named `counted` has the number of the repeat or seed."""
    cells = [
        (number, fold, name, metric, score)
        for name, rows in scores.items()
        for number, row in enumerate(rows)
        for fold, one in enumerate(row)
        for metric, score in one.scores.items()
    ]
    return pd.DataFrame(cells, columns=[counted, "fold", "estimator", "metric", "score"])


def confusion_counts(
    scores: Mapping[str, RepeatedScores],
    labels: np.ndarray,
    class_names: Sequence[Any] | None = None,
) -> pd.DataFrame:
    """Rows of each class by predicted class: the sum over folds, averaged over repeats."""
    names = labels.tolist() if class_names is None else list(class_names)
    classes = pd.Index(names, name="predicted")
    frames = {
        name: pd.DataFrame(
            np.array([[one.confusion for one in row] for row in of_repeats]).sum(1).mean(0),
            index=pd.Index(names, name="class"),
            columns=classes,
        )
        for name, (of_repeats, _) in scores.items()
    }
    return pd.concat(frames, names=["estimator"])
