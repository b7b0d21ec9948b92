"""A cohort in training: its progress, and its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from skhp.population.cohorts.cohort_plan import CohortPlan, halved
from skhp.population.report import PopulationProgress, ProgressObserver
from skhp.training.cohort.cohort import Cohort, CohortProgress
from skhp.training.fit_task import FitResult, FitTask


class OverallProgress:
    """Adds up the progress that the cohorts report from their threads; `cancelled` ends them."""

    def __init__(self, members: int, cohorts: int, progress: ProgressObserver) -> None:
        self.cancelled = threading.Event()
        self._members, self._cohorts, self._progress = members, cohorts, progress
        self._epochs, self._ended = 0, 0
        self._began = time.perf_counter()
        self._lock = threading.Lock()

    def advanced(self, new_epochs: dict[int, int], ended: int) -> None:
        """Report the new epochs of each member, and the number of members that have ended."""
        with self._lock:
            self._epochs += sum(new_epochs.values())
            self._ended += ended
            self._progress.advanced(
                PopulationProgress(
                    members=self._members,
                    cohorts=self._cohorts,
                    epochs_done=self._epochs,
                    still_training=self._members - self._ended,
                    seconds=time.perf_counter() - self._began,
                    new_epochs=new_epochs,
                )
            )


class MemberProgress:
    """The progress of one cohort: the numbers of its members, and how many of them train."""

    def __init__(
        self,
        overall: OverallProgress,
        members: Sequence[int],
        running: int,
        known: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """`known` holds epochs that were reported for members which train again."""
        self._overall = overall
        self._members = members
        self._begun = self._running = running
        self._epochs = tuple(known.get(member, 0) for member in members)

    def advanced(self, progress: CohortProgress) -> None:
        """Take the progress of the cohort after a chunk."""
        if self._overall.cancelled.is_set():
            raise Cancelled
        epochs = progress.epochs_of_members
        new_epochs = {
            member: now - before
            for member, now, before in zip(self._members, epochs, self._epochs, strict=True)
            if now > before
        }
        running = min(self._running, progress.running)
        self._overall.advanced(new_epochs, self._running - running)
        self._running, self._epochs = running, tuple(map(max, epochs, self._epochs))

    def withdrawn(self) -> dict[int, int]:
        """Take back the reported ends, for members that train again; the epochs reported so far."""
        self._overall.advanced({}, self._running - self._begun)
        self._running = self._begun
        return dict(zip(self._members, self._epochs, strict=True))


class Cancelled(Exception):  # noqa: N818
    """Ends a cohort whose results nobody needs any more."""


class RunningCohort:
    """Members that train together; `tasks` are in the order of the members in `plan`."""

    def __init__(
        self,
        plan: CohortPlan,
        tasks: Sequence[FitTask],
        chunk: int | None,
        overall: OverallProgress,
        known_epochs: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        self.members = plan.members
        self.tasks = tasks
        self._place = {number: place for place, number in enumerate(plan.members)}
        self._settings = chunk, plan.candidates
        self._overall = overall
        running = sum(task.finished_after is None for task in tasks)
        self._progress = MemberProgress(overall, plan.members, running, known_epochs)
        self._cohort: Cohort | None = None

    def train(self, until: int | None) -> None:
        """Train until the members have run `until` epochs, or to the end."""
        if self._cohort is None:
            self._cohort = Cohort(self.tasks, *self._settings)
        self._cohort.run(self._progress, until)

    def held_out_scores(self) -> dict[int, float]:
        """The best score of each member on its held-out rows so far; -inf for a failed member."""
        if self._cohort is None:
            return {}
        return {
            number: -float("inf") if score is None else score
            for number, score in zip(self.members, self._cohort.held_out_scores(), strict=True)
        }

    def prune(self, numbers: Collection[int]) -> None:
        """End the members of the cohort that have one of these numbers in the population."""
        if self._cohort is not None:
            self._cohort.prune([self._place[n] for n in self.members if n in numbers])

    def results(self, numbers: Iterable[int]) -> dict[int, FitResult]:
        """The results of these members of the population, as they stand now."""
        if self._cohort is None:
            return {}
        return {number: self._cohort.result(self._place[number]) for number in numbers}

    def halves(self, ended: Collection[int]) -> list[RunningCohort]:
        """Two cohorts of the members that have not `ended`, to train again from the beginning.

        There are none if a single member is left.
        """
        self.forget()
        task_of = dict(zip(self.members, self.tasks, strict=True))
        plans = halved([number for number in self.members if number not in ended])
        known = self._progress.withdrawn() if plans else {}
        return [
            RunningCohort(
                plan, [task_of[n] for n in plan.members], self._settings[0], self._overall, known
            )
            for plan in plans
        ]

    def forget(self) -> None:
        """Free the tensors."""
        self._cohort = None
