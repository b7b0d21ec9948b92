"""The values that parameters and learnt attributes may have, as JSON and arrays.

Each kind of value has a writer and a reader of its own, in two tables. A value of a type that is
not in the table is refused when it is saved.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skhp.exceptions import CannotSaveError, FileRefusedError
from skhp.objectives.numbered_loss import NumberedLoss
from skhp.objectives.rare_class_losses import FocalLoss, SoftF1
from skhp.saving.file_parts.parts import ReadParts, WrittenParts, field, one_of, only, short, whole
from skhp.saving.keras_values import keras_value_written, read_keras_value
from skhp.shared.best_threshold import TunedByFolds

_MOST_LEVELS = 20
# Longer lists of floats, such as a history, are arrays: exact, and small for their reader.
_FLOATS_IN_TEXT = 32
_MOST_INTEGER = 2**63

# By name, and not by the registry, which the user's own losses are in as well.
OUR_LOSSES: dict[str, type[NumberedLoss]] = {"focal": FocalLoss, "soft_f1": SoftF1}


def written(value: Any, name: str, parts: WrittenParts, level: int = 0) -> Any:
    """A value as JSON, with its arrays in `parts`; `name` is its place, for an error."""
    if level > _MOST_LEVELS:
        raise CannotSaveError(f"{name} is nested more than {_MOST_LEVELS} levels deep.")
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        if abs(value) >= _MOST_INTEGER:
            raise CannotSaveError(f"{name} is a whole number of more than 64 bits.")
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"kind": "float", "value": str(value)}
    if isinstance(value, np.generic):
        array = np.array([value])
        return {"kind": "scalar", "array": parts.put(array, name)}
    for kind, write in _WRITERS.items():
        if type(value) is kind:
            return write(value, name, parts, level + 1)
    if isinstance(value, NumberedLoss):
        return _loss_written(value, name, parts, level + 1)
    of_keras = keras_value_written(value, name)
    if of_keras is not None:
        return of_keras
    if isinstance(value, np.dtype):
        return {"kind": "dtype", "name": _dtype_name(value, name)}
    raise CannotSaveError(
        f"{name} is {short(value)}, of the type {type(value).__module__}.{type(value).__qualname__}"
        ", which skhp.save does not write: it writes numbers, texts, None, lists, tuples, dicts, "
        "arrays, dtypes, and skhp's losses. Set it to one of these, or to None, before saving."
    )


def _list_written(value: list[Any], name: str, parts: WrittenParts, level: int) -> Any:
    if len(value) > _FLOATS_IN_TEXT and all(type(item) is float for item in value):
        return {"kind": "floats", "array": parts.put(np.array(value), name)}
    return [written(item, f"{name}[{n}]", parts, level) for n, item in enumerate(value)]


def _tuple_written(value: tuple[Any, ...], name: str, parts: WrittenParts, level: int) -> Any:
    return {"kind": "tuple", "items": _list_written(list(value), name, parts, level)}


def _dict_written(value: dict[Any, Any], name: str, parts: WrittenParts, level: int) -> Any:
    pairs = [
        [
            written(key, f"a key of {name}", parts, level),
            written(item, f"{name}[{key!r}]", parts, level),
        ]
        for key, item in value.items()
    ]
    return {"kind": "dict", "items": pairs}


def _array_written(value: np.ndarray, name: str, parts: WrittenParts, level: int) -> Any:
    if value.dtype != object:
        return {"kind": "array", "array": parts.put(value, name)}
    for item in value.flat:
        if type(item) not in (str, int, float, bool, type(None)):
            raise CannotSaveError(
                f"{name} is an array of objects that holds {short(item)}. skhp.save writes arrays "
                "of numbers and of texts: convert it with astype."
            )
    texts = _as_texts(value)
    if texts is not None:
        return {"kind": "texts", "array": parts.put(texts, name)}
    items = [written(item, name, parts, level) for item in value.flat]
    return {"kind": "objects", "shape": list(value.shape), "items": items}


def _as_texts(value: np.ndarray) -> np.ndarray | None:
    """An array of texts of one width that is equal to an array of objects, if there is one."""
    items = value.ravel().tolist()
    if not items or not all(type(item) is str for item in items):
        return None
    texts = np.array(items, dtype=str)
    # One long text among short ones would make all of them long.
    if texts.tolist() != items or texts.nbytes > 1024 + 16 * sum(map(len, items)):
        return None
    return texts.reshape(value.shape)


def _generator_written(
    value: np.random.RandomState, name: str, parts: WrittenParts, level: int
) -> Any:
    state = value.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise CannotSaveError(
            f"{name} is a RandomState on {state['bit_generator']}; skhp.save writes those on "
            "MT19937, as numpy.random.RandomState(0) is. Set a whole number instead."
        )
    return {
        "kind": "random_state",
        "key": parts.put(state["state"]["key"], name),
        "position": int(state["state"]["pos"]),
        "has_gauss": int(state["has_gauss"]),
        "gauss": float(state["gauss"]),
    }


def _loss_written(value: NumberedLoss, name: str, parts: WrittenParts, level: int) -> Any:
    names = [known for known, kind in OUR_LOSSES.items() if type(value) is kind]
    if not names:
        raise CannotSaveError(
            f"{name} is a loss {type(value).__qualname__}, which is not one of skhp's own. Its "
            "code would not be in the file. Use 'focal', 'soft_f1' or a loss of skhp.losses."
        )
    parameters = value.get_params()
    return {
        "kind": "loss",
        "name": names[0],
        "parameters": {key: written(parameters[key], name, parts, level) for key in parameters},
    }


_WRITERS: dict[type, Callable[[Any, str, WrittenParts, int], Any]] = {
    list: _list_written,
    tuple: _tuple_written,
    dict: _dict_written,
    np.ndarray: _array_written,
    np.random.RandomState: _generator_written,
    # A search marks the value so; in a file, it is the text that it stands for.
    TunedByFolds: lambda value, *_: str.__str__(value),
}


# ---------------------------------------------------------------- reading


def read(value: Any, parts: ReadParts, level: int = 0) -> Any:
    """A value from JSON, with its arrays out of `parts`."""
    if level > _MOST_LEVELS:
        raise FileRefusedError(f"has a value nested more than {_MOST_LEVELS} levels deep")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list):
        return [read(item, parts, level + 1) for item in value]
    kind = one_of(value, "kind", _READERS)
    return _READERS[kind](value, parts, level + 1)


def _read_float(value: Any, parts: ReadParts, level: int) -> float:
    only(value, "kind", "value")
    return float(one_of(value, "value", {"nan", "inf", "-inf"}))


def _read_tuple(value: Any, parts: ReadParts, level: int) -> tuple[Any, ...]:
    only(value, "kind", "items")
    items = value.get("items")
    if not isinstance(items, list) and not (
        isinstance(items, dict) and items.get("kind") == "floats"
    ):
        raise FileRefusedError(f"has a tuple of {short(items)}")
    return tuple(read(items, parts, level))


def _read_dict(value: Any, parts: ReadParts, level: int) -> dict[Any, Any]:
    only(value, "kind", "items")
    found: dict[Any, Any] = {}
    for pair in field(value, "items", list):
        if not isinstance(pair, list) or len(pair) != 2:
            raise FileRefusedError(f"has {short(pair)} in a dict, where a pair is expected")
        key = read(pair[0], parts, level)
        try:
            is_double = key in found
        except TypeError:
            is_double = True
        if is_double:
            raise FileRefusedError(
                f"has a key {short(key)} in a dict, which is there twice or no key"
            )
        found[key] = read(pair[1], parts, level)
    return found


def _read_array(value: Any, parts: ReadParts, level: int) -> np.ndarray:
    only(value, "kind", "array")
    return parts.take(value.get("array"))


def _read_scalar(value: Any, parts: ReadParts, level: int) -> np.generic:
    array = _read_array(value, parts, level)
    if array.shape != (1,):
        raise FileRefusedError(f"has an array of the shape {array.shape} for a single value")
    return array[0]


def _read_floats(value: Any, parts: ReadParts, level: int) -> list[float]:
    array = _read_array(value, parts, level)
    if array.ndim != 1 or array.dtype != np.float64:
        raise FileRefusedError(f"has an array of {array.dtype} for a list of floats")
    return array.tolist()


def _read_texts(value: Any, parts: ReadParts, level: int) -> np.ndarray:
    array = _read_array(value, parts, level)
    if array.dtype.kind != "U":
        raise FileRefusedError(f"has an array of {array.dtype} for texts")
    return array.astype(object)


def _read_objects(value: Any, parts: ReadParts, level: int) -> np.ndarray:
    only(value, "kind", "shape", "items")
    items, shape = field(value, "items", list), field(value, "shape", list)
    sizes = [whole({"a size": size}, "a size", most=max(1, len(items))) for size in shape]
    if len(sizes) > 32 or math.prod(sizes) != len(items):
        raise FileRefusedError(f"has {len(items)} items for an array of the shape {short(shape)}")
    array = np.empty(len(items), dtype=object)
    for place, item in enumerate(items):
        array[place] = read(item, parts, level)
        if type(array[place]) not in (str, int, float, bool, type(None)):
            raise FileRefusedError(f"has {short(item)} in an array of texts and numbers")
    return array.reshape(sizes)


def _read_dtype(value: Any, parts: ReadParts, level: int) -> np.dtype:
    only(value, "kind", "name")
    return read_dtype(value.get("name"))


def _read_generator(value: Any, parts: ReadParts, level: int) -> np.random.RandomState:
    only(value, "kind", "key", "position", "has_gauss", "gauss")
    key = parts.take(value.get("key"))
    if key.dtype != np.uint32 or key.shape != (624,):
        raise FileRefusedError(f"has a random generator with a key of {key.dtype} {key.shape}")
    position, has_gauss = whole(value, "position", most=624), whole(value, "has_gauss", most=1)
    made = np.random.RandomState()
    made.set_state(("MT19937", key, position, has_gauss, float(field(value, "gauss", float, int))))
    return made


def _read_loss(value: Any, parts: ReadParts, level: int) -> NumberedLoss:
    only(value, "kind", "name", "parameters")
    kind = OUR_LOSSES[one_of(value, "name", OUR_LOSSES)]
    given = field(value, "parameters", dict)
    if given.keys() - set(kind.parameters):
        raise FileRefusedError(f"has a loss with the parameters {short(sorted(given))}")
    parameters = {name: read(item, parts, level) for name, item in given.items()}
    try:
        made = kind(**parameters)
        made.numbers_of_member()
    except (TypeError, ValueError) as error:
        raise FileRefusedError(f"has a loss with wrong parameters: {error}") from error
    return made


_READERS: dict[str, Callable[[Any, ReadParts, int], Any]] = {
    "float": _read_float,
    "tuple": _read_tuple,
    "dict": _read_dict,
    "array": _read_array,
    "scalar": _read_scalar,
    "floats": _read_floats,
    "texts": _read_texts,
    "objects": _read_objects,
    "dtype": _read_dtype,
    "random_state": _read_generator,
    "loss": _read_loss,
    "keras_object": lambda value, *_: read_keras_value(value),
    "keras_class": lambda value, *_: read_keras_value(value),
    "keras_function": lambda value, *_: read_keras_value(value),
}

_DTYPES = frozenset(
    f"{sign}{kind}{bits}"
    for sign in "<>|"
    for kind, sizes in (("i", "1248"), ("u", "1248"), ("f", "248"), ("b", "1"))
    for bits in sizes
) | {"|O"}


def _dtype_name(dtype: np.dtype, name: str) -> str:
    text = dtype.str
    if text not in _DTYPES and not (dtype.kind in "US" and text[2:].isdecimal()):
        raise CannotSaveError(f"{name} is the dtype {dtype}, which skhp.save does not write.")
    return text


def read_dtype(text: Any) -> np.dtype:
    """The dtype of a name that `_dtype_name` gives."""
    known = isinstance(text, str) and (
        text in _DTYPES
        or (text[:2] in ("<U", ">U", "|S") and text[2:].isdecimal() and len(text) < 10)
    )
    if not known:
        raise FileRefusedError(f"has the dtype {short(text)}; expected one of numbers or text")
    return np.dtype(text)
