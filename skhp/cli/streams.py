"""Standard output and error of a command, which may be closed, full or of any encoding."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from skhp.shared.progress_stream import flush, progress_stream


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
        flush(stream)
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
    return progress_stream(sys.stderr)


def _settle(stream: TextIO) -> None:
    """Empty the buffer, if need be into `os.devnull`, as Python would flush it again at exit."""
    try:
        flush(stream)
    except OSError:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            flush(stream)
    except ValueError:
        pass  # The program that calls the command has closed the stream.
