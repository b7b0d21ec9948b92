"""How far the probabilities of the rare class can be trusted, beside the scores of a fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from skhp.class_scoring import as_classes
from skhp.comparison.fold_scorer import FoldScorer

__all__ = ["CalibrationScorer"]

# No name of the fold scorer's: those are numbers, or begin with "confusion".
_BRIER = "brier"


@dataclass(frozen=True, eq=False)
class CalibrationScorer:
    """A scorer of a fold by several metrics, and by the Brier score of a class.

    Parameters
    ----------
    fold : FoldScorer
    rare : label or None, default=None
        The class whose probability is judged; None judges none.
    """

    fold: FoldScorer
    rare: Any = None

    def __call__(self, estimator: Any, X: Any, y: Any) -> dict[str, float]:
        """The numbers of the fold scorer, and the Brier score; NaN where there is none."""
        estimator, X, y = as_classes(estimator, X, y)
        return {**self.fold(estimator, X, y), _BRIER: self._brier(estimator, X, y)}

    def parted(
        self, values: Mapping[str, float]
    ) -> tuple[dict[str, float], np.ndarray | None, float]:
        """The scores by their names, the counts of true by predicted class, the Brier score."""
        return *self.fold.parted(values), values[_BRIER]

    def _brier(self, estimator: Any, X: Any, y: Any) -> float:
        if self.rare is None or not hasattr(estimator, "predict_proba"):
            return nan
        # Of a class that the training rows did not hold, nobody has a probability: it is 0.
        of_rare = np.asarray(estimator.classes_) == self.rare
        probability = np.asarray(estimator.predict_proba(X))[:, of_rare].sum(axis=1)
        is_rare = np.asarray(y).ravel() == self.rare
        return float(np.mean((probability - is_rare) ** 2))
