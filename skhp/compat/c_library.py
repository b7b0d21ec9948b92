"""Memory that the C library keeps after it was freed.

glibc keeps freed memory for the next allocation: after a search over a table of 40 MB, more than
100 MB stay with the process, and copies of folds that nobody holds count in the peak.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

# Rows of fewer bytes than this are not worth the milliseconds.
_LARGE = 2**23


def are_large(rows: Any) -> bool:
    """Whether copies of these rows take so much memory that it should be returned."""
    return getattr(rows, "nbytes", 0) >= _LARGE


def return_freed_memory() -> None:
    """Give freed memory back to the system, where the C library is glibc; it takes milliseconds."""
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Callable[[int], int] | None:
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        # Windows has no library of this kind.
        return None
    return getattr(library, "malloc_trim", None)
