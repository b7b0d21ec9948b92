"""Training of networks: rows and their order, the plan, the loop, the outcome."""

import skhp.networks  # loads TensorFlow quietly, so it comes first  # noqa: F401
from skhp.training.distinct_rows import distinct_rows, row_groups, sum_by_group
from skhp.training.epoch_callbacks import (
    ObservedEpochs,
    StopAtNonFiniteLoss,
    ready_callbacks,
)
from skhp.training.keras_fit import train_with_keras
from skhp.training.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS, Metric
from skhp.training.records import (
    EpochObserver,
    StopReason,
    TrainingOutcome,
    TrainingPlan,
    TrainingRows,
    ValidationRows,
)
from skhp.training.seeds import TrainingSeeds
from skhp.training.streams import epoch_batches, row_order, steps_in_epoch
from skhp.training.validation_split import validation_split

__all__ = [
    "CLASSIFICATION_METRICS",
    "REGRESSION_METRICS",
    "EpochObserver",
    "Metric",
    "ObservedEpochs",
    "StopAtNonFiniteLoss",
    "StopReason",
    "TrainingOutcome",
    "TrainingPlan",
    "TrainingRows",
    "TrainingSeeds",
    "ValidationRows",
    "distinct_rows",
    "epoch_batches",
    "ready_callbacks",
    "row_groups",
    "row_order",
    "steps_in_epoch",
    "sum_by_group",
    "train_with_keras",
    "validation_split",
]
