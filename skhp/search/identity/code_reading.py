"""Tells whether code is the user's or that of a package, and what the code reads."""

from __future__ import annotations

import dis
import functools
import importlib.util
import os
import re
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

# Each identity of a search contains the versions of these packages and of Python.
RECORDED_PACKAGES = ("skhp", "scikit-learn", "keras", "tensorflow", "numpy")
_RECORDED = ""

_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD_LIBRARY = tuple(
    os.path.join(os.path.realpath(sysconfig.get_path(name)), "")
    for name in ("stdlib", "platstdlib")
)
# A module that runs as a program counts as the user's code: `python -m pytest` runs the user's
# tests.
_PROGRAMS = ("__main__", "__mp_main__")
_IS_WRITTEN_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def origin_of_module(name: Any, file: Any = None) -> str | None:
    """The distribution and version of a module, or None if the module is the user's code.

    "" stands for the packages whose versions each identity contains anyway. The module need not be
    imported; `file` is the file that it was read from, if that is known.
    """
    if not isinstance(name, str) or not name:
        return None
    top = name.partition(".")[0]
    if top == "skhp":
        return _RECORDED
    if top in _PROGRAMS:
        return None
    place = file if isinstance(file, str) else _place(name) or _place(top)
    if place is None:
        return _RECORDED if top in sys.stdlib_module_names else None
    return _origin(top, place)


def origin_of_class(kind: type) -> str | None:
    """The origin of a class; never None if it is not written in Python, and so has no code."""
    origin = origin_of_module(kind.__module__)
    return origin if kind.__flags__ & _IS_WRITTEN_IN_PYTHON else origin or _RECORDED


def origin_of_function(function: types.FunctionType) -> str | None:
    """The origin of a function, as for its module."""
    # A decorator copies `__module__` from the function that it wraps, so the globals decide.
    scope = function.__globals__
    return origin_of_module(scope.get("__name__"), scope.get("__file__"))


def origin_of_loaded(module: types.ModuleType) -> str | None:
    """The origin of a loaded module."""
    return origin_of_module(module.__name__, getattr(module, "__file__", None))


def is_code_of_the_user(value: Any) -> bool:
    """Whether a function, class or module is the user's code."""
    if isinstance(value, types.FunctionType):
        return origin_of_function(value) is None
    if isinstance(value, type):
        return origin_of_class(value) is None
    return isinstance(value, types.ModuleType) and origin_of_loaded(value) is None


def name_of_class(kind: type) -> str:
    """The name of a class, without its module if the class is the user's.

    A module that runs as a program has another name than when it is imported.
    """
    own = origin_of_class(kind) is None
    return kind.__qualname__ if own else f"{kind.__module__}.{kind.__qualname__}"


def _place(name: str) -> str | None:
    module = sys.modules.get(name)
    if module is not None:
        found = getattr(module, "__file__", None) or next(
            iter(getattr(module, "__path__", ())), None
        )
        return found if isinstance(found, str) else None
    if "." in name:
        return None  # To find a submodule that is not loaded, Python would import its package.
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.has_location:
        return spec.origin
    return next(iter(spec.submodule_search_locations or ()), None)


@functools.cache
def _origin(top: str, place: str) -> str | None:
    if _INSTALLED & set(Path(place).parts):
        names = sorted(set(_distributions().get(top, ())))
        if set(names) & set(RECORDED_PACKAGES):
            return _RECORDED
        # A file that somebody has put there belongs to no distribution.
        return ", ".join(f"{name} {version(name)}" for name in names) or None
    return _RECORDED if os.path.realpath(place).startswith(_STANDARD_LIBRARY) else None


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


# ---------------------------------------------------------------- what code reads

_READS_NAME = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_READS_ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD"}
# What Python stores in each class without any effect: line numbers, unordered names, docstrings.
_WITHOUT_EFFECT = {"__firstlineno__", "__static_attributes__", "__doc__"}
_EVERYTHING: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class ImportedNames:
    """A module that a function imports, and a chain of its attributes that the function reads.

    `level` is the number of dots before the module; without attributes, the whole module is read.
    """

    module: str
    level: int
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class CodeReading:
    """The instructions of a function, and what they read.

    `names` are chains of attributes: ``("settings", "UNITS")`` for the code ``settings.UNITS``.
    `mentioned` are all names, also of attributes, and `texts` are the strings in the constants.
    """

    instructions: list[Any] = field(default_factory=list)
    names: set[tuple[str, ...]] = field(default_factory=set)
    imports: set[ImportedNames] = field(default_factory=set)
    mentioned: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


