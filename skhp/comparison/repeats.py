"""Train one network again and again, to see how much of a score is the luck of a seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skhp.comparison.scores import Scorer, Scores, score_classifier

__all__ = ["Repeat", "Split", "mean_and_deviation", "train_once"]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train on and rows to test on; `y` holds codes."""

    X_train: object
    X_test: object
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


def train_once(
    pipeline: Pipeline, split: Split, rare: object, scorer: Scorer, seed: int
) -> tuple[Repeat, Pipeline]:
    """Fit a copy of a pipeline with a seed of its own.

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
    seed : int

    Returns
    -------
    repeat : Repeat
    pipeline : Pipeline
        The fitted copy.
    """
    trained = clone(pipeline)
    trained[-1].set_params(random_state=seed)
    trained.fit(split.X_train, split.y_train)
    repeat = Repeat(
        seed=seed,
        scores=score_classifier(trained, split.X_test, split.y_test, rare, scorer),
        history=trained[-1].history_,
        best_epoch=trained[-1].best_epoch_,
    )
    return repeat, trained


def mean_and_deviation(values: Iterable[float]) -> tuple[float, float | None]:
    """Mean and standard deviation of a sample; a single value has no deviation.

    Examples
    --------
    >>> mean_and_deviation([1.0, 2.0, 3.0]), mean_and_deviation([1.0])
    ((2.0, 1.0), (1.0, None))
    """
    sample = np.array(list(values), dtype=float)
    return float(sample.mean()), float(sample.std(ddof=1)) if len(sample) > 1 else None
