"""Summarise the scores of a comparison: means, intervals, differences, luck."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from skhp.comparison.outer_fits import RepeatedScores
from skhp.comparison.scores import FoldScores
from skhp.comparison.statistics import CorrectedTTest, corrected_t_test, holm

# Sums that are equal but for the order of their terms.
_ROUNDING = 1e-10


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

    Where splits are not `drawn_anew`, a repeat is another seed alone, and no further evidence of
    what other rows would do: the mean of the repeats counts. The intervals of means end at 0 and 1
    where the metric does. All are tested against the dummy, too, which is none of those that the
    p-values are adjusted for.
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
                # Such as 1.02, which a t-test knows nothing against; NaN stays.
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
    # A look at the dummy is a check, and no further chance for an estimator to be called better.
    counted = frame["p_value"].where(index.get_level_values("estimator") != dummy)
    frame["p_value_adjusted"] = counted.groupby(level="metric").transform(holm)
    return frame


def natural_frame(frame: pd.DataFrame, lower_is_better: Collection[str]) -> pd.DataFrame:
    """The same numbers as a reader knows them: errors and losses are not negative."""
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
    # Equal rows have no spread, not that of rounding.
    return 0.0 if np.ptp(scores, axis=0).max() == 0 else float(means.std(ddof=1))


def long_scores(scores: Mapping[str, Sequence[Sequence[FoldScores]]], counted: str) -> pd.DataFrame:
    """A row for each score.

    The column `counted` numbers the rows of scores of an estimator, each of which holds a score for
    each fold.
    """
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
    """How many rows of each class were given which class, summed over folds, mean over repeats."""
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
