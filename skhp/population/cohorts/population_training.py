"""Trains the cohorts of a population, several at once, and hands out members as they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import joblib

from skhp.population.cohorts.cohort_plan import (
    CohortPlan,
    bytes_of_member,
    plan_cohorts,
    seconds_of,
)
from skhp.population.cohorts.planned_cohort import Cores, PlannedCohort, PopulationWatch
from skhp.population.cohorts.pruning import Contest, Results, trained_by_rungs
from skhp.population.cohorts.shared_structures import SharedStructure, share_structures
from skhp.population.options import PopulationOptions
from skhp.population.progress import ProgressObserver
from skhp.training.cohort.packed_members import with_shared_outputs
from skhp.training.fit_task import FitResult, FitTask


def train_population(
    tasks: Sequence[FitTask],
    options: PopulationOptions,
    progress: ProgressObserver,
    contest: Contest | None = None,
) -> Iterator[tuple[int, FitResult | Exception]]:
    """Train all members of a population.

    Parameters
    ----------
    tasks : sequence of FitTask
    options : PopulationOptions
    progress : ProgressObserver
        Is told of each chunk of each cohort.
    contest : Contest, default=None
        Which members are ranked, and ended, on the way. All cohorts stay in memory then.

    Yields
    ------
    number, result : int, FitResult or Exception
        A member that was to be trained, by its number in `tasks`, as soon as its cohort is done; an
        exception where the cohort could not be trained.
    """
    limit = options.memory_limit
    # Half of it, so that two cohorts may train at once.
    shared = share_structures(tasks, lambda own, moved: seconds_of(moved) < seconds_of(own))
    tasks = [structure.task for structure in shared]
    plans = [
        plan
        for plan in plan_cohorts(tasks, None if limit is None else int(limit) // 2)
        if contest is not None
        or any(tasks[number].finished_after is None for number in plan.members)
    ]
    to_train = sum(task.finished_after is None for task in tasks)
    watch = PopulationWatch(to_train, len(plans), progress)
    workers = _workers(tasks, plans, options)
    cores = Cores(workers)
    executor = ThreadPoolExecutor(workers, "skhp-cohort")
    cohorts = [
        PlannedCohort(plan, [tasks[n] for n in plan.members], options.chunk, watch, cores)
        for plan in plans
    ]
    try:
        for results in trained_by_rungs(cohorts, contest, executor):
            # Who gets the members scores them, one after the other.
            with cores.lent():
                yield from _of_own_structures(results, shared)
    finally:
        watch.cancelled.set()
        cores.close()
        executor.shutdown(wait=True, cancel_futures=True)


def _of_own_structures(
    results: Results, shared: Sequence[SharedStructure]
) -> Iterator[tuple[int, FitResult | Exception]]:
    """Results of members that were to be trained, in structures of their own."""
    trained = {}
    for number, result in results:
        if shared[number].own.finished_after is not None:
            continue
        if isinstance(result, Exception):
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
