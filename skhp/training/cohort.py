"""Training of a cohort: chunk by chunk, until every member has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from skhp.training.cohort_state import (
    ALL_EPOCHS,
    NON_FINITE,
    OUT_OF_PATIENCE,
    CohortState,
    History,
    joined,
)
from skhp.training.fit_task import FitResult, FitTask, MemberWeights
from skhp.training.packed_members import PackedMembers, member_weights
from skhp.training.records import StopReason, TrainingOutcome

# Epochs that a program can run in one call, and the seconds that a call should take: between calls
# Ctrl-C is obeyed and progress is shown.
CHUNK_EPOCHS = 16
# When a cohort looks whether the members that still train should move to a smaller program: after
# fixed numbers of epochs, so that what a member becomes does not depend on the clock.
EPOCHS_OF_LOOK = 16
_SECONDS_A_CHUNK = 0.3

_STOP_REASONS: dict[int, StopReason] = {
    OUT_OF_PATIENCE: "patience",
    ALL_EPOCHS: "epochs",
    NON_FINITE: "non_finite_loss",
}


@dataclass(frozen=True)
class CohortSeconds:
    """Where the time of a cohort went. Compiling is in the first call of a new program."""

    packing: float = 0.0
    tracing: float = 0.0
    first_call: float = 0.0
    training: float = 0.0


@dataclass(frozen=True)
class CohortProgress:
    """How far a cohort is."""

    members: int
    epochs: int
    running: int
    epochs_of_members: tuple[int, ...] = ()


class CohortObserver(Protocol):
    """Is told of every chunk, and may end the training by raising."""

    def advanced(self, progress: CohortProgress) -> None:
        """Called after each chunk."""


def train_cohort(
    tasks: Sequence[FitTask],
    *,
    chunk: int | None = None,
    candidates: int | None = None,
    observer: CohortObserver | None = None,
    timed: Callable[[CohortSeconds], None] | None = None,
) -> list[FitResult]:
    """Train the members of a cohort together.

    Parameters
    ----------
    tasks : sequence of FitTask
        With equal `program`.
    chunk : int, default=None
        Epochs between two looks at the clock; None lets a chunk take a fraction of a second.
    candidates : int, default=None
        Places for candidates in each stream, so that cohorts of other sizes share a program.
    observer : CohortObserver, default=None
    timed : callable, default=None
        Gets a `CohortSeconds` in the end.

    Returns
    -------
    list of FitResult
        In the order of `tasks`.
    """
    return Cohort(tasks, chunk, candidates).trained(observer, timed)


class Cohort:
    """A cohort on its way; `train_cohort` runs it to the end."""

    def __init__(
        self, tasks: Sequence[FitTask], chunk: int | None = None, candidates: int | None = None
    ) -> None:
        began = time.perf_counter()
        self._tasks = tasks
        self._leaders = _leaders(tasks)
        leading = _leading(tasks, self._leaders)
        self._ends = sorted({task.plan.epochs for task in tasks})
        self._chunk = chunk
        self._room = max(CHUNK_EPOCHS, chunk or 0)
        self._packs = [PackedMembers(leading, self._room, candidates)]
        self._snapshots: dict[int, FitResult] = {}
        self._packed = time.perf_counter()
        self._packs[0].build()
        self._ready = time.perf_counter()
        self._began = began
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
        """Run a chunk of no more than so many epochs; the number that it had."""
        end = next(end for end in self._ends if end > self._done)
        count = min(most_epochs, self._room, end - self._done)
        began = time.perf_counter()
        self._packs[-1].advance(self._done, count)
        if self._done == 0:
            self._first_call = time.perf_counter() - began
        self._done += count
        if self._done == end:
            self._take_snapshots(end)
        return count

    def trained(
        self,
        observer: CohortObserver | None = None,
        timed: Callable[[CohortSeconds], None] | None = None,
    ) -> list[FitResult]:
        """Run all chunks."""
        size, running = 1, self.running
        while running:
            began = time.perf_counter()
            first = self._done == 0
            count = self.advance(min(size, EPOCHS_OF_LOOK - self._done % EPOCHS_OF_LOOK))
            running = self.running
            size = self._next_size(count, time.perf_counter() - began, first)
            if observer is not None:
                observer.advanced(
                    CohortProgress(len(self._tasks), self._done, running, self._epochs_of_members())
                )
            if self._done % EPOCHS_OF_LOOK == 0:
                self._drop_ended_members()
        results = self.results()
        if timed is not None:
            timed(
                CohortSeconds(
                    packing=self._packed - self._began,
                    tracing=self._ready - self._packed,
                    first_call=self._first_call,
                    training=time.perf_counter() - self._ready - self._first_call,
                )
            )
        return results

    def results(self) -> list[FitResult]:
        """What each member leaves, as it stands now."""
        share = (time.perf_counter() - self._began) / len(self._tasks)
        return [
            replace(self._snapshots.get(number) or self._result(number), seconds=share)
            for number in range(len(self._tasks))
        ]

    def _drop_ended_members(self) -> None:
        smaller = self._packs[-1].moved(self._done)
        if smaller is not None:
            smaller.build()
            self._packs.append(smaller)

    def _epochs_of_members(self) -> tuple[int, ...]:
        epochs: dict[int, int] = {}
        for pack in self._packs:
            epochs |= pack.epochs()
        return tuple(
            min(epochs[self._leaders[number]], task.plan.epochs)
            for number, task in enumerate(self._tasks)
        )

    def current_weights(self, number: int) -> MemberWeights:
        """Weights of a member as they are now, be they the best or not."""
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
            # The first call may have compiled the program, so its time says nothing.
            return 2
        return max(1, min(2 * count, int(count * _SECONDS_A_CHUNK / max(seconds, 1e-9))))

    def _take_snapshots(self, epochs: int) -> None:
        waiting = [
            number
            for number, task in enumerate(self._tasks)
            if task.plan.epochs == epochs and self._leaders[number] != number
        ]
        self._snapshots |= {number: self._result(number) for number in waiting}

    def _result(self, number: int) -> FitResult:
        task, state, history = self._tasks[number], self._state_of(number), self._history_of(number)
        epochs, stop = int(state.epochs), int(state.stop)
        finite_epochs = epochs - (stop == NON_FINITE)
        keeps_best = task.plan.patience is not None
        best_epoch = int(state.best_epoch) if keeps_best and finite_epochs else finite_epochs
        return FitResult(
            outcome=TrainingOutcome(
                history={
                    name: values[:epochs].tolist()
                    for name, values in _logged(task, history).items()
                },
                learning_rates=history.rate[:epochs].tolist(),
                n_epochs=epochs,
                best_epoch=best_epoch,
                # A member that others outlive ends with its own last epoch.
                stop_reason=_STOP_REASONS.get(stop, "epochs"),
            ),
            trained=member_weights(state, best=keeps_best),
            seconds=0.0,
        )


def _logged(task: FitTask, history: History) -> dict[str, np.ndarray]:
    """Values of all epochs by their names, in the order of Keras' history."""
    names = [metric.name for metric in task.row_metrics]
    columns = {"loss": history.loss, **dict(zip(names, history.row_metrics, strict=True))}
    if task.validation is not None:
        columns["val_loss"] = history.val_loss
        watched = zip(names, history.val_row_metrics, strict=True)
        columns.update({f"val_{name}": values for name, values in watched})
    logged = dict(sorted(columns.items()))
    if task.validation is not None and task.plan.metric is not None:
        logged[f"val_{task.plan.metric.name}"] = history.metric
    return logged


