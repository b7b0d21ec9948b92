"""Lets Ctrl-C end the command ``skhp`` at once, with one line, while it still imports.

The imports take seconds, and begin before any code of the command. A KeyboardInterrupt during them
would print a traceback, or be lost in a module of another library. Other programs are not changed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable

# Only modules that take no time are imported above.


EXIT_INTERRUPTED = 130
COMMANDS = ("tune", "report", "journal")

_standard_error: list[int] = []


def end_command_on_ctrl_c() -> None:
    """Let Ctrl-C end the process at once, if it is the command and does not ignore Ctrl-C.

    Shells make a command in the background ignore Ctrl-C, which is left unchanged.
    """
    if (
        is_command(getattr(sys, "argv", []), sys.orig_argv)
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        # A copy, as a file replaces standard error while TensorFlow is imported.
        with contextlib.suppress(OSError):
            _standard_error.append(os.dup(2))
        signal.signal(signal.SIGINT, _leave)


def let_ctrl_c_interrupt(after: Callable[[], object]) -> None:
    """Call `after`, which does the last imports, then make Ctrl-C a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        after()
        signal.signal(signal.SIGINT, signal.default_int_handler)


def let_ctrl_c_kill() -> None:
    """Let another Ctrl-C end the command at once, while it waits for threads that train."""
    if _standard_error:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


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


def _leave(*_: object) -> None:
    command = next((name for name in sys.argv[1:2] if name in COMMANDS), "")
    line = f"{f'skhp {command}'.strip()}: stopped by Ctrl-C, no files were written\n"
    for descriptor in _standard_error:
        with contextlib.suppress(OSError):
            os.write(descriptor, line.encode())
    # The module that is being imported might swallow an exception.
    os._exit(EXIT_INTERRUPTED)
