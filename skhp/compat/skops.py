"""Private names of skops, each with the reason for its use.

No other file of skhp uses a private name of skops. A test fails when one of them disappears.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import skops.io

# skops 0.16 has no public way to say how a class of another library is written. Its own modules,
# and its support of quantile-forest, register a function and a node in these two tables.
_UTILS: Any = importlib.import_module("skops.io._utils")
_AUDIT: Any = importlib.import_module("skops.io._audit")
_PROTOCOL: int = importlib.import_module("skops.io._protocol").PROTOCOL
_LOADER = "SkhpEstimatorNode"
_MODULE = "skhp"

_keep: ContextVar[Callable[[Any], int] | None] = ContextVar("keep", default=None)
_kept: ContextVar[Sequence[Any]] = ContextVar("kept", default=())


class _EstimatorNode(_AUDIT.Node):
    """The place of an estimator of skhp in a tree of skops."""

    def __init__(self, state: Any, load_context: Any, trusted: Any = None) -> None:
        super().__init__(state, load_context, trusted, memoize=False)
        number, kept = state.get("number"), _kept.get()
        if type(number) is not int or not 0 <= number < len(kept):
            raise ValueError(f"There is no estimator with the number {number!r}.")
        self._estimator = kept[number]
        self.trusted = [f"{_MODULE}.{state['__class__']}"]
        if state["__module__"] != _MODULE or state["__class__"] != type(self._estimator).__name__:
            raise ValueError(f"The estimator with the number {number} is of another class.")

    def _construct(self) -> Any:
        return self._estimator


def _register(kinds: Sequence[type]) -> None:
    write_any = _UTILS._get_state.dispatch(object)

    def write(estimator: Any, context: Any) -> dict[str, Any]:
        keep = _keep.get()
        if keep is None:
            return write_any(estimator, context)
        return {
            "__class__": type(estimator).__name__,
            "__module__": _MODULE,
            "__loader__": _LOADER,
            "number": keep(estimator),
        }

    for kind in kinds:
        if _UTILS._get_state.dispatch(kind) is write_any:
            _UTILS._get_state.register(kind)(write)
    _AUDIT.NODE_TYPE_MAPPING[(_LOADER, _PROTOCOL)] = _EstimatorNode


@contextmanager
def _within(variable: ContextVar[Any], value: Any) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def dumped(thing: Any, kinds: Sequence[type], keep: Callable[[Any], int]) -> bytes:
    """The bytes of skops' format, in which estimators of these kinds are numbers.

    `keep` is given each such estimator, and returns its number. Outside of this call, skops writes
    the kinds as it did before.
    """
    _register(kinds)
    with _within(_keep, keep):
        return skops.io.dumps(thing)


def loaded(
    content: bytes, kinds: Sequence[type], kept: Sequence[Any], trusted: Sequence[str | type]
) -> Any:
    """What `dumped` has written, with these estimators in place of their numbers."""
    _register(kinds)
    with _within(_kept, kept):
        return skops.io.loads(content, trusted=list(trusted))
