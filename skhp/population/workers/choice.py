"""The workers of a joblib backend, by its name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from skhp.exceptions import InvalidParameterError
from skhp.population.workers.workers import Workers


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
