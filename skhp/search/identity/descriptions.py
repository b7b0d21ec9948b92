"""Describes any value as canonical JSON text, which is the same for equal values in every process.

A value that JSON has stands for itself, and a tuple is an array. Any other value is an object with
a key that starts with "$", so that different values have different texts: `{"$list": [1, 2]}`,
`{"$float": "nan"}`, `{"$function": "package.module.name"}`, `{"$array": ["<f8", [3], "digest"]}`.
"""

from __future__ import annotations

import copyreg
import enum
import functools
import math
import os
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any

import numpy as np
import scipy.special
from sklearn.frozen import FrozenEstimator

from skhp.search.identity.code_descriptions import (
    UndescribableError,
    described_code,
    described_member,
    is_found_by_name,
    patched_methods,
    shallow_description,
)
from skhp.search.identity.code_reading import is_code_of_the_user, name_of_class
from skhp.search.identity.value_descriptions import (
    described_keras_object,
    described_scalar,
    described_table,
    hashed,
    is_for_people,
    name_in_each_process,
    text_of,
)

_CODE = types.FunctionType | type | types.ModuleType
_SCALAR = bool | int | float | complex | str | bytes
_CACHES = weakref.WeakKeyDictionary | weakref.WeakValueDictionary | weakref.WeakSet
# Settings of an estimator that are not parameters, but that `clone` copies: the container that a
# transformer returns, and the metadata that the estimator requests.
_SET_BESIDE = {"_sklearn_output_config": "output", "_metadata_request": "requests"}


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """The parameters of a candidate as canonical JSON, with NumPy's numbers as Python's."""
    return text_of(described(dict(parameters)))


def digest(value: Any) -> str:
    """16 hexadecimal digits that differ where the canonical texts differ."""
    return hashed(text_of(described(value)))


def described(value: Any) -> Any:
    """The description of a value, in types that JSON has; or raise UndescribableError.

    An estimator is described by its class and parameters, and by its fitted state only if the
    user's code reaches it. A function or class of an installed package is described by name and
    version; any other by its code and all that the code reaches.
    """
    return Describer().whole(value)


