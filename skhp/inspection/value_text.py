"""Values and estimators as text, for titles, labels and messages."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from numbers import Integral, Real
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
from scipy.stats.distributions import rv_frozen


def public_name(estimator: object) -> str:
    """The name of the class of an estimator, or of the first base whose name is public.

    A reader cannot look up a private class.
    """
    names = (one.__name__ for one in type(estimator).__mro__)
    return next(name for name in names if not name.startswith("_"))


# A longer sequence is shown by its first and last elements and their number.
_MOST_ELEMENTS = 12
_FIRST_ELEMENTS = 3
_ADDRESS = re.compile(r"\s+at 0x[0-9a-fA-F]+")
_PLAIN_OBJECT = re.compile(r"<(?:function |bound method )?([^<> ]+)(?: object)?>")
# Libraries whose estimators print with line breaks, and with numbers as NumPy writes them.
_PRINTED_HERE = ("sklearn", "scikeras", "skhp")


class _NotSet(Enum):
    NOT_SET = "not set"


NOT_SET = _NotSet.NOT_SET
"""The value of a parameter in a candidate that does not have it."""


def value_text(value: Any) -> str:
    """A value in one line, without addresses, line breaks and digits that nobody reads."""
    return _text(value, False, ())


def value_key(value: Any) -> str:
    """A text that is the same for equal values, and differs for values that differ."""
    return _text(value, True, ())


def number_text(value: float) -> str:
    """A number as it was typed if that is short, otherwise with four significant digits."""
    typed = f"{value:.6g}"
    if float(typed) == value or not np.isfinite(value):
        return typed
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.4g}"


def decimals_of(numbers: np.ndarray, digits: int) -> int:
    """The number of decimals at which the largest number has `digits` significant digits."""
    finite = np.abs(numbers[np.isfinite(numbers)])
    largest = float(finite.max()) if finite.size else 0.0
    return digits if largest == 0 else int(np.clip(digits - 1 - np.floor(np.log10(largest)), 0, 8))


def short_texts(values: Sequence[Any], most: int = 24) -> dict[str, str]:
    """Labels for an axis or a legend by the keys of the values: short, and each used once."""
    labels: dict[str, str] = {}
    taken: dict[str, int] = {}
    for value in values:
        key = value_key(value)
        if key in labels:
            continue
        whole = str(value) if isinstance(value, str) else value_text(value)
        label = _shortened(whole, most)
        if label in taken and is_number(value):
            label = repr(float(value))
        count = taken[label] = taken.get(label, 0) + 1
        labels[key] = label if count == 1 else f"{label} ({count})"
    return labels


def is_number(value: Any) -> bool:
    """Whether a value is a real number and not a truth value."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _shortened(text: str, most: int) -> str:
    # Two long texts differ at their ends more often than in the middle.
    return text if len(text) <= most else f"{text[: most - most // 3 - 1]}…{text[-(most // 3) :]}"


def _text(value: Any, exact: bool, above: tuple[int, ...]) -> str:
    if value is None or value is NOT_SET or isinstance(value, bool | np.bool_):
        return "not set" if value is NOT_SET else str(value)
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return _real_text(value, exact)
    if isinstance(value, str | PurePath):
        return repr(str(value))
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, np.generic):
        return str(value.item())
    if id(value) in above:
        return "..."
    return _composed_text(value, exact, (*above, id(value)))


def _real_text(value: Real, exact: bool) -> str:
    # By its text, a float32 of 0.1 is 0.1 and not 0.10000000149.
    number = float(str(value)) if isinstance(value, np.floating) else float(value)
    if not exact:
        return number_text(number)
    return str(int(number)) if number.is_integer() else repr(number)


