"""Describes scalars, tables, objects of Keras, and objects that each process has of its own."""

from __future__ import annotations

import dis
import hashlib
import json
import math
import os
import random
import re
import sys
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas
from scipy.sparse import issparse
from sklearn.utils import check_random_state

from skhp.search.identity.code_reading import is_code_of_the_user, origin_of_module

Text = Callable[[Any], str]


def text_of(description: Any) -> str:
    """A description as JSON text."""
    text = json.dumps(description, sort_keys=True, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # Half a surrogate pair cannot be encoded, but can be escaped.
        return json.dumps(description, sort_keys=True, allow_nan=False)
    return text


def hashed(content: bytes | memoryview | str) -> str:
    """16 hexadecimal digits of a content."""
    encoded = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(encoded).hexdigest()[:16]


def described_scalar(value: Any) -> Any:
    """A number, a text, bytes or None, as JSON can hold it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return {"$bytes": hashed(value)}
    if isinstance(value, int):
        return int(value)
    if isinstance(value, complex):
        return {"$complex": [repr(value.real), repr(value.imag)]}
    return float(value) if math.isfinite(value) else {"$float": repr(float(value))}


# ---------------------------------------------------------------- objects of each process

# Loggers, consoles and progress bars: what is written there does not affect a score.
_FOR_PEOPLE = {"logging", "loguru", "rich", "structlog", "tqdm"}

_STREAMS = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")


def name_in_each_process(value: Any) -> str | None:
    """The name of an object that each process has of its own, such as `sys.stdout`; else None."""
    if value is check_random_state(None):
        return "the global random state of numpy"
    if value is random.seed.__self__:  # type: ignore[attr-defined]
        return "the global random state of Python"
    if value is os.environ:
        return "os.environ"  # Its content differs from terminal to terminal.
    return next((f"sys.{name}" for name in _STREAMS if value is getattr(sys, name)), None)


def is_for_people(value: Any) -> bool:
    """Whether a value only writes for people, so that its class alone describes it."""
    packages = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    # A progress bar can wrap an iterable, which it gives to the code.
    return bool(_FOR_PEOPLE & packages) and getattr(value, "iterable", None) is None


# ---------------------------------------------------------------- tables


def described_table(value: Any, text: Text) -> dict[str, Any] | None:
    """An array, a sparse matrix or a table by type, shape and content; None for anything else.

    `text` returns the canonical text of an element that is an object.
    """
    if isinstance(value, np.ndarray):
        return {"$array": _array(value, text)}
    if issparse(value):
        rows = value.tocsr(copy=True)
        rows.sum_duplicates()
        # The width of SciPy's indices depends on how the matrix was made.
        arrays = rows.data, rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
        digests = [_array(array, text) for array in arrays]
        return {"$sparse": [type(value).__name__, list(value.shape), *digests]}
    if isinstance(value, pandas.DataFrame):
        columns = [
            [text(name), _column(value.iloc[:, place], text)]
            for place, name in enumerate(value.columns)
        ]
        return {"$frame": [_column(value.index.to_series(), text), columns]}
    if isinstance(value, pandas.Series):
        index = _column(value.index.to_series(), text)
        return {"$series": [index, text(value.name), _column(value, text)]}
    if isinstance(value, pandas.Index | pandas.api.extensions.ExtensionArray):
        return {"$series": _column(pandas.Series(value), text)}
    return None


def _array(array: np.ndarray, text: Text) -> list[Any]:
    kind = [array.dtype.str if array.dtype.names is None else str(array.dtype), list(array.shape)]
    if isinstance(array, np.ma.MaskedArray):
        mask = _array(np.ma.getmaskarray(array), text)
        return [*kind, _array(array.filled(), text), mask]
    # The buffer of objects and of NumPy's own strings holds addresses; long doubles include padding
    # with arbitrary content.
    if array.dtype.hasobject or array.dtype.char in "TgG":
        return [*kind, _digest_of_objects(array, text)]
    return [*kind, hashed(np.ascontiguousarray(array).tobytes())]


def _column(column: pandas.Series, text: Text) -> list[Any]:
    if isinstance(column.dtype, pandas.CategoricalDtype):
        categories = _column(pandas.Series(column.cat.categories), text)
        codes = _array(column.cat.codes.to_numpy(), text)
        return ["category", bool(column.cat.ordered), categories, codes]
    if isinstance(column.dtype, np.dtype):
        return _array(column.to_numpy(), text)
    return [str(column.dtype), _digest_of_objects(column.to_numpy(dtype=object), text)]


def _digest_of_objects(array: np.ndarray, text: Text) -> str:
    # Most of these elements are texts, which can skip the slower `text`.
    texts = (
        f"s{element}" if type(element) is str else f"o{text(element)}"
        for element in array.ravel().tolist()
    )
    encoded = (element.encode("utf-8", "surrogatepass") for element in texts)
    # Each element follows its length, so that different arrays never join into the same bytes.
    return hashed(b"".join(b"%d:%b" % (len(element), element) for element in encoded))


# ---------------------------------------------------------------- objects of Keras

_KERAS = {"keras", "tensorflow"}


def described_keras_object(
    value: Any, describe: Callable[[Any], Any], text: Text
) -> dict[str, Any]:
    """What Keras would save of an object with a `get_config`, and the user's code that it calls.

    `text` returns the description of a value as text, by which values are sorted. Keras' own file
    format is not used, because it contains the time of day.
    """
    description = {
        name: describe(_without_code_and_places(_saved(value, name)))
        for name in ("get_config", "get_compile_config", "get_weights")
        if callable(getattr(value, name, None))
    }
    # If Keras 3.15 does not find the source of a lambda function, it saves nothing at all.
    for name, part in (("get_config", "layers"), ("get_compile_config", "optimizer")):
        if name in description and description[name] is None:
            description[part] = describe(getattr(value, part, None))
    # Keras lists the parts of an object in an order that changes while the object is used.
    own = [describe(part) for part in sorted(_own_parts(value), key=text)]
    return without_counters(description) | ({"own": own} if own else {})


def without_counters(configuration: Any) -> Any:
    """A configuration with the names that Keras makes up, numbered within the configuration.

    Keras calls the fourth nameless dense layer of a process "dense_3". Here the first one of each
    configuration is "dense#0", wherever its name occurs.
    """
    found: Counter[str] = Counter()
    new_names: dict[str, str] = {}
    for name in _names(configuration):
        if name not in new_names:
            kind = re.sub(r"_\d+$", "", name)
            new_names[name] = f"{kind}#{found[kind]}"
            found[kind] += 1
    return _renamed(configuration, new_names)


def _names(configuration: Any) -> Iterator[str]:
    if isinstance(configuration, dict):
        name = configuration.get("name")
        if isinstance(name, str):
            yield name
        for inner in configuration.values():
            yield from _names(inner)
    elif isinstance(configuration, list):
        for inner in configuration:
            yield from _names(inner)


def _renamed(configuration: Any, new_names: dict[str, str]) -> Any:
    if isinstance(configuration, dict):
        return {name: _renamed(inner, new_names) for name, inner in configuration.items()}
    if isinstance(configuration, list):
        return [_renamed(inner, new_names) for inner in configuration]
    if isinstance(configuration, str):
        return new_names.get(configuration, configuration)
    return configuration


def _saved(value: Any, name: str) -> Any:
    with warnings.catch_warnings():
        # Keras warns that loading a lambda function runs code; here nothing is loaded.
        warnings.filterwarnings("ignore", "The object being serialized includes a `lambda`")
        try:
            return getattr(value, name)()
        except Exception:  # The user's own class may fail in many ways to give a configuration.
            return None


def _without_code_and_places(saved: Any) -> Any:
    """A configuration without the user's modules and without lambda code, which names files."""
    if type(saved) in (list, tuple):
        return type(saved)(map(_without_code_and_places, saved))
    if not isinstance(saved, Mapping):
        return saved
    if saved.get("class_name") == "__lambda__":
        return {"class_name": "__lambda__"}
    return {
        name: None
        if name == "module" and origin_of_module(inner) is None
        else _without_code_and_places(inner)
        for name, inner in saved.items()
    }


def _own_parts(value: Any) -> Iterator[Any]:
    """Functions of the user's that Keras calls, and objects of the user's classes."""
    seen: dict[int, Any] = {}
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple | set | frozenset):
            waiting.extend(item)
        elif isinstance(item, types.FunctionType):
            if is_code_of_the_user(item):
                yield item
        elif callable(getattr(item, "get_config", None)) and not isinstance(item, type):
            if is_code_of_the_user(type(item)):
                yield [type(item), _own_attributes(item)]
            waiting.extend(getattr(item, "__dict__", {}).values())
        elif is_code_of_the_user(type(item)):
            yield item


def _own_attributes(value: Any) -> dict[str, Any]:
    """The attributes that the user's code sets on an object.

    Keras 3.15 saves the defaults of a model's arguments in place of their values. `_own_parts`
    finds attributes that are objects of Keras.
    """
    names = {
        step.argval
        for kind in type(value).__mro__
        if is_code_of_the_user(kind)
        for function in vars(kind).values()
        if isinstance(function, types.FunctionType)
        for step in dis.get_instructions(function)
        if step.opname == "STORE_ATTR"
    }
    present = vars(value)
    return {name: _of_the_user(present[name]) for name in sorted(names & present.keys())}


def _of_the_user(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return list(map(_of_the_user, value))
    if isinstance(value, Mapping):
        return {name: _of_the_user(inner) for name, inner in value.items()}
    is_of_keras = type(value).__module__.partition(".")[0] in _KERAS
    return None if is_of_keras or callable(getattr(value, "get_config", None)) else value
