"""The estimate of the time left, over simulated trainings: no clock is asked."""

import heapq

import numpy as np
import pytest

from skhp.population.cohorts.time_left import CohortWork, seconds_left


class SimulatedCohort:
    """A cohort whose members end after given epochs, and whose epochs take given seconds."""

    def __init__(self, ends, planned, epoch_seconds, expected_seconds=None):
        self.ends = np.asarray(ends)
        self.planned = planned
        self.epoch_seconds = epoch_seconds
        self.expected_seconds = expected_seconds or epoch_seconds

    @property
    def seconds(self):
        return self.ends.max() * self.epoch_seconds

    def work(self, seconds):
        """What is known of it after so many seconds of its training."""
        done = int(min(max(seconds, 0) / self.epoch_seconds, self.ends.max()))
        running = self.ends > done
        epochs = np.minimum(self.ends, done)
        return CohortWork(
            members=len(self.ends),
            running=int(running.sum()),
            planned=self.planned,
            expected_seconds=self.expected_seconds,
            done=done,
            ended_early=int((~running & (self.ends < self.planned)).sum()),
            epochs_of_members=int(epochs.sum()),
            epochs_left=int(running.sum()) * (self.planned - done),
            epoch_seconds=self.epoch_seconds if done else None,
        )


def simulated(cohorts, workers, share):
    """The estimate after a share of the whole time, and the true time left."""
    free = [0.0] * workers
    begins = []
    for cohort in cohorts:
        begins.append(heapq.heappop(free))
        heapq.heappush(free, begins[-1] + cohort.seconds)
    whole = max(free)
    now = share * whole
    works = [cohort.work(now - begin) for cohort, begin in zip(cohorts, begins, strict=True)]
    return seconds_left(works, workers), whole - now


def ends_by_patience(generator, members, planned, least, mean):
    """Members stop after different numbers of epochs, some only at the last."""
    return np.minimum(least + generator.exponential(mean, members).astype(int), planned)


CASES = {
    "one cohort to its end": [SimulatedCohort([100] * 20, 100, 0.4)],
    "two, then a longer one": [
        SimulatedCohort([200] * 30, 200, 0.5),
        SimulatedCohort([200] * 30, 200, 0.6),
        SimulatedCohort([50] * 9, 50, 8.0),
    ],
    "twelve that wait": [SimulatedCohort([60] * 50, 60, 0.1 * (k % 3 + 1)) for k in range(12)],
    "the estimate before is ten times off": [
        SimulatedCohort([40] * 8, 40, 2.0 + k, expected_seconds=0.2 + 0.1 * k) for k in range(5)
    ],
    "most members stop early": [
        SimulatedCohort(ends_by_patience(np.random.default_rng(k), 100, 300, 8, 40), 300, 0.3)
        for k in range(4)
    ],
    "candidates with other epochs": [SimulatedCohort([10] * 50 + [100] * 50, 100, 0.2)],
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("case", CASES)
def test_it_is_right_within_a_factor_of_two_after_a_tenth_of_the_work(case, share, workers):
    estimate, left = simulated(CASES[case], workers, share)
    assert left / 2 <= estimate <= left * 2


def test_nothing_is_known_before_an_epoch_was_timed():
    assert seconds_left([CohortWork(3, 3, 10, 1.0)], 2) is None
    # The first chunk may have compiled the program.
    assert seconds_left([CohortWork(3, 3, 10, 1.0, done=1, epochs_of_members=3)], 2) is None


def test_a_cohort_that_is_done_takes_no_time_and_times_the_others():
    done = CohortWork(3, 0, 10, 1.0, done=10, epochs_of_members=30, epoch_seconds=0.5)
    assert seconds_left([done], 1) == 0.0
    assert seconds_left([done, CohortWork(3, 3, 20, 2.0)], 1) == 20.0


def test_the_chance_to_end_gives_the_mean_of_the_longest():
    """Against a simulation of members that end with this chance."""
    generator = np.random.default_rng(0)
    hazard, members, left = 0.02, 30, 400
    work = CohortWork(
        60, members, 500, 1.0, 100, ended_early=30, epochs_of_members=1500, epoch_seconds=1.0
    )
    ends = np.minimum(generator.geometric(hazard, (20_000, members)), left).max(axis=1)
    assert seconds_left([work], 1) == pytest.approx(ends.mean(), rel=0.03)
