"""What a population reports: its progress, and which fits it could not train together."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any, Protocol, Self

from skhp.compat.joblib import short_format_time
from skhp.exceptions import CannotJoinError
from skhp.population.cohorts.time_left import CohortWork, seconds_left
from skhp.population.limits.timed_tasks import CandidateTimeoutError
from skhp.shared.progress_stream import progress_stream


@dataclass(frozen=True)
class PopulationReport:
    """How a population trained the networks of skhp that it was given.

    It does not count fits of other estimators, fits whose results a journal knew, and fits that
    failed before their training.

    Parameters
    ----------
    n_together : int, default=0
        The number of fits that were trained together.
    by_keras : mapping of str to int, default={}
        The number of fits that Keras trained one by one for each reason, the most frequent reason
        first.
    alone : mapping of str to int, default={}
        The number of fits that skhp trained alone because the training of their cohort failed, for
        each error, the most frequent error first.

    Examples
    --------
    >>> print(PopulationReport(12, {"callbacks run in Python (ModelCheckpoint)": 488}))
    12 of 500 fits trained together; 488 by Keras: callbacks run in Python (ModelCheckpoint)
    """

    n_together: int = 0
    by_keras: Mapping[str, int] = field(default_factory=dict)
    alone: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("by_keras", "alone"):
            object.__setattr__(self, name, dict(Counter(getattr(self, name)).most_common()))

    @property
    def n_by_keras(self) -> int:
        """The number of fits that Keras trained, for any reason."""
        return sum(self.by_keras.values())

    @property
    def n_fits(self) -> int:
        """The number of all fits in this report."""
        return self.n_together + self.n_by_keras + self.n_alone

    @property
    def n_alone(self) -> int:
        """The number of fits that skhp trained alone, after any error of their cohort."""
        return sum(self.alone.values())

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.n_together + other.n_together,
            Counter(self.by_keras) + Counter(other.by_keras),
            Counter(self.alone) + Counter(other.alone),
        )

    def __str__(self) -> str:
        text = f"{self.n_together} of {self.n_fits} fits trained together"
        if self.by_keras:
            text += f"; {self.n_by_keras} by Keras: {_listed(self.by_keras)}"
        if self.alone:
            text += f"; {self.n_alone} alone, as their cohort failed: {_listed(self.alone)}"
        return text


def _listed(reasons: Mapping[str, int]) -> str:
    if len(reasons) == 1:
        return next(iter(reasons))
    return "; ".join(f"{reason}, {count} fits" for reason, count in reasons.items())


@dataclass
class CollectedReport:
    """The report of several calls."""

    total: PopulationReport = field(default_factory=PopulationReport)


_collected: ContextVar[CollectedReport | None] = ContextVar("collected", default=None)


@contextlib.contextmanager
def collected_report() -> Iterator[CollectedReport]:
    """Within this context, which holds for one thread, add up the reports of calls that end."""
    collected = CollectedReport()
    token = _collected.set(collected)
    try:
        yield collected
    finally:
        _collected.reset(token)


class ReportedCall:
    """Counts the fits of one call of a population."""

    def __init__(self) -> None:
        self._n_together = 0
        self._by_keras: Counter[str] = Counter()
        self._alone: Counter[str] = Counter()

    def count(self, results: Iterable[Any] = (), refusals: Iterable[CannotJoinError] = ()) -> None:
        """Count fits that are done: the results of members of cohorts, and refused fits."""
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, CandidateTimeoutError):
                self._alone[_first_line(result)] += 1
            else:
                self._n_together += 1
        self._by_keras.update(refusal.reason for refusal in refusals)

    def end(self) -> None:
        """Log a warning if fewer than half of the fits were trained together."""
        report = PopulationReport(self._n_together, self._by_keras, self._alone)
        if 2 * report.n_together < report.n_fits:
            logging.getLogger("skhp").warning("%s", report)
        if (collected := _collected.get()) is not None:
            collected.total += report


@dataclass(frozen=True)
class PopulationProgress:
    """How far the training of a population is.

    Parameters
    ----------
    members, cohorts : int
        The number of members of the population, and of the cohorts that they train in.
    epochs_done : int
        The sum of the epochs that all members have run.
    still_training : int
        The number of members whose training has not ended.
    seconds : float
        The seconds since the training of the population began.
    new_epochs : mapping of int to int, default={}
        Maps the number of each member that trained since the last report to its new epochs.
    work : tuple of CohortWork, default=()
        How far each cohort is.
    workers : int, default=1
        The number of cohorts that train at the same time.
    """

    members: int
    cohorts: int
    epochs_done: int
    still_training: int
    seconds: float
    new_epochs: Mapping[int, int] = field(default_factory=dict)
    work: tuple[CohortWork, ...] = ()
    workers: int = 1

    @property
    def epochs_left(self) -> int:
        """The most epochs that all members may still run."""
        return sum(cohort.epochs_left for cohort in self.work)

    @property
    def share_done(self) -> float:
        """The share of the epochs of all members that is done; members that end early skip some."""
        return self.epochs_done / max(self.epochs_done + self.epochs_left, 1)

    @property
    def seconds_left(self) -> float | None:
        """An estimate of the seconds that the training still takes; None while there is none."""
        return seconds_left(self.work, self.workers)


class ProgressObserver(Protocol):
    """Receives progress; its method may be called from any thread."""

    def advanced(self, progress: PopulationProgress) -> None:
        """Receive progress."""


@dataclass(frozen=True)
class ToldOfBoth:
    """Tells two observers."""

    first: ProgressObserver
    second: ProgressObserver

    def advanced(self, progress: PopulationProgress) -> None:
        """Hand progress on."""
        self.first.advanced(progress)
        self.second.advanced(progress)


class SilentProgress:
    """Prints nothing."""

    def advanced(self, progress: PopulationProgress) -> None:
        """Print nothing."""


class PrintedProgress:
    """Prints progress as joblib prints its own; `source` names the call, in brackets."""

    def __init__(self, source: str) -> None:
        self._source = source

    def advanced(self, progress: PopulationProgress) -> None:
        """Print one line, by a single call so that lines of two threads do not mix."""
        progress_stream(sys.stderr).write(f"[{self._source}]: {progress_line(progress)}\n")


def progress_line(progress: PopulationProgress) -> str:
    """One line about progress.

    Examples
    --------
    >>> progress_line(PopulationProgress(100, 3, 1200, 20, 3.5))
    'Trained  80 out of 100 in 3 cohorts | epochs: 1200 | elapsed:    3.5s'

    With what is known of the cohorts, the line has the share of the epochs that is done, and the
    time left:

    >>> work = CohortWork(100, 80, 16, 1.0, done=12, epochs_left=320, epoch_seconds=0.5)
    >>> progress_line(PopulationProgress(100, 1, 1200, 80, 6.0, work=(work,)))
    'Trained  20 out of 100 in 1 cohort | epochs: 1200 (79%) | elapsed:    6.0s | left:    2.0s'
    """
    done = progress.members - progress.still_training
    cohorts = "1 cohort" if progress.cohorts == 1 else f"{progress.cohorts} cohorts"
    share = f" ({progress.share_done:.0%})" if progress.work else ""
    line = (
        f"Trained {done:{len(str(progress.members))}d} out of {progress.members} in {cohorts} "
        f"| epochs: {progress.epochs_done}{share} | elapsed: {short_format_time(progress.seconds)}"
    )
    left = progress.seconds_left if progress.still_training else None
    return line if left is None else f"{line} | left: {short_format_time(left)}"


def _first_line(error: Exception) -> str:
    """The type of an error and the beginning of its message, equal for each member of a cohort."""
    message = shorten(next(iter(str(error).splitlines()), ""), 100, placeholder="...")
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
