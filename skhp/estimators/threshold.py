"""The decision threshold on the probability of the rarer of two classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from skhp.shared.best_threshold import TunedByFolds, best_threshold


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
        """The position of each row's predicted class; at the threshold itself, the rare one."""
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
    def awaits_threshold(self) -> bool:
        """Whether a search still has to tune the threshold of this fitted classifier."""
        return isinstance(self.threshold, TunedByFolds) and "_threshold" not in vars(self)

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

    def holds_rows_out(self) -> bool:
        """Whether the parameters tell a fit to hold rows out, on which a threshold can be tuned."""
        shares = (
            getattr(self, name, None) for name in ("validation_split", "fit__validation_split")
        )
        return bool(getattr(self, "early_stopping", False)) or any(shares)

    def labels_at(self, positions: np.ndarray) -> np.ndarray:
        """Labels of the classes at these positions in `classes_`, in the form of the target."""
        raise NotImplementedError

    def _current_threshold(self) -> Threshold:
        """The threshold of the last fit, or 0.5 during the first."""
        return vars(self).get("_threshold", Threshold(0.5, self._rarest))
