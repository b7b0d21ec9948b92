"""The fits that a task of scikit-learn asks for; tasks share the rows of a fold."""

from __future__ import annotations

import dis
import functools
import inspect
import random
import sys
import sysconfig
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from types import CodeType, ModuleType
from typing import Any

import numpy as np
from sklearn.utils import get_tags

from skhp.compat.scikit_learn import (
    FIT_AND_PREDICT,
    FIT_AND_SCORE,
    PERMUTATION_TEST_SCORE,
    SPLITTERS_MODULE,
    TASKS_MODULE,
    cut_method_parameters,
    rows_of,
    split_rows,
)
from skhp.shared.pipelines import last_step
from skhp.shared.taken_rows import TakenRows


class SharedRows:
    """Cuts rows, and returns the same object for equal cuts.

    Estimators recognise an object that they have prepared, so that the fold of a hundred candidates
    is prepared once.
    """

    def __init__(self) -> None:
        self._cuts: dict[tuple[str, int, int], tuple[Any, Any]] = {}
        self._number_of: dict[tuple[str, bytes], int] = {}
        self._read: dict[int, weakref.ref[np.ndarray]] = {}
        self._number_by_identity: dict[int, tuple[Any, int]] = {}

    def cut(self, estimator: Any, X: Any, y: Any, train: Any) -> tuple[Any, Any]:
        """The rows `train` of X and y; of a plain array X, `TakenRows`, which are no copy."""
        indices = np.asarray(train)
        kind = "square" if get_tags(estimator).input_tags.pairwise else "rows"

        def cut_one() -> Any:
            taken = None if kind == "square" else TakenRows.of(X, indices)
            return split_rows(estimator, X, None, indices)[0] if taken is None else taken

        X_train = self._once(kind, X, train, cut_one)
        if y is None:
            return X_train, None
        return X_train, self._once("targets", y, train, lambda: rows_of(y, indices))

    def read(self, rows: Any) -> Any:
        """The array of taken rows, the same object as long as somebody holds it."""
        if not isinstance(rows, TakenRows):
            return rows
        known = self._read.get(id(rows))
        array = None if known is None else known()
        if array is None:
            array = rows.read()
            self._read[id(rows)] = weakref.ref(array)
        return array

    def cut_parameters(self, X: Any, fit_params: Mapping[str, Any], train: Any) -> dict[str, Any]:
        """The rows `train` of each parameter of `fit` that has as many rows as X."""
        indices = np.asarray(train)

        def cut_one(name: str, value: Any) -> Any:
            whole = {name: value}
            return self._once(
                "parameter",
                value,
                train,
                lambda: cut_method_parameters(X, params=whole, indices=indices)[name],
            )

        return {name: cut_one(name, value) for name, value in fit_params.items()}

    def _once(self, kind: str, values: Any, train: Any, cut: Callable[[], Any]) -> Any:
        key = (kind, id(values), self._number(train))
        if key not in self._cuts:
            # The values are kept alive, so that no other object gets the same `id`.
            self._cuts[key] = (values, cut())
        return self._cuts[key][1]

    def _number(self, train: Any) -> int:
        """A number that equal indices share; each index object is read once."""
        if id(train) not in self._number_by_identity:
            indices = np.asarray(train)
            number = self._number_of.setdefault(
                (indices.dtype.str, indices.tobytes()), len(self._number_of)
            )
            self._number_by_identity[id(train)] = (train, number)
        return self._number_by_identity[id(train)][1]


PREPARES_FITS = "__skhp_fit_task__"
# Estimators with this attribute prepare fits of `TakenRows`; others are given arrays.
TAKES_ROWS = "__skhp_takes_rows__"


@dataclass(frozen=True, eq=False)
class RequestedFit:
    """One fit: the estimator, and the rows that it trains on."""

    estimator: Any
    X: Any
    y: Any
    train: Any
    fit_params: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class RequestingTask:
    """A call of a function whose fits may join a population; `kind` is the function's name."""

    kind: str
    arguments: Mapping[str, Any]
    configuration: Mapping[str, Any]

    @property
    def returns_estimator(self) -> bool:
        """Whether the fitted estimator outlives the task."""
        return bool(self.arguments.get("return_estimator"))

    @property
    def failure_is_scored(self) -> bool:
        """Whether an error of the fit becomes the score of the candidate."""
        return isinstance(self.arguments.get("error_score"), Real)

    @property
    def parameters(self) -> Mapping[str, Any] | None:
        """The candidate, set on the estimator before it is fitted."""
        return self.arguments.get("parameters")

    @property
    def estimator(self) -> Any:
        """The estimator that the task itself will fit."""
        return self.arguments["estimator"]


def requesting_task(
    function: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]
) -> RequestingTask | None:
    """Recognise a task whose fits may join; None for every other task.

    Every task of every search comes here, even without an estimator of skhp, so the cheapest checks
    come first.
    """
    called = getattr(function, "function", function)
    kind = getattr(called, "__name__", None)
    if kind not in _REQUESTS or getattr(called, "__module__", None) != TASKS_MODULE:
        return None
    estimator = arguments[0] if arguments else keywords.get("estimator")
    candidates = [estimator, *_values(keywords.get("parameters"))]
    if not any(map(may_join, candidates)):
        return None
    try:
        bound = _signature(called).bind(*arguments, **keywords)
    except TypeError:
        return None
    return RequestingTask(kind, bound.arguments, getattr(function, "config", {}))


