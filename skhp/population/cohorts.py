"""Trains the cohorts of a population, several at once, and hands out members as they are done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import joblib

from skhp.population.cohort_plan import (
    CohortPlan,
    bytes_of_member,
    plan_cohorts,
    seconds_of,
)
from skhp.population.options import PopulationOptions
from skhp.population.progress import PopulationProgress, ProgressObserver
from skhp.population.shared_structures import share_structures
from skhp.training import CohortProgress, FitResult, FitTask, train_cohort

# How long the calling thread sleeps before it looks for Ctrl-C again.
_SECONDS_ASLEEP = 0.05


def train_population(
    tasks: Sequence[FitTask], options: PopulationOptions, progress: ProgressObserver
) -> Iterator[tuple[int, FitResult | Exception]]:
    """Train all members of a population.

    Parameters
    ----------
    tasks : sequence of FitTask
    options : PopulationOptions
    progress : ProgressObserver
        Is told of each chunk of each cohort.

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
        if any(tasks[number].finished_after is None for number in plan.members)
    ]
    to_train = sum(task.finished_after is None for task in tasks)
    watch = _Watch(to_train, len(plans), progress)
    workers = _workers(tasks, plans, options)
    cores = _Cores(workers)
    executor = ThreadPoolExecutor(workers, "skhp-cohort")
    try:
        waiting = {
            executor.submit(
                _train, [tasks[n] for n in plan.members], plan, options, watch, cores
            ): plan
            for plan in plans
        }
        while waiting:
            for future in _next_done(waiting):
                plan = waiting.pop(future)
                error = future.exception()
                if error is not None and not isinstance(error, Exception):
                    raise error
                results = [error] * len(plan.members) if error is not None else future.result()
                # Who gets the members scores them, one after the other.
                with cores.lent():
                    for number, result in zip(plan.members, results, strict=True):
                        if tasks[number].finished_after is not None:
                            continue
                        failed = isinstance(result, Exception)
                        yield number, result if failed else shared[number].result(result)
    finally:
        watch.cancelled.set()
        cores.close()
        executor.shutdown(wait=True, cancel_futures=True)


def _next_done(waiting: dict[Future, CohortPlan]) -> list[Future]:
    while True:
        done, _ = wait(waiting, _SECONDS_ASLEEP, FIRST_COMPLETED)
        if done:
            # In the order of the plan, whichever was faster.
            return [future for future in waiting if future in done]


def _train(
    members: Sequence[FitTask],
    plan: CohortPlan,
    options: PopulationOptions,
    watch: _Watch,
    cores: _Cores,
) -> list[FitResult]:
    running = sum(task.finished_after is None for task in members)
    with cores.one():
        return train_cohort(
            members,
            chunk=options.chunk,
            candidates=plan.candidates,
            observer=_CohortWatch(watch, plan.members, running),
        )


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


class _Cores:
    """Lets so many cohorts train at once, and one less while their caller has work to do.

    Scoring thousands of members takes as long as training them, and is done in one thread: sharing
    its core with a cohort makes both of them slower.
    """

    def __init__(self, workers: int) -> None:
        self._free = workers
        self._lends = workers > 1
        self._closed = False
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator[None]:
        """For a cohort, as soon as one is free."""
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0 or self._closed)
            if self._closed:
                raise _Cancelled
            self._free -= 1
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """For the caller, from the next cohort on that would start."""
        if not self._lends:
            yield
            return
        with self._changed:
            self._free -= 1
        try:
            yield
        finally:
            self._give_back()

    def close(self) -> None:
        """Let no further cohort start."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _give_back(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()


class _Watch:
    """Adds up the progress of all cohorts, from their threads, and can end them."""

    def __init__(self, members: int, cohorts: int, progress: ProgressObserver) -> None:
        self.cancelled = threading.Event()
        self._members, self._cohorts, self._progress = members, cohorts, progress
        self._epochs, self._ended = 0, 0
        self._began = time.perf_counter()
        self._lock = threading.Lock()

    def advanced(self, new_epochs: dict[int, int], ended: int) -> None:
        """These members ran so many epochs, and so many members ended."""
        with self._lock:
            self._epochs += sum(new_epochs.values())
            self._ended += ended
            self._progress.advanced(
                PopulationProgress(
                    members=self._members,
                    cohorts=self._cohorts,
                    epochs_done=self._epochs,
                    still_training=self._members - self._ended,
                    seconds=time.perf_counter() - self._began,
                    new_epochs=new_epochs,
                )
            )


class _CohortWatch:
    """The progress of one cohort, whose members have these numbers; so many of them train."""

    def __init__(self, watch: _Watch, members: Sequence[int], running: int) -> None:
        self._watch = watch
        self._members = members
        self._running = running
        self._epochs = (0,) * len(members)

    def advanced(self, progress: CohortProgress) -> None:
        """Called by the cohort after each chunk."""
        if self._watch.cancelled.is_set():
            raise _Cancelled
        epochs = progress.epochs_of_members
        new_epochs = {
            member: now - before
            for member, now, before in zip(self._members, epochs, self._epochs, strict=True)
            if now > before
        }
        running = min(self._running, progress.running)
        self._watch.advanced(new_epochs, self._running - running)
        self._running, self._epochs = running, epochs


class _Cancelled(Exception):  # noqa: N818
    """Ends a cohort that nobody waits for any more."""
