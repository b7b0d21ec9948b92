"""The dummy: the best scores that constant answers reach, which an estimator has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor

from skhp.comparison.outer_fits import RepeatedScores, ScoredTable
from skhp.comparison.outer_splits import OuterSplits
from skhp.comparison.scores import (
    SCORINGS,
    FoldScorer,
    FoldScores,
)

DUMMY = "dummy"

# With more classes than this, only the most frequent one is tried as the constant answer.
_MOST_CLASSES = 10
_BY_PROBABILITIES = ("neg_log_loss", "neg_brier_score", "average_precision", "d2_", "roc_auc")
_FREQUENCIES = "the frequencies of the classes"


class Dummy(NamedTuple):
    """The best constant answer to each metric, in words, and its scores."""

    scores: RepeatedScores
    answers: dict[str, str]


class Always(DummyClassifier):
    """Predict the same class for every row, even a class without training rows."""

    def __init__(self, *, constant: Any = None) -> None:
        super().__init__(strategy="constant", constant=constant)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn which classes there are."""
        labels = np.append(np.asarray(y), self.constant)
        return super().fit(np.zeros((len(labels), 1)), labels)


def constant_answers(
    y: np.ndarray,
    for_classes: bool,
    each_class: bool = False,
    class_names: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """The estimators with a constant answer, keyed by this answer in words.

    With more than two classes, only the most frequent one is tried, which is the best answer to
    every named metric; with `each_class`, all of them are tried.
    """
    if not for_classes:
        return {"the mean": DummyRegressor(), "the median": DummyRegressor(strategy="median")}
    labels, counts = np.unique(y, return_counts=True)
    order = labels[np.argsort(-counts, kind="stable")].tolist()
    if len(order) > (_MOST_CLASSES if each_class else 2):
        order = order[:1]
    named = {label: label if class_names is None else class_names[label] for label in order}
    # This one also predicts the best constant probabilities.
    answers: dict[str, Any] = {f"always {named[order[0]]!r}": DummyClassifier(strategy="prior")}
    return answers | {f"always {named[label]!r}": Always(constant=label) for label in order[1:]}


def dummy_scores(
    X: Any,
    y: np.ndarray,
    splits: OuterSplits,
    scorer: FoldScorer,
    main: str,
    for_classes: bool,
    class_names: Sequence[Any] | None = None,
) -> Dummy:
    """Score the constant answers on all splits and take the best one for each metric.

    The confusion matrix is that of the best answer to the metric `main`.
    """
    each_class = not set(scorer.metrics) <= set(SCORINGS)
    by_answer = {
        answer: _scored(estimator, X, y, splits, scorer)
        for answer, estimator in constant_answers(y, for_classes, each_class, class_names).items()
    }
    answers = {metric: _best(metric, by_answer) for metric in scorer.metrics}
    # The first answer predicts the best probabilities, so the Brier score is taken from it.
    first = next(iter(by_answer.values()))
    of_repeats = tuple(
        tuple(
            FoldScores(
                {name: by_answer[best][r][k].scores[name] for name, best in answers.items()},
                by_answer[answers[main]][r][k].confusion,
                one.brier,
                one.seconds,
            )
            for k, one in enumerate(row)
        )
        for r, row in enumerate(first)
    )
    by_frequency = {
        metric: _FREQUENCIES if metric.startswith(_BY_PROBABILITIES) else answer
        for metric, answer in answers.items()
    }
    return Dummy(RepeatedScores(of_repeats, ()), by_frequency if for_classes else answers)


def _scored(
    estimator: Any, X: Any, y: np.ndarray, splits: OuterSplits, scorer: FoldScorer
) -> tuple[tuple[FoldScores, ...], ...]:
    known: dict[int, tuple[FoldScores, ...]] = {}
    table = ScoredTable(X, y, scorer)
    for of_repeat in splits.of_repeats:
        # A constant answer has no seed: repeats on the same splits have the same scores.
        if id(of_repeat) not in known:
            known[id(of_repeat)] = tuple(
                table.fitted_and_scored(clone(estimator), split) for split in of_repeat
            )
    return tuple(known[id(of_repeat)] for of_repeat in splits.of_repeats)


def _best(metric: str, by_answer: Mapping[str, tuple[tuple[FoldScores, ...], ...]]) -> str:
    means = {
        answer: float(np.mean([one.scores[metric] for row in rows for one in row]))
        for answer, rows in by_answer.items()
    }
    # The first of equal answers is the best, and any number is better than NaN.
    best, highest = next(iter(means)), nan
    for answer, mean in means.items():
        if mean > highest + 1e-12 or (isnan(highest) and not isnan(mean)):
            best, highest = answer, mean
    return best
