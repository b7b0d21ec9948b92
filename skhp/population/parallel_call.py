"""Works off the tasks of one joblib.Parallel call: trains their fits together, then runs them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import joblib

from skhp.population.cohorts.pruning import Entry, Pruning, contest_of
from skhp.population.handover import shared_preparation
from skhp.population.joint_training import JoiningTask, Member, PopulationTrainer, train_and_run
from skhp.population.options import PopulationOptions
from skhp.population.progress import ProgressObserver
from skhp.population.requests.live_tasks import shows_progress
from skhp.population.requests.planner import PlannedFit, Planner
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
    """

    options: PopulationOptions
    workers: dict[str, Any] | None
    progress: ProgressObserver
    journalled: JournalledCall = field(default_factory=lambda: JournalledCall(None))
    pruning: Pruning | None = None


class _JoiningBatch(JoiningTask):
    """A batch of joblib that trains its fits before it runs."""

    def __init__(
        self, collected: CollectedTask, fits_of_items: list[list[PlannedFit]], call: ParallelCall
    ) -> None:
        super().__init__(
            [fit for fits in fits_of_items for fit in fits],
            all(shows_progress(keywords) for _, _, keywords in collected.batch.items),
        )
        self._collected = collected
        self._fits_of_items = fits_of_items
        self._call = call

    def run(self, trained: Mapping[PlannedFit, Any]) -> Any:
        """Run the tasks of the batch."""
        results = self._collected.batch()
        for result, fits in zip(results, self._fits_of_items, strict=True):
            _add_training_time(result, [trained[fit] for fit in fits if fit in trained])
        return results

    def report(self, outcome: Any) -> None:
        """Tell joblib and the journal the results."""
        last = next(reversed(self.results.values()), None)
        _report(self._collected, outcome, self._call, getattr(last, "rung_scores", ()))


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
                joining = _JoiningBatch(collected, fits_of_items, call)
                for item, fits in zip(collected.batch.items, fits_of_items, strict=True):
                    for fit in fits:
                        members[len(population)] = Member(joining, fit)
                        population.append(fit.task)
                        entries.append(Entry(item[2]))
            else:
                others.append(collected)
    _run(others, call)
    if members:
        contest = None if call.pruning is None else contest_of(population, entries, call.pruning)
        train_and_run(population, members, call.options, call.progress, train, contest)


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


def _add_training_time(result: Any, trained: Sequence[Any]) -> None:
    """Count the training that was done before the task into the time that scikit-learn measured."""
    if isinstance(result, dict) and "fit_time" in result:
        result["fit_time"] += sum(getattr(one, "seconds", 0.0) for one in trained)
