"""Runs the tasks of one joblib.Parallel call: trains their fits together, or uses known results."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import joblib

from skhp.compat.joblib import SequentialBackend, tasks_of
from skhp.compat.quick_scorers import quick
from skhp.population.cohorts.pruning import (
    Entry,
    Pruning,
    contest_of,
    refuse_pruning,
    tell_of_unranked,
)
from skhp.population.handover import (
    shared_computations,
    shared_preparation,
    waiting_as,
    waiting_task,
)
from skhp.population.joint_training import (
    JoiningTask,
    Member,
    PopulationTrainer,
    has_callbacks,
    shows_progress,
)
from skhp.population.limits.conditions import NO_CONDITIONS, Conditions, dropped_result
from skhp.population.limits.timed_tasks import (
    PREPARATION,
    CandidateTimeoutError,
    TimedBatch,
    called_within,
    failing_results,
    is_timed,
)
from skhp.population.options import PopulationOptions
from skhp.population.planner import Plan, PlannedFit, Planner
from skhp.population.report import ProgressObserver, ReportedCall, ToldOfBoth
from skhp.population.requested_fits import is_of_scikit_learn, may_fit, random_generators
from skhp.population.task_threads import TaskThreads
from skhp.population.waiting_task import Task
from skhp.population.workers.dispatch import train_and_run
from skhp.population.workers.distribution import run_on_workers

# The keyword by which scikit-learn's tasks get their scorer.
_SCORER = "scorer"
# The keyword by which its tasks know their fold, and the number of folds.
_FOLD = "split_progress"
# The same for its candidate.
_CANDIDATE = "candidate_progress"


class Recalled(NamedTuple):
    """The result of a task that ran before, and the epochs of its fit where they are known.

    In a search that prunes candidates, `rung_scores` are the scores that ranked the fit.
    """

    result: Any
    epochs: int | None
    rung_scores: tuple[float, ...] = ()


class TaskJournal(Protocol):
    """Keeps the results of tasks, so that they need not run again."""

    def recalled(self, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Recalled | None:
        """The result of a task, if it is known."""

    def finished(
        self, keywords: Mapping[str, Any], result: Any, rung_scores: Sequence[float]
    ) -> None:
        """Keep the result of a task that has run; its keyword arguments identify the task."""

    def kept_states(self, fits: Sequence[Mapping[str, Any]]) -> Any:
        """What keeps the states of cohorts of these tasks, or None."""


@dataclass(frozen=True, eq=False)
class JournalledCall:
    """The journal of a call, if it has one."""

    journal: TaskJournal | None

    def recalled(self, batch: Any) -> Recalled | None:
        """The result of a batch, if it is one task with a known result."""
        if self.journal is None or len(batch.items) != 1:
            return None
        _, arguments, keywords = batch.items[0]
        return self.journal.recalled(arguments, keywords)

    def kept_states(self, fits: Sequence[Mapping[str, Any]]) -> Any:
        """What keeps the states of cohorts of these tasks, or None."""
        return None if self.journal is None else self.journal.kept_states(fits)

    def told_of(self, progress: ProgressObserver) -> ProgressObserver:
        """An observer of the training that also tells the journal, if it wants to know."""
        told = getattr(self.journal, "advanced", None)
        return progress if told is None else ToldOfBoth(progress, self.journal)  # type: ignore[arg-type]

    def keep(self, batch: Any, results: Any, rung_scores: Sequence[float] = ()) -> None:
        """Keep the results of a batch."""
        if self.journal is not None:
            for item, result in zip(batch.items, results, strict=True):
                self.journal.finished(item[2], result, rung_scores)


def as_finished(fit: PlannedFit, recalled: Recalled) -> Any:
    """The fit of a task with a known result: it does not train again, but has a place in a cohort.

    The other members of the cohort thus train in the same program, with the same bits.
    """
    epochs = fit.task.plan.epochs if recalled.epochs is None else recalled.epochs
    return replace(fit.task, finished_after=epochs)


@dataclass(frozen=True, eq=False)
class CollectedTask:
    """A batch of tasks, most often one, as joblib submits it; `report` takes their results."""

    batch: Any
    report: Callable[[Any], None]


@dataclass(frozen=True, eq=False)
class ParallelCall:
    """The settings of one joblib.Parallel call.

    `workers` are the arguments of another joblib.Parallel, for tasks that cannot join; None runs
    these one after another. They are empty if these tasks go to the workers that train cohorts.
    """

    options: PopulationOptions
    workers: dict[str, Any] | None
    progress: ProgressObserver
    journalled: JournalledCall = field(default_factory=lambda: JournalledCall(None))
    pruning: Pruning | None = None
    joins: bool = True
    conditions: Conditions = NO_CONDITIONS
    reported: ReportedCall = field(default_factory=ReportedCall)


@dataclass(frozen=True, eq=False)
class PlannedBatch:
    """A batch of joblib and the plans of its tasks, without what ties them to this process."""

    batch: Any
    plans: Sequence[Plan]

    def __call__(self, trained: Mapping[PlannedFit, Any]) -> Any:
        """Run the tasks of the batch."""
        results = self.batch()
        for result, plan in zip(results, self.plans, strict=True):
            _add_training_time(result, [trained[fit] for fit in plan.fits if fit in trained])
        return results


class _JoiningBatch(JoiningTask):
    """A batch of joblib whose fits are trained before it runs."""

    def __init__(self, collected: CollectedTask, plans: list[Plan], call: ParallelCall) -> None:
        super().__init__(
            [fit for plan in plans for fit in plan.fits],
            all(shows_progress(keywords) for _, _, keywords in tasks_of(collected.batch)),
        )
        self._collected = collected
        self._plans = plans
        self._call = call
        for _, _, keywords in tasks_of(collected.batch):
            if _SCORER in keywords:
                keywords[_SCORER] = quick(keywords[_SCORER])
        self._run = PlannedBatch(collected.batch, plans)
        # Callbacks of the user belong to this process.
        if not any(map(has_callbacks, (one[2] for one in tasks_of(collected.batch)))):
            self.elsewhere = self._run

    def run(self, trained: Mapping[PlannedFit, Any]) -> Any:
        """Run the tasks of the batch."""
        return self._run(trained)

    def report(self, outcome: Any) -> None:
        """Hand the results to joblib and the journal."""
        last = next(reversed(self.results.values()), None)
        self._call.reported.count(self.results.values())
        _report(self._collected, self._plans, outcome, self._call, getattr(last, "rung_scores", ()))

    def drop(self) -> None:
        """Hand stand-ins to joblib, and nothing to the journal."""
        _drop(self._collected)


@shared_computations()
def work_off(tasks: deque[CollectedTask], call: ParallelCall, train: PopulationTrainer) -> None:
    """Train the fits that can join together, then run every task and report its results.

    An exception of a task ends the call, as with joblib's sequential backend. Tasks are removed
    from `tasks`, so that no fitted estimator outlives its task.
    """
    if call.pruning is not None and call.options.cohorts_travel:
        refuse_pruning(call.options.backend)
    known = [call.journalled.recalled(task.batch) for task in tasks]
    planner = Planner()
    population: list[Any] = []
    entries: list[Entry] = []
    members: dict[int, Member] = {}
    too_slow: dict[int, CandidateTimeoutError] = {}
    others: deque[tuple[CollectedTask, list[Plan]]] = deque()
    with shared_preparation():
        for recalled in known:
            collected = tasks.popleft()
            if recalled is not None:
                collected.report([recalled.result])
                if None not in known:
                    continue
            candidate = _candidate_of(collected)
            if recalled is not None and _had_no_plan(recalled):
                continue
            try:
                if candidate in too_slow:
                    raise too_slow[candidate]
                plans = called_within(
                    call.conditions.fit_seconds,
                    functools.partial(_planned, planner, collected, call),
                    PREPARATION,
                )
            except CandidateTimeoutError as error:
                if recalled is not None:
                    continue
                # Its other folds would take as long.
                if candidate is not None:
                    too_slow[candidate] = error
                _report(collected, (), failing_results(collected.batch, error), call)
                continue
            if recalled is not None:
                fits = [as_finished(fit, recalled) for plan in plans for fit in plan.fits]
                population += fits
                entries += [Entry(tasks_of(collected.batch)[0][2], recalled.rung_scores)] * len(
                    fits
                )
            elif any(plan.fits for plan in plans):
                joining = _JoiningBatch(collected, plans, call)
                for item, plan in zip(tasks_of(collected.batch), plans, strict=True):
                    for fit in plan.fits:
                        members[len(population)] = Member(joining, fit)
                        population.append(fit.task)
                        entries.append(Entry(item[2]))
            else:
                others.append((collected, plans))
    contest = None
    if call.pruning is not None:
        refusals = [refusal for _, plans in others for plan in plans for refusal in plan.refusals]
        tell_of_unranked(refusals, len(population))
        if members:
            contest = contest_of(population, entries, call.pruning)
    _run(others, call, train)
    if members:
        conditions = call.conditions
        states = call.journalled.kept_states([entry.keywords for entry in entries])
        if states is not None:
            conditions = replace(conditions, states=states)
        train_and_run(population, members, call.options, call.progress, train, contest, conditions)


def _planned(planner: Planner, collected: CollectedTask, call: ParallelCall) -> list[Plan]:
    return [planner.plan(*item) for item in tasks_of(collected.batch) if call.joins]


def _run(
    tasks: deque[tuple[CollectedTask, list[Plan]]], call: ParallelCall, train: PopulationTrainer
) -> None:
    """Run tasks of which nobody knows beforehand which fits they ask for."""
    elsewhere, here = _divided(tasks, call)
    if call.workers is not None and not call.workers and elsewhere:
        ended = list(elsewhere)
        for number, result in run_on_workers([task.batch for task, _ in ended], call.options):
            _report(*ended[number], result, call)
        elsewhere.clear()
    if call.workers and len(elsewhere) > 1:
        # joblib starts no processes from a thread within a nested call.
        with joblib.parallel_config(backend=SequentialBackend(nesting_level=0)):
            parallel = joblib.Parallel(**call.workers, return_as="generator")
        for result in parallel(joblib.delayed(task.batch)() for task, _ in tuple(elsewhere)):
            _report(*elsewhere.popleft(), result, call)
    n_run = 0
    while elsewhere:
        task, plans = elsewhere.popleft()
        if _comes_too_late(task, n_run, call):
            _drop(task)
            continue
        with waiting_as(None):
            results = task.batch()
        n_run += 1
        _report(task, plans, results, call)
    waiting = waiting_task()
    if waiting is not None:
        waiting.work_off(here)
    elif here:
        TaskThreads(call.options, call.progress, train, call.reported).work_off(here)


def _divided(
    tasks: deque[tuple[CollectedTask, list[Plan]]], call: ParallelCall
) -> tuple[deque[tuple[CollectedTask, list[Plan]]], deque[Task]]:
    """Tasks that run as with another backend, and tasks whose fits may join a population."""
    elsewhere: deque[tuple[CollectedTask, list[Plan]]] = deque()
    here: deque[Task] = deque()
    while tasks:
        task, plans = tasks.popleft()
        items = tasks_of(task.batch)
        if call.conditions.fit_seconds is not None and is_timed(task.batch):
            timed = TimedBatch(task.batch, call.conditions.fit_seconds)
            elsewhere.append((replace(task, batch=timed), plans))
            continue
        # Keras will train what was refused, so no fit of such a task would wait.
        is_refused = any(plan.refusals for plan in plans)
        # The code of a user's function shows only in part what it fits.
        is_clear = call.workers is not None or all(is_of_scikit_learn(item[0]) for item in items)
        if call.joins and not is_refused and (not is_clear or may_fit(items)):
            report = functools.partial(_report, task, plans, call=call)
            here.append(Task(task.batch, report, random_generators(items)))
        else:
            elsewhere.append((task, plans))
    return elsewhere, here


def _report(
    task: CollectedTask,
    plans: Sequence[Plan],
    results: Any,
    call: ParallelCall,
    rung_scores: Sequence[float] = (),
) -> None:
    call.reported.count((), [refusal for plan in plans for refusal in plan.refusals])
    call.journalled.keep(task.batch, results, rung_scores)
    task.report(results)


def _had_no_plan(recalled: Recalled) -> bool:
    """Whether the preparation of a known fit took too long: it had no place in a cohort."""
    failed = recalled.result.get("fit_error") if isinstance(recalled.result, Mapping) else None
    return CandidateTimeoutError.of_preparation() in (failed or "")


def _candidate_of(task: CollectedTask) -> int | None:
    """The number of the candidate in its round, if the task is a fit of a search."""
    for _, _, keywords in tasks_of(task.batch):
        if _FOLD in keywords and keywords.get(_CANDIDATE):
            return keywords[_CANDIDATE][0]
    return None


def _comes_too_late(task: CollectedTask, n_run: int, call: ParallelCall) -> bool:
    """Whether a task is dropped because the time is up; one candidate is always evaluated."""
    deadline = call.conditions.deadline
    if deadline is None or not deadline.is_long_over:
        return False
    if call.conditions.round_is_whole and not deadline.round_has_ended:
        return False
    folds = [keywords[_FOLD][1] for _, _, keywords in tasks_of(task.batch) if _FOLD in keywords]
    return bool(folds) and n_run >= folds[0]


def _drop(task: CollectedTask) -> None:
    task.report([dropped_result() for _ in tasks_of(task.batch)])


def _add_training_time(result: Any, trained: Sequence[Any]) -> None:
    """Add the seconds of the training to the time of the fit that scikit-learn measured."""
    if isinstance(result, dict) and "fit_time" in result:
        result["fit_time"] += sum(getattr(one, "seconds", 0.0) for one in trained)
