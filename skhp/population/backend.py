"""The joblib backend "skhp", and a context that switches it on."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self
from weakref import WeakKeyDictionary

import joblib

from skhp.compat.joblib import (
    ParallelBackendBase,
    SequentialBackend,
    call_of,
    get_active_backend,
    show_n_jobs,
    verbosity_of,
)
from skhp.population.cohorts.pruning import Pruning
from skhp.population.handover import waiting_task
from skhp.population.joint_training import PopulationTrainer
from skhp.population.limits.conditions import NO_CONDITIONS, Conditions
from skhp.population.options import PopulationOptions, options_of
from skhp.population.parallel_call import (
    CollectedTask,
    JournalledCall,
    ParallelCall,
    TaskJournal,
    work_off,
)
from skhp.population.report import PrintedProgress, ProgressObserver, SilentProgress
from skhp.population.workers.choice import check_workers
from skhp.population.workers.dispatch import trained_by_cohorts

# joblib submits "2*n_jobs" tasks before it asks for results: with this n_jobs, it submits all tasks
# of a search. A call whose user gives no n_jobs has this number, too, and is recognised by it.
EVERY_TASK = 250_000


# Code that divides its work by the number of jobs, such as a bagging ensemble, fits one after
# another within a part. So it makes this many parts; more would be small where the work is other
# than fits.
PARTS_OF_WORK = 64


class _EveryTask(int):
    """`EVERY_TASK`, printed as the number of threads that train cohorts.

    joblib (1.5, 1.6) prints the number of tasks that it may submit at a time as the number of
    workers.
    """

    workers: int

    def __new__(cls, workers: int) -> Self:
        count = super().__new__(cls, EVERY_TASK)
        count.workers = workers
        return count

    def __format__(self, specification: str) -> str:
        return format(self.workers, specification)


class PopulationBackend(ParallelBackendBase):
    """Collects the tasks of a joblib.Parallel call and trains their networks together.

    With `joins=False`, each fit trains alone, and the backend only keeps a journal. `options` are
    the fields of `PopulationOptions`.
    """

    default_n_jobs = EVERY_TASK
    supports_retrieve_callback = True
    # joblib begins to wait for a task only when all tasks are done.
    supports_timeout = False
    supports_sharedmem = True
    uses_threads = True

    def __init__(
        self,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        *,
        train_population: PopulationTrainer | None = None,
        journal: TaskJournal | None = None,
        pruning: Pruning | None = None,
        joins: bool = True,
        conditions: Conditions = NO_CONDITIONS,
        **options: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level, inner_max_num_threads=inner_max_num_threads)
        self.options = options_of(options)
        self._train_population = train_population
        # A nested backend gets no journal: tasks within a task are not tasks of the search.
        self._journalled = JournalledCall(journal)
        self._pruning = pruning
        self._joins = joins
        # A nested backend has none of these conditions: they are those of the tasks of one search.
        self._conditions = conditions
        self._calls: WeakKeyDictionary[Any, ParallelCall] = WeakKeyDictionary()
        self._open: list[ParallelCall] = []
        self._workers = 1
        # The n_jobs of code that asked into how many parts to divide its work, until its call.
        self._divided: list[int | None] = []
        self._collected: list[tuple[ParallelCall, CollectedTask]] = []

    @property
    def trainer(self) -> PopulationTrainer:
        """The function that trains the fits of a call; within a waiting task, it waits with it."""
        task = waiting_task()
        if task is not None:
            return task.train
        return self._train_population or trained_by_cohorts

    def __reduce__(self) -> tuple[Any, ...]:
        # The backend is pickled only as the nested backend of a task for a worker process. A worker
        # has a share of the machine, and should not train populations with all of it.
        return SequentialBackend, (self.nesting_level,)

    def configure(
        self,
        n_jobs: int | None = EVERY_TASK,
        parallel: Any = None,
        prefer: str | None = None,
        require: str | None = None,
        **memmapping: Any,
    ) -> int:
        """Take the settings of a call; the result makes joblib submit all tasks at once."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if self._divided and n_jobs is not None and 1 < n_jobs <= PARTS_OF_WORK:
            # This is the number of parts, and not the number of workers that somebody chose.
            asked = self._divided[-1]
            n_jobs = EVERY_TASK if asked is None else asked
        self._divided.clear()
        # joblib prints its n_jobs at the beginning of each line.
        if n_jobs == EVERY_TASK and parallel is not None:
            show_n_jobs(parallel, self.options.n_jobs)
        n_jobs = EVERY_TASK if n_jobs is None else n_jobs
        self.parallel = parallel
        call = _call(self.options, n_jobs, parallel, prefer, require, memmapping)
        self._calls[parallel] = call = dataclasses.replace(
            call,
            journalled=self._journalled,
            progress=self._journalled.told_of(call.progress),
            pruning=self._pruning,
            joins=self._joins,
            conditions=self._conditions,
        )
        self._open.append(call)
        self._workers = _workers_of(-1 if call.options.n_jobs is None else call.options.n_jobs)
        return _EveryTask(self._workers)

    def terminate(self) -> None:
        """Forget the settings of a call, and warn if too few of its fits trained together."""
        if self._open:
            self._open.pop().reported.end()

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """The number of tasks that a call has at a time: all of them.

        Outside of a call it is the number of parts into which other code divides its work. If the
        user gave that code no number of jobs, there are enough parts for the fits in different
        parts to train together.
        """
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if self._open:
            return _EveryTask(self._workers)
        if n_jobs != 1 and n_jobs in (None, get_active_backend()[1]):
            self._divided = [n_jobs]
            return PARTS_OF_WORK
        return 1 if n_jobs is None else _workers_of(n_jobs)

    def get_nested_backend(self) -> tuple[ParallelBackendBase, None]:
        """A backend like this one, so that a search within a search trains populations, too."""
        return self._alike((self.nesting_level or 0) + 1, self._joins), None

    def for_search(
        self,
        journal: TaskJournal | None,
        pruning: Pruning | None,
        conditions: Conditions = NO_CONDITIONS,
    ) -> PopulationBackend:
        """A backend like this one, with the journal, the pruning and the conditions of a search."""
        return self._alike(
            self.nesting_level,
            self._joins,
            journal=journal,
            pruning=pruning,
            conditions=conditions,
        )

    def _alike(self, nesting_level: int | None, joins: bool, **more: Any) -> PopulationBackend:
        return PopulationBackend(
            nesting_level=nesting_level,
            train_population=self._train_population,
            joins=joins,
            **more,
            **dataclasses.asdict(self.options),
        )

    def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Any:
        """Collect a task."""
        parallel = call_of(callback, self.parallel)
        report = _report_nothing if callback is None else callback
        self._collected.append((self._calls[parallel], CollectedTask(func, report)))
        # joblib keeps the return value until it has the results, and never reads it.
        return None

    def retrieve_result_callback(self, out: Any) -> Any:
        """The results of a task, as they were reported."""
        return out

    @contextlib.contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Run the collected tasks; joblib may submit more of them meanwhile."""
        while self._collected:
            call = self._collected[0][0]
            tasks = deque(task for owner, task in self._collected if owner is call)
            self._collected = [one for one in self._collected if one[0] is not call]
            work_off(tasks, call, self.trainer)
        yield

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Drop the waiting tasks."""
        self._collected.clear()


