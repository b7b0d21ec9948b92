"""Which library a class or a function comes from."""

from __future__ import annotations

from typing import Any

__all__ = ["library_of"]


def library_of(thing: Any) -> str:
    """Name of the top package that defines a class or a function.

    Examples
    --------
    >>> from sklearn.base import clone
    >>> library_of(clone)
    'sklearn'
    """
    return (thing.__module__ or "").partition(".")[0]
