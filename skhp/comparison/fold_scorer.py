"""Scores an estimator on the test rows of a fold, by all metrics at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import check_scoring, confusion_matrix, make_scorer

from skhp.comparison.scores import undefined_scores_are_zero
from skhp.shared.class_scoring import as_classes

__all__ = ["FoldScorer", "FoldScores"]

_CONFUSION = "confusion"
_BRIER = "brier"


class FoldScores(NamedTuple):
    """The scores by their names, the counts of true by predicted class, the Brier score."""

    scores: dict[str, float]
    confusion: np.ndarray | None
    brier: float


@dataclass(frozen=True, eq=False)
class FoldScorer:
    """A scorer of several metrics for scikit-learn's `cross_validate`, and of the confusion.

    Parameters
    ----------
    metrics : mapping of str to callable
        Scorers of scikit-learn.
    labels : ndarray of shape (n_classes,), default=None
        The classes whose confusion is counted; None counts nothing.
    rare : label or None, default=None
        The class whose probability is judged by the Brier score; None judges none.
    raises : bool, default=True
        Whether an error of a metric is raised; otherwise the score is NaN.
    scored : callable, default=None
        Called after each fold that is scored in this process.
    """

    metrics: Mapping[str, Any]
    labels: np.ndarray | None = None
    rare: Any = None
    raises: bool = True
    scored: Callable[[], None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Who is told lives in this process.
        return self.__dict__ | {"scored": None}

    def __call__(self, estimator: Any, X: Any, y: Any) -> dict[str, float]:
        """One number under each name, those of the confusion under the positions of the classes."""
        estimator, X, y = as_classes(estimator, X, y)
        # Numbered, as a metric may have any name.
        scorers = {f"{position}": metric for position, metric in enumerate(self.metrics.values())}
        if self.labels is not None:
            scorers[_CONFUSION] = make_scorer(confusion_matrix, labels=self.labels)
        with undefined_scores_are_zero():
            # Of scikit-learn's own, so that all metrics share one prediction.
            together = check_scoring(estimator, scoring=scorers, raise_exc=self.raises)
            values = together(estimator, X, y)
        counts = values.pop(_CONFUSION, np.empty((0, 0)))
        for (true, predicted), count in np.ndenumerate(counts):
            values[f"{_CONFUSION} {true} {predicted}"] = float(count)
        # In place of a score that could not be had stands the text of the error.
        values = {name: nan if isinstance(one, str) else one for name, one in values.items()}
        values[_BRIER] = self._brier(estimator, X, y)
        if self.scored is not None:
            self.scored()
        return values

    def parted(self, values: Mapping[str, float]) -> FoldScores:
        """The numbers of a fold, by what they are."""
        scores = {name: values[f"{position}"] for position, name in enumerate(self.metrics)}
        confusion = None
        if self.labels is not None:
            classes = range(len(self.labels))
            confusion = np.array(
                [[values[f"{_CONFUSION} {true} {said}"] for said in classes] for true in classes]
            )
        return FoldScores(scores, confusion, values[_BRIER])

    def _brier(self, estimator: Any, X: Any, y: Any) -> float:
        if self.rare is None or not hasattr(estimator, "predict_proba"):
            return nan
        # A class that the training rows did not hold has a probability of 0.
        of_rare = np.asarray(estimator.classes_) == self.rare
        probability = np.asarray(estimator.predict_proba(X))[:, of_rare].sum(axis=1)
        is_rare = np.asarray(y).ravel() == self.rare
        return float(np.mean((probability - is_rare) ** 2))
