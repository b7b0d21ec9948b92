"""Fit seeded estimators on outer splits, and score them on the test rows."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from skhp.comparison.outer_splits import OuterSplit, OuterSplits
from skhp.comparison.scores import FoldScorer, FoldScores, ObservedScorer, undefined_scores_are_zero
from skhp.compat.scikit_learn import cut_method_parameters, split_rows
from skhp.population.backend import PopulationBackend, active_population
from skhp.population.joint_fits import fit_together
from skhp.population.report import PrintedProgress, ProgressObserver
from skhp.population.requested_fits import SharedRows
from skhp.shared.terminal import OnProgress, TrainingCount

T = TypeVar("T")

_LARGEST_SEED = 2**31 - 1


def repeat_seeds(random_state: Any, n_repeats: int) -> list[int]:
    """A seed for each repeat."""
    return check_random_state(random_state).randint(_LARGEST_SEED, size=n_repeats).tolist()


def fit_seed(*numbers: int) -> int:
    """The seed of a fit, drawn from numbers that other fits do not share, such as its fold."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0]) % _LARGEST_SEED


def has_seed(estimator: Any) -> bool:
    """Whether the estimator or one within it has the parameter `random_state`."""
    return bool(seed_names(estimator))


def seeded(estimator: Any, seed: int | None) -> Any:
    """A clone in which every parameter `random_state` is a number drawn from `seed`.

    None leaves these parameters as they are.
    """
    copied = clone(estimator)
    if seed is None:
        return copied
    names = seed_names(estimator)
    draws = np.random.RandomState(seed).randint(_LARGEST_SEED, size=len(names))
    values = dict(zip(names, draws.tolist(), strict=True))
    return copied.set_params(**values) if values else copied


def seed_names(estimator: Any) -> list[str]:
    """The parameters `random_state` of the estimator and of those within it."""
    return sorted(
        name
        for name in estimator.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    )


# Each fit keeps a copy of its training rows in memory.
_MOST_CELLS_TOGETHER = 50_000_000


