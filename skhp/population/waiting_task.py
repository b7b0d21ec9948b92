"""A task in a thread of its own, whose fits wait until a population has trained them."""

from __future__ import annotations

import ctypes
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

from skhp.population.caller_settings import (
    CallerSettings,
    generator_states,
    set_warning_settings,
    warning_settings,
)
from skhp.population.cohorts.pruning import Contest
from skhp.population.handover import Abandoned, AdoptableFit, waiting_as
from skhp.population.joint_training import PopulationTrainer
from skhp.population.limits.conditions import NO_CONDITIONS, Conditions
from skhp.population.options import PopulationOptions
from skhp.population.pipeline_steps import give_warnings
from skhp.population.planner import Planner
from skhp.population.report import ProgressObserver, ReportedCall

# How long a thread may take to end by itself, and how long altogether: nothing can end code within
# a C library.
_SECONDS_TO_END_ITSELF = 1.0
_SECONDS_TO_END = 10.0


class Task(NamedTuple):
    """What to run, what takes the result, and the random generators that it was given."""

    run: Callable[[], Any]
    report: Callable[[Any], None]
    generators: Sequence[Any] = ()


Results = Sequence[tuple[int, Any]]


class Answer(NamedTuple):
    """What a waiting task gets: the results of its fits, or an error to raise."""

    results: Results = ()
    error: BaseException | None = None


class TaskCall:
    """The tasks of one call of joblib that have not ended; `caller` is the task that made it."""

    def __init__(self, caller: TaskThread | None, tasks: Sequence[Task]) -> None:
        self.caller = caller
        self.unended = len(tasks)
        uses = Counter(id(generator) for task in tasks for generator in task.generators)
        # Its own generators do not make a task depend on the others.
        self.shared_generators: dict[int, Any] = (
            {} if caller is None else dict(caller.call.shared_generators)
        )
        self.shared_generators |= {
            id(generator): generator
            for task in tasks
            for generator in task.generators
            if uses[id(generator)] > 1
        }
        self.settings = CallerSettings()
        self.warnings = warning_settings()
        self.failed: TaskThread | None = None


class TaskThread:
    """A task in a thread of its own, the results that its fits wait for, and what it has changed.

    `place` is where the task stands if all run one by one; the tasks of a call within it come
    before the next task.
    """

    def __init__(
        self, place: tuple[int, ...], task: Task, call: TaskCall, threads: Threads
    ) -> None:
        self.place = place
        self.call = call
        self.report: Callable[[Any], None] | None = task.report
        self.population: Sequence[Any] = ()
        self.answer: Answer | None = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.has_ended = False
        # Whether it used a random generator that others use, too, and whether it did so after it
        # had waited.
        self.drew = False
        self.drew_late = False
        self._has_waited = False
        self._runs_with_others = False
        self._is_abandoned = False
        self._n_calls = 0
        self._run: Callable[[], Any] | None = task.run
        self._threads = threads
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._warnings = call.warnings
        self._thread: threading.Thread | None = None

    def is_within(self, place: tuple[int, ...]) -> bool:
        """Whether it is the task at this place, or one of a call within that task."""
        return self.place[: len(place)] == place

    # The following is called by the coordinating thread.

    def go_on(self) -> None:
        """Start the thread, or let it go on with its answer."""
        set_warning_settings(self._warnings)
        self._generator_states = self._states()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="skhp-task", daemon=True)
            self._thread.start()
        elif self.answer is not None:
            answer, self.answer = self.answer, None
            self._answers.put(answer)

    def note_changes(self, goes_on: bool = False) -> None:
        """Note what the task changed for all threads while it ran.

        If it goes on, others run with it from now on, and change the warning filters, too.
        """
        if not self._runs_with_others:
            self._warnings = warning_settings()
        self._runs_with_others = goes_on
        if self._generator_states != self._states():
            self.drew = True
            self.drew_late = self.drew_late or self._has_waited
        self._has_waited = True

    def _states(self) -> Any:
        return generator_states(self.call.shared_generators.values())

    def join(self) -> None:
        """Wait for the end of a thread that has nothing more to do."""
        if self._thread is not None:
            self._thread.join()

    def abandon(self) -> None:
        """End the thread where it waits, or else where it runs Python code next."""
        self._is_abandoned = True
        if self._thread is None:
            return
        self._answers.put(Answer(error=Abandoned()))
        until = time.monotonic() + _SECONDS_TO_END
        self._thread.join(_SECONDS_TO_END_ITSELF)
        while self._thread.is_alive() and time.monotonic() < until:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(Abandoned)
            )
            self._thread.join(_SECONDS_TO_END_ITSELF)

    # The following is called by the thread of the task.

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in the thread of the task."""
        return threading.current_thread() is self._thread

    def fit(
        self, estimator: Any, X: Any, y: Any, fit_params: Mapping[str, Any]
    ) -> AdoptableFit | None:
        """Wait until a population has trained a fit; None if the fit cannot join."""
        plan = Planner().plan_fit(estimator, X, y, fit_params)
        self._threads.reported.count((), plan.refusals)
        for fit in plan.fits:
            results = dict(self._wait([fit.task]))
            self._threads.reported.count(results.values())
            result = results.get(0)
            if result is not None and not isinstance(result, Exception):
                give_warnings(fit.warnings)
                return AdoptableFit(estimator, X, y, fit_params, fit.task, result)
        return None

    def train(
        self,
        population: Sequence[Any],
        options: PopulationOptions,
        progress: ProgressObserver,
        contest: Contest | None = None,
        conditions: Conditions = NO_CONDITIONS,
    ) -> Iterator[tuple[int, Any]]:
        """Wait until the population of a call within the task is trained with the others.

        A population with a contest trains alone, because its members are ranked among themselves,
        and so does one whose fits have a time limit each. The other conditions do not hold for a
        training of several calls: a time budget ends their searches between rounds only.
        """
        if contest is not None or conditions.fit_seconds is not None:
            terms = () if conditions is NO_CONDITIONS else (conditions,)
            yield from self._threads.train(population, options, progress, contest, *terms)
        else:
            yield from self._wait(population)

    def work_off(self, tasks: deque[Task]) -> None:
        """Run the tasks of a call within the task."""
        self._n_calls += 1
        if self._threads.add(tasks, self, (*self.place, self._n_calls)).unended:
            self._wait(())

    def _wait(self, population: Sequence[Any]) -> Results:
        if self._is_abandoned:
            raise Abandoned
        self.population = population
        self._threads.stopped.put(self)
        answer = self._answers.get()
        if answer.error is not None:
            raise answer.error
        return answer.results

    def _work(self) -> None:
        try:
            self.result = self.call.settings.run(self._waiting)
        except BaseException as error:
            # The coordinating thread raises it again, where the caller of the task is.
            self.error = error
        finally:
            # Nothing that the task holds may outlive it.
            self._run = None
            self.has_ended = True
            self._threads.stopped.put(self)

    def _waiting(self) -> Any:
        with waiting_as(self):
            assert self._run is not None
            return self._run()


class Threads(Protocol):
    """The threads of all tasks, as one of them knows them."""

    train: PopulationTrainer
    reported: ReportedCall
    # Takes each task that waits or has ended.
    stopped: SimpleQueue[TaskThread]

    def add(self, tasks: deque[Task], caller: TaskThread, place: tuple[int, ...]) -> TaskCall:
        """Take over the tasks of a call that `caller` makes."""
