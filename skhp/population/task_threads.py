"""Runs tasks in threads, so that the fits within them wait for one another and train together.

Nobody knows which fits a task will ask for before it runs. So each task gets a thread, and a fit of
an estimator of skhp within it waits. When each task waits or has ended, the waiting fits are
trained as one population, and their tasks go on. Calls of joblib within a task add their tasks to
the same threads.

Only one thread runs at a time, the task that joblib submitted first goes first, and each finds its
own warning filters. So tasks have no more to share than if they ran one by one.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from queue import Empty, SimpleQueue
from typing import Any

from skhp.population.caller_settings import set_warning_settings, warning_settings
from skhp.population.handover import shared_preparation
from skhp.population.joint_training import PopulationTrainer
from skhp.population.options import PopulationOptions
from skhp.population.report import ProgressObserver, ReportedCall
from skhp.population.waiting_task import Answer, Task, TaskCall, TaskThread

# More tasks would only take memory: a cohort has at most 256 members.
MOST_TASKS = 256
# What rows and initial weights of waiting fits may take where no `memory_limit` is given.
MOST_BYTES = 2**30

# A task may be blocked by one that waits, by a lock for example. It is taken to be blocked if the
# process has computed nothing for `_SECONDS_IDLE`, or for `_SECONDS_IDLE_AGAIN` once a task was
# blocked before, or if the task has run for `_SECONDS_BUSY`, whatever the process computes.
_SECONDS_IDLE = 1.0
_SECONDS_IDLE_AGAIN = 0.1
_SECONDS_BUSY = 60.0
# A process computes nothing if it takes less than this share of one core.
_IDLE_SHARE = 0.05
# How long the calling thread sleeps before it looks for Ctrl-C again.
_SECONDS_ASLEEP = 0.05


class TaskThreads:
    """Runs the tasks of a call, and of the calls within them, and trains their fits together."""

    def __init__(
        self,
        options: PopulationOptions,
        progress: ProgressObserver,
        train: PopulationTrainer,
        reported: ReportedCall,
    ) -> None:
        self.train = train
        self.reported = reported
        self.stopped: SimpleQueue[TaskThread] = SimpleQueue()
        self._options = options
        self._progress = progress
        self._most_bytes = int(options.memory_limit or MOST_BYTES)
        self._pending: list[TaskThread] = []
        self._started: list[TaskThread] = []
        # Those of the started tasks that run; more than one only if tasks were blocked.
        self._running: set[TaskThread] = set()
        self._seconds_idle = _SECONDS_IDLE
        # Whether tasks are known to use such random generators only before they first wait.
        self._all_draw_early = False

    def work_off(self, tasks: deque[Task]) -> None:
        """Run tasks, each a function and another that gets its result; raise the first error.

        An error ends the tasks that come later, as if all ran one by one.
        """
        with warnings.catch_warnings(), shared_preparation() as prepared:
            call = self.add(tasks, None, ())
            try:
                while call.unended:
                    task = self._next_task()
                    if task is not None:
                        self._let_run(task)
                    elif not self._running or not self._wait_for(self._running):
                        self._train()
                        prepared.clear()
            finally:
                self._abandon(lambda task: True)
        if call.failed is not None and call.failed.error is not None:
            raise call.failed.error

    def add(
        self, tasks: deque[Task], caller: TaskThread | None, place: tuple[int, ...]
    ) -> TaskCall:
        """Take over the tasks of a call."""
        call = TaskCall(caller, tasks)
        self._pending += [
            TaskThread((*place, number), tasks.popleft(), call, self)
            for number in range(call.unended)
        ]
        self._pending.sort(key=_place)
        return call

    def _next_task(self) -> TaskThread | None:
        """The first task that can go on; None if those that wait are to be trained."""
        allowed = self._allowed_place()
        for task in self._started:
            if task.answer is not None and task.is_within(allowed):
                return task
        if (self._waiting() and self._is_full()) or (self._running and not self._may_start_more()):
            return None
        for number, task in enumerate(self._pending):
            if task.is_within(allowed):
                self._started.append(self._pending.pop(number))
                self._started.sort(key=_place)
                return task
        return None

    def _allowed_place(self) -> tuple[int, ...]:
        """The place of a task that runs to its end before others do; () if all may run.

        A task that used a random generator which others use, too, may use it again, and the next
        task must find the numbers after those.
        """
        drew = [task for task in self._started if task.drew and not self._all_draw_early]
        if not drew:
            return ()
        return max(task.place for task in drew if task.is_within(drew[0].place))

    def _may_start_more(self) -> bool:
        """Whether tasks may start while others run, which seem to be blocked.

        They may if the user asked for several jobs, as one job may be written to wait for another.
        """
        return self._options.n_jobs not in (None, 1) and not self._waiting()

    def _others_can_go_on(self) -> bool:
        return any(task.population or task.answer is not None for task in self._started) or (
            self._may_start_more() and bool(self._pending)
        )

    def _waiting(self) -> list[TaskThread]:
        return [task for task in self._started if task.population]

    def _is_full(self) -> bool:
        if len(self._started) >= MOST_TASKS:
            return True
        # Fits of the same rows hold them once.
        arrays = {
            id(array): array.nbytes
            for task in self._started
            for fit in task.population
            for array in _arrays_of(fit)
        }
        return sum(arrays.values()) >= self._most_bytes

    def _let_run(self, task: TaskThread) -> None:
        around = warning_settings()
        self._running.add(task)
        task.go_on()
        try:
            self._wait_for({task})
        finally:
            set_warning_settings(around)

    def _wait_for(self, tasks: set[TaskThread]) -> bool:
        """Wait until one of these running tasks waits or ends; False if they seem to be blocked."""
        tasks = set(tasks)
        watch = _BlockedWatch(self._seconds_idle)
        while True:
            try:
                task = self.stopped.get(timeout=_SECONDS_ASLEEP)
            except Empty:
                if watch.is_blocked() and self._others_can_go_on():
                    self._seconds_idle = _SECONDS_IDLE_AGAIN
                    for task in tasks:
                        task.note_changes(goes_on=True)
                    return False
                continue
            if task not in self._running:
                continue
            self._running.discard(task)
            task.note_changes()
            if task.has_ended:
                self._end(task)
            if task in tasks:
                return True

    def _train(self) -> None:
        """Train the fits of the tasks that wait, and answer the tasks."""
        waiting = self._waiting()
        allowed = self._allowed_place()
        waiting = [task for task in waiting if task.is_within(allowed)] or waiting
        fits = [(task, number) for task in waiting for number in range(len(task.population))]
        population = [task.population[number] for task, number in fits]
        results: dict[TaskThread, list[tuple[int, Any]]] = {task: [] for task in waiting}
        if population:
            finished = self.train(population, self._options, self._progress, None)
            with contextlib.ExitStack() as stack:
                if hasattr(finished, "close"):
                    stack.callback(finished.close)
                for index, result in finished:
                    task, number = fits[index]
                    results[task].append((number, result))
        for task in waiting:
            task.population = ()
            task.answer = Answer(results[task])

    def _end(self, task: TaskThread) -> None:
        task.join()
        self._started.remove(task)
        if task.drew:
            self._all_draw_early = not task.drew_late
        call = task.call
        if task.error is None:
            # The task may be named for longer, and must not keep the estimators that it fitted.
            result, task.result = task.result, None
            report, task.report = task.report, None
            if report is not None:
                report(result)
        elif isinstance(task.error, Exception):
            call.failed = task
            siblings = len(task.place) - 1
            self._abandon(
                lambda other: (
                    other.place[:siblings] == task.place[:siblings] and other.place > task.place
                )
            )
        else:
            raise task.error
        self._count_ended(task)

    def _count_ended(self, task: TaskThread) -> None:
        call = task.call
        call.unended -= 1
        if call.caller is not None and not call.unended:
            call.caller.answer = Answer(error=None if call.failed is None else call.failed.error)

    def _abandon(self, concerns: Callable[[TaskThread], bool]) -> None:
        """End tasks, the last first, as an error would that goes through all of them."""
        started = [task for task in self._started if concerns(task)]
        dropped = [task for task in self._pending if concerns(task)]
        self._started = [task for task in self._started if not concerns(task)]
        self._pending = [task for task in self._pending if not concerns(task)]
        self._running.difference_update(started)
        for task in [*started, *dropped]:
            self._count_ended(task)
        with contextlib.ExitStack() as stack:
            for task in started:
                stack.callback(task.abandon)


class _BlockedWatch:
    """Tells from the work of the process whether a task that runs seems to be blocked."""

    def __init__(self, seconds_idle: float) -> None:
        self._seconds_idle = seconds_idle
        self._begin = self._idle_since = time.monotonic()
        self._computed = time.process_time()

    def is_blocked(self) -> bool:
        """Whether nothing has been computed for a while, or whether the task has run very long."""
        now, computed = time.monotonic(), time.process_time()
        if computed - self._computed > _IDLE_SHARE * (now - self._idle_since):
            self._idle_since, self._computed = now, computed
        return now - self._idle_since >= self._seconds_idle or now - self._begin >= _SECONDS_BUSY


def _place(task: TaskThread) -> tuple[int, ...]:
    return task.place


def _arrays_of(fit: Any) -> Iterator[Any]:
    """The arrays that a waiting fit holds: its rows, and its initial weights."""
    values = [getattr(fit, name, None) for name in ("rows", "validation", "start")]
    while values:
        value = values.pop()
        if hasattr(value, "nbytes"):
            yield value
        elif is_dataclass(value):
            values += vars(value).values()
        elif isinstance(value, Mapping):
            values += value.values()
        elif isinstance(value, list | tuple):
            values += value
