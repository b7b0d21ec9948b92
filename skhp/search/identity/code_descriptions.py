"""Describes the user's code by what it does and reads, and installed code by name and version."""

from __future__ import annotations

import contextlib
import enum
import functools
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from skhp.search.identity.code_reading import (
    CodeReading,
    ImportedNames,
    globals_named,
    is_code_of_the_user,
    modules_named,
    name_of_class,
    origin_of_class,
    origin_of_function,
    origin_of_loaded,
    origin_of_module,
    read_code,
    variables_named,
)
from skhp.search.identity.value_descriptions import hashed, text_of


class Walk(Protocol):
    """Describes what code reaches."""

    def described(self, value: Any) -> Any:
        """The description of a value."""

    def named(self, name: str, value: Any) -> Any:
        """The description of a value with a name, which messages to the user mention."""


_ABSENT: Any = object()

# What Python itself keeps in a module or a class: file names and lines, docstrings, caches.
_OF_EACH_MODULE = {
    *("__name__", "__file__", "__doc__", "__spec__", "__loader__", "__package__", "__path__"),
    *("__builtins__", "__cached__", "__annotations__", "__annotate__", "__warningregistry__"),
}
_OF_EACH_CLASS = {
    *("__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__slots__"),
    *("__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl"),
    *("__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__"),
    *("__dataclass_fields__", "__dataclass_params__", "__match_args__"),
    *("__orig_bases__", "__parameters__", "__slotnames__"),
}
# The slots of a class, and the methods of a class that is not written in Python.
_OF_OTHER_LANGUAGES = (
    types.MemberDescriptorType,
    types.GetSetDescriptorType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
)


