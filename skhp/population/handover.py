"""How a fit that was trained in a population finds its result instead of training again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, TypeVar

from skhp.shared.equality import equal

T = TypeVar("T")


class Abandoned(BaseException):
    """Ends a fit that waits for a training which was broken off; no `except Exception` stops it."""


class LiveResult:
    """The result of a training under way: first its epochs as they are done, then the result."""

    def __init__(self) -> None:
        self._events: SimpleQueue[tuple[str, Any]] = SimpleQueue()

    def epochs_done(self, count: int) -> None:
        """Tell whoever waits of so many epochs more."""
        self._events.put(("epochs", count))

    def finish(self, result: Any) -> None:
        """Tell the result, or the exception that came instead."""
        self._events.put(("result", result))

    def abandon(self) -> None:
        """Tell that there will be no result."""
        self._events.put(("result", Abandoned()))

    def wait(self, epoch: Callable[[], None]) -> Any:
        """The result; `epoch` is called for each epoch as it is done.

        Raises
        ------
        Exception
            What came instead of the result.
        """
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
    """A fit that was prepared by `estimator`, trained in a population, and waits to be asked for.

    `X`, `y` and `fit_params` are what the fit was prepared with. `failure_is_scored` tells that an
    error of the fit counts as a failed candidate, and ends nothing else. `live` is the result of a
    training that is still under way; `result` is None then.
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
        """The result; `epoch` is called for each epoch of a training that is under way."""
        return self.result if self.live is None else self.live.wait(epoch)


_adoptable: ContextVar[tuple[AdoptableFit, ...]] = ContextVar("adoptable", default=())


@contextlib.contextmanager
def adopting(fits: Sequence[AdoptableFit]) -> Iterator[None]:
    """Let fits of this thread find these results."""
    token = _adoptable.set(tuple(fits))
    try:
        yield
    finally:
        _adoptable.reset(token)


def adoptable_fit(
    estimator: Any, X: Any, y: Any, fit_params: Mapping[str, Any]
) -> AdoptableFit | None:
    """The trained fit of an equal estimator on equal rows, or None where there is none.

    Parameters
    ----------
    estimator : estimator
        Compared by class and parameters.
    X, y : array-like
    fit_params : mapping
        What else was passed to `fit`.
    """
    for fit in _adoptable.get():
        if (
            equal(estimator, fit.estimator)
            and equal(X, fit.X)
            and equal(y, fit.y)
            and equal(dict(fit_params), dict(fit.fit_params))
        ):
            return fit
    return None


_preparations: ContextVar[dict[Hashable, Any] | None] = ContextVar("preparations", default=None)


@contextlib.contextmanager
def shared_preparation() -> Iterator[None]:
    """Let the fits that are prepared inside share what they make of the same rows.

    Rows are the same where they are the same objects, which are kept alive meanwhile.
    """
    token = _preparations.set({})
    try:
        yield
    finally:
        _preparations.reset(token)


def prepared_once(
    key: Hashable,
    rows: Sequence[Any],
    prepare: Callable[[], T],
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> T:
    """What `prepare` returns, computed once for a key and these objects where that is shared.

    Parameters
    ----------
    key : hashable
        What the result depends on besides the rows and the parameters.
    rows : sequence of objects
    prepare : callable
    parameters : mapping
        Compared by value: their representations may leave out what they differ in.
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
