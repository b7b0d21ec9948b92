"""How far the training of a population is, and one line about it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from skhp.compat.joblib import short_format_time


@dataclass(frozen=True)
class PopulationProgress:
    """How far the training of a population is.

    Parameters
    ----------
    members, cohorts : int
        Members of the population, and the cohorts they train in.
    epochs_done : int
        Epochs of all members together.
    still_training : int
        Members whose training has not ended.
    seconds : float
        Since the training of the population began.
    new_epochs : mapping of int to int
        Epochs since the last progress of each member that ran any, by its number.
    """

    members: int
    cohorts: int
    epochs_done: int
    still_training: int
    seconds: float
    new_epochs: Mapping[int, int] = field(default_factory=dict)


class ProgressObserver(Protocol):
    """Is told of progress; its method may be called from any thread."""

    def advanced(self, progress: PopulationProgress) -> None:
        """Take notice of progress."""


class SilentProgress:
    """Says nothing."""

    def advanced(self, progress: PopulationProgress) -> None:
        """Say nothing."""


class PrintedProgress:
    """Prints progress as joblib prints its own.

    Parameters
    ----------
    source : str
        What joblib names in brackets, the Parallel call.
    """

    def __init__(self, source: str) -> None:
        self._source = source

    def advanced(self, progress: PopulationProgress) -> None:
        """Print one line, by a single call so that lines of two threads do not mix."""
        sys.stderr.write(f"[{self._source}]: {progress_line(progress)}\n")


def progress_line(progress: PopulationProgress) -> str:
    """One line about progress.

    Examples
    --------
    >>> progress_line(PopulationProgress(100, 3, 1200, 20, 3.5))
    'Trained  80 out of 100 in 3 cohorts | epochs: 1200 | elapsed:    3.5s'
    """
    done = progress.members - progress.still_training
    cohorts = "1 cohort" if progress.cohorts == 1 else f"{progress.cohorts} cohorts"
    return (
        f"Trained {done:{len(str(progress.members))}d} out of {progress.members} in {cohorts} "
        f"| epochs: {progress.epochs_done} | elapsed: {short_format_time(progress.seconds)}"
    )
