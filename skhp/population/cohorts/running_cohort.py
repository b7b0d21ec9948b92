"""Adds up the progress of the cohorts of a population, and ends them where nobody waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from skhp.population.cohorts.cohort_plan import CohortPlan
from skhp.population.report import PopulationProgress, ProgressObserver
from skhp.training.cohort.cohort import Cohort, CohortProgress
from skhp.training.fit_task import FitResult, FitTask


class OverallProgress:
    """Adds up the progress of all cohorts, from their threads, and can end them."""

    def __init__(self, members: int, cohorts: int, progress: ProgressObserver) -> None:
        self.cancelled = threading.Event()
        self._members, self._cohorts, self._progress = members, cohorts, progress
        self._epochs, self._ended = 0, 0
        self._began = time.perf_counter()
        self._lock = threading.Lock()

    def advanced(self, new_epochs: dict[int, int], ended: int) -> None:
        """These members ran so many epochs, and so many members ended."""
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
    """The progress of one cohort, whose members have these numbers; so many of them train."""

    def __init__(self, overall: OverallProgress, members: Sequence[int], running: int) -> None:
        self._overall = overall
        self._members = members
        self._running = running
        self._epochs = (0,) * len(members)

    def advanced(self, progress: CohortProgress) -> None:
        """Called by the cohort after each chunk."""
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
        self._running, self._epochs = running, epochs


class Cancelled(Exception):  # noqa: N818
    """Ends a cohort that nobody waits for any more."""


class Cores:
    """Lets so many cohorts train at once, and one less while their caller has work to do.

    Scoring thousands of members takes as long as training them, and is done in one thread: sharing
    its core with a cohort makes both of them slower.
    """

    def __init__(self, workers: int) -> None:
        self._free = workers
        self._lends = workers > 1
        self._closed = False
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator[None]:
        """For a cohort, as soon as one is free."""
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0 or self._closed)
            if self._closed:
                raise Cancelled
            self._free -= 1
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """For the caller, from the next cohort on that would start."""
        if not self._lends:
            yield
            return
        with self._changed:
            self._free -= 1
        try:
            yield
        finally:
            self._give_back()

    def close(self) -> None:
        """Let no further cohort start."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _give_back(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()


class RunningCohort:
    """Members that train together, as soon as there is a core for them.

    Parameters
    ----------
    plan : CohortPlan
    tasks : sequence of FitTask
        Of the members of the plan.
    chunk : int or None
        Epochs between two looks at the clock.
    watch : OverallProgress
    cores : Cores
    """

    def __init__(
        self,
        plan: CohortPlan,
        tasks: Sequence[FitTask],
        chunk: int | None,
        overall: OverallProgress,
        cores: Cores,
    ) -> None:
        self.members = plan.members
        self.tasks = tasks
        self._place = {number: place for place, number in enumerate(plan.members)}
        self._settings = chunk, plan.candidates
        self._cores = cores
        running = sum(task.finished_after is None for task in tasks)
        self._progress = MemberProgress(overall, plan.members, running)
        self._cohort: Cohort | None = None

    def train(self, until: int | None) -> None:
        """Train until the members have run so many epochs, or to the end."""
        with self._cores.one():
            if self._cohort is None:
                self._cohort = Cohort(self.tasks, *self._settings)
            self._cohort.run(self._progress, until)

    def held_out_scores(self) -> dict[int, float]:
        """What the members were watched by so far; those that failed are worst."""
        if self._cohort is None:
            return {}
        return {
            number: -float("inf") if score is None else score
            for number, score in zip(self.members, self._cohort.held_out_scores(), strict=True)
        }

    def prune(self, numbers: Collection[int]) -> None:
        """End members of the population that are among these."""
        if self._cohort is not None:
            self._cohort.prune([self._place[n] for n in self.members if n in numbers])

    def results(self, numbers: Iterable[int]) -> dict[int, FitResult]:
        """What these members of the population leave, as they stand now."""
        if self._cohort is None:
            return {}
        return {number: self._cohort.result(self._place[number]) for number in numbers}

    def forget(self) -> None:
        """Let go of the tensors."""
        self._cohort = None