@contextlib.contextmanager
def population(
    n_jobs: int | None = None,
    *,
    backend: str | None = None,
    memory_limit: int | str | None = None,
    chunk: int | None = None,
    verbose: int = 0,
    executor: Callable[[int], Any] | None = None,
) -> Iterator[None]:
    """Train the networks of every search and cross-validation in this context together.

    The same as `joblib.parallel_config(backend="skhp", ...)`, where the option `backend` is named
    `inner`. The networks of all joblib tasks
    join: those of searches and cross-validation, also one within the other, of voting, stacking,
    bagging, calibration, one-vs-rest, multi-output and threshold tuning, of the elimination and
    selection of features, and of any function that runs by ``joblib.Parallel``. Fits outside of
    joblib tasks, such as the refit of a search, train by themselves.

    A search knows the fits of its tasks beforehand. Every other task runs in a thread, one task at
    a time, in order, and a fit within it waits until each task waits or has ended; then all waiting
    fits are trained together. A task that fits five networks one after another thus waits five
    times. Results are those of a run without the backend, also if tasks draw from NumPy's or
    Python's global random generator, or from a `RandomState` that they share: tasks that draw after
    their fits have begun run one after another. This is learnt from the first task that draws, and
    so is only certain if tasks are alike; tasks with seeds of their own always train together.

    If fewer than half of the networks of a call could train together, the logger ``skhp`` warns at
    the end of the call and says why.

    With the name of a `backend` whose workers are other processes or machines, whole cohorts travel
    to these workers, together with the tasks whose networks are in the cohort, which are scored
    there. Results are equal to the bit, as the division into cohorts does not depend on the
    workers. Tasks whose networks are in several cohorts, and those with callbacks of scikit-learn,
    run in this process. Rows travel to each worker once. A cohort whose worker died is trained
    again by another one. A search cannot prune candidates there.

    Parameters
    ----------
    n_jobs : int or None, default=None
        The number of threads that train cohorts at the same time, and of workers for the tasks
        that cannot join; -1 is one for each core. None is one thread for each core, and runs the
        tasks that cannot join one after another. An `n_jobs` above 1 or below 0 that is given to a
        search itself replaces this one. With a number of workers, a task goes to a worker if
        neither its arguments nor its function's code mention an estimator of skhp.
    backend : str or None, default=None
        The joblib backend whose workers train cohorts and run the tasks that cannot join. None
        trains cohorts in threads of this process, and runs the other tasks by "loky"; so do
        "threading" and "sequential", with the other tasks by that backend. "loky" and
        "multiprocessing" start processes, which are never forked; "dask" uses the open
        `dask.distributed.Client`; "ray" uses the cluster of `RAY_ADDRESS` or starts one; another
        backend has to be registered with joblib. There, `n_jobs` bounds the number of workers, and
        None is all of them, or one for each core.
    memory_limit : int, str or None, default=None
        The most memory that the cohorts in training may take: a number of bytes, or a text such as
        "500MB" or "1GiB". None is no limit.
    chunk : int or None, default=None
        Epochs trained between two looks at progress and Ctrl-C. None chooses a number by the time
        that an epoch takes.
    verbose : int, default=0
        Above 0, one line of progress after each chunk goes to standard error.
    executor : callable or None, default=None
        Called with the number of workers; returns the executor that trains the cohorts, a
        `skhp.population.cohorts.executor.CohortExecutor`. None trains them in threads of this
        process.

    Raises
    ------
    InvalidParameterError
        If an option has an invalid value, if the library of the backend is not installed, or if no
        client of Dask is open. In a search, if it prunes candidates and cohorts train on workers.
    WorkersError
        In a call, if the connection to a cluster is lost, if a cohort has ended two workers, if a
        worker has other versions of the libraries, or if a task cannot be pickled.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> X, y = make_classification(random_state=0)
    >>> with population():
    ...     scores = cross_val_score(LogisticRegression(), X, y)
    >>> len(scores)
    5
    """
    options = PopulationOptions(n_jobs, backend, memory_limit, chunk, verbose, executor)
    check_workers(options.backend)
    population = PopulationBackend(**dataclasses.asdict(options))
    # n_jobs is passed even if it is None, or joblib would take that of an outer context.
    with joblib.parallel_config(backend=population, n_jobs=n_jobs):
        yield


