"""The input and the result of a training, as frozen records."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from skhp.networks.network import Network, NetworkNumbers
from skhp.objectives.losses import RowLoss, SumOfLosses
from skhp.objectives.metrics import Metric
from skhp.objectives.row_metrics import EpochMetric
from skhp.training.rate_schedules import RateNumbers, Schedule
from skhp.training.trained_network import MemberWeights, SharedOutputs
from skhp.training.training_rows import TrainingRows, ValidationRows
from skhp.training.update_rules import UpdateNumbers

StopReason = Literal["epochs", "patience", "non_finite_loss", "callback", "pruned", "time_budget"]


@dataclass(frozen=True)
class TrainingPlan:
    """How a network is trained.

    `seed` decides the order of the rows in each epoch; None keeps the given order. `patience` is
    None without early stopping. `first_epoch` is the number of epochs that an earlier fit
    has run.

    A training monitors `metric`. If that is None, it monitors the value named `watched` in the
    history, where greater is better if `greater_is_better` is True; if both are None, the loss. The
    weights of the best epoch are kept, or the weights of the last epoch if `keeps_best` is False.
    `baseline` and `start_from_epoch` mean the same as for `keras.callbacks.EarlyStopping`.
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
    watched: str | None = None
    greater_is_better: bool = False
    keeps_best: bool = True
    baseline: float | None = None
    start_from_epoch: int = 0


@dataclass(frozen=True)
class TrainingOutcome:
    """The history of a training and how it ended. Epochs are counted from 1."""

    history: dict[str, list[float]]
    learning_rates: list[float]
    n_epochs: int
    best_epoch: int
    stop_reason: StopReason


class EpochObserver(Protocol):
    """Observes every epoch, and may end the training."""

    def epoch_begins(self) -> None:
        """Called before each epoch."""

    def epoch_ends(self) -> bool:
        """Called after each epoch; True ends the training."""


def bytes_to_train(network: Network, batch_size: int, n_rows: int, n_held_out: int) -> int:
    """An estimate of the memory that the training of one member takes, beside that of its rows.

    It counts weights, and what the layers return at each step of a series and each pixel for the
    rows of a batch, or for the held-out rows that are evaluated at once.
    """
    most = network.rows_at_once(members=_MANY)
    evaluated = n_held_out if most is None else min(n_held_out, most)
    return int(network.cost(max(min(batch_size, n_rows), evaluated)).bytes)


# With this many members, held-out rows are evaluated in the smallest parts.
_MANY = 2**31

# More than the rows of any table.
WHOLE_BATCH = 2**31 - 1


@dataclass(frozen=True, eq=False)
class FitTask:
    """One training: a network, the rows, the plan, the objective and the initial weights.

    `noise_seed` decides the dropout noise. `row_metrics` are recorded beside the loss, and
    `loss_numbers` are the numbers in which the losses of members may differ. `memory_limit` is the
    largest size in bytes of a cohort with this member and others. `origin` is kept for the
    estimator, which gets it back with the result. `finished_after` is None or, for a fit whose
    result is known and that does not train again, its number of epochs. Members with the same rows,
    validation rows and seeds share a stream; members with equal `program` can share a program.
    """

    network: Network
    numbers: NetworkNumbers
    loss: RowLoss | SumOfLosses
    update: UpdateNumbers
    rate: RateNumbers
    rows: TrainingRows
    validation: ValidationRows | None
    plan: TrainingPlan
    noise_seed: int
    start: MemberWeights
    origin: Any = None
    finished_after: int | None = None
    row_metrics: tuple[EpochMetric, ...] = ()
    loss_numbers: tuple[float, ...] = ()
    memory_limit: int | None = None

    @property
    def stream(self) -> Hashable:
        """Equal for members that see the same rows in the same order with the same noise."""
        noise = self.noise_seed if self.network.noise_shapes else None
        rows = id(self.rows), id(self.validation)
        return *rows, self.order_seed, noise, self.plan.first_epoch

    @property
    def order_seed(self) -> int | None:
        """The seed of the order of the rows; None if one batch takes them all as they are."""
        return None if self.batch_size == WHOLE_BATCH else self.plan.seed

    @property
    def batch_size(self) -> int:
        """Rows in a batch; `WHOLE_BATCH` for all rows, whatever their number in a fold."""
        size = self.plan.batch_size
        return WHOLE_BATCH if size >= self.rows.n_rows else size

    @property
    def shares_batches(self) -> bool:
        """Whether a batch may be split, so that members with other batch sizes can join."""
        return self.network.shares_batches and self.loss.shares_batches

    @property
    def program(self) -> Hashable:
        """Equal for members that can share a program."""
        return self.network, *self.objective

    @property
    def monitored(self) -> Hashable:
        """Equal for members whose monitored values can be compared."""
        plan = self.plan
        if plan.metric is not None:
            return plan.metric.name
        if plan.watched not in (None, "loss", "val_loss"):
            return plan.watched
        return self.loss, self.loss_numbers, plan.watched == "loss"

    @property
    def objective(self) -> tuple[Hashable, ...]:
        """Equal for members that can share a program if their networks are equal, too."""
        plan, validation = self.plan, self.validation
        return (
            self.loss,
            self.row_metrics,
            self.update.rule,
            self.rows.form,
            None if validation is None else plan.metric and (plan.metric.name, plan.metric.takes),
            plan.watched,
            plan.greater_is_better,
            validation is None,
            None if self.shares_batches else self.batch_size,
        )


@dataclass(frozen=True, eq=False)
class FitResult:
    """The result of a training: the outcome, the kept weights, and the seconds.

    `seconds` is the member's share of the time that its cohort trained. `held_out_score` is the
    best monitored value on the validation rows, without penalties: greater is better, and a loss
    is negative. `rung_scores` are the scores by which a search ranked the member.
    `shared_outputs` are the outputs of all members with the same rows, computed together.
    """

    outcome: TrainingOutcome
    trained: MemberWeights
    seconds: float
    held_out_score: float | None = None
    rung_scores: tuple[float, ...] = ()
    shared_outputs: SharedOutputs | None = None
