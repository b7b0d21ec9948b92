"""Works off the tasks of one joblib.Parallel call: trains their fits together, then runs them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import joblib

from skhp.compat.joblib import tasks_of
from skhp.population.cohorts.pruning import Entry, Pruning, contest_of
from skhp.population.handover import shared_preparation
from skhp.population.joint_training import JoiningTask, Member, PopulationTrainer, train_and_run
from skhp.population.options import PopulationOptions
from skhp.population.progress import ProgressObserver
from skhp.population.report import ReportedCall
from skhp.population.requests.live_tasks import shows_progress
from skhp.population.requests.planner import Plan, PlannedFit, Planner
from skhp.population.requests.task_journal import JournalledCall, as_finished


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
    joins : bool
        Whether fits are trained together.
    reported : ReportedCall
    """

    options: PopulationOptions
    workers: dict[str, Any] | None
    progress: ProgressObserver
    journalled: JournalledCall = field(default_factory=lambda: JournalledCall(None))
    pruning: Pruning | None = None
    joins: bool = True
    reported: ReportedCall = field(default_factory=ReportedCall)


class _JoiningBatch(JoiningTask):
    """A batch of joblib that trains its fits before it runs."""

    def __init__(self, collected: CollectedTask, plans: list[Plan], call: ParallelCall) -> None:
        super().__init__(
            [fit for plan in plans for fit in plan.fits],
            all(shows_progress(keywords) for _, _, keywords in tasks_of(collected.batch)),
        )
        self._collected = collected
        self._plans = plans
        self._call = call

    def run(self, trained: Mapping[PlannedFit, Any]) -> Any:
        """Run the tasks of the batch."""
        results = self._collected.batch()
        for result, plan in zip(results, self._plans, strict=True):
            _add_training_time(result, [trained[fit] for fit in plan.fits if fit in trained])
        return results

    def report(self, outcome: Any) -> None:
        """Tell joblib and the journal the results."""
        last = next(reversed(self.results.values()), None)
        self._call.reported.count(self.n_together)
        _report(self._collected, self._plans, outcome, self._call, getattr(last, "rung_scores", ()))


def work_off(tasks: deque[CollectedTask], call: ParallelCall, train: PopulationTrainer) -> None:
    """Run every task and report its results; the fits that can join are trained before, together.

    An exception of a task is raised, as joblib's sequential backend does.

    Parameters
    ----------
    tasks : deque of CollectedTask
        Emptied, so that no fitted estimator lives longer than its task.
    call : ParallelCall
    train : callable
        As `skhp.population.cohorts.population_training.train_population`.
    """
    known = [call.journalled.recalled(task.batch) for task in tasks]
    planner = Planner()
    population: list[Any] = []
    entries: list[Entry] = []
    members: dict[int, Member] = {}
    others: deque[tuple[CollectedTask, list[Plan]]] = deque()
    with shared_preparation():
        for recalled in known:
            collected = tasks.popleft()
            if recalled is not None:
                collected.report([recalled.result])
                if None not in known:
                    continue
            plans = [planner.plan(*item) for item in tasks_of(collected.batch) if call.joins]
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
    _run(others, call)
    if members:
        contest = None if call.pruning is None else contest_of(population, entries, call.pruning)
        train_and_run(population, members, call.options, call.progress, train, contest)


def _run(tasks: deque[tuple[CollectedTask, list[Plan]]], call: ParallelCall) -> None:
    if call.workers is not None and len(tasks) > 1:
        parallel = joblib.Parallel(**call.workers, return_as="generator")
        for result in parallel(joblib.delayed(task.batch)() for task, _ in tuple(tasks)):
            _report(*tasks.popleft(), result, call)
        return
    while tasks:
        task, plans = tasks.popleft()
        _report(task, plans, task.batch(), call)


def _report(
    task: CollectedTask,
    plans: Sequence[Plan],
    results: Any,
    call: ParallelCall,
    rung_scores: Sequence[float] = (),
) -> None:
    call.reported.count(0, [refusal for plan in plans for refusal in plan.refusals])
    call.journalled.keep(task.batch, results, rung_scores)
    task.report(results)


def _add_training_time(result: Any, trained: Sequence[Any]) -> None:
    """Count the training that was done before the task into the time that scikit-learn measured."""
    if isinstance(result, dict) and "fit_time" in result:
        result["fit_time"] += sum(getattr(one, "seconds", 0.0) for one in trained)
