"""How a fit that was trained in a population finds its result instead of training again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from skhp.shared.equality import equal

T = TypeVar("T")


class Abandoned(BaseException):
    """Ends a fit that waits for an abandoned training; `except Exception` does not catch it."""


class LiveResult:
    """Reports each epoch of a training under way as soon as it is done, and then the result."""

    def __init__(self) -> None:
        self._events: SimpleQueue[tuple[str, Any]] = SimpleQueue()

    def epochs_done(self, count: int) -> None:
        """Tell the waiting task that `count` more epochs are done."""
        self._events.put(("epochs", count))

    def finish(self, result: Any) -> None:
        """Hand over the result, or the exception of a training that failed."""
        self._events.put(("result", result))

    def abandon(self) -> None:
        """End the wait: there will be no result."""
        self._events.put(("result", Abandoned()))

    def wait(self, epoch: Callable[[], None]) -> Any:
        """Return the result or raise the exception; call `epoch` after each epoch."""
        while True:
            kind, value = self._events.get()
            if kind == "epochs":
                for _ in range(value):
                    epoch()
            elif isinstance(value, BaseException):
                raise value
            else:
                return value


@dataclass(frozen=True, eq=False)
class AdoptableFit:
    """A fit that `estimator` prepared and a population trained; `estimator.fit` takes the result.

    With `failure_is_scored`, the search turns an error of the fit into the score of a failed
    candidate. While the training is under way, `result` is None and `live` will give it.
    """

    estimator: Any
    X: Any
    y: Any
    fit_params: Mapping[str, Any]
    task: Any
    result: Any
    failure_is_scored: bool = False
    live: LiveResult | None = None

    def awaited(self, epoch: Callable[[], None]) -> Any:
        """The result; `epoch` is called after each epoch of a training that is still under way.

        Raises the exception of a fit that is to fail, as it took too long.
        """
        result = self.result if self.live is None else self.live.wait(epoch)
        if isinstance(result, Exception):
            raise result
        return result


_adoptable: ContextVar[tuple[AdoptableFit, ...]] = ContextVar("adoptable", default=())


@contextlib.contextmanager
def adopting(fits: Sequence[AdoptableFit]) -> Iterator[None]:
    """Let fits of this thread find these results."""
    token = _adoptable.set(tuple(fits))
    try:
        yield
    finally:
        _adoptable.reset(token)


class WaitingTask(Protocol):
    """A task whose fits wait until a population has trained them."""

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in the thread of the task."""

    def fit(
        self, estimator: Any, X: Any, y: Any, fit_params: Mapping[str, Any]
    ) -> AdoptableFit | None:
        """Wait until a population has trained a fit; None if the fit cannot join."""


_waiting_task: ContextVar[Any] = ContextVar("waiting_task", default=None)


@contextlib.contextmanager
def waiting_as(task: WaitingTask | None) -> Iterator[None]:
    """Let fits of this thread wait as fits of this task; None lets them train alone."""
    token = _waiting_task.set(task)
    try:
        yield
    finally:
        _waiting_task.reset(token)


def waiting_task() -> Any:
    """The task whose thread this is, if fits of it wait for a population."""
    task = _waiting_task.get()
    return task if task is not None and task.is_current else None


def adoptable_fit(
    estimator: Any, X: Any, y: Any, fit_params: Mapping[str, Any]
) -> AdoptableFit | None:
    """The trained fit of an equal estimator (class, parameters) on equal rows, if there is one.

    Within a task whose fits wait for a population, the fit is trained there, and this waits for it.
    """
    for fit in _adoptable.get():
        if (
            equal(estimator, fit.estimator)
            and equal(X, fit.X)
            and equal(y, fit.y)
            and equal(dict(fit_params), dict(fit.fit_params))
        ):
            return fit
    task = waiting_task()
    return None if task is None else task.fit(estimator, X, y, fit_params)


_preparations: ContextVar[dict[Hashable, Any] | None] = ContextVar("preparations", default=None)


@contextlib.contextmanager
def shared_preparation() -> Iterator[dict[Hashable, Any]]:
    """Within this context, fits of the same row objects share the preparation of these rows.

    It yields the shared preparations, which keep their rows until they are cleared.
    """
    shared: dict[Hashable, Any] = {}
    token = _preparations.set(shared)
    try:
        yield shared
    finally:
        _preparations.reset(token)


_computations: ContextVar[dict[Hashable, Any] | None] = ContextVar("computations", default=None)


@contextlib.contextmanager
def shared_computations() -> Iterator[None]:
    """Within this context, the tasks of a population share what follows from equal values.

    Unlike shared preparations, which end before the training, it includes predictions and scores.
    """
    token = _computations.set({})
    try:
        yield
    finally:
        _computations.reset(token)


def shares_computations() -> bool:
    """Whether there are others to share with, so that a digest of the values pays."""
    return _computations.get() is not None


def computed_once(key: Hashable, compute: Callable[[], T]) -> T:
    """The result of `compute`, computed once for each key."""
    shared = _computations.get()
    if shared is None:
        return compute()
    if key not in shared:
        shared[key] = compute()
    return shared[key]


def prepared_once(
    key: Hashable,
    rows: Sequence[Any],
    prepare: Callable[[], T],
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> T:
    """The result of `prepare`, computed once for each key, row objects and parameters.

    Parameters are compared by value: different values may have the same representation.
    """
    shared = _preparations.get()
    if shared is None:
        return prepare()
    full_key = (key, *map(id, rows))
    _, prepared = shared.setdefault(full_key, (rows, []))
    for known, result in prepared:
        if equal(known, dict(parameters)):
            return result
    result = prepare()
    prepared.append((dict(parameters), result))
    return result
