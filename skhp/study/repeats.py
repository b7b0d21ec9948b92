"""Train one network again and again, to see how much of a score is the luck of a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skhp.comparison.scores import Scorer, Scores, score_classifier

__all__ = ["Repeat", "Split", "mean_and_deviation", "train_repeats"]

# Each seed holds out other rows, so that every network has a copy of the table in memory.
_MOST_TOGETHER = 50
_MOST_CELLS_TOGETHER = 50_000_000


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to test on; `y` holds codes."""

    X_train: pd.DataFrame
    X_test: pd.DataFrame
    y_train: np.ndarray
    y_test: np.ndarray


@dataclass(frozen=True, eq=False)
class Repeat:
    """One training: its seed, its scores on the test rows and its curves.

    `history` holds a value an epoch, as the network's ``history_``; `best_epoch` is the epoch,
    counted from 1, whose weights were kept.
    """

    seed: int
    scores: Scores
    history: Mapping[str, Sequence[float]]
    best_epoch: int


def train_repeats(
    pipeline: Pipeline,
    split: Split,
    rare: object,
    scorer: Scorer,
    seeds: Sequence[int],
    after_repeat: Callable[[], None] | None = None,
) -> tuple[tuple[Repeat, ...], Pipeline]:
    """Fit copies of a pipeline, each with a seed of its own.

    The networks train together, where they can join a population; large tables in several turns.

    Parameters
    ----------
    pipeline : Pipeline
        Its last step has the parameter `random_state` and, once fitted, ``history_`` and
        ``best_epoch_``.
    split : Split
    rare : label
        The rare class in `split`.
    scorer : callable
        As scikit-learn's scorers.
    seeds : sequence of int
        All different.
    after_repeat : callable, default=None
        Called when a repeat is scored; of networks that train together, all are then trained.

    Returns
    -------
    repeats : tuple of Repeat
        In the order of `seeds`.
    pipeline : Pipeline
        The fitted copy of the first seed.
    """
    repeats: dict[int, Repeat] = {}
    of_first_seed: list[Pipeline] = []

    def score(trained: Pipeline, X: pd.DataFrame, y: np.ndarray) -> float:
        seed = trained[-1].random_state
        scores = score_classifier(trained, X, y, rare, scorer)
        repeats[seed] = Repeat(seed, scores, trained[-1].history_, trained[-1].best_epoch_)
        if seed == seeds[0]:
            of_first_seed.append(trained)
        if after_repeat is not None:
            after_repeat()
        return scores.score

    # A search over the seed, on one split, is what scikit-learn fits in one go. The scorer takes
    # from it what scikit-learn would throw away.
    X = pd.concat([split.X_train, split.X_test])
    y = np.concatenate([split.y_train, split.y_test])
    train, test = np.split(np.arange(len(X)), [len(split.X_train)])
    together = _number_together(split.X_train.size)
    for begin in range(0, len(seeds), together):
        search = GridSearchCV(
            pipeline,
            {f"{pipeline.steps[-1][0]}__random_state": seeds[begin : begin + together]},
            scoring=score,
            cv=[(train, test)],
            refit=False,
            error_score="raise",
        )
        # The scorer leaves its findings in this process, so no outer context may choose others.
        with joblib.parallel_config(backend="skhp", n_jobs=None):
            search.fit(X, y)
    return tuple(repeats[seed] for seed in seeds), of_first_seed[0]


def _number_together(n_cells: int) -> int:
    return max(1, min(_MOST_TOGETHER, _MOST_CELLS_TOGETHER // n_cells))


def mean_and_deviation(values: Iterable[float]) -> tuple[float, float | None]:
    """Mean and standard deviation of a sample; a single value has no deviation.

    Examples
    --------
    >>> mean_and_deviation([1.0, 2.0, 3.0]), mean_and_deviation([1.0])
    ((2.0, 1.0), (1.0, None))
    """
    sample = np.array(list(values), dtype=float)
    return float(sample.mean()), float(sample.std(ddof=1)) if len(sample) > 1 else None