def requested_fits(task: RequestingTask) -> Iterator[RequestedFit]:
    """The fits of a task, in the order in which it will ask for them."""
    return _REQUESTS[task.kind](task.arguments)


def may_join(estimator: Any) -> bool:
    """Whether the estimator, or the last step of the pipeline, prepares fits for a population."""
    return hasattr(type(last_step(estimator)), PREPARES_FITS)


def may_fit(task: Any) -> bool:
    """Whether a task that is not recognised may fit an estimator of skhp.

    It may if it has one among its arguments, at any depth, or if its function mentions one.
    """
    return any(
        hasattr(value if isinstance(value, type) else type(value), PREPARES_FITS)
        for value in _reachable(task)
    )


def is_of_scikit_learn(function: Any) -> bool:
    """Whether a function of a task is scikit-learn's own: its arguments hold what it fits."""
    called = getattr(function, "function", function)
    return str(getattr(called, "__module__", "")).partition(".")[0] == "sklearn"


def random_generators(task: Any) -> list[Any]:
    """The random generators among the arguments of a task, at any depth."""
    kinds = np.random.RandomState, np.random.Generator, random.Random
    return [value for value in _reachable(task) if isinstance(value, kinds)]


# Longer lists are rows; a task of more values holds data, or a whole model.
_MOST_PARTS = 1000
_MOST_VALUES = 3000
# Arrays and tables hold no estimators.
_PLAIN_VALUES = {"builtins", "numpy", "pandas", "scipy"}
_PACKAGE = __name__.partition(".")[0]
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


def _reachable(task: Any) -> Iterator[Any]:
    """The values that a task consists of, as far as they can be found without running it."""
    # The values are kept, so that no other object gets the same `id`.
    seen: dict[int, Any] = {}
    values = deque([task])
    while values and len(seen) < _MOST_VALUES:
        value = values.popleft()
        if id(value) not in seen:
            seen[id(value)] = value
            yield value
            values += _parts(value)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        if len(value) <= _MOST_PARTS:
            yield from value
    elif isinstance(value, functools.partial):
        yield from (value.func, value.args, value.keywords)
    elif inspect.isbuiltin(value):
        yield value.__self__
    elif inspect.ismethod(value):
        yield from (value.__self__, value.__func__)
    elif inspect.isfunction(value):
        yield from (value.__defaults__, value.__kwdefaults__)
        yield from (cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell))
        if not value.__code__.co_filename.startswith(_LIBRARIES):
            yield from _mentioned(value.__code__, value.__globals__)
    elif (
        not isinstance(value, type | ModuleType)
        and type(value).__module__.partition(".")[0] not in _PLAIN_VALUES
    ):
        yield from vars(value).values() if hasattr(value, "__dict__") else ()


def _mentioned(code: CodeType, variables: Mapping[str, Any]) -> Iterator[Any]:
    """The global variables that code uses, and what it uses of modules."""
    for name in _globals_of(code):
        held = variables.get(name)
        if isinstance(held, ModuleType):
            yield from _of_module(held, code)
        else:
            yield held
    for name in code.co_names:
        # Code that imports within a function names the module.
        if name in sys.modules:
            yield from _of_module(sys.modules[name], code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _mentioned(constant, variables)


def _of_module(module: ModuleType, code: CodeType) -> Iterator[Any]:
    for name in code.co_names:
        if name in vars(module):
            yield vars(module)[name]
        elif module.__name__.partition(".")[0] == _PACKAGE:
            # Modules of our own load their names when they are used first.
            yield getattr(module, name, None)


@functools.lru_cache(1000)
def _globals_of(code: CodeType) -> tuple[str, ...]:
    return tuple(
        {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    )


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def splits_alike_again(splitter: Any) -> bool:
    """Whether a second call of `split` gives the same folds."""
    if type(splitter).__module__ != SPLITTERS_MODULE:
        return False
    if not hasattr(splitter, "random_state"):
        return True
    return isinstance(splitter.random_state, Integral) or getattr(splitter, "shuffle", 1) is False


def _values(parameters: Mapping[str, Any] | None) -> Iterator[Any]:
    return iter(() if parameters is None else parameters.values())


_signature = functools.lru_cache(inspect.signature)


def _one_fit(arguments: Mapping[str, Any]) -> Iterator[RequestedFit]:
    yield RequestedFit(
        arguments["estimator"],
        arguments["X"],
        arguments["y"],
        arguments["train"],
        arguments["fit_params"] or {},
    )


def _fit_for_each_split(arguments: Mapping[str, Any]) -> Iterator[RequestedFit]:
    # If the splitter shuffles anew, the task itself trains on other rows than these.
    if not splits_alike_again(arguments["cv"]):
        return
    X, y = arguments["X"], arguments["y"]
    for train, _ in arguments["cv"].split(X, y, **(arguments["split_params"] or {})):
        yield RequestedFit(arguments["estimator"], X, y, train, arguments["fit_params"] or {})


_REQUESTS: dict[str, Callable[[Mapping[str, Any]], Iterator[RequestedFit]]] = {
    FIT_AND_SCORE: _one_fit,
    FIT_AND_PREDICT: _one_fit,
    PERMUTATION_TEST_SCORE: _fit_for_each_split,
}
