"""From which probability on the rare class of two is predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.special import expit, logit

# Beyond these log-odds a threshold rounds to 0 or 1, and all rows or none would be rare.
_TELLING = (-100.0, 30.0)


@dataclass(frozen=True)
class Threshold:
    """The probability from which on the class at position `rare` of two is predicted."""

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
        """The threshold with the greatest F1 of the rare class, from probabilities of both."""
        return cls(best_threshold(probabilities[:, rare], is_rare, weight), rare)

    def positions(self, probabilities: np.ndarray) -> np.ndarray:
        """The position of the predicted class of each row; at the threshold it is the rare one."""
        # In the precision of the probabilities: 0.7 in float32 is below 0.7 in float64.
        is_rare = probabilities[:, self.rare] >= float(self.value)
        return np.where(is_rare, self.rare, 1 - self.rare)


class DecidesByThreshold:
    """A classifier that says the rare class of two from a threshold on; not for direct use."""

    rare_class_: Any
    threshold: float | str
    _rarest: int
    _threshold: Threshold

    @property
    def threshold_(self) -> float:
        """The probability of `rare_class_` from which on `predict` says it, of two classes."""
        if "_threshold" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__} has no threshold_ before it is fitted on two classes."
            )
        return self._threshold.value

    @threshold_.setter
    def threshold_(self, value: float) -> None:
        self._threshold = Threshold(float(value), self._rarest)

    def _current_threshold(self) -> Threshold:
        """The threshold of the last fit; during the first one it is still 0.5."""
        return vars(self).get("_threshold", Threshold(0.5, self._rarest))


def best_threshold(
    probability: np.ndarray, is_rare: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """The probability of a class from which on its F1 on some rows is greatest.

    It lies between two rows of different predictions; of several equally good ones it is the one
    nearest to 0.5, and it is 0.5 where no threshold gives any F1. Rows whose probabilities differ
    from 1 by less than 1e-13 count as equally certain.
    """
    weight = np.ones(len(probability)) if weight is None else np.asarray(weight, np.float64)
    if not (weight * is_rare).any():
        return 0.5
    # The middle between two probabilities is that of their log-odds.
    log_odds = np.clip(logit(probability.astype(np.float64)), *_TELLING)
    order = np.argsort(-log_odds, kind="stable")
    sorted_odds, rare = log_odds[order], (weight * is_rare)[order]
    ends = np.flatnonzero(np.diff(sorted_odds, append=-np.inf))
    true_positives = np.cumsum(rare)[ends]
    f1 = 2 * true_positives / (np.cumsum(weight[order])[ends] + rare.sum())
    last = sorted_odds[ends]
    # Below the last row that is predicted to be rare, and above the next one.
    cuts = (last + np.append(last[1:], last[-1] - 2.0)) / 2
    best = cuts[f1 >= f1.max() * (1 - 1e-12)]
    cut = best[np.abs(best).argmin()]
    threshold = float(expit(cut))
    is_above = log_odds > cut
    if (probability[~is_above] >= threshold).any():
        # The precision of the probabilities has no number between the two.
        threshold = float(probability[is_above].min())
    return threshold
