"""The seeds of one fit, all derived from one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class TrainingSeeds:
    """Seeds of the inner validation split, of the initial weights and noise, of the row order."""

    split: int
    network: int
    order: int

    @classmethod
    def derived_from(cls, seed: int) -> Self:
        """Seeds that differ from each other and depend on `seed` alone."""
        return cls(*(int(state) for state in np.random.SeedSequence(seed).generate_state(3)))
