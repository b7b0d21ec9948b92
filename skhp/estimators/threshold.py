"""The decision threshold on the probability of the rarer of two classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import expit, logit

# Beyond these limits a threshold rounds to 0 or 1, and would make all rows rare, or none.
_LOG_ODDS_LIMITS = (-100.0, 30.0)


@dataclass(frozen=True)
class Threshold:
    """The least probability with which the class at position `rare`, 0 or 1, is predicted."""

    value: float
    rare: int

    @classmethod
    def tuned(
        cls,
        probabilities: np.ndarray,
        is_rare: np.ndarray,
        weight: np.ndarray | None,
        rare: int,
    ) -> Self:
        """The threshold with the greatest F1 of the rare class; `probabilities` has two columns."""
        return cls(best_threshold(probabilities[:, rare], is_rare, weight), rare)

    def positions(self, probabilities: np.ndarray) -> np.ndarray:
        """The position of each row's predicted class, the rare one at the threshold itself."""
        # A Python float is rounded to the dtype of the probabilities: float32's 0.7 is below 0.7.
        is_rare = probabilities[:, self.rare] >= float(self.value)
        return np.where(is_rare, self.rare, 1 - self.rare)


class DecidesByThreshold:
    """Mixin for classifiers that predict the rarer of two classes from a threshold on."""

    rare_class_: Any
    threshold: float | str
    _rarest: int
    _threshold: Threshold

    @property
    def threshold_(self) -> float:
        """The least probability of `rare_class_` with which `predict` returns it."""
        if "_threshold" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__} has no threshold_ before it is fitted on two classes."
            )
        return self._threshold.value

    @threshold_.setter
    def threshold_(self, value: float) -> None:
        self._threshold = Threshold(float(value), self._rarest)

    def _current_threshold(self) -> Threshold:
        """The threshold of the last fit, or 0.5 during the first."""
        return vars(self).get("_threshold", Threshold(0.5, self._rarest))


def best_threshold(
    probability: np.ndarray, is_rare: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """The threshold on the probability of a class that gives the class the greatest F1.

    Thresholds lie halfway between the probabilities of two rows. If several are equally good, the
    nearest to 0.5 is returned, and 0.5 itself if no threshold gives an F1 above 0. Probabilities
    that differ from 1 by less than 1e-13 count as equal.
    """
    weight = np.ones(len(probability)) if weight is None else np.asarray(weight, np.float64)
    if not (weight * is_rare).any():
        return 0.5
    # "Halfway" and "nearest" are measured in log-odds.
    log_odds = np.clip(logit(probability.astype(np.float64)), *_LOG_ODDS_LIMITS)
    order = np.argsort(-log_odds, kind="stable")
    sorted_odds, rare = log_odds[order], (weight * is_rare)[order]
    ends = np.flatnonzero(np.diff(sorted_odds, append=-np.inf))
    true_positives = np.cumsum(rare)[ends]
    f1 = 2 * true_positives / (np.cumsum(weight[order])[ends] + rare.sum())
    last = sorted_odds[ends]
    # Each cut lies between the last row that it makes rare and the next one.
    cuts = (last + np.append(last[1:], last[-1] - 2.0)) / 2
    best = cuts[f1 >= f1.max() * (1 - 1e-12)]
    cut = best[np.abs(best).argmin()]
    threshold = float(expit(cut))
    is_above = log_odds > cut
    if (probability[~is_above] >= threshold).any():
        # The dtype of the probabilities has no number between those of the two rows.
        threshold = float(probability[is_above].min())
    return threshold
