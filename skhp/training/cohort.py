"""Training of a cohort: chunk by chunk, until every member has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from skhp.training.cohort_arrays import CohortArrays, lay_out
from skhp.training.cohort_programs import (
    cohort_program,
    exactly,
    pays_to_compile,
    rounded_up,
)
from skhp.training.cohort_state import (
    ALL_EPOCHS,
    NON_FINITE,
    OUT_OF_PATIENCE,
    RUNNING,
    CohortState,
    History,
    host_values,
)
from skhp.training.fit_task import FitResult, FitTask, MemberWeights
from skhp.training.records import StopReason, TrainingOutcome

# Epochs that a program can run in one call, and the seconds that a call should take: between calls
# Ctrl-C is obeyed and progress is shown.
CHUNK_EPOCHS = 16
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
        leading = [tasks[number] for number in sorted(set(self._leaders))]
        self._place = {number: k for k, number in enumerate(sorted(set(self._leaders)))}
        self._ends = sorted({task.plan.epochs for task in tasks})
        self._chunk = chunk
        self._room = max(CHUNK_EPOCHS, chunk or 0)
        layout = lay_out(leading, candidates)
        compiled = pays_to_compile(leading, layout)
        arrays = CohortArrays(leading, layout, rounded_up if compiled else exactly, self._room)
        self._arrays = arrays
        self._where = {
            member: (s, c)
            for s, row in enumerate(layout.member)
            for c, member in enumerate(row)
            if member is not None
        }
        self._state = arrays.state()
        self._fixed = (arrays.rows(), arrays.held_out(), arrays.numbers(), arrays.batches())
        self._history: list[History] = []
        self._snapshots: dict[int, FitResult] = {}
        self._packed = time.perf_counter()
        first = arrays.chunk(0, 1)
        self._program, self._traced = cohort_program(
            arrays.key, (self._state, *self._fixed, first), compiled
        )
        self._ready = time.perf_counter()
        self._began = began
        self._first_call = 0.0
        self._done = 0

    @property
    def running(self) -> int:
        """Members that still train."""
        return int(np.equal(self._state.stop.numpy(), RUNNING).sum())

    @property
    def epochs(self) -> int:
        """Epochs that the cohort has run."""
        return self._done

    def advance(self, most_epochs: int) -> int:
        """Run a chunk of no more than so many epochs; the number that it had."""
        end = next(end for end in self._ends if end > self._done)
        count = min(most_epochs, self._room, end - self._done)
        began = time.perf_counter()
        chunk = self._arrays.chunk(self._done, count)
        self._state, history = self._program(self._state, *self._fixed, chunk)
        self._history.append(History(*(np.asarray(values)[:count] for values in history)))
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
            count = self.advance(size)
            running = self.running
            size = self._next_size(count, time.perf_counter() - began, first)
            if observer is not None:
                observer.advanced(
                    CohortProgress(len(self._tasks), self._done, running, self._epochs_of_members())
                )
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
        state, history = host_values(self._state), _joined(self._history)
        share = (time.perf_counter() - self._began) / len(self._tasks)
        return [
            replace(
                self._snapshots.get(number) or self._result(number, state, history), seconds=share
            )
            for number in range(len(self._tasks))
        ]

    def _epochs_of_members(self) -> tuple[int, ...]:
        epochs = self._state.epochs.numpy()
        return tuple(
            min(int(epochs[self._place_of(number)]), task.plan.epochs)
            for number, task in enumerate(self._tasks)
        )

    def current_weights(self, number: int) -> MemberWeights:
        """Weights of a member as they are now, be they the best or not."""
        return _member_weights(host_values(self._state), self._place_of(number), best=False)

    def _place_of(self, number: int) -> tuple[int, int]:
        return self._where[self._place[self._leaders[number]]]

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
        if waiting:
            state, history = host_values(self._state), _joined(self._history)
            for number in waiting:
                self._snapshots[number] = self._result(number, state, history)

    def _result(self, number: int, state: CohortState, history: History) -> FitResult:
        task = self._tasks[number]
        place = self._place_of(number)
        epochs, stop = int(state.epochs[place]), int(state.stop[place])
        finite_epochs = epochs - (stop == NON_FINITE)
        keeps_best = task.plan.patience is not None
        best_epoch = int(state.best_epoch[place]) if keeps_best and finite_epochs else finite_epochs
        names = ["loss", "val_loss"] if task.validation is not None else ["loss"]
        values = [history.loss, history.val_loss]
        logged = {
            name: [float(value) for value in column[:epochs, place[0], place[1]]]
            for name, column in zip(names, values, strict=False)
        }
        if task.validation is not None and task.plan.metric is not None:
            metric = history.metric[:epochs, place[0], place[1]]
            logged[f"val_{task.plan.metric.name}"] = [float(value) for value in metric]
        return FitResult(
            outcome=TrainingOutcome(
                history=logged,
                learning_rates=[float(rate) for rate in history.rate[:epochs, place[0], place[1]]],
                n_epochs=epochs,
                best_epoch=best_epoch,
                # A member that others outlive ends with its own last epoch.
                stop_reason=_STOP_REASONS.get(stop, "epochs"),
            ),
            trained=_member_weights(state, place, best=keeps_best),
            seconds=0.0,
        )


def _member_weights(state: CohortState, place: tuple[int, int], best: bool) -> MemberWeights:
    weights, held = (state.best_weights, state.best_state) if best else (state.weights, state.state)
    return MemberWeights(
        weights=weights[place].copy(),
        state=held[place].copy(),
        slots=tuple(slot[place].copy() for slot in state.slots),
        step=int(state.step[place][0]),
    )


def _leaders(tasks: Sequence[FitTask]) -> list[int]:
    """For each fit the one that is trained in its place: an equal one with the most epochs."""
    longest: dict[Any, int] = {}
    for number, task in enumerate(tasks):
        key = _training_but_epochs(task)
        if key not in longest or tasks[longest[key]].plan.epochs < task.plan.epochs:
            longest[key] = number
    return [longest[_training_but_epochs(task)] for task in tasks]


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


def _joined(history: Sequence[History]) -> History:
    return History(*(np.concatenate(columns) for columns in zip(*history, strict=True)))
