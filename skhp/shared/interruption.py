"""Lets Ctrl-C, SIGTERM and SIGHUP end the command ``skhp`` with one line and a usual exit code.

The imports take seconds, and begin before any code of the command. A KeyboardInterrupt during them
would print a traceback, or be lost in a module of another library. Other programs are not changed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

# Only modules that take no time are imported above.


COMMANDS = ("tune", "report", "journal")

# Shells give the exit code 128 + number to what a signal has ended.
_EXIT_OF_SIGNAL = 128
# What a terminal, a person or a scheduler sends to end a command. Windows has no SIGHUP.
_NAMES = {
    getattr(signal, name): said
    for name, said in (("SIGINT", "Ctrl-C"), ("SIGTERM", "SIGTERM"), ("SIGHUP", "SIGHUP"))
    if hasattr(signal, name)
}
# rich hides the cursor of a terminal while it shows a bar.
_SHOW_CURSOR = b"\x1b[?25h\n"


def _first_line(cause: str) -> str:
    command = next((name for name in sys.argv[1:2] if name in COMMANDS), "")
    return f"{f'skhp {command}'.strip()}: stopped by {cause}, no files were written"


class Interrupted(KeyboardInterrupt):
    """A signal asks the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Command:
    """What a signal has to know of the command that it ends."""

    def __init__(self) -> None:
        self.standard_error: int | None = None
        self.signals: list[int] = []
        self.line: Callable[[str], str] = _first_line
        self.has_said = False
        self.unfinished: set[Path] = set()

    def on_signal(self, does: Callable[[int, FrameType | None], Any]) -> None:
        for number in self.signals:
            signal.signal(number, does)


_command = _Command()


def end_command_on_signals() -> None:
    """Let a signal end the process at once, if it is the command and does not ignore the signal.

    Shells make a command in the background ignore Ctrl-C, and ``nohup`` SIGHUP, which is left
    unchanged.
    """
    if not (
        is_command(getattr(sys, "argv", []), sys.orig_argv)
        and threading.current_thread() is threading.main_thread()
    ):
        return
    # A copy, as a file replaces standard error while TensorFlow is imported.
    with contextlib.suppress(OSError):
        _command.standard_error = os.dup(2)
    as_usual = (signal.SIG_DFL, signal.default_int_handler)
    _command.signals = [number for number in _NAMES if signal.getsignal(number) in as_usual]
    _command.on_signal(_leave)


def let_signals_interrupt(after: Callable[[], object]) -> None:
    """Call `after`, which does the last imports, then let a signal raise `Interrupted`.

    A second signal ends the command at once: threads may train for seconds before they look
    whether they are to end, and Python may be unable to end while they do.
    """
    if _command.signals:
        after()
        _command.on_signal(_interrupt)


def tell_by(line: Callable[[str], str]) -> None:
    """Have a function make the line on what has ended the command, such as "Ctrl-C"."""
    _command.line = line


def line_on(interruption: KeyboardInterrupt) -> str:
    """The line on an interruption, which another signal then does not say once more."""
    _command.has_said = True
    _command.on_signal(_leave)
    return _command.line(_NAMES[_number_of(interruption)])


def exit_code_of(interruption: KeyboardInterrupt) -> int:
    """The exit code after an interruption."""
    return _EXIT_OF_SIGNAL + _number_of(interruption)


def leave_now(exit_code: int) -> None:
    """End the process, if it is the command, whose threads may still train.

    Python would abort the process where it ends a thread that is within TensorFlow.
    """
    if _command.signals:
        os._exit(exit_code)


@contextlib.contextmanager
def unfinished(path: Path) -> Iterator[None]:
    """A context in which a signal that ends the process at once removes a file or folder."""
    _command.unfinished.add(path)
    try:
        yield
    finally:
        _command.unfinished.discard(path)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore signals that interrupt while files that belong together are moved."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _NAMES}
    interrupting = {number: does for number, does in before.items() if callable(does)}
    for number in interrupting:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, does in interrupting.items():
            signal.signal(number, does)


def is_command(argv: list[str], original: list[str]) -> bool:
    """Whether the arguments start the command; argv[0] is "-m" while Python looks for skhp.

    Examples
    --------
    >>> is_command(["/usr/bin/skhp", "tune"], ["python", "/usr/bin/skhp", "tune"])
    True
    >>> is_command(["-m", "tune"], ["python", "-m", "skhp", "tune"])
    True
    >>> is_command(["-m", "skhp"], ["python", "-m", "pytest", "skhp"])
    False
    """
    if not argv:
        return False
    if argv[0] != "-m":
        return os.path.basename(argv[0]) in ("skhp", "skhp.exe")
    options = " ".join(original).partition(" -m")[2]
    return options.split()[:1] == ["skhp"]


def _interrupt(number: int, _: FrameType | None) -> None:
    _command.on_signal(_leave)
    raise Interrupted(number)


def _leave(number: int, _: FrameType | None) -> None:
    for path in list(_command.unfinished):
        import shutil

        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.unlink()
    if _command.standard_error is not None and not _command.has_said:
        with contextlib.suppress(OSError):
            if os.isatty(_command.standard_error):
                os.write(_command.standard_error, _SHOW_CURSOR)
            os.write(_command.standard_error, f"{_command.line(_NAMES[number])}\n".encode())
    # The module that is being imported might swallow an exception.
    os._exit(_EXIT_OF_SIGNAL + number)


def _number_of(interruption: KeyboardInterrupt) -> int:
    return interruption.number if isinstance(interruption, Interrupted) else signal.SIGINT
