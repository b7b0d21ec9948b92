"""What a user may choose about the training of a population."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from skhp.compat.joblib import BACKEND_NAME, backend_names
from skhp.exceptions import InvalidParameterError
from skhp.shared.amounts import bytes_of
from skhp.shared.nearest_name import nearest_name

# The name of the option `backend` in `joblib.parallel_config(backend="skhp", ...)`.
INNER = "inner"


@dataclass(frozen=True)
class PopulationOptions:
    """Options of the joblib backend "skhp", as `skhp.population` documents them."""

    n_jobs: int | None = None
    backend: str | None = None
    memory_limit: int | str | None = None
    chunk: int | None = None
    verbose: int = 0
    executor: Callable[[int], Any] | None = None

    def __post_init__(self) -> None:
        if self.n_jobs is not None and (not _is_integer(self.n_jobs) or self.n_jobs == 0):
            raise InvalidParameterError(
                f"n_jobs={self.n_jobs!r} is not a number of jobs: give an integer other than 0, "
                "-1 for every core, or None."
            )
        known = [*backend_names(), *_OF_OTHER_LIBRARIES]
        if self.backend is not None and self.backend not in known:
            raise InvalidParameterError(
                f"backend={self.backend!r} is not the name of another joblib backend, which trains "
                "cohorts and runs the tasks that do not join a population: give one of "
                f"{', '.join(sorted(set(known)))}, or None.{nearest_name(self.backend, known)}"
            )
        object.__setattr__(self, "memory_limit", _bytes_of(self.memory_limit))
        if self.chunk is not None and (not _is_integer(self.chunk) or self.chunk < 1):
            raise InvalidParameterError(
                f"chunk={self.chunk!r} is not a number of epochs: give an integer of at least 1, "
                "or None."
            )
        if not isinstance(self.verbose, Integral) or self.verbose < 0:
            raise InvalidParameterError(
                f"verbose={self.verbose!r} is not a verbosity: give an integer of at least 0."
            )
        if self.executor is not None and not callable(self.executor):
            raise InvalidParameterError(
                f"executor={self.executor!r} cannot be called: give a class or a function that "
                "makes an executor from the number of workers, or None for threads."
            )

    @property
    def cohorts_travel(self) -> bool:
        """Whether cohorts train on workers of the backend, and not in threads of this process."""
        return self.executor is None and self.backend not in _IN_THIS_PROCESS


# The backends whose workers are this process.
_IN_THIS_PROCESS = (None, "threading", "sequential")
# Backends that joblib knows only after a call of their library.
_OF_OTHER_LIBRARIES = ("ray",)


def in_threads(workers: int) -> Any:
    """Make the executor that trains cohorts in threads of this process, whatever the backend."""
    # It loads TensorFlow.
    from skhp.population.cohorts.executor import CohortThreads

    return CohortThreads(workers)


def options_of(given: Mapping[str, Any]) -> PopulationOptions:
    """Options from names and values, with a clear error for an unknown name."""
    known = [field.name for field in dataclasses.fields(PopulationOptions)]
    if INNER in given:
        # `parallel_config` takes the name of skhp's own backend as `backend`.
        given = {"backend" if name == INNER else name: value for name, value in given.items()}
        known.append(INNER)
    for name in given:
        if name not in known:
            raise InvalidParameterError(
                f'{name!r} is not an option of the joblib backend "{BACKEND_NAME}"; its options '
                f"are {', '.join(known)}.{nearest_name(name, known)}"
            )
    return PopulationOptions(**given)


def _is_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _bytes_of(limit: object) -> int | None:
    if limit is None:
        return None
    size = bytes_of(limit)
    if size is None:
        raise InvalidParameterError(
            f"memory_limit={limit!r} is not an amount of memory: give a number of bytes, 1 "
            'or more, a text such as "500MB" or "1GiB", or None.'
        )
    return size