class ActivePopulation(NamedTuple):
    """The trainer and the options of a population that is switched on."""

    trainer: PopulationTrainer
    options: PopulationOptions


def active_population() -> ActivePopulation | None:
    """The population that is switched on around the caller."""
    active, n_jobs = get_active_backend()
    if not isinstance(active, PopulationBackend):
        return None
    return ActivePopulation(active.trainer, _with_n_jobs(active.options, n_jobs))


def _call(
    options: PopulationOptions,
    n_jobs: int,
    parallel: Any,
    prefer: str | None,
    require: str | None,
    memmapping: dict[str, Any],
) -> ParallelCall:
    options = _with_n_jobs(options, n_jobs)
    workers: dict[str, Any] | None = None
    # Tasks that ask for threads write into shared arrays or release the interpreter's lock.
    wants_threads = bool(require) or prefer == "threads"
    if options.cohorts_travel and not wants_threads:
        workers = {}
    elif options.n_jobs is not None and options.n_jobs != 1:
        processes = options.backend or "loky"
        workers = {
            "n_jobs": options.n_jobs,
            "backend": "threading" if wants_threads else processes,
        } | {
            name: memmapping[name]
            for name in ("max_nbytes", "temp_folder", "mmap_mode")
            if name in memmapping
        }
    verbose = options.verbose or verbosity_of(parallel)
    progress: ProgressObserver = PrintedProgress(str(parallel)) if verbose else SilentProgress()
    return ParallelCall(options, workers, progress)


def _with_n_jobs(options: PopulationOptions, n_jobs: int | None) -> PopulationOptions:
    # n_jobs=1 is not taken as a choice: scikit-optimize's BayesSearchCV passes it by default.
    if n_jobs in (None, 1, EVERY_TASK):
        return options
    return dataclasses.replace(options, n_jobs=n_jobs)


def _workers_of(n_jobs: int) -> int:
    return max(joblib.cpu_count() + 1 + n_jobs, 1) if n_jobs < 0 else n_jobs


def _report_nothing(results: Any) -> None:
    """Stands in for a missing callback."""
