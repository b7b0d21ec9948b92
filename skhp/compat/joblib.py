"""The names of joblib that are not documented, each with the reason for its use."""

from __future__ import annotations

from typing import Any

# Prints the elapsed time as the lines of joblib do.
from joblib.logger import short_format_time as short_format_time

# A backend derives from the one; the other is what a task in a worker process gets in its place.
from joblib.parallel import ParallelBackendBase as ParallelBackendBase
from joblib.parallel import SequentialBackend as SequentialBackend

# Tells which backend is switched on; joblib's public functions only switch one on.
from joblib.parallel import get_active_backend as get_active_backend

# The name by which joblib knows the backend of skhp.
BACKEND_NAME = "skhp"

# joblib tells a backend by its class only, and takes it by its name.
NAME_OF_OWN_BACKEND = {
    "LokyBackend": "loky",
    "MultiprocessingBackend": "multiprocessing",
    "ThreadingBackend": "threading",
    "SequentialBackend": None,
}


def tasks_of(batch: Any) -> list[tuple[Any, tuple[Any, ...], dict[str, Any]]]:
    """The tasks of a batch: function, arguments and keywords of each.

    joblib gives a backend a batch that it can call only; what is called is in its attribute.
    """
    return batch.items


def call_of(callback: Any, default: Any) -> Any:
    """The Parallel call that a batch belongs to, by the callback that takes its results.

    A backend is told of the call when it is configured, and two calls may share a backend.
    """
    return getattr(callback, "parallel", default)


def verbosity_of(call: Any) -> int:
    """How much a Parallel call prints; nothing where there is no call."""
    return getattr(call, "verbose", 0)


def show_n_jobs(call: Any, n_jobs: int | None) -> None:
    """Have a Parallel call begin each line with this number of jobs.

    joblib prints the attribute, and uses the number that `configure` returns for all else.
    """
    call.n_jobs = n_jobs
