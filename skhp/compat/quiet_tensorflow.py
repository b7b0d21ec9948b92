"""Import TensorFlow without the log lines that it writes while it is loaded.

Unless ``TF_CPP_MIN_LOG_LEVEL`` is set, it is set to 3. To see TensorFlow's messages again, set the
variable to a lower number (``TF_CPP_MIN_LOG_LEVEL=0``) or import TensorFlow before the first
estimator.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

from skhp.compat.forked_process import watch_forks
from skhp.compat.kept_compilations import compilations_are_kept

LOG_LEVEL_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
_QUIET = "3"

_LOG_LINE = re.compile(
    rb"[IWE]\d{4} |\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
    rb"|WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions: "
)


def import_tensorflow_quietly() -> None:
    """Import TensorFlow and Keras, and keep their log off stderr unless the user wants it."""
    watch_forks()
    if "tensorflow" in sys.modules:
        importlib.import_module("keras")
        return
    # A child process inherits the level of a quiet parent, and has to be quiet, too.
    is_quiet = os.environ.get(LOG_LEVEL_VARIABLE, _QUIET) == _QUIET
    if is_quiet:
        os.environ[LOG_LEVEL_VARIABLE] = _QUIET
    with compilations_are_kept(), _without_log_lines() if is_quiet else contextlib.nullcontext():
        importlib.import_module("keras")


@contextlib.contextmanager
def _without_log_lines() -> Iterator[None]:
    # TensorFlow 2.21 writes a few lines to file descriptor 2 before it reads its own log level
    # ("All log messages before absl::InitializeLog() is called are written to STDERR"), so the
    # variable alone does not silence them. Whatever else is written meanwhile is passed on.
    try:
        stderr = os.dup(2)
    except OSError:
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not _LOG_LINE.match(line):
                    os.write(2, line)
