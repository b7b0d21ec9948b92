"""Standard output and error of a command: they may be closed, full, or of any encoding."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

__all__ = ["PrintError", "beside_the_work", "print_out", "say", "streams_of_a_command"]


class PrintError(Exception):
    """Standard output took no text.

    Parameters
    ----------
    reason : str
    is_left : bool
        Whether it is a pipe whose reader has gone, as ``head`` does when it has enough.
    """

    def __init__(self, reason: str, is_left: bool) -> None:
        super().__init__(reason)
        self.is_left = is_left


@contextlib.contextmanager
def streams_of_a_command() -> Iterator[None]:
    """Let neither a closed descriptor nor what is left in a buffer disturb a command."""
    # The next file to be opened would become standard output or error, and get what is said.
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
    """Print to standard output, if there is one; a PrintError if it takes no text."""
    stream = sys.stdout
    if stream is None:
        return
    # A column may have a name that the encoding of the terminal has no letters for. Text that is
    # caught in a StringIO has no encoding.
    encoding = getattr(stream, "encoding", None)
    if encoding:
        # Whoever catches text may name an encoding that Python does not know, or one that cannot
        # replace letters: the stream itself tells whether it takes the text.
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
    """Print a line to standard error, if anyone can be told."""
    print(line, file=beside_the_work())


def beside_the_work() -> TextIO:
    """Standard error as a stream whose own errors end nothing."""
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
    # What catches text needs no more than `write`, by which `print` prints.
    flush = getattr(stream, "flush", None)
    if flush is not None:
        flush()


def _settle(stream: TextIO) -> None:
    """Empty the buffer, into nowhere where it must be: Python would try again when it ends."""
    try:
        _flush(stream)
    except OSError:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            _flush(stream)
    except ValueError:
        # Closed by the program that calls the command.
        pass
