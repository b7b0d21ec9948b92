"""What an estimator is called in titles and messages."""

from __future__ import annotations

__all__ = ["public_name"]


def public_name(estimator: object) -> str:
    """The name of the class of an estimator, or of the first base whose name is public.

    A class that a program makes for itself is nothing that a reader could look up.

    Examples
    --------
    >>> class _Counting(dict):
    ...     pass
    >>> public_name(_Counting())
    'dict'
    """
    names = (one.__name__ for one in type(estimator).__mro__)
    return next(name for name in names if not name.startswith("_"))
