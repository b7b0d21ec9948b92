"""Standard output and error of a command, which may be closed, full or of any encoding."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class PrintError(Exception):
    """Standard output cannot be written to; `is_left` if the reader of the pipe has closed it."""

    def __init__(self, reason: str, is_left: bool) -> None:
        super().__init__(reason)
        self.is_left = is_left


@contextlib.contextmanager
def streams_of_a_command() -> Iterator[None]:
    """Protect a command from closed descriptors, and from text left in a buffer at its end."""
    # The next file opened would otherwise get the closed descriptor of standard output or error.
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                _settle(stream)


def print_out(text: str) -> None:
    """Print to standard output, if there is one; raise a PrintError if that fails."""
    stream = sys.stdout
    if stream is None:
        return
    # The terminal's encoding may lack letters of a column's name. A StringIO has no encoding.
    encoding = getattr(stream, "encoding", None)
    if encoding:
        # A replaced stream may name an encoding that Python does not know, or that cannot replace
        # letters. The text is then written as it is.
        with contextlib.suppress(LookupError, TypeError, UnicodeError):
            text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        stream.write(text)
        _flush(stream)
    except OSError as error:
        _settle(stream)
        raise PrintError(error.strerror or str(error), isinstance(error, BrokenPipeError)) from None
    except ValueError as error:
        raise PrintError(str(error), is_left=False) from None


def say(line: str) -> None:
    """Print a line to standard error, if there is one."""
    print(line, file=beside_the_work())


def beside_the_work() -> TextIO:
    """Standard error as a stream whose own errors are ignored."""
    stream: Any = _Forgiving(io.StringIO() if sys.stderr is None else sys.stderr)
    return stream


class _Forgiving:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            _flush(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _flush(stream: TextIO) -> None:
    # A replaced stream may have no method but `write`, which is all that `print` needs.
    flush = getattr(stream, "flush", None)
    if flush is not None:
        flush()


def _settle(stream: TextIO) -> None:
    """Empty the buffer, if need be into `os.devnull`, as Python would flush it again at exit."""
    try:
        _flush(stream)
    except OSError:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            _flush(stream)
    except ValueError:
        pass  # The program that calls the command has closed the stream.
