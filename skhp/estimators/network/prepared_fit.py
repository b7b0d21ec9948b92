"""A fit of a network that is prepared, and not trained yet."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from skhp.estimators.tables import WeightedTable
from skhp.networks.build import initial_network, network_of, numbers_of
from skhp.networks.description import NetworkDescription
from skhp.objectives.losses import NetworkLoss, OutputKind, RowLoss, keras_loss, row_loss
from skhp.training.fit_task import FitTask, TrainingPlan
from skhp.training.rate_schedules import OPTIMIZERS, rate_of
from skhp.training.trained_network import MemberWeights, Objective
from skhp.training.training_rows import TrainingRows, TrainingSeeds, ValidationRows
from skhp.training.update_rules import UpdateNumbers, update_of


@dataclass(frozen=True, eq=False)
class PreparedRows:
    """Checked rows, parted for training and validation.

    Fits that get the same object here, or the same rows of it, share a stream.
    """

    table: WeightedTable
    validation: ValidationRows | None

    @functools.cached_property
    def rows(self) -> TrainingRows:
        """The rows to learn from, as they are."""
        return self.table.for_training()

    @functools.cached_property
    def distinct_rows(self) -> TrainingRows:
        """Each distinct row once, for a batch of them all."""
        return self.table.distinct().for_training()


@dataclass(frozen=True, eq=False)
class PreparedFit:
    """A fit that only needs to be trained. `start` is None for new weights.

    `memory_limit` is the most that a cohort may take for it, in bytes.
    """

    rows: TrainingRows
    validation: ValidationRows | None
    network: NetworkDescription
    objective: Objective
    plan: TrainingPlan
    seeds: TrainingSeeds
    start: MemberWeights | None = None
    memory_limit: int | None = None

    def task(self) -> FitTask:
        """The fit as a member of a cohort."""
        loss, loss_numbers = _row_loss(self.objective.loss, self.network.output)
        return FitTask(
            network=network_of(self.network),
            numbers=numbers_of(self.network),
            loss=loss,
            update=_update(self.objective.optimizer),
            rate=rate_of(self.objective.keras_rate()),
            rows=self.rows,
            validation=self.validation,
            plan=self.plan,
            noise_seed=self.seeds.network,
            start=self.start or _fresh_start(self.network.structure, self.seeds.network),
            origin=self,
            loss_numbers=loss_numbers,
            memory_limit=self.memory_limit,
        )


# A search prepares many fits of few kinds, and making a loss or an optimizer of Keras takes time.


@functools.lru_cache
def _row_loss(loss: str | NetworkLoss, output: OutputKind) -> tuple[RowLoss, tuple[float, ...]]:
    return row_loss(keras_loss(loss, output)).parted()


@functools.lru_cache
def _update(name: str) -> UpdateNumbers:
    return update_of(OPTIMIZERS[name](1.0))


@functools.lru_cache(256)
def _fresh_start(structure: NetworkDescription, seed: int) -> MemberWeights:
    initial = initial_network(structure, seed)
    return MemberWeights(initial.weights, initial.state)
