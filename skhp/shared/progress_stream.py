"""A stream for progress and notes, whose own errors do not end the work that they tell of."""

from __future__ import annotations

import contextlib
import io
from typing import Any, TextIO


def progress_stream(stream: TextIO | None) -> TextIO:
    """A stream that drops what cannot be written: it is closed, full, or nobody reads it.

    Python sets standard output and error to None where a process starts without them.
    """
    forgiving: Any = _Forgiving(io.StringIO() if stream is None else stream)
    return forgiving


def flush(stream: TextIO) -> None:
    """Flush a stream; one that replaces standard output may have no method but `write`."""
    flushes = getattr(stream, "flush", None)
    if flushes is not None:
        flushes()


class _Forgiving:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            flush(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
