"""Docstrings of classes that share the documentation of their parameters and attributes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

Documented = TypeVar("Documented", bound=type)


def documented(parameters: str, attributes: str = "") -> Callable[[Documented], Documented]:
    """A decorator that adds shared parameters and attributes to the docstring of a class.

    `parameters` and `attributes` are entries in numpydoc's format, without defaults. A parameter is
    added if the constructor has it and the class does not document it itself; its default and the
    order are those of the constructor. The attributes replace ``{attributes}`` in the docstring.
    """

    def completed(kind: Documented) -> Documented:
        # Python started with -OO has no docstrings.
        if kind.__doc__ is not None:
            docstring = kind.__doc__.replace("    {attributes}", attributes.strip("\n"))
            kind.__doc__ = completed_docstring(docstring, inspect.signature(kind), parameters)
        return kind

    return completed


def completed_docstring(docstring: str, signature: inspect.Signature, shared: str) -> str:
    """The docstring with all parameters of the signature, in its order."""
    head, mark, rest = inspect.cleandoc(docstring).partition("Parameters\n----------\n")
    if not mark:
        return docstring
    own, section, others = re.split(r"(\n\n(?=\w+\n-+\n)|\Z)", rest, maxsplit=1)
    entries = dict(_entries(own))
    for name, entry in _entries(inspect.cleandoc(shared)):
        if name in signature.parameters and name not in entries:
            kind, _, text = entry.partition("\n")
            default = signature.parameters[name].default
            stated = "" if default is inspect.Parameter.empty else f", default={_text(default)}"
            entries[name] = f"{kind}{stated}\n{text}"
    parameters = "\n".join(entries[name] for name in signature.parameters if name in entries)
    return f"{head}{mark}{parameters}{section}{others}\n"


def _entries(section: str) -> Iterator[tuple[str, str]]:
    """Each parameter of a section of a docstring, by its name."""
    for entry in re.split(r"\n(?=\*{0,2}\w+ : )", section.strip()):
        yield entry.partition(" : ")[0].lstrip("*"), entry


def _text(default: Any) -> str:
    """A default as the documentation writes it."""
    if isinstance(default, str):
        return f'"{default}"'
    return "np.nan" if default != default else repr(default)
