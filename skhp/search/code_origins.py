"""Whose code it is: that of an installed package is told by its version, the user's by itself."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import sysconfig
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

__all__ = ["RECORDED_PACKAGES", "origin_of_class", "origin_of_module"]

# The versions of these stand in the identity of each search, beside that of Python.
RECORDED_PACKAGES = ("skhp", "scikit-learn", "keras", "tensorflow", "numpy")
_RECORDED = ""

_INSTALLED = {"site-packages", "dist-packages"}
_STANDARD_LIBRARY = tuple(
    os.path.join(os.path.realpath(sysconfig.get_path(name)), "")
    for name in ("stdlib", "platstdlib")
)
# What is run as a program is the user's, wherever its file lies: `python -m pytest` runs tests.
_PROGRAMS = ("__main__", "__mp_main__")
_OF_CLASSES_IN_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def origin_of_module(name: Any, file: Any = None) -> str | None:
    """The distribution and version that tell of a module's code.

    Parameters
    ----------
    name : str or None
        Of the module, which need not be imported.
    file : str, default=None
        Where it was read from, if that is known.

    Returns
    -------
    str or None
        "" where the identity of a search has that version anyway; None for code of the user's.
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
    """The same of a class; classes that are not written in Python have no code to be told by."""
    origin = origin_of_module(kind.__module__)
    return origin if kind.__flags__ & _OF_CLASSES_IN_PYTHON else origin or _RECORDED


def _place(name: str) -> str | None:
    module = sys.modules.get(name)
    if module is not None:
        found = getattr(module, "__file__", None) or next(
            iter(getattr(module, "__path__", ())), None
        )
        return found if isinstance(found, str) else None
    if "." in name:
        return None  # To find the place of a part, Python would import the whole.
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
        # A file that somebody laid there has no version.
        return ", ".join(f"{name} {version(name)}" for name in names) or None
    return _RECORDED if os.path.realpath(place).startswith(_STANDARD_LIBRARY) else None


@functools.cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())
