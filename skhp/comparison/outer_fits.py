"""Fit and score estimators on many splits, their networks as one population."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import joblib
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import cross_validate

from skhp.comparison.calibration_scorer import CalibrationScorer
from skhp.comparison.outer_splits import OuterSplit
from skhp.comparison.scores import undefined_scores_are_zero
from skhp.comparison.seeding import seeded

__all__ = ["OuterFit", "OuterScore", "score_fits"]

# Each fit has other rows, so that every network has a copy of its own in memory.
_MOST_CELLS_TOGETHER = 50_000_000


class OuterFit(NamedTuple):
    """An estimator to be fitted with a seed on the training rows of a split."""

    estimator: Any
    seed: int
    split: OuterSplit


class OuterScore(NamedTuple):
    """Scores on the test rows, counts of true by predicted class, Brier score, seconds of the fit.

    The Brier score is NaN where no probabilities are predicted, and unless there are two classes.
    """

    scores: Mapping[str, float]
    confusion: np.ndarray | None
    brier: float
    seconds: float


class _OneAfterAnother(BaseEstimator):
    """What cross_validate clones for each split; the clones are the estimators of the fits.

    So fits of several estimators and seeds are one cross-validation, and thereby one population.
    """

    def __init__(self, estimators: Iterator[Any]) -> None:
        self.estimators = estimators

    def __sklearn_clone__(self) -> Any:
        return next(self.estimators)

    def fit(self, X: Any, y: Any = None) -> Self:
        return self


def score_fits(
    fits: Sequence[OuterFit],
    X: Any,
    y: Any,
    scorer: CalibrationScorer,
    n_jobs: int | None = None,
) -> list[OuterScore]:
    """Fit and score; of large tables not everything at a time.

    Parameters
    ----------
    fits : sequence of OuterFit
    X : array-like of shape (n_rows, ...)
    y : array-like of shape (n_rows, ...)
    scorer : CalibrationScorer
    n_jobs : int, default=None
        As for `skhp.population`. Where such a population is switched on already, None leaves it
        as it is.

    Returns
    -------
    list of OuterScore
        In the order of `fits`. An error of a fit is raised.
    """
    n_cells = math.prod(getattr(X, "shape", (len(y),)))
    together = max(1, _MOST_CELLS_TOGETHER // max(1, n_cells))
    scores: list[OuterScore] = []
    with _population(n_jobs), undefined_scores_are_zero():
        for begin in range(0, len(fits), together):
            scores += _score_together(fits[begin : begin + together], X, y, scorer)
    return scores


def _score_together(
    fits: Sequence[OuterFit], X: Any, y: Any, scorer: CalibrationScorer
) -> Iterator[OuterScore]:
    estimators = iter([seeded(fit.estimator, fit.seed) for fit in fits])
    results = cross_validate(
        _OneAfterAnother(estimators),
        X,
        y,
        cv=[fit.split for fit in fits],
        scoring=scorer,
        error_score="raise",
    )
    if next(estimators, None) is not None:
        raise RuntimeError(
            "scikit-learn has cloned fewer estimators than it has scored, so the scores cannot be "
            "told apart: please report this with the version of scikit-learn."
        )
    for number in range(len(fits)):
        values = {
            name.removeprefix("test_"): float(column[number])
            for name, column in results.items()
            if name.startswith("test_")
        }
        yield OuterScore(*scorer.parted(values), seconds=float(results["fit_time"][number]))


def _population(n_jobs: int | None) -> contextlib.AbstractContextManager[Any]:
    active, _ = joblib.parallel.get_active_backend()
    if n_jobs is None and type(active).__name__ == "PopulationBackend":
        return contextlib.nullcontext()
    return joblib.parallel_config(backend="skhp", n_jobs=n_jobs)
