"""Tasks that run while their networks are trained, so that a progress bar moves with the epochs.

scikit-learn's progress bar learns of epochs from the estimator, within its `fit`. So the tasks of a
search with a progress bar start before the training, each in a thread of its own, and their fits
report each epoch as the cohort has done it. All other tasks run when their training is done.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from skhp.compat.scikit_learn import context_only_shows_progress
from skhp.population.cohorts.pruning import Contest
from skhp.population.handover import AdoptableFit, LiveResult, adopting
from skhp.population.options import PopulationOptions
from skhp.population.pipeline_steps import AnsweringMemory, FittedStep, give_warnings
from skhp.population.planner import PlannedFit
from skhp.population.report import PopulationProgress, ProgressObserver

# A thread each; beyond that nobody can read the bars.
MOST_LIVE_TASKS = 1000


class LiveTask:
    """A task that runs in a thread, and waits within its fit for the training.

    Parameters
    ----------
    run : callable
        Runs the task with what it is given as its live results.
    lives : mapping
        The live result of each of its fits.
    """

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
        """What the task returns, or the error that it raises."""
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
            # Raised again where the task is asked for its results.
            self._done.set_exception(error)


class LiveProgress:
    """Hands the epochs of members on to their tasks, and progress to another observer.

    Parameters
    ----------
    others : ProgressObserver
    lives : mapping of int to LiveResult
        By the number of the member.
    """

    def __init__(self, others: ProgressObserver, lives: Mapping[int, LiveResult]) -> None:
        self._others = others
        self._lives = lives

    def advanced(self, progress: PopulationProgress) -> None:
        """Hand it on."""
        for member, epochs in progress.new_epochs.items():
            if member in self._lives:
                self._lives[member].epochs_done(epochs)
        self._others.advanced(progress)


def shows_progress(keywords: Mapping[str, Any]) -> bool:
    """Whether a task has a progress bar, and no callback that would look into the fit."""
    return context_only_shows_progress(keywords.get("callback_ctx"))


PopulationTrainer = Callable[
    [Sequence[Any], PopulationOptions, ProgressObserver, Contest | None],
    Iterator[tuple[int, Any]],
]


class JoiningTask(ABC):
    """Code that fits estimators, and the fits in it that can be trained before it runs.

    Parameters
    ----------
    fits : sequence of PlannedFit
    shows_progress : bool, default=False
        Whether it runs while its fits are trained, to show their epochs.
    """

    def __init__(self, fits: Sequence[PlannedFit], shows_progress: bool = False) -> None:
        self.fits = fits
        self.shows_progress = shows_progress
        self.results: dict[PlannedFit, Any] = {}

    @abstractmethod
    def run(self, trained: Mapping[PlannedFit, Any]) -> Any:
        """Run the code, whose fits find their results; `trained` are those that are done before."""

    @abstractmethod
    def report(self, outcome: Any) -> None:
        """Take what `run` returned."""

    @property
    def n_together(self) -> int:
        """How many of its fits a population has trained."""
        return sum(not isinstance(result, Exception) for result in self.results.values())

    @property
    def is_trained(self) -> bool:
        """Whether each of its fits has a result."""
        return len(self.results) == len(self.fits)


class Member(NamedTuple):
    """A fit that is a member of a population, and the task that it belongs to."""

    task: JoiningTask
    fit: PlannedFit


def train_and_run(
    population: Sequence[Any],
    members: dict[int, Member],
    options: PopulationOptions,
    progress: ProgressObserver,
    train: PopulationTrainer,
    contest: Contest | None = None,
) -> None:
    """Train a population, and run and report each task as soon as its fits are trained.

    Parameters
    ----------
    population : sequence of FitTask
    members : dict of int to Member
        By the numbers in `population`; a number that is missing is of a fit that is known already.
        Emptied, so that no fitted estimator lives longer than its task.
    options : PopulationOptions
    progress : ProgressObserver
    train : callable
        As `skhp.population.cohorts.population_training.train_population`.
    contest : Contest, default=None
        How members are ended on the way.
    """
    live_tasks, lives = _live_tasks(members)
    finished = train(population, options, LiveProgress(progress, lives), contest)
    with contextlib.ExitStack() as stack:
        if live_tasks:
            # Threads that leave this context in another order than they entered it, as scikit-learn
            # has tasks do, would leave other filters behind.
            stack.enter_context(warnings.catch_warnings())
        if hasattr(finished, "close"):
            # Cohorts in training are ended whatever ends this loop.
            stack.callback(finished.close)
        for live_task in live_tasks.values():
            live_task.start()
            stack.callback(live_task.abandon)
        for index, result in finished:
            task, fit = members.pop(index)
            task.results[fit] = result
            if index in lives:
                lives[index].finish(result)
            if task.is_trained:
                live = live_tasks.get(task)
                task.report(_run_adopting(task) if live is None else live.finished())
    for task in {id(member.task): member.task for member in members.values()}.values():
        task.report(_run_adopting(task))


def _live_tasks(
    members: Mapping[int, Member],
) -> tuple[dict[JoiningTask, LiveTask], dict[int, LiveResult]]:
    """The tasks to start before the training, and what their fits wait for."""
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
    lives = lives or {}
    trained = {
        fit: result for fit, result in task.results.items() if not isinstance(result, Exception)
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
        return task.run({} if lives else trained)


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
        # A candidate may have set another.
        if pipeline.memory is memory:
            pipeline.memory = users_own
