"""What code looks up by a name that stands in a text: in `globals()`, in the environment, a module.

Code that puts such a name together as it runs is not seen through.
"""

from __future__ import annotations

import os
import re
from typing import Any

from skhp.search.code_reading import CodeReading, ImportedNames

__all__ = ["globals_named", "modules_named", "variables_named"]

_LOOKS_UP_GLOBALS = {"globals", "eval", "exec", "modules"}
_LOOKS_UP_VARIABLES = {"environ", "environb", "getenv", "getenvb"}
_LOOKS_UP_MODULES = {"import_module", "__import__"}

_NAME = re.compile(r"[^\W\d]\w*")
_MODULE = re.compile(r"(\.*)((?:[^\W\d]\w*\.)*[^\W\d]\w*)")


def globals_named(scope: dict[str, Any], reading: CodeReading) -> set[tuple[str, ...]]:
    """The globals of whose names a text consists, as `CodeReading.names` has them."""
    if not _LOOKS_UP_GLOBALS & reading.mentioned:
        return set()
    return {(name,) for text in reading.texts for name in _NAME.findall(text) if name in scope}


def modules_named(reading: CodeReading) -> set[ImportedNames]:
    """The modules that a text may name, each as a whole."""
    if not _LOOKS_UP_MODULES & reading.mentioned:
        return set()
    found = filter(None, map(_MODULE.fullmatch, reading.texts))
    return {ImportedNames(match[2], len(match[1]), ()) for match in found}


def variables_named(reading: CodeReading) -> dict[str, str]:
    """The variables of the environment that a text names, with their values."""
    if not _LOOKS_UP_VARIABLES & reading.mentioned:
        return {}
    names = (name for name in reading.texts if "\0" not in name)
    return {f"environment {name}": os.environ[name] for name in names if name in os.environ}
