"""Names that Keras makes up: "dense_3" is the fourth nameless dense layer of the process."""

from __future__ import annotations

import dis
import re
import types
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from skhp.search.identity.code_descriptions import is_code_of_the_user
from skhp.search.identity.code_reading import origin_of_module

__all__ = ["described_keras_object", "without_counters"]


def without_counters(configuration: Any) -> Any:
    """A configuration, as JSON has it, whose names count from its own beginning.

    Parameters
    ----------
    configuration : object
        Every text that is the value of a "name" is replaced wherever it stands: "dense_3" by
        "dense#0" where it is the first dense layer here.

    Returns
    -------
    object
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


_LIBRARIES = {"keras", "tensorflow"}


def described_keras_object(
    value: Any, describe: Callable[[Any], Any], look: Callable[[Any], str]
) -> dict[str, Any]:
    """What Keras would save of an object, and the code of the user's, which it would not.

    A pickle of Keras would hold the time of day.

    Parameters
    ----------
    value : object
        With a method `get_config`.
    describe : callable
    look : callable
        The description of a value as text, to put several in order.
    """
    description = {
        name: describe(_without_code_and_places(_saved(value, name)))
        for name in ("get_config", "get_compile_config", "get_weights")
        if callable(getattr(value, name, None))
    }
    # Keras 3.15 saves no lambda function whose source it does not find, nor what else there is.
    for name, part in (("get_config", "layers"), ("get_compile_config", "optimizer")):
        if name in description and description[name] is None:
            description[part] = describe(getattr(value, part, None))
    # Keras lists what it is made of in an order that changes while it is used.
    own = [describe(part) for part in sorted(_own_parts(value), key=look)]
    return without_counters(description) | ({"own": own} if own else {})


def _saved(value: Any, name: str) -> Any:
    with warnings.catch_warnings():
        # That it takes code to load a lambda function again; here nothing is loaded.
        warnings.filterwarnings("ignore", "The object being serialized includes a `lambda`")
        try:
            return getattr(value, name)()
        except Exception:  # A class of the user's own may have no configuration, in many ways.
            return None


def _without_code_and_places(saved: Any) -> Any:
    """A configuration without the code of lambda functions, in which lines and files stand."""
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
    """Functions of the user's that Keras calls, and objects of their classes."""
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
    """What the user's code has set on an object: Keras 3.15 saves a model's arguments as defaults.

    Parts that are Keras' own are found, and weighed, by themselves.
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
    is_of_keras = type(value).__module__.partition(".")[0] in _LIBRARIES
    return None if is_of_keras or callable(getattr(value, "get_config", None)) else value
