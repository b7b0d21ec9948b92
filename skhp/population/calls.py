"""Works off the tasks of one joblib.Parallel call: trains their fits together, then runs them."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import joblib

from skhp.adoption import AdoptableFit, LiveResult, adopting, shared_preparation
from skhp.population.live_tasks import (
    MOST_LIVE_TASKS,
    LiveProgress,
    LiveTask,
    shows_progress,
)
from skhp.population.options import PopulationOptions
from skhp.population.planner import PlannedFit, Planner
from skhp.population.progress import ProgressObserver
from skhp.population.pruning import Contest, Entry, Pruning, contest_of
from skhp.population.recorded_warnings import give_warnings
from skhp.population.steps import AnsweringMemory, FittedStep
from skhp.population.task_journal import JournalledCall, as_finished

PopulationTrainer = Callable[
    [Sequence[Any], PopulationOptions, ProgressObserver, Contest | None],
    Iterator[tuple[int, Any]],
]


@dataclass(frozen=True, eq=False)
class CollectedTask:
    """A batch of tasks as joblib submits it, most often of one task, and whom to tell its results.

    Parameters
    ----------
    batch : joblib's batch
        Called, it runs the tasks; its `items` are their functions, arguments and keywords.
    report : callable
        Takes the list of results.
    """

    batch: Any
    report: Callable[[Any], None]


@dataclass(frozen=True, eq=False)
class ParallelCall:
    """What a joblib.Parallel call asks of its backend.

    Parameters
    ----------
    options : PopulationOptions
    workers : dict or None
        Arguments of the joblib.Parallel that runs tasks which cannot join. None runs them one
        after another.
    progress : ProgressObserver
    journalled : JournalledCall
    pruning : Pruning or None
        How candidates are ended on the way, whose tasks say which candidates they are of.
    """

    options: PopulationOptions
    workers: dict[str, Any] | None
    progress: ProgressObserver
    journalled: JournalledCall = field(default_factory=lambda: JournalledCall(None))
    pruning: Pruning | None = None


@dataclass(eq=False)
class _JoiningTask:
    collected: CollectedTask
    fits_of_items: list[list[PlannedFit]]
    results: dict[PlannedFit, Any] = field(default_factory=dict)

    @property
    def fits(self) -> list[PlannedFit]:
        return [fit for fits in self.fits_of_items for fit in fits]

    @property
    def shows_progress(self) -> bool:
        return all(shows_progress(keywords) for _, _, keywords in self.collected.batch.items)

    @property
    def is_trained(self) -> bool:
        return len(self.results) == len(self.fits)


class _Member(NamedTuple):
    task: _JoiningTask
    fit: PlannedFit


def work_off(tasks: deque[CollectedTask], call: ParallelCall, train: PopulationTrainer) -> None:
    """Run every task and report its results; the fits that can join are trained before, together.

    An exception of a task is raised, as joblib's sequential backend does.

    Parameters
    ----------
    tasks : deque of CollectedTask
        Emptied, so that no fitted estimator lives longer than its task.
    call : ParallelCall
    train : callable
        As `skhp.population.cohorts.train_population`.
    """
    known = [call.journalled.recalled(task.batch) for task in tasks]
    planner = Planner()
    population: list[Any] = []
    entries: list[Entry] = []
    members: dict[int, _Member] = {}
    others: deque[CollectedTask] = deque()
    with shared_preparation():
        for recalled in known:
            collected = tasks.popleft()
            if recalled is not None:
                collected.report([recalled.result])
                if None not in known:
                    continue
            fits_of_items = [planner.plan(*item) for item in collected.batch.items]
            if recalled is not None:
                fits = [as_finished(fit, recalled) for fit in fits_of_items[0]]
                population += fits
                entries += [Entry(collected.batch.items[0][2], recalled.rung_scores)] * len(fits)
            elif any(fits_of_items):
                joining = _JoiningTask(collected, fits_of_items)
                for item, fits in zip(collected.batch.items, fits_of_items, strict=True):
                    for fit in fits:
                        members[len(population)] = _Member(joining, fit)
                        population.append(fit.task)
                        entries.append(Entry(item[2]))
            else:
                others.append(collected)
    _run(others, call)
    if members:
        contest = None if call.pruning is None else contest_of(population, entries, call.pruning)
        _train_and_run(population, members, call, train, contest)


def _run(tasks: deque[CollectedTask], call: ParallelCall) -> None:
    if call.workers is not None and len(tasks) > 1:
        parallel = joblib.Parallel(**call.workers, return_as="generator")
        for result in parallel(joblib.delayed(task.batch)() for task in tuple(tasks)):
            _report(tasks.popleft(), result, call)
        return
    while tasks:
        task = tasks.popleft()
        _report(task, task.batch(), call)


def _report(
    task: CollectedTask, results: Any, call: ParallelCall, rung_scores: Sequence[float] = ()
) -> None:
    call.journalled.keep(task.batch, results, rung_scores)
    task.report(results)


def _train_and_run(
    population: Sequence[Any],
    members: dict[int, _Member],
    call: ParallelCall,
    train: PopulationTrainer,
    contest: Contest | None,
) -> None:
    live_tasks, lives = _live_tasks(members)
    finished = train(population, call.options, LiveProgress(call.progress, lives), contest)
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
                results = _run_adopting(task) if live is None else live.finished()
                _report(task.collected, results, call, getattr(result, "rung_scores", ()))
    for task in {id(member.task): member.task for member in members.values()}.values():
        _report(task.collected, _run_adopting(task), call)


def _live_tasks(
    members: Mapping[int, _Member],
) -> tuple[dict[_JoiningTask, LiveTask], dict[int, LiveResult]]:
    """The tasks to start before the training, and what their fits wait for."""
    lives = {index: LiveResult() for index, member in members.items() if member.task.shows_progress}
    if len(lives) > MOST_LIVE_TASKS:
        return {}, {}
    fits_of: dict[_JoiningTask, dict[PlannedFit, LiveResult]] = {}
    for index, live in lives.items():
        fits_of.setdefault(members[index].task, {})[members[index].fit] = live
    tasks = {
        task: LiveTask(functools.partial(_run_adopting, task), of_task)
        for task, of_task in fits_of.items()
    }
    return tasks, lives


def _run_adopting(
    task: _JoiningTask, lives: Mapping[PlannedFit, LiveResult] | None = None
) -> list[Any]:
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
        stack.enter_context(
            adopting(
                [
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
            )
        )
        results = task.collected.batch()
    if not lives:
        for result, fits in zip(results, task.fits_of_items, strict=True):
            _add_training_time(result, [trained[fit] for fit in fits if fit in trained])
    return results


def _steps_of_pipelines(fits: Iterable[PlannedFit]) -> Iterator[tuple[Any, list[FittedStep]]]:
    """Each pipeline once, with the steps of all the fits that it takes part in."""
    steps_of: dict[int, tuple[Any, list[FittedStep]]] = {}
    for fit in fits:
        for pipeline, steps in fit.pipelines:
            steps_of.setdefault(id(pipeline), (pipeline, []))[1].extend(steps)
    yield from steps_of.values()


def _add_training_time(result: Any, trained: Sequence[Any]) -> None:
    """Count the training that was done before the task into the time that scikit-learn measured."""
    if isinstance(result, dict) and "fit_time" in result:
        result["fit_time"] += sum(getattr(one, "seconds", 0.0) for one in trained)


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