class UndescribableError(TypeError):
    """The content of a value cannot be described; `path` names how the walk reached the value."""

    def __init__(self, kind: type, path: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self.path = path
        super().__init__(f"{' -> '.join(path) or 'a value'} is a {name_of_class(kind)}")


def described_code(value: Any, walk: Walk) -> dict[str, Any]:
    """The description of a function, a class or a module."""
    if isinstance(value, types.FunctionType):
        return _described_function(value, walk)
    if isinstance(value, type):
        return _described_class(value, walk)
    return _described_module(value, walk)


def shallow_description(value: Any, walk: Walk) -> dict[str, Any]:
    """A description of code without what it reads, for sorting the functions of a set."""
    if not isinstance(value, types.FunctionType):
        return {"$code": getattr(value, "__qualname__", "")}
    reading = read_code(value.__code__, walk.described)
    content = [reading.instructions, walk.described(value.__defaults__), _closure(value, walk)]
    return {"$function": value.__qualname__, "code": hashed(text_of(content))}


def described_member(value: Any, walk: Walk) -> dict[str, Any] | None:
    """The description of a property or similar member of a class; None for anything else."""
    if isinstance(value, property):
        return {
            "$property": [walk.described(part) for part in (value.fget, value.fset, value.fdel)]
        }
    if isinstance(value, staticmethod | classmethod):
        return {f"${type(value).__name__}": walk.described(value.__func__)}
    if isinstance(value, functools.cached_property):
        return {"$cached_property": walk.described(value.func)}
    if isinstance(value, _OF_OTHER_LANGUAGES):
        return {"$member": value.__name__}
    return None


def patched_methods(kind: type) -> dict[str, Any]:
    """The methods that the user has put into an installed class or into one of its bases."""
    return {
        f"{base.__qualname__}.{name}": value
        for base in kind.__mro__
        for name, value in vars(base).items()
        # The package is compared first, because that is quick.
        if isinstance(value, types.FunctionType)
        and _top(value.__globals__.get("__name__")) != _top(base.__module__)
        and is_code_of_the_user(value)
        and not is_code_of_the_user(base)
    }


def _top(module: Any) -> str:
    return str(module).partition(".")[0]


# ---------------------------------------------------------------- functions


def _described_function(function: types.FunctionType, walk: Walk) -> dict[str, Any]:
    origin = origin_of_function(function)
    if origin is not None and is_found_by_name(function):
        return {"$function": f"{function.__module__}.{function.__qualname__}"} | _versions(origin)
    reading = read_code(function.__code__, walk.described)
    content: dict[str, Any] = {
        "code": reading.instructions,
        "defaults": walk.described([function.__defaults__, function.__kwdefaults__]),
        "closure": _closure(function, walk),
        "attributes": _attributes(vars(function), walk),
    }
    if origin is None:
        content["reads"] = _attributes(_values_read(function.__globals__, reading), walk)
    name = function.__qualname__ if origin is None else function.__code__.co_qualname
    return {"$function": name, "code": hashed(text_of(content))} | _versions(origin)


def is_found_by_name(function: types.FunctionType) -> bool:
    """Whether a function is found in its module by its name, as inner functions are not."""
    found: Any = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


def _versions(origin: str | None) -> dict[str, str]:
    return {"version": origin} if origin else {}


def _closure(function: types.FunctionType, walk: Walk) -> dict[str, Any]:
    names = function.__code__.co_freevars
    return _attributes(
        {
            name: cell.cell_contents
            for name, cell in zip(names, function.__closure__ or (), strict=True)
            if _is_filled(cell)
        },
        walk,
    )


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _attributes(values: Mapping[str, Any], walk: Walk) -> dict[str, Any]:
    return {name: walk.named(name, values[name]) for name in sorted(values)}


# ---------------------------------------------------------------- what code reads by name


def _values_read(scope: dict[str, Any], reading: CodeReading) -> dict[str, Any]:
    return {
        **dict(_globals_read(scope, reading)),
        **dict(_modules_imported(scope, reading)),
        **variables_named(reading),
    }


def _globals_read(scope: dict[str, Any], reading: CodeReading) -> Iterator[tuple[str, Any]]:
    for first, *rest in reading.names | globals_named(scope, reading):
        # An absent name is a builtin, or will raise an error when the code reads it.
        if first in scope and first not in _OF_EACH_MODULE:
            yield _followed(first, scope[first], rest)


def _modules_imported(scope: dict[str, Any], reading: CodeReading) -> Iterator[tuple[str, Any]]:
    for name in reading.imports | modules_named(reading):
        module = _imported(scope, name)
        yield _followed(name.module, module, list(name.attributes))


def _imported(scope: dict[str, Any], name: ImportedNames) -> Any:
    module = name.module
    if name.level:
        package = scope.get("__package__") or str(scope.get("__name__", "")).rpartition(".")[0]
        try:
            module = importlib.util.resolve_name("." * name.level + module, package)
        except ImportError:
            return ["$no module", name.module]
    origin = origin_of_module(module)
    if origin is not None:
        return ["$module", module.partition(".")[0], origin]
    try:
        return importlib.import_module(module)
    except Exception:  # The function itself will raise the error, if it reaches the import.
        return ["$no module", name.module]


def _followed(name: str, value: Any, attributes: list[str]) -> tuple[str, Any]:
    """The end of a chain of attributes, as far as it leads through the user's modules."""
    for attribute in attributes:
        if not isinstance(value, types.ModuleType) or origin_of_loaded(value) is not None:
            break
        found = getattr(value, attribute, _ABSENT)
        if found is _ABSENT:
            with contextlib.suppress(Exception):  # A submodule may not be loaded yet.
                found = importlib.import_module(f"{value.__name__}.{attribute}")
        name, value = f"{name}.{attribute}", None if found is _ABSENT else found
    return name, value


# ---------------------------------------------------------------- modules


def _described_module(module: types.ModuleType, walk: Walk) -> dict[str, Any]:
    origin = origin_of_loaded(module)
    if origin is not None:
        return {"$module": module.__name__} | _versions(origin)
    holds = {name: value for name, value in vars(module).items() if name not in _OF_EACH_MODULE}
    return {"$module": hashed(text_of(_attributes(holds, walk)))}


# ---------------------------------------------------------------- classes


def _described_class(kind: type, walk: Walk) -> dict[str, Any]:
    origin = origin_of_class(kind)
    name = {"$class": name_of_class(kind)} | _versions(origin)
    if origin is not None:
        return name
    bases = [walk.described(base) for base in kind.__bases__]
    metaclass = [walk.described(type(kind))] if is_code_of_the_user(type(kind)) else []
    members = _members_of_enum(kind) if issubclass(kind, enum.Enum) else _members(kind)
    content = [bases, metaclass, _attributes(members, walk)]
    return name | {"code": hashed(text_of(content))}


def _members(kind: type) -> dict[str, Any]:
    return {name: value for name, value in vars(kind).items() if name not in _OF_EACH_CLASS}


def _members_of_enum(kind: Any) -> dict[str, Any]:
    # Python needs the other private names of an enumeration only to find its members.
    own = {
        name: value
        for name, value in _members(kind).items()
        if name not in kind.__members__ and (_is_method(value) or not name.startswith("_"))
    }
    members = kind.__members__.items()
    return own | {name: [member.value, _own_state(member)] for name, member in members}


def _is_method(value: Any) -> bool:
    return isinstance(value, types.FunctionType | property | staticmethod | classmethod)


def _own_state(member: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(member).items() if not name.startswith("_")}
