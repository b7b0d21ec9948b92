"""A fit of a network that is prepared but not yet trained."""

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
    """Checked rows, split for training and validation.

    The training rows are cached, since fits share a stream only if their rows are the same object.
    """

    table: WeightedTable
    validation: ValidationRows | None

    @functools.cached_property
    def rows(self) -> TrainingRows:
        """The training rows, as they were given."""
        return self.table.for_training()

    @functools.cached_property
    def distinct_rows(self) -> TrainingRows:
        """Each distinct training row once, for batches that hold all rows."""
        return self.table.distinct().for_training()


@dataclass(frozen=True, eq=False)
class PreparedFit:
    """A fit that only needs to be trained; `start` is None for new weights.

    `memory_limit` is the most memory, in bytes, that a cohort with this fit may take.
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


# Cached, as a search prepares many fits of few kinds, and Keras takes time to make each object.


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
