"""Trains the fits of several tasks together, and runs each task when its fits are trained.

An estimator reports epochs to scikit-learn's progress bar within its `fit`. So the tasks of a
search with a progress bar start before the training, each in its own thread, and their fits report
each epoch as soon as the cohort has trained it.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from skhp.compat.scikit_learn import context_has_callbacks, context_only_shows_progress
from skhp.population.cohorts.pruning import Contest
from skhp.population.handover import AdoptableFit, LiveResult, adopting, waiting_as
from skhp.population.limits.conditions import DROPPED, NO_CONDITIONS, Conditions, Dropped
from skhp.population.limits.timed_tasks import CandidateTimeoutError
from skhp.population.options import PopulationOptions
from skhp.population.pipeline_steps import AnsweringMemory, FittedStep, give_warnings
from skhp.population.planner import PlannedFit
from skhp.population.report import PopulationProgress, ProgressObserver

# Each live task has its own thread, and nobody can read more progress bars than this.
MOST_LIVE_TASKS = 1000


class LiveTask:
    """A task that runs in a thread; each of its fits waits for its live result."""

    def __init__(
        self, run: Callable[[Mapping[Any, LiveResult]], Any], lives: Mapping[Any, LiveResult]
    ) -> None:
        self._lives = lives
        self._run = run
        self._done: Future[Any] = Future()
        self._thread = threading.Thread(target=self._work, name="skhp-live-task", daemon=True)

    def start(self) -> None:
        """Start the task."""
        self._thread.start()

    def finished(self) -> Any:
        """Return what the task returns, or raise its error."""
        self._thread.join()
        return self._done.result()

    def abandon(self) -> None:
        """End the task where it waits."""
        for live in self._lives.values():
            live.abandon()
        self._thread.join()

    def _work(self) -> None:
        try:
            self._done.set_result(self._run(self._lives))
        except BaseException as error:
            # `finished` raises it again.
            self._done.set_exception(error)


class LiveProgress:
    """Tells each live task the new epochs of its members, and another observer all progress."""

    def __init__(self, observer: ProgressObserver, lives: Mapping[int, LiveResult]) -> None:
        self._observer = observer
        self._lives = lives

    def advanced(self, progress: PopulationProgress) -> None:
        """Hand progress on."""
        for member, epochs in progress.new_epochs.items():
            if member in self._lives:
                self._lives[member].epochs_done(epochs)
        self._observer.advanced(progress)


def shows_progress(keywords: Mapping[str, Any]) -> bool:
    """Whether a task has a progress bar, and no callback that would look into the fit."""
    return context_only_shows_progress(keywords.get("callback_ctx"))


def has_callbacks(keywords: Mapping[str, Any]) -> bool:
    """Whether a task reports to callbacks of scikit-learn."""
    return context_has_callbacks(keywords.get("callback_ctx"))


# A trainer takes a population, options, an observer and a contest or None, and yields the number
# and result of each member. Where a training has conditions, they are a fifth argument.
PopulationTrainer = Callable[..., Iterator[tuple[int, Any]]]


class JoiningTask(ABC):
    """Code that fits estimators, and those of its fits that a population trains.

    It runs after the training of these fits, or during it if the task shows progress. `elsewhere`
    is what a worker may run in place of `run`; None keeps the task in this process.
    """

    elsewhere: Callable[[Mapping[PlannedFit, Any]], Any] | None = None

    def __init__(self, fits: Sequence[PlannedFit], shows_progress: bool = False) -> None:
        self.fits = fits
        self.shows_progress = shows_progress
        self.results: dict[PlannedFit, Any] = {}

    @abstractmethod
    def run(self, trained: Mapping[PlannedFit, Any]) -> Any:
        """Run the code, whose fits find their results; `trained` are the results that are known."""

    @abstractmethod
    def report(self, outcome: Any) -> None:
        """Take what `run` returned."""

    def drop(self) -> None:
        """Report that the code will not run."""
        raise NotImplementedError

    @property
    def is_trained(self) -> bool:
        """Whether each of its fits has a result."""
        return len(self.results) == len(self.fits)


class Member(NamedTuple):
    """A member of a population: its fit, and the task that asks for it."""

    task: JoiningTask
    fit: PlannedFit


def train_and_run(
    population: Sequence[Any],
    members: dict[int, Member],
    options: PopulationOptions,
    progress: ProgressObserver,
    train: PopulationTrainer,
    contest: Contest | None = None,
    conditions: Conditions = NO_CONDITIONS,
) -> None:
    """Train a population, and run and report each task as soon as its fits are trained.

    The keys of `members` are the places of their fits in `population`; all other fits have known
    results. Each member is removed when it is done, so that no fitted estimator outlives its task.
    """
    live_tasks, lives = _live_tasks(members)
    terms = () if conditions is NO_CONDITIONS else (conditions,)
    finished = train(population, options, LiveProgress(progress, lives), contest, *terms)
    with contextlib.ExitStack() as stack:
        if live_tasks:
            # scikit-learn's tasks enter and leave `catch_warnings` in their threads, in any order,
            # which would leave wrong warning filters behind.
            stack.enter_context(warnings.catch_warnings())
        if hasattr(finished, "close"):
            # Whatever ends this loop also ends the cohorts in training.
            stack.callback(finished.close)
        for live_task in live_tasks.values():
            live_task.start()
            stack.callback(live_task.abandon)
        for index, result in finished:
            task, fit = members.pop(index)
            task.results[fit] = result
            live = live_tasks.get(task)
            if isinstance(result, Dropped):
                if live is not None:
                    live.abandon()
            elif index in lives:
                lives[index].finish(result)
            if not task.is_trained:
                continue
            if DROPPED in task.results.values():
                task.drop()
                continue
            began = time.perf_counter()
            task.report(_run_adopting(task) if live is None else live.finished())
            if conditions.deadline is not None:
                conditions.deadline.took_to_score(time.perf_counter() - began)
    for task in {id(member.task): member.task for member in members.values()}.values():
        task.report(_run_adopting(task))


def _live_tasks(
    members: Mapping[int, Member],
) -> tuple[dict[JoiningTask, LiveTask], dict[int, LiveResult]]:
    """The tasks to start before the training, and the live results that their fits wait for."""
    lives = {index: LiveResult() for index, member in members.items() if member.task.shows_progress}
    if len(lives) > MOST_LIVE_TASKS:
        return {}, {}
    fits_of: dict[JoiningTask, dict[PlannedFit, LiveResult]] = {}
    for index, live in lives.items():
        fits_of.setdefault(members[index].task, {})[members[index].fit] = live
    tasks = {
        task: LiveTask(functools.partial(_run_adopting, task), of_task)
        for task, of_task in fits_of.items()
    }
    return tasks, lives


def _run_adopting(task: JoiningTask, lives: Mapping[PlannedFit, LiveResult] | None = None) -> Any:
    return run_adopting(task.run, task.results, lives)


def run_adopting(
    run: Callable[[Mapping[PlannedFit, Any]], Any],
    results: Mapping[PlannedFit, Any],
    lives: Mapping[PlannedFit, LiveResult] | None = None,
) -> Any:
    """Run the code of a task, whose fits find their results."""
    lives = lives or {}
    trained = {
        fit: result
        for fit, result in results.items()
        # A fit whose cohort failed trains alone; a fit that took too long fails.
        if isinstance(result, CandidateTimeoutError) or not isinstance(result, Exception)
    } | dict.fromkeys(lives)
    for fit in trained:
        give_warnings(fit.warnings)
    with contextlib.ExitStack() as stack:
        for pipeline, steps in _steps_of_pipelines(trained):
            memory = AnsweringMemory(steps, copies=any(fit.returns_estimator for fit in trained))
            stack.enter_context(_with_memory(pipeline, memory))
        adoptable = [
            AdoptableFit(
                fit.estimator,
                fit.X,
                fit.y,
                fit.fit_params,
                fit.task,
                result,
                fit.failure_is_scored,
                lives.get(fit),
            )
            for fit, result in trained.items()
        ]
        stack.enter_context(adopting(adoptable))
        # A fit that could not be trained with others trains alone.
        stack.enter_context(waiting_as(None))
        return run({} if lives else trained)


def _steps_of_pipelines(fits: Iterable[PlannedFit]) -> Iterator[tuple[Any, list[FittedStep]]]:
    """Each pipeline once, with the steps of all the fits that it takes part in."""
    steps_of: dict[int, tuple[Any, list[FittedStep]]] = {}
    for fit in fits:
        for pipeline, steps in fit.pipelines:
            steps_of.setdefault(id(pipeline), (pipeline, []))[1].extend(steps)
    yield from steps_of.values()


@contextlib.contextmanager
def _with_memory(pipeline: Any, memory: AnsweringMemory) -> Iterator[None]:
    users_own = pipeline.memory
    pipeline.memory = memory
    try:
        yield
    finally:
        # The candidate may have set another memory.
        if pipeline.memory is memory:
            pipeline.memory = users_own
