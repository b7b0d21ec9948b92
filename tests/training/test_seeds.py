import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhp.training.training_rows import TrainingSeeds

SEEDS = st.integers(0, 2**31 - 1)


def numbers(seed):
    return dataclasses.astuple(TrainingSeeds.derived_from(seed))


@settings(deadline=None)
@given(SEEDS)
def test_seeds_depend_on_the_number_alone(seed):
    assert TrainingSeeds.derived_from(seed) == TrainingSeeds.derived_from(seed)


@settings(deadline=None)
@given(SEEDS)
def test_the_seeds_of_one_fit_differ(seed):
    assert len({seed, *numbers(seed)}) == 4


@settings(deadline=None)
@given(st.lists(SEEDS, min_size=2, max_size=2, unique=True))
def test_other_numbers_give_other_seeds(seeds):
    for one, other in zip(*map(numbers, seeds), strict=True):
        assert one != other


def test_neighbouring_numbers_share_no_seed_in_any_place():
    drawn = [number for seed in range(1000) for number in numbers(seed)]
    assert len(set(drawn)) == len(drawn)


@settings(deadline=None)
@given(SEEDS)
def test_seeds_are_plain_whole_numbers_from_zero(seed):
    for number in numbers(seed):
        assert type(number) is int
        assert 0 <= number < 2**32


def test_seeds_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainingSeeds.derived_from(0).split = 1


def test_a_negative_number_is_refused():
    with pytest.raises(ValueError, match="non-negative"):
        TrainingSeeds.derived_from(-1)