def turns(fits: Sequence[T], n_cells: int) -> Iterator[Sequence[T]]:
    """Parts of `fits` that have room in memory, as each fit copies a table of `n_cells` cells."""
    together = max(1, _MOST_CELLS_TOGETHER // max(1, n_cells))
    for begin in range(0, len(fits), together):
        yield fits[begin : begin + together]


class OuterFit(NamedTuple):
    """An estimator to be fitted with a seed on the training rows of a split.

    Without a seed, the estimator has its own already.
    """

    estimator: Any
    seed: int | None
    split: OuterSplit


class FurtherArguments(NamedTuple):
    """Arguments of `fit` and of the scorer besides X and y, to be cut to the rows of a split."""

    of_fit: Mapping[str, Any] = MappingProxyType({})
    of_scorer: Mapping[str, Any] = MappingProxyType({})


_NO_ARGUMENTS = FurtherArguments()


def score_fits(
    fits: Sequence[OuterFit],
    X: Any,
    y: Any,
    scorer: Any,
    n_jobs: int | None = None,
    count: TrainingCount | None = None,
    verbose: int = 0,
    further: FurtherArguments = _NO_ARGUMENTS,
    keeps_errors: bool = False,
    source: str = "Comparing",
) -> list[Any]:
    """Fit and score, in several turns for a large table, and return what the scorer returns.

    An error within a fit or its scorer is raised, or stands in the place of the scores if
    `keeps_errors` is True. The scorer returns a named tuple with a field `seconds`, which is set
    here.

    `n_jobs` workers fit the estimators that cannot join the population. Where a population is
    active already, `n_jobs=None` uses it. `count` hears of a fit as soon as this process has scored
    it, and of the fits of other processes at the end of each turn. With `verbose` above 0, lines
    with the `source` in front are printed instead.
    """
    scores: list[Any] = []
    observed = scorer if count is None else ObservedScorer(scorer, count)
    progress = PrintedProgress(source) if verbose else count
    table = ScoredTable(X, y, observed, further, keeps_errors)
    shape = getattr(X, "shape", None) or (len(X),)
    with _population(n_jobs), undefined_scores_are_zero():
        for turn in turns(fits, math.prod(shape)):
            scores += _score_together(turn, table, progress, verbose)
            if count is not None:
                count.reached(len(scores))
    return scores


class ScoredTable(NamedTuple):
    """A table, to fit estimators to some of its rows and score them on others."""

    X: Any
    y: Any
    scorer: Any
    further: FurtherArguments = _NO_ARGUMENTS
    keeps_errors: bool = False

    def fitted_and_scored(self, estimator: Any, split: OuterSplit) -> Any:
        """Fit to the training rows of a split, and score on its test rows."""
        X_train, y_train = split_rows(estimator, self.X, self.y, split.train)
        of_fit = cut_method_parameters(self.X, params=self.further.of_fit, indices=split.train)
        begin = time.perf_counter()
        try:
            estimator.fit(X_train, y_train, **of_fit)
        except Exception as error:
            if not self.keeps_errors:
                raise
            return error
        return self.scored(estimator, split, time.perf_counter() - begin)

    def scored(self, fitted: Any, split: OuterSplit, seconds: float) -> Any:
        """Score on the test rows of a split; `fitted` may be the error of the fit."""
        try:
            if isinstance(fitted, Exception):
                raise fitted
            rows = split_rows(fitted, self.X, self.y, split.test, split.train)
            of_scorer = self.further.of_scorer
            cut = cut_method_parameters(self.X, params=of_scorer, indices=split.test)
            return self.scorer(fitted, *rows, **cut)._replace(seconds=seconds)
        except Exception as error:
            if not self.keeps_errors:
                raise
            return error

    def on_shared_rows(self, fits: Sequence[OuterFit]) -> Iterator[tuple[Any, ...]]:
        """The arguments of each fit; fits of the same split share their rows."""
        rows = SharedRows()
        for fit in fits:
            estimator, train = seeded(fit.estimator, fit.seed), fit.split.train
            of_fit = rows.cut_parameters(self.X, self.further.of_fit, train)
            yield estimator, *rows.cut(estimator, self.X, self.y, train), of_fit


def _score_together(
    fits: Sequence[OuterFit], table: ScoredTable, progress: ProgressObserver | None, verbose: int
) -> list[Any]:
    def score(number: int, fitted: Any, seconds: float) -> Any:
        return table.scored(fitted, fits[number].split, seconds)

    def score_others(numbers: Sequence[int]) -> list[Any]:
        return Parallel(verbose=verbose)(
            delayed(table.fitted_and_scored)(
                seeded(fits[number].estimator, fits[number].seed), fits[number].split
            )
            for number in numbers
        )

    return fit_together(
        table.on_shared_rows(fits), progress=progress, on_fitted=score, fit_others=score_others
    )


def _population(n_jobs: int | None) -> contextlib.AbstractContextManager[Any]:
    if n_jobs is None and active_population() is not None:
        return contextlib.nullcontext()
    return joblib.parallel_config(backend=PopulationBackend(n_jobs=n_jobs), n_jobs=n_jobs)


class RepeatedScores(NamedTuple):
    """The scores of an estimator: a row for each repeat, with an entry for each fold.

    `of_seeds` has a row for each seed, all on the splits of the first repeat, or no row if the
    estimator takes no seed.
    """

    of_repeats: tuple[tuple[FoldScores, ...], ...]
    of_seeds: tuple[tuple[FoldScores, ...], ...]


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
    """Fit and score all estimators together.

    `n_seeds` seeds, the seed of the first repeat included, are tried on the splits of that repeat.
    """
    # Where all repeats have the same splits, each repeat is another seed already.
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

    def rows(count: int) -> tuple[tuple[FoldScores, ...], ...]:
        return tuple(tuple(next(scores) for _ in range(splits.n_folds)) for _ in range(count))

    by_name = {}
    for name, estimator in estimators.items():
        of_repeats = rows(len(seeds))
        of_seeds = (*of_repeats[:n_known], *rows(n_further)) if has_seed(estimator) else ()
        by_name[name] = RepeatedScores(of_repeats, of_seeds)
    return by_name