class Describer:
    """Walks through one value, and then through the code that it has met on the way.

    `own` maps the names of the user's functions, classes and globals that were met to digests.
    `paused` holds the attributes of another walk, which pauses to sort the parts of a value: the
    new walk only makes the sort key of a part, and does not go through code.
    """

    def __init__(self, paused: dict[str, Any] | None = None) -> None:
        self.own: dict[str, str] = {}
        self._only_sorts = paused is not None
        state = paused or {"_above": [], "_path": [], "_learnt_counts": False, "_met": {}}
        self._above: list[int] = [*state["_above"]]
        self._path: list[str] = [*state["_path"]]
        self._learnt_counts: bool = state["_learnt_counts"]
        # Code is described once and then referred to by its number, as parts of a package may use
        # each other. The code is kept alive, so that no other object gets its `id`.
        self._met: dict[int, tuple[int, Any]] = {**state["_met"]}
        self._waiting: deque[tuple[Any, list[str]]] = deque()

    def whole(self, value: Any) -> Any:
        """The description of a value, with the code that it reaches."""
        description = self.described(value)
        codes = []
        self._learnt_counts = True
        # A queue and not a recursion: a chain of calls in code can be longer than Python's stack.
        while self._waiting:
            code, self._path = self._waiting.popleft()
            codes.append(described_code(code, self))
            if is_code_of_the_user(code):
                self._note(self._path[-1], codes[-1])
        if not codes:
            return description
        digest = {"$code": hashed(text_of(codes))}
        if isinstance(description, dict) and not any(map(_is_marked, description)):
            return description | digest
        return {"$value": description} | digest

    def named(self, name: str, value: Any) -> Any:
        """The description of a value that has a name."""
        self._path.append(name)
        description = self.described(value)
        self._path.pop()
        if self._learnt_counts and not isinstance(value, _CODE):
            self._note(name, description)
        return description

    def described(self, value: Any) -> Any:
        """The description of a value, which refers to code by numbers."""
        if isinstance(value, np.longdouble | np.clongdouble):
            # Its bytes include padding, whose content is arbitrary.
            return {f"${type(value).__name__}": repr(value)}
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or type(value) in (bool, int, float, complex, str, bytes):
            return described_scalar(value)
        if isinstance(value, _CODE):
            return self._described_code(value)
        if id(value) in self._above:
            return {"$above": len(self._above) - self._above.index(id(value))}
        self._above.append(id(value))
        try:
            return self._described_content(value)
        finally:
            self._above.pop()

    def _described_content(self, value: Any) -> Any:
        if isinstance(value, enum.Enum):
            name = f"{name_of_class(type(value))}.{value.name}"
            return self._of_class(value, {"$enum": name, "value": self.described(value.value)})
        if isinstance(value, _SCALAR):
            return self._of_class(value, described_scalar(value))
        if isinstance(value, Mapping) and value is not os.environ:
            return self._of_class(value, self._described_mapping(value))
        if isinstance(value, tuple | list | set | frozenset):
            return self._of_class(value, self._described_collection(value))
        table = described_table(value, lambda item: text_of(self.described(item)))
        return self._described_object(value) if table is None else table

    def _of_class(self, value: Any, content: Any) -> Any:
        """The content of a value, with its class if that is the user's."""
        if not is_code_of_the_user(type(value)):
            return content
        state = getattr(value, "__dict__", {}) if not isinstance(value, enum.Enum) else {}
        return {
            "$object": self._described_code(type(value)),
            "value": content,
            "state": self._with_learnt(state),
        }

    def _sort_key(self, value: Any) -> str:
        return text_of(Describer(vars(self)).described(value))

    def _described_mapping(self, value: Mapping[Any, Any]) -> Any:
        described: Any
        # A name that starts with "$" would be mistaken for one that this module writes.
        if all(isinstance(name, str) and not name.startswith("$") for name in value):
            described = {}
            for name in sorted(value):
                self._path.append(str(name))
                described[str(name)] = self.described(value[name])
                self._path.pop()
        else:
            names = sorted(value, key=self._sort_key)
            pairs = [[self.described(name), self.described(value[name])] for name in names]
            described = {"$dict": pairs}
        if isinstance(value, OrderedDict):
            return {"$ordered": [described, [self.described(name) for name in value]]}
        if isinstance(value, defaultdict):
            return {"$defaultdict": [self.described(value.default_factory), described]}
        return described

    def _described_collection(self, value: Any) -> Any:
        if isinstance(value, set | frozenset):
            return {"$set": [self.described(item) for item in sorted(value, key=self._sort_key)]}
        # Most long collections hold plain values, and one call for each of them would be slow.
        items = [item if _is_plain(item) else self.described(item) for item in value]
        if type(value) is tuple:
            return items
        if type(value) is list:
            return {"$list": items}
        return {f"${name_of_class(type(value))}": items}

    def _described_code(self, value: Any) -> Any:
        # A function that a library has made from the user's may contain itself.
        is_made = isinstance(value, types.FunctionType) and not is_found_by_name(value)
        if not is_made and not is_code_of_the_user(value):
            return described_code(value, self)
        name = getattr(value, "__qualname__", value.__name__)
        known = id(value) in self._met
        if not known:
            self._met[id(value)] = len(self._met), value
            if self._only_sorts:
                return shallow_description(value, self)
            self._waiting.append((value, [*self._path, name]))
        kind = "$class" if isinstance(value, type) else "$function"
        if isinstance(value, types.ModuleType):
            kind, name = "$module", ""
        return {kind: name, "number": self._met[id(value)][0]}

    def _note(self, name: str, description: Any) -> None:
        self.own.setdefault(name, hashed(text_of(description))[:8])

    def _with_learnt(self, value: Any) -> Any:
        """The description of a value that is used without a clone, and so with its fitted state."""
        before, self._learnt_counts = self._learnt_counts, True
        try:
            return self.described(value)
        finally:
            self._learnt_counts = before

    def _described_object(self, value: Any) -> Any:
        if isinstance(value, types.MethodType):
            # Its reduction has only the name of the method, and for a class method not its code.
            parts = [self._with_learnt(part) for part in (value.__self__, value.__func__)]
            return {"$method": [*parts, value.__name__]}
        member = described_member(value, self)
        if member is not None:
            return member
        if (name := name_in_each_process(value)) is not None:
            return {"$object": name}
        if isinstance(value, KeysView | ValuesView | ItemsView):
            items = [self.described(item) for item in sorted(value, key=self._sort_key)]
            return {f"${name_of_class(type(value))}": items}
        kind = self._described_code(type(value))
        name = kind.pop("$class", kind)
        of_class = {"$object": name} if name is kind else {"$object": name, **kind}
        if isinstance(value, _CACHES) or is_for_people(value):
            return of_class
        if patched := patched_methods(type(value)):
            of_class["patched"] = self.described(patched)
        is_installed = not is_code_of_the_user(type(value))
        wrapped = (
            None if isinstance(value, functools.partial) else getattr(value, "__wrapped__", None)
        )
        if is_installed and callable(wrapped):
            # A function with a cache, or a compiled one.
            return of_class | {"wrapped": self._with_learnt(wrapped)}
        if is_installed and callable(getattr(value, "numpy", None)):
            # A pickle of a tensor or a variable would name the device and count the variables.
            return of_class | {"array": self.described(np.asarray(value.numpy()))}
        if isinstance(value, FrozenEstimator):
            # `clone` keeps what this estimator has learnt.
            return of_class | {"$state": self._with_learnt(value.estimator)}
        if callable(getattr(value, "get_params", None)):
            return of_class | self._described_estimator(value)
        if callable(getattr(value, "get_config", None)):
            return of_class | described_keras_object(value, self._with_learnt, self._sort_key)
        reduction = self._reduction(value)
        return {"$object": reduction} if isinstance(reduction, str) else of_class | reduction

    def _described_estimator(self, value: Any) -> dict[str, Any]:
        description = {"parameters": self.described(value.get_params(deep=False))}
        for name, meaning in _SET_BESIDE.items():
            if set_beside := getattr(value, name, None):
                description[meaning] = self.described(set_beside)
        if self._learnt_counts:
            description["learnt"] = self._reduction(value)
        return description

    def _reduction(self, value: Any) -> Any:
        """The description of what pickle would keep of an object."""
        try:
            reduce = copyreg.dispatch_table.get(type(value))
            reduced = value.__reduce_ex__(4) if reduce is None else reduce(value)
        except Exception:  # Each library has its own errors for objects that cannot be pickled.
            return {"$state": self._attributes_of(value)}
        if isinstance(reduced, str):
            if isinstance(value, np.ufunc) and value not in _named_ufuncs(reduced):
                # It was made from a function of the user's, which it hides.
                raise UndescribableError(np.ufunc, tuple(self._path))
            return f"{getattr(value, '__module__', '')}.{reduced}"
        if isinstance(value, functools.partial):
            # Its own reduction nests the attributes, where copied names would not be left out.
            reduced = value.func, value.args, value.keywords, vars(value)
        parts = [list(part) if isinstance(part, Iterator) else part for part in reduced]
        return {"$reduced": [self._with_learnt(_without_copied_names(part)) for part in parts]}

    def _attributes_of(self, value: Any) -> Any:
        # Other objects keep state outside of their attributes: a lock, an open file, a generator.
        if not all(is_code_of_the_user(kind) or kind is object for kind in type(value).__mro__):
            raise UndescribableError(type(value), tuple(self._path))
        return self._with_learnt(vars(value))


def _without_copied_names(part: Any) -> Any:
    """The state of a decorator, without what it copies from a function, such as the docstring."""
    if not isinstance(part, dict) or "__wrapped__" not in part:
        return part
    return {name: part[name] for name in part if name not in functools.WRAPPER_ASSIGNMENTS}


def _named_ufuncs(name: str) -> list[Any]:
    return [getattr(module, name, None) for module in (np, scipy.special)]


def _is_marked(name: str) -> bool:
    return name.startswith("$")


def _is_plain(value: Any) -> bool:
    kind = type(value)
    return kind is str or kind is int or (kind is float and math.isfinite(value))
