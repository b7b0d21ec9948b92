"""Training of networks: rows and their order, the plan, the loop, the outcome."""

import skhp.networks  # loads TensorFlow quietly, so it comes first  # noqa: F401
from skhp.training.cohort import Cohort, CohortProgress, CohortSeconds, train_cohort
from skhp.training.distinct_rows import distinct_rows, row_groups, sum_by_group
from skhp.training.epoch_callbacks import (
    ObservedEpochs,
    StopAtNonFiniteLoss,
    ready_callbacks,
)
from skhp.training.epoch_parts import EpochParts, epoch_parts
from skhp.training.fit_task import FitResult, FitTask, MemberWeights
from skhp.training.keras_fit import train_with_keras
from skhp.training.lone_fit import LoneFit
from skhp.training.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS, Metric
from skhp.training.rate_schedules import RateNumbers, rate_of
from skhp.training.records import (
    EpochObserver,
    StopReason,
    TrainingOutcome,
    TrainingPlan,
    TrainingRows,
    ValidationRows,
)
from skhp.training.row_loss import RowLoss, row_loss
from skhp.training.row_metric import RowMetric, row_metrics
from skhp.training.seeds import TrainingSeeds
from skhp.training.siblings import Siblings, as_siblings
from skhp.training.streams import epoch_batches, row_order, steps_in_epoch
from skhp.training.trained_network import Objective, TrainedNetwork
from skhp.training.update_rules import UpdateNumbers, update_of
from skhp.training.validation_split import validation_split

__all__ = [
    "CLASSIFICATION_METRICS",
    "REGRESSION_METRICS",
    "Cohort",
    "CohortProgress",
    "CohortSeconds",
    "EpochObserver",
    "EpochParts",
    "FitResult",
    "FitTask",
    "LoneFit",
    "MemberWeights",
    "Metric",
    "Objective",
    "ObservedEpochs",
    "RateNumbers",
    "RowLoss",
    "RowMetric",
    "Siblings",
    "StopAtNonFiniteLoss",
    "StopReason",
    "TrainedNetwork",
    "TrainingOutcome",
    "TrainingPlan",
    "TrainingRows",
    "TrainingSeeds",
    "UpdateNumbers",
    "ValidationRows",
    "as_siblings",
    "distinct_rows",
    "epoch_batches",
    "epoch_parts",
    "rate_of",
    "ready_callbacks",
    "row_groups",
    "row_loss",
    "row_metrics",
    "row_order",
    "steps_in_epoch",
    "sum_by_group",
    "train_cohort",
    "train_with_keras",
    "update_of",
    "validation_split",
]
