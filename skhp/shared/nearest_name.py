"""Suggestions for a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest_name(name: object, known: Iterable[str]) -> str:
    """A sentence that suggests the known name nearest to `name`, or nothing.

    Examples
    --------
    >>> nearest_name("hiden_layers", ["hidden_layers", "neurons"])
    " Did you mean 'hidden_layers'?"
    >>> nearest_name("colour", ["hidden_layers", "neurons"])
    ''
    """
    if not isinstance(name, str):
        return ""
    listed = list(known)
    nearest = difflib.get_close_matches(name, listed, n=1)
    if not nearest:
        # "ReLU" and "relu" are not close, since upper and lower case count as different letters.
        small = {one.lower(): one for one in listed}
        nearest = [small[one] for one in difflib.get_close_matches(name.lower(), small, n=1)]
    return f" Did you mean {nearest[0]!r}?" if nearest else ""
