"""What goes into a training and what comes out, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from skhp.networks.optimizers import Schedule
from skhp.objectives.metrics import Metric

StopReason = Literal["epochs", "patience", "non_finite_loss", "callback", "pruned"]


@dataclass(frozen=True)
class TrainingRows:
    """Rows that a network learns from.

    `X` is float32 of shape (n_samples, n_features); `y` is the target as the loss takes it;
    `weight` multiplies the loss of a row.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class ValidationRows:
    """Rows that a training is watched on, and never learns from.

    `weight` multiplies the loss of a row, as in training. A metric compares with `metric_target`
    (class numbers, or the targets themselves) and weighs by `metric_weight`, where class weights
    have no place. `metric_scale` has the unit of each target, which a metric is told in; None is 1.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    metric_target: np.ndarray
    metric_weight: np.ndarray | None
    metric_scale: np.ndarray | None = None

    def metric_unit(self, metric: Metric | None) -> float:
        """What a metric is multiplied by, if its targets are told in units of the largest one."""
        if metric is None or self.metric_scale is None:
            return 1.0
        return float(self.metric_scale.max()) ** metric.power_of_unit


@dataclass(frozen=True)
class TrainingPlan:
    """How a network is trained.

    `seed` decides the order of the rows in each epoch; None leaves them as they are. `patience` is
    None where nothing may stop the training early; `metric` is None where the loss itself is
    monitored. `first_epoch` counts the epochs that an earlier fit has run.
    """

    batch_size: int
    epochs: int
    seed: int | None
    schedule: Schedule | None = None
    patience: int | None = None
    min_delta: float = 0.0
    metric: Metric | None = None
    first_epoch: int = 0
    verbose: int = 0


@dataclass(frozen=True)
class TrainingOutcome:
    """What a training left besides the weights in its model. Epochs are counted from 1."""

    history: dict[str, list[float]]
    learning_rates: list[float]
    n_epochs: int
    best_epoch: int
    stop_reason: StopReason


class EpochObserver(Protocol):
    """Is told of every epoch, and may end the training."""

    def epoch_begins(self) -> None:
        """Called before each epoch."""

    def epoch_ends(self) -> bool:
        """Called after each epoch; True ends the training."""
