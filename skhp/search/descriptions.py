"""Any value as canonical JSON text: the same value gives the same text in every process.

What JSON knows is written as it is, a tuple as an array. All else is an object with one key that
starts with "$", so that no two different values share a text: `{"$list": [1, 2]}`,
`{"$float": "nan"}`, `{"$function": "package.module.name"}`, `{"$array": ["<f8", [3], "digest"]}`.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state

from skhp.search.automatic_names import without_counters
from skhp.search.table_descriptions import described_table

__all__ = ["RECORDED_PACKAGES", "class_name", "described", "digest", "parameters_text", "text_of"]

# Code of these, and of Python itself, is told apart by its version; all other code by its bytes.
RECORDED_PACKAGES = ("skhp", "scikit-learn", "keras", "tensorflow", "numpy")

_MODULES_WITHOUT_CODE = sys.stdlib_module_names | {"sklearn", *RECORDED_PACKAGES}


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """The parameters of a candidate as canonical JSON.

    Parameters
    ----------
    parameters : mapping from str to object
        NumPy's numbers count as Python's: a candidate is the same however it was drawn.

    Returns
    -------
    str
    """
    return text_of(described(parameters))


def digest(value: Any) -> str:
    """16 hexadecimal digits that differ where the canonical texts differ."""
    return _hashed(text_of(described(value)).encode())


def text_of(description: Any) -> str:
    """A description as JSON text."""
    text = json.dumps(description, sort_keys=True, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # Half a character: no file holds it as it is.
        return json.dumps(description, sort_keys=True, allow_nan=False)
    return text


def class_name(kind: type) -> str:
    """The full name of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def described(value: Any, above: tuple[int, ...] = ()) -> Any:
    """What JSON can hold of a value, by the rules of this module.

    Parameters
    ----------
    value : object
        Estimators count by class and parameters, not by what they have learnt; functions and
        classes by name, and by code where no version tells of it.
    above : tuple of int, default=()
        Identities of the values that hold this one.
    """
    if id(value) in above:
        return {"$above": len(above) - above.index(id(value))}
    if isinstance(value, enum.Enum):
        return {"$enum": f"{class_name(type(value))}.{value.name}"}
    if isinstance(value, np.longdouble | np.clongdouble):
        # Beside the number its bytes hold what was in the memory before.
        return {f"${type(value).__name__}": repr(value)}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return _described_scalar(value)
    above = (*above, id(value))
    if isinstance(value, Mapping):
        return _described_mapping(value, above)
    if isinstance(value, tuple | list | set | frozenset):
        return _described_collection(value, above)
    table = described_table(value, lambda element: text_of(described(element)), _hashed)
    return _described_object(value, above) if table is None else table


def _hashed(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _described_scalar(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return {"$bytes": _hashed(value)}
    if isinstance(value, int):
        return int(value)
    if isinstance(value, complex):
        return {"$complex": [repr(value.real), repr(value.imag)]}
    return float(value) if np.isfinite(value) else {"$float": repr(float(value))}


def _described_mapping(value: Mapping[Any, Any], above: tuple[int, ...]) -> Any:
    # A name that starts with "$" would be taken for what this module writes itself.
    if all(isinstance(name, str) and not name.startswith("$") for name in value):
        return {str(name): described(value[name], above) for name in value}
    pairs = [[described(name, above), described(value[name], above)] for name in value]
    return {"$dict": sorted(pairs, key=text_of)}


def _described_collection(value: Any, above: tuple[int, ...]) -> Any:
    items = [described(item, above) for item in value]
    if type(value) is tuple:
        return items
    if isinstance(value, set | frozenset):
        return {"$set": sorted(items, key=text_of)}
    if type(value) is list:
        return {"$list": items}
    return {f"${class_name(type(value))}": items}


def _described_object(value: Any, above: tuple[int, ...]) -> Any:
    if isinstance(value, type):
        return {"$class": class_name(value)} | _code_of_class(value, above)
    if isinstance(value, types.FunctionType):
        return _described_function(value, above)
    if isinstance(value, types.MethodType):
        # Not by its reduction, in which the class of a class method would hide its own code.
        return {"$method": [described(value.__self__, above), value.__name__]}
    if isinstance(value, types.ModuleType):
        return {"$module": value.__name__}
    if value is check_random_state(None):
        return {"$object": "the global random state of numpy"}
    of_class = {"$object": class_name(type(value))} | _code_of_class(type(value), above)
    if isinstance(value, FrozenEstimator):
        # The one estimator that keeps what it has learnt when it is cloned.
        return of_class | {"$state": _reduction(value.estimator, above)}
    if callable(getattr(value, "get_params", None)):
        # What `set_output` has set is no parameter, yet changes what a transformer returns.
        output = getattr(value, "_sklearn_output_config", None)
        return (
            of_class
            | {"parameters": described(value.get_params(deep=False), above)}
            | ({"output": described(output, above)} if output else {})
        )
    if callable(getattr(value, "get_config", None)):
        return of_class | _described_keras_object(value, above)
    reduction = _reduction(value, above)
    return {"$object": reduction} if isinstance(reduction, str) else of_class | reduction


def _described_keras_object(value: Any, above: tuple[int, ...]) -> Any:
    """The configuration and weights; a pickle of Keras would hold the time of day."""
    description = {}
    for name in ("get_config", "get_compile_config", "get_weights"):
        if not callable(getattr(value, name, None)):
            continue
        try:
            description[name] = described(getattr(value, name)(), above)
        except Exception:  # A class of the user's own may have no configuration, in many ways.
            description[name] = None
    return without_counters(description)


def _reduction(value: Any, above: tuple[int, ...]) -> Any:
    """What pickle would keep of an object, described; by its `repr` where pickle refuses it."""
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # Each library has errors of its own for what has no pickle.
        return {"$repr": re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))}
    if isinstance(reduced, str):
        return f"{getattr(value, '__module__', '')}.{reduced}"
    parts = [list(part) if isinstance(part, Iterator) else part for part in reduced]
    return {"$reduced": [described(part, above) for part in parts]}


def _described_function(function: types.FunctionType, above: tuple[int, ...]) -> dict[str, Any]:
    name = {"$function": f"{function.__module__}.{function.__qualname__}"}
    if not _is_told_by_its_code(function.__module__):
        return name
    closure = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    state = (function.__defaults__, function.__kwdefaults__, closure)
    return (
        name
        | {"code": _code_digest(function.__code__)}
        | ({"values": [described(part, above) for part in state]} if any(state) else {})
    )


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _is_told_by_its_code(module: str | None) -> bool:
    return (module or "").partition(".")[0] not in _MODULES_WITHOUT_CODE


def _code_of_class(kind: type, above: tuple[int, ...]) -> dict[str, str]:
    """The digest of the methods of a class and its bases, where no version tells of them."""
    codes = []
    for base in kind.__mro__:
        if not _is_told_by_its_code(base.__module__):
            continue
        for name, member in sorted(vars(base).items()):
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if isinstance(function, types.FunctionType):
                codes.append([name, _code_digest(function.__code__)])
    return {"code": _hashed(text_of(codes).encode())} if codes else {}


def _code_digest(code: types.CodeType) -> str:
    constants = [
        _code_digest(constant) if isinstance(constant, types.CodeType) else described(constant)
        for constant in code.co_consts
    ]
    names = [code.co_names, code.co_varnames, code.co_freevars]
    return _hashed(code.co_code + text_of([constants, names]).encode())
