"""The workers of a joblib backend, by its name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Protocol

from skhp.exceptions import InvalidParameterError, WorkersError
from skhp.population.workers.parcel import Parcel


class WorkerLost(Exception):  # noqa: N818
    """A worker ended before it had delivered; its shipment can be sent again."""


class Sent(Protocol):
    """A shipment under way."""

    def is_done(self) -> bool:
        """Whether `delivered` returns at once."""

    def delivered(self) -> bytes:
        """The pickled delivery; raises `WorkerLost`, or the error of the worker's own code."""

    def told(self) -> Mapping[int, int]:
        """The epochs of each member so far, as far as they are known."""


class Workers(Protocol):
    """Workers of one call."""

    def room(self) -> int:
        """The number of shipments that may be under way at a time."""

    def keep(self, digest: str, buffer: memoryview) -> None:
        """Send a buffer to the workers, or make it ready for them; it is needed until the end."""

    def send(self, parcel: Parcel) -> Sent:
        """Send a shipment to a worker that has none."""

    def close(self, at_once: bool) -> None:
        """Give the workers back; `at_once` ends what they still do."""


def open_workers(backend: str, n_jobs: int | None) -> Workers:
    """At most `n_jobs` workers of a backend; None is all of them, or one for each core."""
    if backend == "dask":
        from skhp.population.workers.dask_workers import DaskWorkers

        return DaskWorkers(n_jobs)
    if backend == "ray":
        from skhp.population.workers.ray_workers import RayWorkers

        return RayWorkers(n_jobs)
    if backend in ("loky", "multiprocessing"):
        from skhp.population.workers.process_workers import ProcessWorkers

        return ProcessWorkers(n_jobs)
    from skhp.population.workers.joblib_workers import JoblibWorkers

    return JoblibWorkers(backend, n_jobs)


def check_workers(backend: str | None) -> None:
    """Raise if a backend that needs a library or a cluster lacks it."""
    if backend in _CHECKS:
        _CHECKS[backend]()


def _check_dask() -> None:
    if importlib.util.find_spec("distributed") is None:
        raise InvalidParameterError(
            'backend="dask" needs Dask, which is not installed: run "pip install skhp[dask]".'
        )
    from skhp.population.workers.dask_workers import client_of_caller

    client_of_caller()


def _check_ray() -> None:
    if importlib.util.find_spec("ray") is None:
        raise InvalidParameterError(
            'backend="ray" needs Ray, which is not installed: run "pip install skhp[ray]".'
        )


_CHECKS: dict[str, Callable[[], None]] = {"dask": _check_dask, "ray": _check_ray}


def lost_twice(error: Exception, what: str) -> WorkersError:
    """The error of a shipment whose worker ended, and ended again when it was sent again."""
    return WorkersError(
        f"{what} ended two workers, one after the other ({error}). If they ran out of memory, "
        "give a memory_limit, fewer n_jobs, or workers with more memory; what finished is in the "
        "journal of the search, if it has one."
    )


def no_progress() -> dict[int, int]:
    """What a shipment tells whose backend has no line for it."""
    return {}
