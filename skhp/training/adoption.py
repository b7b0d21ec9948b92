"""How a fit that was trained in a population finds its result instead of training again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class AdoptableFit:
    """A fit that was prepared by `estimator`, trained in a population, and waits to be asked for.

    `X`, `y` and `fit_params` are what the fit was prepared with.
    """

    estimator: Any
    X: Any
    y: Any
    fit_params: Mapping[str, Any]
    task: Any
    result: Any


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
            _same_estimator(estimator, fit.estimator)
            and _equal(X, fit.X)
            and _equal(y, fit.y)
            and fit_params.keys() == fit.fit_params.keys()
            and all(_equal(value, fit.fit_params[name]) for name, value in fit_params.items())
        ):
            return fit
    return None


def _same_estimator(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    ours, theirs = one.get_params(deep=False), other.get_params(deep=False)
    return ours.keys() == theirs.keys() and all(
        _equal(value, theirs[name]) for name, value in ours.items()
    )


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if hasattr(one, "equals"):
        return bool(one.equals(other))
    try:
        return bool(one == other)
    except (TypeError, ValueError):
        # Of what cannot be compared nothing is known, so the fit trains by itself.
        return False


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


def prepared_once(key: Hashable, rows: Sequence[Any], prepare: Callable[[], T]) -> T:
    """What `prepare` returns, computed once for a key and these objects where that is shared.

    Parameters
    ----------
    key : hashable
        Everything but the rows that the result depends on.
    rows : sequence of objects
    prepare : callable
    """
    shared = _preparations.get()
    if shared is None:
        return prepare()
    full_key = (key, *map(id, rows))
    if full_key not in shared:
        shared[full_key] = (rows, prepare())
    return shared[full_key][1]
