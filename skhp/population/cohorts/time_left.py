"""An estimate of how long a population still trains, from what its cohorts have done so far."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

# The points at which the chance that a member still trains is taken.
_POINTS = 100


@dataclass(frozen=True)
class CohortWork:
    """How far a cohort is, and how long its epochs take.

    Parameters
    ----------
    members : int
        The number of members to train.
    running : int
        The number of members whose training has not ended.
    planned : int
        The most epochs that a member may train.
    expected_seconds : float
        The seconds of an epoch by an estimate made before the training. Only the ratio between
        cohorts counts.
    done : int, default=0
        The epochs that the cohort has run.
    ended_early : int, default=0
        The number of members that ended before the last epoch that was planned for them.
    epochs_of_members : int, default=0
        The sum of the epochs that all members have run.
    epochs_left : int, default=0
        The sum of the epochs that members may still run.
    epoch_seconds : float or None, default=None
        The seconds of an epoch in the last chunk; None before the first chunk without compilation.
    """

    members: int
    running: int
    planned: int
    expected_seconds: float
    done: int = 0
    ended_early: int = 0
    epochs_of_members: int = 0
    epochs_left: int = 0
    epoch_seconds: float | None = None


def seconds_left(cohorts: Sequence[CohortWork], workers: int) -> float | None:
    """The seconds until all cohorts are done; None as long as no epoch was timed.

    A cohort trains until its last member ends. Nobody knows which members will end early, so those
    that have ended so far give the chance that a member ends in an epoch. Cohorts that wait are
    timed by those that have begun, and take the first worker that is free. The time to compile
    programs is left out.

    Examples
    --------
    >>> half_done = CohortWork(20, 20, 100, 1.0, done=50, epochs_of_members=1000, epoch_seconds=0.5)
    >>> waiting = CohortWork(20, 20, 100, 2.0)
    >>> seconds_left([half_done, waiting], workers=1)
    125.0
    >>> seconds_left([half_done, waiting], workers=2)
    100.0
    """
    timed = [cohort for cohort in cohorts if cohort.epoch_seconds is not None]
    if not timed:
        return None
    scale = sum(cohort.epoch_seconds or 0.0 for cohort in timed) / sum(
        max(cohort.expected_seconds, 1e-12) for cohort in timed
    )
    epochs = sum(cohort.epochs_of_members for cohort in cohorts)
    hazard = sum(cohort.ended_early for cohort in cohorts) / max(epochs, 1)

    def seconds_of(cohort: CohortWork) -> float:
        seconds = cohort.epoch_seconds
        if seconds is None:
            seconds = scale * cohort.expected_seconds
        return seconds * _epochs_until_the_last_ends(cohort, hazard)

    begun = [cohort for cohort in cohorts if cohort.running and cohort.done]
    waiting = [cohort for cohort in cohorts if cohort.running and not cohort.done]
    free_in = [seconds_of(cohort) for cohort in begun]
    free_in += [0.0] * (workers - len(free_in))
    heapq.heapify(free_in)
    for cohort in waiting:
        heapq.heappush(free_in, heapq.heappop(free_in) + seconds_of(cohort))
    return max(free_in)


def _epochs_until_the_last_ends(cohort: CohortWork, hazard: float) -> float:
    """The expected number of epochs, if each member ends with this chance after each epoch."""
    most = float(max(cohort.planned - cohort.done, 0))
    if not cohort.running:
        return 0.0
    if not hazard:
        return most
    step = most / _POINTS
    stays = (1.0 - min(hazard, 1.0)) ** step
    # The sum over time of the chance that not all members have ended.
    return step * sum(
        1.0 - (1.0 - stays ** (point + 0.5)) ** cohort.running for point in range(_POINTS)
    )
