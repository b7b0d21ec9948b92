"""Trains the cohorts of a population, several at once, and yields the results of their members."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from typing import Any

import joblib

from skhp.population.cohorts.cohort_plan import (
    CohortPlan,
    SharedStructure,
    bytes_of_member,
    plan_cohorts,
    seconds_of,
    share_structures,
)
from skhp.population.cohorts.early_results import EarlyResults
from skhp.population.cohorts.executor import CallingThread, CohortExecutor, CohortThreads
from skhp.population.cohorts.pruning import Contest
from skhp.population.cohorts.running_cohort import OverallProgress, Results, RunningCohort
from skhp.population.limits.conditions import NO_CONDITIONS, Conditions
from skhp.population.options import PopulationOptions
from skhp.population.report import ProgressObserver
from skhp.training.cohort.compiled_programs import OUT_OF_MEMORY
from skhp.training.cohort.packed_members import with_shared_outputs
from skhp.training.fit_task import FitResult, FitTask

_log = logging.getLogger("skhp")

# How long the calling thread sleeps before it looks for Ctrl-C again.
_SECONDS_ASLEEP = 0.05


def train_population(
    tasks: Sequence[FitTask],
    options: PopulationOptions,
    progress: ProgressObserver,
    contest: Contest | None = None,
    conditions: Conditions = NO_CONDITIONS,
) -> Iterator[tuple[int, Any]]:
    """Train a population, and yield the number and result of each member soon after its end.

    The result is an exception if the cohort could not be trained, and `DROPPED` for a member that
    has none. With a contest, members are ranked and pruned during the training, and all cohorts
    stay in memory.
    """
    shared, plans = planned_cohorts(tasks, options, contest)
    tasks = [structure.task for structure in shared]
    to_train = sum(task.finished_after is None for task in tasks)
    workers = _workers(tasks, plans, options)
    overall = OverallProgress(to_train, len(plans), progress, workers)
    early = EarlyResults()
    cohorts = [
        RunningCohort(
            plan,
            [tasks[n] for n in plan.members],
            options.chunk,
            overall,
            conditions,
            early,
            # If the time is up before the training, a search still has one cohort to choose from.
            needed=number == 0,
        )
        for number, plan in enumerate(plans)
    ]
    executor = (options.executor or CohortThreads)(workers)
    try:
        for results in trained_by_rungs(cohorts, contest, executor, early):
            # The caller scores these members one after another.
            with executor.lent():
                yield from _of_own_structures(results, shared)
            if conditions.states is not None:
                conditions.states.tell()
    finally:
        overall.cancelled.set()
        executor.close()
        if conditions.states is not None:
            conditions.states.tell()


def planned_cohorts(
    tasks: Sequence[FitTask], options: PopulationOptions, contest: Contest | None = None
) -> tuple[list[SharedStructure], list[CohortPlan]]:
    """The structures in which the members train, and the cohorts that have to train."""
    limit = options.memory_limit
    shared = share_structures(tasks, lambda own, moved: seconds_of(moved) < seconds_of(own))
    tasks = [structure.task for structure in shared]
    # A cohort takes at most half of the limit, so that two cohorts can train at once.
    plans = [
        plan
        for plan in plan_cohorts(tasks, None if limit is None else int(limit) // 2)
        if contest is not None
        or any(tasks[number].finished_after is None for number in plan.members)
    ]
    return shared, plans


def trained_here(
    plan: CohortPlan,
    members: Mapping[int, SharedStructure],
    chunk: int | None,
    progress: ProgressObserver,
) -> Iterator[tuple[int, FitResult | Exception]]:
    """Train one cohort in this thread, and yield the number and result of each member."""
    tasks = [members[number].task for number in plan.members]
    to_train = sum(task.finished_after is None for task in tasks)
    cohort = RunningCohort(plan, tasks, chunk, OverallProgress(to_train, 1, progress))
    for results in trained_by_rungs([cohort], None, CallingThread()):
        yield from _of_own_structures(results, members)


def _of_own_structures(
    results: Results, shared: Sequence[SharedStructure] | Mapping[int, SharedStructure]
) -> Iterator[tuple[int, Any]]:
    """The results of the members that had to be trained, each in its own structure."""
    trained = {}
    for number, result in results:
        if shared[number].own.finished_after is not None:
            continue
        if not isinstance(result, FitResult):
            yield number, result
        else:
            trained[number] = shared[number].result(result)
    own = [(shared[number].own, result) for number, result in trained.items()]
    yield from zip(trained, with_shared_outputs(own), strict=True)


def _workers(
    tasks: Sequence[FitTask], plans: Sequence[CohortPlan], options: PopulationOptions
) -> int:
    n_jobs = -1 if options.n_jobs is None else options.n_jobs
    workers = joblib.cpu_count() + 1 + n_jobs if n_jobs < 0 else n_jobs
    if options.memory_limit is not None:
        largest = max(
            sum(bytes_of_member(tasks[number]) for number in plan.members) for plan in plans
        )
        workers = min(workers, int(options.memory_limit) // max(largest, 1))
    return max(1, workers)


def trained_by_rungs(
    cohorts: Sequence[RunningCohort],
    contest: Contest | None,
    executor: CohortExecutor,
    early: EarlyResults | None = None,
) -> Iterator[Results]:
    """Train cohorts to the end, and yield the results of members as they end.

    A member has ended when its cohort is done, when the cohort hands it over by `early`, or when it
    is pruned at a rung while the others train on.
    """
    cohorts = list(cohorts)
    early = early or EarlyResults()
    standings = None if contest is None else _Standings(contest)
    pruned: Results = []
    is_told = False
    for rung in (*(() if contest is None else contest.rungs), None):
        waiting = {executor.submit(cohort, rung): cohort for cohort in cohorts}
        if pruned:
            yield pruned
        for future, cohort in _as_done(waiting, early):
            for handed_over in early.taken():
                yield _ranked(handed_over, standings)
            if future is None or cohort is None:
                continue
            error = future.exception()
            results: Results = []
            if error is None and rung is None:
                try:
                    results = cohort.remaining_results()
                except OUT_OF_MEMORY as full:
                    error = full
            if error is not None:
                if not isinstance(error, Exception):
                    raise error
                cohorts.remove(cohort)
                ended = set(cohort.handed_over)
                if standings is not None:
                    ended |= standings.losers
                halves = _halves(cohort, error, ended)
                if halves and not is_told:
                    is_told = True
                    _log.warning(OUT_OF_MEMORY_MESSAGE, len(cohort.members), error)
                cohorts += halves
                waiting |= {executor.submit(half, rung): half for half in halves}
                if not halves:
                    cohort.has_failed()
                    failed = [number for number in cohort.members if number not in ended]
                    if standings is not None:
                        standings.have_failed(failed)
                    results = [(number, error) for number in failed]
                    # An error of several members cannot have the scores of each.
                    yield results if len(failed) > 1 else _ranked(results, standings)
            elif rung is None:
                cohort.forget()
                yield _ranked(results, standings)
                cohort.is_finished()
        if rung is not None and standings is not None:
            pruned = standings.end_of_rung(cohorts)


OUT_OF_MEMORY_MESSAGE = (
    "%d fits that train together ran out of memory (%s). Their halves are trained again, down to "
    "single fits if need be. To train fewer at a time from the start, set memory_limit of "
    "skhp.population."
)


def _halves(cohort: RunningCohort, error: Exception, ended: Collection[int]) -> list[RunningCohort]:
    """The cohorts that train the members of one that ran out of memory."""
    if not isinstance(error, OUT_OF_MEMORY):
        return []
    # The frames of the error would keep the arrays, and so would those of an error before it.
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return cohort.halves(ended)


def _as_done(
    waiting: dict[Future, RunningCohort], early: EarlyResults
) -> Iterator[tuple[Future, RunningCohort] | tuple[None, None]]:
    """The cohorts that are done, and (None, None) each time that the caller may look elsewhere."""
    while waiting:
        with early.awaited():
            done, _ = wait(waiting, _SECONDS_ASLEEP, FIRST_COMPLETED)
        yield None, None
        # Cohorts that `wait` returns together come in the order of the plan.
        for future in [future for future in waiting if future in done]:
            yield future, waiting.pop(future)


def _ranked(results: Results, standings: _Standings | None) -> Results:
    """The results with the scores by which they were ranked, or will be."""
    if standings is None:
        return results
    return [(number, standings.with_scores(number, result)) for number, result in results]


class _Standings:
    """The scores of the members at the rungs so far, and the members that have lost."""

    def __init__(self, contest: Contest) -> None:
        self.losers: set[int] = set()
        self._contest = contest
        self._scores: dict[int, tuple[float, ...]] = {}
        # The last score of each member that ended on its own, which may have left its cohort.
        self._ended: dict[int, float] = {}
        self._rungs_done = 0

    def have_failed(self, numbers: Collection[int]) -> None:
        """Rank members last from now on, as a search does that resumes with their failures."""
        self._ended |= dict.fromkeys(numbers, -float("inf"))

    def end_of_rung(self, cohorts: Sequence[RunningCohort]) -> Results:
        """Rank the members in the contest, end those that lose, and return their results."""
        scores = dict(self._ended)
        for cohort in cohorts:
            scores |= cohort.held_out_scores()
        for number, known in self._contest.known.items():
            if len(known) > self._rungs_done:
                scores[number] = known[self._rungs_done]
        self._rungs_done += 1
        scores = {number: score for number, score in scores.items() if number not in self.losers}
        for number, score in scores.items():
            self._scores[number] = (*self._scores.get(number, ()), score)
        losers = self._contest.pruned(scores)
        self.losers |= losers
        ended: Results = []
        for cohort in cohorts:
            lost = cohort.prune(losers)
            ended += [(number, self.with_scores(number, result)) for number, result in lost]
        return ended

    def with_scores(self, number: int, result: Any) -> Any:
        """A result with the scores that it was ranked by.

        A member that ended before a rung is ranked there by the score that it ended with.
        """
        scores = self._scores.get(number, ())
        if isinstance(result, Exception):
            # The journal needs them, so that a search that resumes ranks this member as well.
            vars(result)["rung_scores"] = scores
        if not isinstance(result, FitResult):
            return result
        if number not in self.losers and result.outcome.stop_reason != "time_budget":
            last = -float("inf") if result.held_out_score is None else result.held_out_score
            self._ended[number] = last
            scores += (last,) * (len(self._contest.rungs) - len(scores))
        return replace(result, rung_scores=scores)
