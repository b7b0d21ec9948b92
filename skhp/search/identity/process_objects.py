"""Objects that each process has of its own, and those that only talk to people."""

from __future__ import annotations

import os
import random
import sys
from typing import Any

from sklearn.utils import check_random_state

__all__ = ["is_for_people", "name_in_each_process"]

# Loggers, consoles and bars of progress: what is written there decides no score.
_FOR_PEOPLE = {"logging", "loguru", "rich", "structlog", "tqdm"}

_STREAMS = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")


def name_in_each_process(value: Any) -> str | None:
    """The name of what is another object in each process and means the same; None for all else."""
    if value is check_random_state(None):
        return "the global random state of numpy"
    if value is random.seed.__self__:  # type: ignore[attr-defined]
        return "the global random state of Python"
    if value is os.environ:
        return "os.environ"  # Each terminal has another one.
    return next((f"sys.{name}" for name in _STREAMS if value is getattr(sys, name)), None)


def is_for_people(value: Any) -> bool:
    """Whether a value counts by its class alone, as nothing of it comes back to the code."""
    packages = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    # A bar of progress may be a way through something.
    return bool(_FOR_PEOPLE & packages) and getattr(value, "iterable", None) is None
