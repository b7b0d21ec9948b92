"""Undocumented names of joblib, each with the reason for its use."""

from __future__ import annotations

from typing import Any

# Formats the elapsed time as in the lines of joblib.
from joblib.logger import short_format_time as short_format_time

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
