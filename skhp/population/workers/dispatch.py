"""Trains a population here or on workers, as its options say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from skhp.population import joint_training
from skhp.population.cohorts.pruning import Contest
from skhp.population.joint_training import Member, PopulationTrainer
from skhp.population.limits.conditions import NO_CONDITIONS, Conditions
from skhp.population.options import PopulationOptions
from skhp.population.report import ProgressObserver
from skhp.population.workers.distribution import train_and_run_on_workers, train_on_workers


def trained_by_cohorts(
    population: Sequence[Any],
    options: PopulationOptions,
    progress: ProgressObserver,
    contest: Contest | None = None,
    *conditions: Conditions,
) -> Iterator[tuple[int, Any]]:
    """Train a population by skhp's own trainer, here or on the workers of the chosen backend.

    The conditions of a search hold here; on workers, its time budget holds between its rounds.
    """
    if options.cohorts_travel:
        return train_on_workers(population, options, progress, contest)
    # The trainer loads TensorFlow, which a search over other estimators does not need.
    from skhp.population.cohorts.population_training import train_population

    return train_population(population, options, progress, contest, *conditions)


def train_and_run(
    population: Sequence[Any],
    members: dict[int, Member],
    options: PopulationOptions,
    progress: ProgressObserver,
    train: PopulationTrainer,
    contest: Contest | None = None,
    conditions: Conditions = NO_CONDITIONS,
) -> None:
    """Train a population, and run and report each task, here or where its cohort trains."""
    if train is trained_by_cohorts and options.cohorts_travel:
        train_and_run_on_workers(population, members, options, progress, contest)
    else:
        joint_training.train_and_run(
            population, members, options, progress, train, contest, conditions
        )
