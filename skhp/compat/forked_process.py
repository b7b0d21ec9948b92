"""Tells whether this process was forked from one that had used TensorFlow.

A fork copies the memory of a process and not its threads. In the child, TensorFlow waits for
threads of the parent without end and without a word.
"""

from __future__ import annotations

import functools
import os
import sys

_is_unusable = False


@functools.cache
def watch_forks() -> None:
    """Note forks of this process from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_note_fork)


def refuse_after_fork() -> None:
    """Raise RuntimeError where TensorFlow would wait without end.

    Raises
    ------
    RuntimeError
        If this process was forked from one that had used TensorFlow.
    """
    if _is_unusable:
        raise RuntimeError(
            "This process was forked from one that had used TensorFlow, and a fork copies no "
            "threads, so that a network would wait without end. Start processes by spawn: "
            'multiprocessing.get_context("spawn"), or joblib\'s backend "loky" instead of '
            '"multiprocessing". Or fork before the first fit or prediction of a network.'
        )


def _note_fork() -> None:
    global _is_unusable
    _is_unusable = _is_unusable or _has_used_tensorflow()


def _has_used_tensorflow() -> bool:
    """Whether TensorFlow has started its threads; if another version cannot tell, it may have.

    TensorFlow 2.21 makes a context, and starts them, with its first operation; there is no public
    way to ask for it.
    """
    module = sys.modules.get("tensorflow.python.eager.context")
    if module is None:
        return False
    try:
        return module.context_safe() is not None
    except AttributeError:
        return True
