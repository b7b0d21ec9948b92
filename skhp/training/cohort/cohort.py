"""The training of a cohort, epoch by epoch; fits that differ only in `epochs` share a training."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from skhp.shared.progress_stream import progress_stream
from skhp.training.cohort.packed_members import (
    PackedMembers,
    held_out_score,
    member_result,
    member_weights,
)
from skhp.training.cohort.state import PRUNED, RUNNING, CohortState, History, joined
from skhp.training.fit_task import EpochObserver, FitResult, FitTask, TrainingOutcome
from skhp.training.trained_network import MemberWeights


def leaders_of(tasks: Sequence[FitTask]) -> list[int]:
    """For each fit, the number of the fit that is trained for it: the longest of its equals."""
    longest: dict[Any, int] = {}
    for number, task in enumerate(tasks):
        key = _training_but_epochs(task)
        if key not in longest or tasks[longest[key]].plan.epochs < task.plan.epochs:
            longest[key] = number
    return [longest[_training_but_epochs(task)] for task in tasks]


def leading_fits(tasks: Sequence[FitTask], leaders: Sequence[int]) -> dict[int, FitTask]:
    """The fits that are trained for others or themselves, by their numbers."""
    ends: dict[int, list[int | None]] = {leader: [] for leader in sorted(leaders)}
    for task, leader in zip(tasks, leaders, strict=True):
        ends[leader].append(task.finished_after)
    leading = {}
    for leader, ends_of_leader in ends.items():
        known = [end for end in ends_of_leader if end is not None]
        # A fit whose result is known still trains for the fits that share its training.
        finished_after = max(known) if len(known) == len(ends_of_leader) else None
        task = tasks[leader]
        if task.finished_after != finished_after:
            task = replace(task, finished_after=finished_after)
        leading[leader] = task
    return leading


def _training_but_epochs(task: FitTask) -> Any:
    plan = task.plan
    return (
        task.stream,
        task.program,
        task.numbers,
        task.loss_numbers,
        task.update,
        task.rate,
        id(task.start),
        task.batch_size,
        plan.schedule,
        plan.patience,
        plan.min_delta,
        plan.baseline,
        plan.start_from_epoch,
    )


# The most epochs that a program runs in one call. Only between calls is Ctrl-C obeyed and progress
# shown, so a call should also take no longer than _SECONDS_A_CHUNK.
CHUNK_EPOCHS = 16
# Each time this number of epochs has passed, a cohort decides whether to move to a smaller program.
# The number is fixed, so that the result of a member does not depend on the clock.
EPOCHS_OF_LOOK = 16
_SECONDS_A_CHUNK = 0.3


@dataclass(frozen=True)
class CohortSeconds:
    """The seconds of a cohort by its stages. The first call of a new program includes compiling."""

    packing: float = 0.0
    tracing: float = 0.0
    first_call: float = 0.0
    training: float = 0.0


@dataclass(frozen=True)
class CohortProgress:
    """How far the training of a cohort has come."""

    members: int
    epochs: int
    running: int
    epochs_of_members: tuple[int, ...] = ()


class CohortObserver(Protocol):
    """Observes every chunk, and may end the training by an exception."""

    def advanced(self, progress: CohortProgress) -> None:
        """Called after each chunk."""


def train_cohort(
    tasks: Sequence[FitTask],
    *,
    chunk: int | None = None,
    candidates: int | None = None,
    observer: CohortObserver | None = None,
) -> list[FitResult]:
    """Train the members of a cohort together."""
    return Cohort(tasks, chunk, candidates).trained(observer)


class Cohort:
    """A cohort in training; `train_cohort` runs it to the end."""

    def __init__(
        self, tasks: Sequence[FitTask], chunk: int | None = None, candidates: int | None = None
    ) -> None:
        began = time.perf_counter()
        self._has_pruned = False
        self._tasks = tasks
        self._leaders = leaders_of(tasks)
        leading = leading_fits(tasks, self._leaders)
        self._ends = sorted({task.plan.epochs for task in tasks})
        self._chunk = chunk
        self._room = max(CHUNK_EPOCHS, chunk or 0)
        self._packs = [PackedMembers(leading, self._room, candidates)]
        self._snapshots: dict[int, FitResult] = {}
        packed = time.perf_counter()
        self._packs[0].build()
        ready = time.perf_counter()
        self._preparation = CohortSeconds(packing=packed - began, tracing=ready - packed)
        self._seconds = ready - began
        self._first_call = 0.0
        self._done = 0

    @property
    def running(self) -> int:
        """Members that still train."""
        return len(self._packs[-1].running)

    @property
    def epochs(self) -> int:
        """Epochs that the cohort has run."""
        return self._done

    def advance(self, most_epochs: int) -> int:
        """Run a chunk of at most this number of epochs, and return its number of epochs."""
        end = next(end for end in self._ends if end > self._done)
        count = min(most_epochs, self._room, end - self._done)
        began = time.perf_counter()
        self._packs[-1].advance(self._done, count)
        seconds = time.perf_counter() - began
        if self._done == 0:
            self._first_call = seconds
        self._seconds += seconds
        self._done += count
        if self._done == end:
            self._take_snapshots(end)
            if self._snapshots:
                self._end_unwanted()
        return count

    @property
    def seconds(self) -> CohortSeconds:
        """The seconds that the cohort has taken so far, by its stages."""
        before = self._preparation.packing + self._preparation.tracing + self._first_call
        return replace(
            self._preparation, first_call=self._first_call, training=self._seconds - before
        )

    def trained(self, observer: CohortObserver | None = None) -> list[FitResult]:
        """Run all chunks."""
        self.run(observer)
        return self.results()

    def run(self, observer: CohortObserver | None = None, until: int | None = None) -> None:
        """Train until every member has ended, or the cohort has run this number of epochs."""
        if self._has_pruned:
            self._drop_ended_members()
        size, running = 1, self.running
        while running and (until is None or self._done < until):
            began = time.perf_counter()
            first = self._done == 0
            most = EPOCHS_OF_LOOK - self._done % EPOCHS_OF_LOOK
            if until is not None:
                most = min(most, until - self._done)
            count = self.advance(min(size, most))
            running = self.running
            size = self._next_size(count, time.perf_counter() - began, first)
            if observer is not None:
                observer.advanced(
                    CohortProgress(len(self._tasks), self._done, running, self._epochs_of_members())
                )
            if self._done % EPOCHS_OF_LOOK == 0:
                self._drop_ended_members()

    def prune(self, numbers: Collection[int]) -> None:
        """End members after their current epoch; members that have already ended do not change."""
        running = set(self._packs[-1].running)
        for number in numbers:
            if self._leaders[number] in running and self._lasts(number):
                self._snapshots[number] = self._result(number, PRUNED)
        self._end_unwanted()
        self._has_pruned = True

    def _lasts(self, number: int) -> bool:
        return number not in self._snapshots and self._tasks[number].plan.epochs > self._done

    def _end_unwanted(self) -> None:
        """End each training whose members have all ended."""
        wanted = {leader for number, leader in enumerate(self._leaders) if self._lasts(number)}
        if unwanted := set(self._packs[-1].running) - wanted:
            self._packs[-1].end(unwanted)

    def held_out_scores(self) -> list[float | None]:
        """For each member, the best monitored value so far, as in its result."""
        return [
            self._snapshots[number].held_out_score
            if number in self._snapshots
            else held_out_score(task, self._state_of(number))
            for number, task in enumerate(self._tasks)
        ]

    def results(self) -> list[FitResult]:
        """The result of each member as it stands now."""
        return [self.result(number) for number in range(len(self._tasks))]

    def result(self, number: int) -> FitResult:
        """The result of a member as it stands now."""
        result = self._snapshots.get(number) or self._result(number)
        return replace(result, seconds=self._seconds / len(self._tasks))

    def _drop_ended_members(self) -> None:
        began = time.perf_counter()
        smaller = self._packs[-1].moved(self._done)
        if smaller is not None:
            smaller.build()
            self._packs.append(smaller)
        self._has_pruned = False
        self._seconds += time.perf_counter() - began

    def _epochs_of_members(self) -> tuple[int, ...]:
        epochs: dict[int, int] = {}
        for pack in self._packs:
            epochs |= pack.epochs()
        return tuple(
            min(epochs[self._leaders[number]], task.plan.epochs)
            for number, task in enumerate(self._tasks)
        )

    def current_weights(self, number: int) -> MemberWeights:
        """The current weights of a member, whether or not they are its best."""
        return member_weights(self._state_of(number), best=False)

    def _state_of(self, number: int) -> CohortState:
        leader = self._leaders[number]
        return next(pack for pack in reversed(self._packs) if leader in pack).state_of(leader)

    def _history_of(self, number: int) -> History:
        leader = self._leaders[number]
        parts = [part for pack in self._packs for part in pack.history_of(leader)]
        return parts[0] if len(parts) == 1 else joined(parts)

    def _next_size(self, count: int, seconds: float, first: bool) -> int:
        if self._chunk is not None:
            return self._chunk
        if first:
            # The first call may have compiled the program, so its time does not tell the time of an
            # epoch.
            return 2
        return max(1, min(2 * count, int(count * _SECONDS_A_CHUNK / max(seconds, 1e-9))))

    def _take_snapshots(self, epochs: int) -> None:
        waiting = [
            number
            for number, task in enumerate(self._tasks)
            if task.plan.epochs == epochs and self._leaders[number] != number
        ]
        self._snapshots |= {number: self._result(number) for number in waiting}

    def _result(self, number: int, ended_by: int = RUNNING) -> FitResult:
        return member_result(
            self._tasks[number], self._state_of(number), self._history_of(number), ended_by
        )


class LoneFit:
    """The training of a single member."""

    def __init__(self, task: FitTask) -> None:
        self._task = task
        self._cohort = Cohort([task])

    @property
    def member(self) -> MemberWeights:
        """The current weights."""
        return self._cohort.current_weights(0)

    def trained(self, observer: EpochObserver | None = None) -> FitResult:
        """Train to the end, or until the observer ends it."""
        if observer is None and not self._task.plan.verbose:
            (result,) = self._cohort.trained()
            return result
        stopped = False
        while self._cohort.running and not stopped:
            if observer is not None:
                observer.epoch_begins()
            self._cohort.advance(1)
            (result,) = self._cohort.results()
            if self._task.plan.verbose:
                _print_epoch(result.outcome, self._task.plan.epochs)
            stopped = observer is not None and observer.epoch_ends()
        (result,) = self._cohort.results()
        if stopped and self._cohort.running:
            return replace(result, outcome=replace(result.outcome, stop_reason="callback"))
        return result


def _print_epoch(outcome: TrainingOutcome, epochs: int) -> None:
    values = " - ".join(f"{name}: {value[-1]:.4f}" for name, value in outcome.history.items())
    progress_stream(sys.stdout).write(f"Epoch {outcome.n_epochs}/{epochs} - {values}\n")
