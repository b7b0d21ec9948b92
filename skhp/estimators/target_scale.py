"""The mean and the deviation of a target, which a regressor takes out and puts back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skhp.estimators.tables import WeightedTable

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class TargetScale:
    """Mean and deviation of each of several targets, each an array of shape (n_targets,)."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def none(cls, n_targets: int) -> TargetScale:
        """What leaves targets as they are."""
        return cls(np.zeros(n_targets), np.ones(n_targets))

    @classmethod
    def of(cls, table: WeightedTable) -> TargetScale:
        """Weighted mean and deviation of the targets of some rows; 1 for a target that is constant.

        The same rows in any order, or with their weights as copies, give the same bits.
        """
        pairs = [_mean_and_deviation(y, table.sample_weight) for y in table.target.values.T]
        mean, scale = (np.array(numbers) for numbers in zip(*pairs, strict=True))
        return cls(mean, scale)

    def scaled(self, table: WeightedTable) -> WeightedTable:
        """The table with its targets as a network learns them.

        Raises
        ------
        ValueError
            If a number is beyond float32 then, as one that is far from the rows of the first call.
        """
        values = (table.target.values - self.mean) / self.scale
        if np.abs(values).max() > _LARGEST:
            raise ValueError(
                f"y holds {np.abs(table.target.values).max():g}, which is too large for the "
                f"float32 that networks compute in beside a target_scale_ of {self.scale.tolist()} "
                "that the first rows had. Give rows like the others, or scale_target=False."
            )
        target = replace(table.target, values=values.astype(np.float32), scale=self.scale)
        return replace(table, target=target)

    def unscaled(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs of a network in the units of the targets."""
        return outputs * self.scale + self.mean


def _mean_and_deviation(y: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    # In the order of the values, each once: whatever order and copies the rows come in.
    values, group = np.unique(y, return_inverse=True)
    weights = np.bincount(group, weight)
    shares = weights / weights.sum()
    # From the middle, and in shares of the spread: neither an offset nor the size costs a digit.
    middle = values[len(values) // 2]
    spread = values[-1] - values[0]
    if spread == 0:
        return float(middle), 1.0
    parts = (values - middle) / spread
    mean_part = shares @ parts
    deviation = np.sqrt(shares @ np.square(parts - mean_part)) * spread
    return float(middle + mean_part * spread), float(deviation) or 1.0
