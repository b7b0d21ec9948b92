"""The deadline of a search, by a clock of the test."""

import pytest

from skhp.population.limits.conditions import Deadline, dropped_result, is_dropped


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_the_time_left_begins_with_the_object(clock):
    deadline = Deadline(10.0, clock)
    clock.now += 4.0
    assert (deadline.elapsed, deadline.seconds_left(), deadline.is_over) == (4.0, 6.0, False)
    clock.now += 6.0
    assert deadline.is_over
    assert not deadline.is_long_over


@pytest.mark.parametrize(("seconds", "late"), [(10.0, 2.0), (100.0, 10.0)])
def test_a_search_may_be_late_by_two_seconds_or_a_tenth(seconds, late, clock):
    deadline = Deadline(seconds, clock)
    clock.now += seconds + late
    assert not deadline.is_long_over
    clock.now += 0.01
    assert deadline.is_long_over


def test_an_epoch_that_would_end_too_late_is_not_begun(clock):
    deadline = Deadline(100.0, clock)
    clock.now += 50.0
    assert not deadline.ends_within(50.5, to_score=0)
    # An epoch of minutes cannot be broken off.
    assert deadline.ends_within(60.0, to_score=0)
    clock.now += 50.0
    assert deadline.ends_within(0.001, to_score=0)


def test_time_is_reserved_for_the_scores_of_the_members_in_training(clock):
    deadline = Deadline(100.0, clock)
    assert deadline.seconds_left(to_score=50) == 100.0
    for seconds in (0.1, 0.3):
        deadline.took_to_score(seconds)
    assert deadline.seconds_left(to_score=50) == pytest.approx(90.0)
    clock.now += 91.0
    assert deadline.ends_within(0.1, to_score=50)
    assert not deadline.ends_within(0.1, to_score=1)


def test_seconds_of_compiling_are_added_up(clock):
    deadline = Deadline(1.0, clock)
    deadline.took_to_compile(2.0)
    deadline.took_to_compile(3.0)
    assert deadline.compiling == 5.0


def test_a_stand_in_is_told_from_a_result():
    assert is_dropped(dropped_result())
    assert not is_dropped({"fit_error": None, "test_scores": float("nan")})
