"""What the byte code of a function does, and which names outside of it it reads.

The code is read instruction by instruction, so that neither comments nor the places of lines and
files count, nor the text that documents a function.
"""

from __future__ import annotations

import dis
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CodeReading", "ImportedNames", "read_code"]

_READS_NAME = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_READS_ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD"}
# What is stored in each class and decides nothing: a line, what has no order, a text for people.
_PLACES_OF_CLASSES = {"__firstlineno__", "__static_attributes__", "__doc__"}
_EVERYTHING: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class ImportedNames:
    """A module that a function imports, and a chain of attributes that it reads of it.

    `level` is the number of dots in front of the module; no attributes are the module as a whole.
    """

    module: str
    level: int
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class CodeReading:
    """The instructions of a function, and what they read.

    `names` are chains: ``("settings", "UNITS")`` where the code has ``settings.UNITS``. `mentioned`
    are all names, those of attributes included, and `texts` the strings among the constants.
    """

    instructions: list[Any] = field(default_factory=list)
    names: set[tuple[str, ...]] = field(default_factory=set)
    imports: set[ImportedNames] = field(default_factory=set)
    mentioned: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


def read_code(code: types.CodeType, describe: Callable[[Any], Any]) -> CodeReading:
    """Read the code of a function and of all that is defined within it.

    Parameters
    ----------
    code : code
    describe : callable
        Makes a description of a constant.
    """
    reading = CodeReading(mentioned=set(code.co_names))
    found = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    for place, step in enumerate(found):
        if step.opname == "STORE_NAME" and step.argval in _PLACES_OF_CLASSES:
            reading.instructions[-1] = None  # The constant that would be stored.
        if isinstance(step.argval, types.CodeType):
            inner = read_code(step.argval, describe)
            reading.instructions.append([step.opname, inner.instructions])
            reading.names.update(inner.names)
            reading.imports.update(inner.imports)
            reading.mentioned.update(inner.mentioned)
            reading.texts.update(inner.texts)
            continue
        if step.opcode in dis.hasconst:
            # Not `argval`: in Python 3.11 `dis` does not know the names of a call's keywords.
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
    # `import package.part` gives the package its name here, and its part beside.
    top = module.partition(".")[0]
    yield ImportedNames(module, level, ("__name__",))
    for number, step in enumerate(steps):
        if step.opname.startswith("LOAD_FAST") and _names(step, stored.argval):
            attributes = tuple(_attributes(steps[number + 1 :]))
            yield ImportedNames(top, level, attributes or _EVERYTHING)


def _names(step: dis.Instruction, name: str) -> bool:
    # Python 3.13 reads two variables in one instruction.
    return name in step.argval if isinstance(step.argval, tuple) else name == step.argval
