"""What travels to a worker, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from warnings import WarningMessage

from skhp.population.planner import PlannedFit

# Runs a task whose fits are trained; the mapping has their results.
RunTask = Callable[[Mapping[PlannedFit, Any]], Any]


@dataclass(frozen=True, eq=False)
class ShippedTask:
    """A task to run in the worker, and its fits by their numbers in the population."""

    number: int
    run: RunTask
    fits: Mapping[int, PlannedFit]


@dataclass(frozen=True, eq=False)
class ShippedCohort:
    """The members of a cohort, by their numbers in the population, and how they train.

    Each member is a `SharedStructure`. The results of members in `returned` travel back, as the
    caller runs the tasks that ask for them.
    """

    plan: Any
    members: Mapping[int, Any]
    chunk: int | None
    returned: frozenset[int]


@dataclass(frozen=True, eq=False)
class Shipment:
    """A cohort with the tasks that belong to it, or tasks alone."""

    cohort: ShippedCohort | None
    tasks: Sequence[ShippedTask]

    @property
    def numbers(self) -> Sequence[int]:
        """The members that have to be trained."""
        if self.cohort is None:
            return ()
        members = self.cohort.members.items()
        return [number for number, member in members if member.own.finished_after is None]


@dataclass(frozen=True)
class TrainedElsewhere:
    """What the caller needs to know of a fit whose task ran in the worker."""

    seconds: float
    rung_scores: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a task returned, or the exception that it raised, and the warnings that it gave.

    `raised_at` is the traceback of the exception in the worker.
    """

    number: int
    value: Any = None
    error: BaseException | None = None
    raised_at: str = ""
    warnings: Sequence[WarningMessage] = ()


@dataclass(frozen=True, eq=False)
class Delivery:
    """What comes back: the outcomes of the tasks, and the result of each member that was trained.

    A result is a `TrainedElsewhere`, a `FitResult` if the caller needs it, or an exception if the
    cohort could not be trained. `epochs` are those that each member has run.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    results: dict[int, Any] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)
