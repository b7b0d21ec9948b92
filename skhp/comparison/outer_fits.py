"""Give an estimator, and every estimator within it, a seed."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Self

import joblib
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import cross_validate

from skhp.comparison.outer_splits import OuterSplit, OuterSplits
from skhp.comparison.progress import OnProgress, TrainingCount
from skhp.comparison.scores import FoldScorer, undefined_scores_are_zero
from skhp.population.backend import PopulationBackend

__all__ = [
    "OuterFit",
    "OuterScore",
    "RepeatedScores",
    "fit_seed",
    "has_seed",
    "outer_scores",
    "repeated_scores",
    "score_fits",
    "seeded",
]

_LARGEST_SEED = 2**31 - 1


def fit_seed(*numbers: int) -> int:
    """The seed of a fit, by the numbers that tell it from all others.

    Examples
    --------
    >>> fit_seed(3, 0) == fit_seed(3, 0), fit_seed(3, 0) == fit_seed(0, 3)
    (True, False)
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0]) % _LARGEST_SEED


def has_seed(estimator: Any) -> bool:
    """Whether the estimator or one within it has the parameter `random_state`."""
    return bool(_seed_names(estimator))


def seeded(estimator: Any, seed: int) -> Any:
    """A clone, in which every parameter `random_state` has a number drawn from a seed.

    Parameters
    ----------
    estimator : estimator
        Those within it, as in a pipeline or a searcher, are seeded too.
    seed : int

    Returns
    -------
    estimator

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> a, b, c = (seeded(LogisticRegression(), seed).random_state for seed in (1, 1, 2))
    >>> a == b, a == c
    (True, False)
    """
    names = _seed_names(estimator)
    draws = np.random.RandomState(seed).randint(_LARGEST_SEED, size=len(names))
    values = dict(zip(names, draws.tolist(), strict=True))
    copied = clone(estimator)
    return copied.set_params(**values) if values else copied


def _seed_names(estimator: Any) -> list[str]:
    return sorted(
        name
        for name in estimator.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    )


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


class RepeatedScores(NamedTuple):
    """The scores of an estimator: a row for each repeat, in it one for each fold.

    `of_seeds` has a row for each seed, all on the splits of one repeat; none if the estimator takes
    no seed.
    """

    of_repeats: tuple[tuple[OuterScore, ...], ...]
    of_seeds: tuple[tuple[OuterScore, ...], ...]


def repeated_scores(
    estimators: Mapping[str, Any],
    X: Any,
    y: Any,
    splits: OuterSplits,
    seeds: Sequence[int],
    scorer: FoldScorer,
    *,
    n_seeds: int,
    n_jobs: int | None = None,
    stage: str = "comparison",
    on_progress: OnProgress | None = None,
    verbose: int = 0,
) -> dict[str, RepeatedScores]:
    """Fit and score every estimator, all of them in one go.

    Parameters
    ----------
    estimators : mapping of str to estimator
    X : array-like of shape (n_rows, ...)
    y : array-like of shape (n_rows, ...)
    splits : OuterSplits
    seeds : sequence of int
        One for each repeat.
    scorer : FoldScorer
    n_seeds : int
        Seeds on the splits of one repeat, that of the repeat included.
    n_jobs : int, default=None
        As for `score_fits`.
    stage : str, default="comparison"
        The name under which `on_progress` is told.
    on_progress : callable, default=None
        Takes a `StageProgress`.
    verbose : int, default=0
        As for `score_fits`.

    Returns
    -------
    dict of str to RepeatedScores
    """
    # Repeats on the same splits are other seeds already.
    n_known = 1 if splits.drawn_anew else len(seeds)
    n_further = max(0, n_seeds - n_known)
    fits = []
    for estimator in estimators.values():
        for of_repeat, seed in zip(splits.of_repeats, seeds, strict=True):
            fits += [
                OuterFit(estimator, fit_seed(seed, k, 0), one) for k, one in enumerate(of_repeat)
            ]
        for number in range(1, 1 + n_further if has_seed(estimator) else 1):
            fits += [
                OuterFit(estimator, fit_seed(seeds[0], k, number), one)
                for k, one in enumerate(splits.of_repeats[0])
            ]
    count = None if on_progress is None else TrainingCount(stage, len(fits), on_progress)
    scores = iter(score_fits(fits, X, y, scorer, n_jobs, count, verbose))

    def rows(count: int) -> tuple[tuple[OuterScore, ...], ...]:
        return tuple(tuple(next(scores) for _ in range(splits.n_folds)) for _ in range(count))

    by_name = {}
    for name, estimator in estimators.items():
        of_repeats = rows(len(seeds))
        of_seeds = (*of_repeats[:n_known], *rows(n_further)) if has_seed(estimator) else ()
        by_name[name] = RepeatedScores(of_repeats, of_seeds)
    return by_name
