"""Makes `skhp.population` both a package and a function that opens a context to train in."""

from __future__ import annotations

import sys
import types
from contextlib import AbstractContextManager
from typing import Any

import joblib

from skhp.compat.joblib import BACKEND_NAME


class CallablePackage(types.ModuleType):
    """A package that opens a population when it is called.

    A function `skhp.population` would not last: when a module of the package is imported, Python
    sets the package as the attribute `population` of `skhp`.
    """

    def __call__(self, *arguments: Any, **options: Any) -> AbstractContextManager[None]:
        """Open a population; see :func:`skhp.population.backend.population`."""
        from skhp.population.backend import population

        return population(*arguments, **options)


def make_callable(package: str) -> None:
    """Make an imported package callable."""
    sys.modules[package].__class__ = CallablePackage


def register_backend() -> None:
    """Let `joblib.parallel_config(backend="skhp")` find the backend."""
    joblib.register_parallel_backend(BACKEND_NAME, _new_backend)


def _new_backend(**options: Any) -> Any:
    from skhp.population.backend import PopulationBackend
    from skhp.population.workers.choice import check_workers

    backend = PopulationBackend(**options)
    check_workers(backend.options.backend)
    return backend
