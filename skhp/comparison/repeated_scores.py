"""Score estimators on the splits of all repeats, and with further seeds on those of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from skhp.comparison.fold_scorer import FoldScorer
from skhp.comparison.outer_fits import OuterFit, OuterScore, score_fits
from skhp.comparison.outer_splits import OuterSplits
from skhp.comparison.seeding import fit_seed, has_seed
from skhp.comparison.stages import OnProgress, TrainingCount

__all__ = ["RepeatedScores", "repeated_scores"]


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