def _composed_text(value: Any, exact: bool, above: tuple[int, ...]) -> str:
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}" if exact else value.__name__
    if isinstance(value, Mapping):
        if {"class_name", "config"} <= value.keys() and isinstance(value["config"], Mapping):
            # An object of Keras within the configuration of another.
            return _call(str(value["class_name"]), [], value["config"], exact, above)
        pairs = (f"{_text(k, exact, above)}: {_text(v, exact, above)}" for k, v in value.items())
        return f"{{{', '.join(pairs)}}}"
    if type(value) in (list, tuple, set, frozenset) or _is_vector(value):
        return _elements_text(value, exact, above)
    if hasattr(value, "shape") and (hasattr(value, "dtype") or hasattr(value, "iloc")):
        shape = f"{type(value).__name__} of shape {_text(tuple(value.shape), exact, above)}"
        return f"{shape} at {id(value)}" if exact else shape
    if isinstance(value, FunctionType | BuiltinFunctionType | np.ufunc):
        name = "a lambda" if value.__name__ == "<lambda>" else value.__name__
        return f"{name} at {id(value)}" if exact else name
    if isinstance(value, MethodType):
        return f"{_text(value.__self__, exact, above)}.{value.__name__}"
    if isinstance(value, functools.partial):
        return _call("partial", [value.func, *value.args], value.keywords, exact, above)
    if isinstance(value, rv_frozen):
        return _call(value.dist.name, value.args, value.kwds, exact, above)
    if _is_estimator(value):
        given = value.get_params(deep=False)
        return _call(type(value).__name__, [], _changed(value, given, above), exact, above)
    return _object_text(value, exact, above)


def _is_vector(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 1


def _elements_text(value: Any, exact: bool, above: tuple[int, ...]) -> str:
    elements = [_text(element, exact, above) for element in value]
    if isinstance(value, set | frozenset):
        elements.sort()
    count = ""
    if not exact and len(elements) > _MOST_ELEMENTS:
        count = f" ({len(elements)} values)"
        elements = [*elements[:_FIRST_ELEMENTS], "...", elements[-1]]
    inner = ", ".join(elements)
    if isinstance(value, tuple):
        return f"({inner},){count}" if len(elements) == 1 else f"({inner}){count}"
    return f"{{{inner}}}{count}" if isinstance(value, set | frozenset) else f"[{inner}]{count}"


def _is_estimator(value: Any) -> bool:
    printed_by = getattr(type(value).__repr__, "__module__", "") or ""
    return callable(getattr(value, "get_params", None)) and (
        printed_by.partition(".")[0] in _PRINTED_HERE or type(value).__repr__ is object.__repr__
    )


def _object_text(value: Any, exact: bool, above: tuple[int, ...]) -> str:
    configured = _configuration(value)
    if configured is not None or type(value).__repr__ is object.__repr__:
        settings = getattr(value, "__dict__", {}) if configured is None else configured
        text = _call(type(value).__name__, [], _changed(value, settings, above), exact, above)
        return f"{text} at {id(value)}" if exact else text
    with np.printoptions(legacy="1.25"):
        # NumPy 2 writes np.float64(0.1) in the text of each object that holds such a number.
        text = " ".join(repr(value).split())
    if exact or not _ADDRESS.search(text):
        return text
    return _PLAIN_OBJECT.sub(_last_name, _ADDRESS.sub("", text))


def _last_name(match: re.Match[str]) -> str:
    return match[1].rpartition(".")[2]


def _configuration(value: Any) -> dict[str, Any] | None:
    """The configuration of an object of Keras, without its name, which Keras numbers."""
    try:
        configuration = value.get_config()
    except Exception:  # A class of the user's own may raise any error here.
        return None
    if not isinstance(configuration, dict):
        return None
    return {name: one for name, one in configuration.items() if name not in ("name", "dtype")}


def _changed(value: Any, settings: Mapping[str, Any], above: tuple[int, ...]) -> dict[str, Any]:
    """The arguments of the constructor that differ from their defaults."""
    try:
        arguments = inspect.signature(type(value)).parameters
    except (TypeError, ValueError):
        return {}
    takes_more = any(one.kind is one.VAR_KEYWORD for one in arguments.values())
    changed = {}
    for name, setting in settings.items():
        if name in arguments:
            default = arguments[name].default
            # Texts are compared, because a float32 differs from the default as Python holds it.
            is_default = default is not inspect.Parameter.empty and (
                setting is default or _text(setting, False, above) == value_text(default)
            )
            if not is_default:
                changed[name] = setting
        elif takes_more and hasattr(value, "get_params"):
            changed[name] = setting
    return changed


def _call(
    name: str,
    arguments: Sequence[Any],
    keywords: Mapping[str, Any],
    exact: bool,
    above: tuple[int, ...],
) -> str:
    texts = [_text(argument, exact, above) for argument in arguments]
    texts += [f"{keyword}={_text(given, exact, above)}" for keyword, given in keywords.items()]
    return f"{name}({', '.join(texts)})"
