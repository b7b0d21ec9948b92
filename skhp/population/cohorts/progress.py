"""The progress of cohorts, added up over a population."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from skhp.population.cohorts.cohort_plan import seconds_of_epoch
from skhp.population.cohorts.time_left import CohortWork
from skhp.population.report import PopulationProgress, ProgressObserver
from skhp.training.cohort.cohort import CohortProgress
from skhp.training.fit_task import FitTask


class OverallProgress:
    """Adds up the progress that the cohorts report from their threads; `cancelled` ends them."""

    def __init__(
        self, members: int, cohorts: int, progress: ProgressObserver, workers: int = 1
    ) -> None:
        self.cancelled = threading.Event()
        self._members, self._cohorts, self._progress = members, cohorts, progress
        self._workers = workers
        self._work: dict[MemberProgress, CohortWork] = {}
        self._epochs, self._ended = 0, 0
        self._began = time.perf_counter()
        self._lock = threading.Lock()
        self.observer_has_failed = False

    def expects(self, cohort: MemberProgress, work: CohortWork) -> None:
        """Take the work of a cohort that has not begun."""
        with self._lock:
            self._work[cohort] = work

    def advanced(
        self,
        new_epochs: dict[int, int],
        ended: int,
        cohort: MemberProgress | None = None,
        work: CohortWork | None = None,
    ) -> None:
        """Report the new epochs of each member of a cohort, and how many of them have ended."""
        with self._lock:
            if cohort is not None and work is not None:
                self._work[cohort] = work
            self._epochs += sum(new_epochs.values())
            self._ended += ended
            report = PopulationProgress(
                members=self._members,
                cohorts=self._cohorts,
                epochs_done=self._epochs,
                still_training=self._members - self._ended,
                seconds=time.perf_counter() - self._began,
                new_epochs=new_epochs,
                work=tuple(self._work.values()),
                workers=self._workers,
            )
            try:
                self._progress.advanced(report)
            except Exception:
                self.observer_has_failed = True
                raise


class MemberProgress:
    """The progress of one cohort: the numbers of its members, and how many of them train."""

    def __init__(
        self,
        overall: OverallProgress,
        members: Sequence[int],
        tasks: Sequence[FitTask],
        known: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """`known` holds epochs that were reported for members which train again."""
        self._overall = overall
        self._members = members
        # Members with known results do not train.
        self._planned = [task.plan.epochs if task.finished_after is None else 0 for task in tasks]
        self._running = sum(map(bool, self._planned))
        self._epochs = tuple(known.get(member, 0) for member in members)
        self._work = CohortWork(
            members=self._running,
            running=self._running,
            planned=max(self._planned),
            expected_seconds=seconds_of_epoch(tasks),
            epochs_left=sum(self._planned),
        )
        overall.expects(self, self._work)

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
        self._work = self._work_after(progress, running)
        self._overall.advanced(new_epochs, self._running - running, self, self._work)
        self._running, self._epochs = running, tuple(map(max, epochs, self._epochs))

    def withdrawn(self, ended: Collection[int]) -> dict[int, int]:
        """Report that the members that have not `ended` train again in other cohorts.

        The result has the epochs of each member that were reported so far.
        """
        pairs = zip(self._members, self._planned, strict=True)
        self._end(sum(bool(planned) and member not in ended for member, planned in pairs))
        return dict(zip(self._members, self._epochs, strict=True))

    def has_failed(self) -> None:
        """Report that no member of the cohort trains any more."""
        # An observer whose own error was the failure is not told of it.
        if not self._overall.observer_has_failed:
            self._end(0)

    def _end(self, train_elsewhere: int) -> None:
        """Report that this cohort has ended, and the number of its members that still train."""
        nothing_left = replace(self._work, running=0, epochs_left=0)
        self._overall.advanced({}, self._running - train_elsewhere, self, nothing_left)
        self._running, self._work = train_elsewhere, nothing_left

    def _work_after(self, progress: CohortProgress, running: int) -> CohortWork:
        pairs = zip(progress.epochs_of_members, self._planned, strict=True)
        trained = [(epochs, planned) for epochs, planned in pairs if planned]
        # Members that still train have run all epochs of the cohort.
        left = [planned - epochs for epochs, planned in trained if epochs == progress.epochs]
        to_their_end = sum(epochs >= planned for epochs, planned in trained)
        seconds = self._work.epoch_seconds
        if not progress.is_first and progress.chunk_epochs:
            seconds = progress.chunk_seconds / progress.chunk_epochs
        return replace(
            self._work,
            running=running,
            done=progress.epochs,
            ended_early=max(len(trained) - running - to_their_end, 0),
            epochs_of_members=sum(epochs for epochs, _ in trained),
            epochs_left=sum(left) if running else 0,
            epoch_seconds=seconds,
        )


class Cancelled(Exception):  # noqa: N818
    """Ends a cohort whose results nobody needs any more."""
