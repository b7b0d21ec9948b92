"""Scores an estimator on the test rows of a fold, by all metrics at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring, confusion_matrix, make_scorer

from skhp.comparison.scores import undefined_scores_are_zero

__all__ = ["FoldScorer"]

_CONFUSION = "confusion"


@dataclass(frozen=True, eq=False)
class FoldScorer:
    """A scorer of several metrics for scikit-learn's `cross_validate`, and of the confusion.

    Parameters
    ----------
    metrics : mapping of str to callable
        Scorers of scikit-learn.
    labels : ndarray of shape (n_classes,), default=None
        The classes whose confusion is counted; None counts nothing.
    """

    metrics: Mapping[str, Any]
    labels: np.ndarray | None = None

    def __call__(self, estimator: Any, X: Any, y: Any) -> dict[str, float]:
        """One number under each name, those of the confusion under the positions of the classes."""
        # Numbered, as a metric may have any name.
        scorers = {f"{position}": metric for position, metric in enumerate(self.metrics.values())}
        if self.labels is not None:
            scorers[_CONFUSION] = make_scorer(confusion_matrix, labels=self.labels)
        with undefined_scores_are_zero():
            # Of scikit-learn's own, so that all metrics share one prediction.
            values = check_scoring(estimator, scoring=scorers)(estimator, X, y)
        counts = values.pop(_CONFUSION, np.empty((0, 0)))
        for (true, predicted), count in np.ndenumerate(counts):
            values[f"{_CONFUSION} {true} {predicted}"] = float(count)
        return values

    def parted(self, values: Mapping[str, float]) -> tuple[dict[str, float], np.ndarray | None]:
        """The scores by their names, and the counts of true by predicted class."""
        scores = {name: values[f"{position}"] for position, name in enumerate(self.metrics)}
        if self.labels is None:
            return scores, None
        classes = range(len(self.labels))
        return scores, np.array(
            [[values[f"{_CONFUSION} {true} {said}"] for said in classes] for true in classes]
        )