def read_code(code: types.CodeType, describe: Callable[[Any], Any]) -> CodeReading:
    """Read the code of a function and of all that is defined within it.

    `describe` returns the description of a constant.
    """
    reading = CodeReading(mentioned=set(code.co_names))
    found = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    for place, step in enumerate(found):
        if step.opname == "STORE_NAME" and step.argval in _WITHOUT_EFFECT:
            reading.instructions[-1] = None  # The instruction before this loads the value.
        if isinstance(step.argval, types.CodeType):
            inner = read_code(step.argval, describe)
            reading.instructions.append([step.opname, inner.instructions])
            reading.names.update(inner.names)
            reading.imports.update(inner.imports)
            reading.mentioned.update(inner.mentioned)
            reading.texts.update(inner.texts)
            continue
        if step.opcode in dis.hasconst:
            # `argval` is not enough: `dis` of Python 3.11 omits the names of a call's keywords.
            constant = code.co_consts[step.arg or 0]
            argument = describe(constant)
            reading.texts.update([constant] if isinstance(constant, str) else ())
        else:
            argument = _plain(step.argval)
        reading.instructions.append([step.opname, argument])
        if step.opname in _READS_NAME:
            reading.names.add((step.argval, *_attributes(found[place + 1 :])))
        elif step.opname == "IMPORT_NAME":
            reading.imports.update(_imported(code, found, place))
    signature = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags]
    reading.instructions.append([*signature, code.co_exceptiontable.hex()])
    return reading


def _plain(argument: Any) -> Any:
    if isinstance(argument, tuple):
        return list(map(_plain, argument))
    return argument if isinstance(argument, str | int | None) else repr(argument)


def _attributes(steps: Sequence[dis.Instruction]) -> Iterator[str]:
    for step in steps:
        if step.opname not in _READS_ATTRIBUTE:
            return
        yield step.argval


def _imported(
    code: types.CodeType, steps: Sequence[dis.Instruction], place: int
) -> Iterator[ImportedNames]:
    module = steps[place].argval
    level, names = (step.argval for step in steps[place - 2 : place])
    if names:
        for name in names:
            yield ImportedNames(module, level, _EVERYTHING if name == "*" else (name,))
        return
    stored = steps[place + 1]
    if not stored.opname.startswith("STORE_FAST") or stored.argval in code.co_cellvars:
        yield ImportedNames(module, level, _EVERYTHING)
        return
    # `import package.part` binds the name of the package, whichever part it imports.
    top = module.partition(".")[0]
    yield ImportedNames(module, level, ("__name__",))
    for number, step in enumerate(steps):
        if step.opname.startswith("LOAD_FAST") and _names(step, stored.argval):
            attributes = tuple(_attributes(steps[number + 1 :]))
            yield ImportedNames(top, level, attributes or _EVERYTHING)


def _names(step: dis.Instruction, name: str) -> bool:
    # Python 3.13 reads two variables in one instruction.
    return name in step.argval if isinstance(step.argval, tuple) else name == step.argval


_LOOKS_UP_GLOBALS = {"globals", "eval", "exec", "modules"}
_LOOKS_UP_VARIABLES = {"environ", "environb", "getenv", "getenvb"}
_LOOKS_UP_MODULES = {"import_module", "__import__"}

_NAME = re.compile(r"[^\W\d]\w*")
_MODULE = re.compile(r"(\.*)((?:[^\W\d]\w*\.)*[^\W\d]\w*)")


def globals_named(scope: dict[str, Any], reading: CodeReading) -> set[tuple[str, ...]]:
    """The globals that a text in the code may look up, in the form of `CodeReading.names`."""
    if not _LOOKS_UP_GLOBALS & reading.mentioned:
        return set()
    return {(name,) for text in reading.texts for name in _NAME.findall(text) if name in scope}


def modules_named(reading: CodeReading) -> set[ImportedNames]:
    """The modules that a text in the code may import, each as a whole."""
    if not _LOOKS_UP_MODULES & reading.mentioned:
        return set()
    found = filter(None, map(_MODULE.fullmatch, reading.texts))
    return {ImportedNames(match[2], len(match[1]), ()) for match in found}


def variables_named(reading: CodeReading) -> dict[str, str]:
    """The environment variables that a text in the code names, with their values."""
    if not _LOOKS_UP_VARIABLES & reading.mentioned:
        return {}
    names = (name for name in reading.texts if "\0" not in name)
    return {f"environment {name}": os.environ[name] for name in names if name in os.environ}
