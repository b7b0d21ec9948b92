"""Names that Keras makes up: "dense_3" is the fourth nameless dense layer of the process."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

__all__ = ["without_counters"]


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
