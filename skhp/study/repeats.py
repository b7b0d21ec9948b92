"""Train one network again and again, to see how much of a score is the luck of a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from skhp.comparison.dummy import Always
from skhp.comparison.scores import Scorer, Scores, score_classifier
from skhp.population.joint_fits import fit_together

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

    The second of what is returned is the fitted copy of the first seed. The `seeds` are all
    different; `after_repeat` is called when a repeat is scored.
    """
    of_first_seed: list[Pipeline] = []

    def with_seed(seed: int) -> Pipeline:
        return clone(pipeline).set_params(**{f"{pipeline.steps[-1][0]}__random_state": seed})

    def score(_: int, trained: Any, seconds: float) -> Repeat:
        if isinstance(trained, Exception):
            raise trained
        seed, network = trained[-1].random_state, trained[-1]
        scores = score_classifier(trained, split.X_test, split.y_test, rare, scorer)
        if seed == seeds[0]:
            of_first_seed.append(trained)
        if after_repeat is not None:
            after_repeat()
        return Repeat(seed, scores, network.history_, network.best_epoch_)

    repeats: list[Repeat] = []
    together = max(1, min(_MOST_TOGETHER, _MOST_CELLS_TOGETHER // split.X_train.size))
    for begin in range(0, len(seeds), together):
        turn = seeds[begin : begin + together]
        repeats += fit_together(
            ((with_seed(seed), split.X_train, split.y_train) for seed in turn), on_fitted=score
        )
    return tuple(repeats), of_first_seed[0]


def mean_and_deviation(values: Iterable[float]) -> tuple[float, float | None]:
    """Mean and standard deviation of a sample; a single value has no deviation.

    Examples
    --------
    >>> mean_and_deviation([1.0, 2.0, 3.0]), mean_and_deviation([1.0])
    ((2.0, 1.0), (1.0, None))
    """
    sample = np.array(list(values), dtype=float)
    return float(sample.mean()), float(sample.std(ddof=1)) if len(sample) > 1 else None


def dummy_test_scores(split: Split, rare: Any, scorer: Scorer) -> Scores:
    """The scores of always saying the rare class, on the test rows of one split.

    No other constant answer has a precision or recall of it. The mean F1 and the score of the
    scorer are those of the best constant answer.
    """
    of_rare, of_prior = (
        score_classifier(
            dummy.fit(split.X_train, split.y_train), split.X_test, split.y_test, rare, scorer
        )
        for dummy in (Always(constant=rare), DummyClassifier(strategy="prior"))
    )
    return replace(
        of_rare,
        f1_macro=max(of_rare.f1_macro, of_prior.f1_macro),
        score=max(of_rare.score, of_prior.score),
    )