def _leaders(tasks: Sequence[FitTask]) -> list[int]:
    """For each fit the one that is trained in its place: an equal one with the most epochs."""
    longest: dict[Any, int] = {}
    for number, task in enumerate(tasks):
        key = _training_but_epochs(task)
        if key not in longest or tasks[longest[key]].plan.epochs < task.plan.epochs:
            longest[key] = number
    return [longest[_training_but_epochs(task)] for task in tasks]


def _leading(tasks: Sequence[FitTask], leaders: Sequence[int]) -> dict[int, FitTask]:
    """The fits that are trained, by their numbers."""
    leading = {}
    for leader in sorted(set(leaders)):
        ends = [tasks[number].finished_after for number, of in enumerate(leaders) if of == leader]
        known = [end for end in ends if end is not None]
        # One whose result is known still trains for those that share its training.
        finished_after = max(known) if len(known) == len(ends) else None
        leading[leader] = replace(tasks[leader], finished_after=finished_after)
    return leading


def _training_but_epochs(task: FitTask) -> Any:
    plan = task.plan
    return (
        task.stream,
        task.program,
        task.numbers,
        task.update,
        task.rate,
        id(task.start),
        min(plan.batch_size, len(task.rows.X)),
        plan.schedule,
        plan.patience,
        plan.min_delta,
    )
