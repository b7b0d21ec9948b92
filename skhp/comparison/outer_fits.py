"""Fit and score estimators on many splits, their networks as one population."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Self

import joblib
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import cross_validate

from skhp.comparison.fold_scorer import FoldScorer
from skhp.comparison.outer_splits import OuterSplit
from skhp.comparison.scores import undefined_scores_are_zero
from skhp.comparison.seeding import seeded
from skhp.comparison.stages import TrainingCount
from skhp.population.backend import PopulationBackend

__all__ = ["OuterFit", "OuterScore", "outer_scores", "score_fits"]

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
    scorer: FoldScorer,
    n_jobs: int | None = None,
    count: TrainingCount | None = None,
    verbose: int = 0,
) -> list[OuterScore]:
    """Fit and score; of large tables not everything at a time.

    Parameters
    ----------
    fits : sequence of OuterFit
    X : array-like of shape (n_rows, ...)
    y : array-like of shape (n_rows, ...)
    scorer : FoldScorer
    n_jobs : int, default=None
        As for `skhp.population`. Where such a population is switched on already, None leaves it
        as it is.
    count : TrainingCount, default=None
        Is told of each fit that is scored in this process, and of the others when all are.
    verbose : int, default=0
        As of `cross_validate`.

    Returns
    -------
    list of OuterScore
        In the order of `fits`. An error of a fit is raised.
    """
    n_cells = math.prod(getattr(X, "shape", (len(y),)))
    together = max(1, _MOST_CELLS_TOGETHER // max(1, n_cells))
    scores: list[OuterScore] = []
    if count is not None:
        scorer = replace(scorer, scored=count)
    with _population(n_jobs, count), undefined_scores_are_zero():
        for begin in range(0, len(fits), together):
            scores += _score_together(fits[begin : begin + together], X, y, scorer, verbose)
            if count is not None:
                count.reached(len(scores))
    return scores


def _score_together(
    fits: Sequence[OuterFit], X: Any, y: Any, scorer: FoldScorer, verbose: int
) -> list[OuterScore]:
    estimators = iter([seeded(fit.estimator, fit.seed) for fit in fits])
    results = cross_validate(
        _OneAfterAnother(estimators),
        X,
        y,
        cv=[fit.split for fit in fits],
        scoring=scorer,
        error_score="raise",
        verbose=verbose,
    )
    if next(estimators, None) is not None:
        raise RuntimeError(
            "scikit-learn has cloned fewer estimators than it has scored, so the scores cannot be "
            "told apart: please report this with the version of scikit-learn."
        )
    return outer_scores(results, scorer)


def outer_scores(results: Mapping[str, np.ndarray], scorer: FoldScorer) -> list[OuterScore]:
    """The scores of each split in what `cross_validate` returns."""
    columns = {
        name.removeprefix("test_"): column
        for name, column in results.items()
        if name.startswith("test_")
    }
    return [
        OuterScore(
            *scorer.parted({name: float(column[number]) for name, column in columns.items()}),
            seconds=float(seconds),
        )
        for number, seconds in enumerate(results["fit_time"])
    ]


def _population(
    n_jobs: int | None, count: TrainingCount | None
) -> contextlib.AbstractContextManager[Any]:
    active, _ = joblib.parallel.get_active_backend()
    if n_jobs is None and isinstance(active, PopulationBackend):
        return contextlib.nullcontext()
    backend = PopulationBackend(n_jobs=n_jobs, observer=count)
    return joblib.parallel_config(backend=backend, n_jobs=n_jobs)
