"""Undocumented names of joblib, each with the reason for its use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joblib import Parallel

# Pickles functions of `__main__` and lambdas by value. joblib 1.6 depends on it, and earlier
# versions of joblib hold a copy of it.
try:
    import cloudpickle as cloudpickle
except ImportError:
    from joblib.externals import cloudpickle as cloudpickle

# Processes that are started anew instead of forked; joblib documents them as a backend only, which
# loses all of them, and their work, when one of them dies.
from joblib.externals.loky import ProcessPoolExecutor as ProcessPoolExecutor
from joblib.externals.loky.backend import resource_tracker as resource_tracker
from joblib.externals.loky.process_executor import BrokenProcessPool as BrokenProcessPool

# Formats the elapsed time as in the lines of joblib.
from joblib.logger import short_format_time as short_format_time

# The names of backends, and of those that joblib registers when they are first asked for.
from joblib.parallel import BACKENDS, EXTERNAL_BACKENDS

# A batch of tasks, as backends run them.
from joblib.parallel import BatchedCalls as BatchedCalls

# skhp's backend derives from the first; tasks in worker processes get the second in its place.
from joblib.parallel import ParallelBackendBase as ParallelBackendBase
from joblib.parallel import SequentialBackend as SequentialBackend

# Has the settings of `parallel_config`, which apply only in the thread that opened it.
from joblib.parallel import _backend as _of_thread

# Tells which backend is active; joblib's public functions can only activate one.
from joblib.parallel import get_active_backend as get_active_backend

# The name by which joblib knows the backend of skhp.
BACKEND_NAME = "skhp"

# joblib returns the active backend as an object, but takes a backend by its name.
NAME_OF_OWN_BACKEND = {
    "LokyBackend": "loky",
    "MultiprocessingBackend": "multiprocessing",
    "ThreadingBackend": "threading",
    "SequentialBackend": None,
}


def has_living_process(pool: ProcessPoolExecutor) -> bool:
    """Whether a process of a pool is alive.

    The pool of loky (joblib 1.6) does not notice the death of a process that it started in place of
    one that had been idle for too long; its future then waits for ever.
    """
    return any(process.is_alive() for process in list(pool._processes.values()))


def tasks_of(batch: Any) -> list[tuple[Any, tuple[Any, ...], dict[str, Any]]]:
    """The tasks of a batch: function, arguments and keywords of each.

    joblib documents only that a backend can call a batch; the attribute with its tasks is private.
    """
    return batch.items


def call_of(callback: Any, default: Any) -> Any:
    """The Parallel call that a batch belongs to, found by the callback that takes its results.

    The call that configured the backend may be another one, as two calls may share a backend.
    """
    return getattr(callback, "parallel", default)


def verbosity_of(call: Any) -> int:
    """How much a Parallel call prints; 0 if there is no call."""
    return getattr(call, "verbose", 0)


def show_n_jobs(call: Any, n_jobs: int | None) -> None:
    """Let a Parallel call print this number of jobs at the start of each line.

    joblib only prints the attribute; for all else it uses the number that `configure` returned.
    """
    call.n_jobs = n_jobs


def thread_configuration() -> dict[str, Any]:
    """What `parallel_config` has set in this thread."""
    return dict(vars(_of_thread))


def set_thread_configuration(configuration: dict[str, Any]) -> None:
    """Set in this thread what `thread_configuration` returned in another one."""
    vars(_of_thread).update(configuration)


def backend_names() -> list[str]:
    """The names of joblib's own backends, and of those that are registered."""
    return sorted({*BACKENDS, *EXTERNAL_BACKENDS} - {BACKEND_NAME})


class OpenedBackend:
    """A backend that takes functions one by one; joblib documents this for authors of backends."""

    def __init__(self, name: str, n_jobs: int) -> None:
        self._parallel = Parallel(n_jobs=n_jobs, backend=name)
        self._parallel.__enter__()
        self._backend = self._parallel._backend
        self._backend.start_call()
        self.workers = int(self._backend.effective_n_jobs(n_jobs))

    def submit(self, function: Callable[[], Any], arrived: Callable[[Any], None]) -> None:
        """Run a function in a worker; `arrived` gets what `result_of` takes."""
        batch = BatchedCalls([(function, (), {})], (SequentialBackend(nesting_level=1), None))
        self._backend.submit(batch, arrived)

    def result_of(self, arrived: Any) -> Any:
        """What the function returned, or the error that it raised."""
        return self._backend.retrieve_result_callback(arrived)[0]

    def close(self, at_once: bool) -> None:
        """Give the workers back; `at_once` ends what they still do."""
        if at_once:
            self._backend.abort_everything(ensure_ready=False)
        self._backend.stop_call()
        if not at_once:
            self._parallel.__exit__(None, None, None)
