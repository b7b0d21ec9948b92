from collections import defaultdict
from math import fsum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from skhp.training.training_rows import TrainingRows, distinct_rows, row_groups

# Few values, so that rows are often equal; among them both zeros, and neighbours.
VALUES = st.sampled_from(
    [0.0, -0.0, 1.0, float(np.nextafter(np.float32(1), np.float32(2))), -1.0, 1e-40, 3e38]
)


def tables(max_rows=12, max_columns=3):
    return st.tuples(st.integers(1, max_rows), st.integers(1, max_columns)).flatmap(
        lambda shape: arrays.arrays(np.float32, shape, elements=VALUES)
    )


def content(row):
    """What a row holds, as a key of a dict, where -0.0 is 0.0."""
    return tuple(float(value) for value in np.ravel(row))


@settings(deadline=None)
@given(tables())
def test_rows_are_in_one_group_where_they_are_equal(table):
    _, group = row_groups(table)
    assert len(group) == len(table)
    for i, one in enumerate(table):
        for j, other in enumerate(table):
            assert (group[i] == group[j]) == (content(one) == content(other))


@settings(deadline=None)
@given(tables())
def test_there_are_as_many_groups_as_numpy_finds_rows(table):
    first, group = row_groups(table)
    assert len(first) == len(np.unique(table + 0.0, axis=0))
    assert np.array_equal(np.unique(group), np.arange(len(first)))


@settings(deadline=None)
@given(tables())
def test_the_first_of_a_group_is_of_that_group(table):
    first, group = row_groups(table)
    assert np.array_equal(group[first], np.arange(len(first)))


@settings(deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_the_number_of_a_group_depends_on_its_content_alone(table, random):
    order = list(range(len(table)))
    random.shuffle(order)
    _, group = row_groups(table)
    _, shuffled = row_groups(table[order])
    assert np.array_equal(group[order], shuffled)


@settings(deadline=None)
@given(tables())
def test_a_column_more_of_one_value_changes_no_group(table):
    _, group = row_groups(table)
    _, wider = row_groups(table, np.ones(len(table), dtype=np.int32))
    assert len(np.unique(np.stack([group, wider]), axis=1).T) == len(np.unique(group))


def test_columns_of_several_arrays_count_together():
    X = np.array([[1.0], [1.0], [1.0], [2.0]], dtype=np.float32)
    y = np.array([0, 1, 0, 0], dtype=np.int32)
    _, group = row_groups(X, y)
    assert group[0] == group[2]
    assert len({int(group[0]), int(group[1]), int(group[3])}) == 3


def test_large_whole_numbers_do_not_fall_together():
    X = np.zeros((2, 1), dtype=np.float32)
    _, group = row_groups(X, np.array([2**24, 2**24 + 1], dtype=np.int32))
    assert group[0] != group[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64, np.bool_])
def test_groups_of_any_type_of_numbers(dtype):
    _, group = row_groups(np.array([1, 0, 1, 0, 0], dtype=dtype))
    assert group[0] == group[2] != group[1] == group[3] == group[4]


def test_a_view_in_another_memory_order_has_the_same_groups():
    table = np.random.default_rng(0).integers(0, 2, size=(30, 6)).astype(np.float32)
    _, group = row_groups(table[:, ::2])
    _, fortran = row_groups(np.asfortranarray(table[:, ::2]))
    assert np.array_equal(group, fortran)


def rows_of(table, y, weight):
    return TrainingRows(table, np.asarray(y, dtype=np.int32), np.asarray(weight, dtype=np.float32))


ANY_WEIGHTS = st.floats(0.015625, 100, width=32)


@st.composite
def weighted_rows(draw, weights=ANY_WEIGHTS):
    table = draw(tables())
    y = draw(arrays.arrays(np.int32, len(table), elements=st.integers(0, 2)))
    weight = draw(arrays.arrays(np.float32, len(table), elements=weights))
    return rows_of(table, y, weight)


def weight_by_content(rows):
    """The oracle: a dict from what a row holds to the weights of its copies."""
    found = defaultdict(list)
    for row, target, weight in zip(rows.X, rows.y, rows.weight, strict=True):
        found[content(row), int(target)].append(float(weight))
    return {key: fsum(weights) for key, weights in found.items()}


def same_bits(one, other):
    return all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(
            (one.X + 0.0, one.y, one.weight), (other.X + 0.0, other.y, other.weight), strict=True
        )
    )


@settings(deadline=None)
@given(weighted_rows())
def test_every_distinct_row_is_there_once_with_the_sum_of_its_weights(rows):
    merged = distinct_rows(rows)
    expected = weight_by_content(rows)
    assert len(merged.X) == len(expected)
    assert weight_by_content(merged) == pytest.approx(expected, rel=1e-6)
    assert (merged.X.dtype, merged.y.dtype, merged.weight.dtype) == (
        np.float32,
        np.int32,
        np.float32,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(deadline=None)
@given(weighted_rows(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_change_a_bit(dtype, rows, random):
    order = list(range(len(rows.X)))
    random.shuffle(order)
    weight = rows.weight.astype(dtype) / 3
    given_order = TrainingRows(rows.X, rows.y, weight)
    shuffled = TrainingRows(rows.X[order], rows.y[order], weight[order])
    assert same_bits(distinct_rows(given_order), distinct_rows(shuffled))


@settings(deadline=None)
@given(weighted_rows(weights=st.integers(1, 5).map(float)))
def test_copies_mean_the_same_bits_as_whole_weights(rows):
    times = rows.weight.astype(int)
    copies = TrainingRows(
        np.repeat(rows.X, times, axis=0),
        np.repeat(rows.y, times),
        np.ones(times.sum(), dtype=np.float32),
    )
    assert same_bits(distinct_rows(rows), distinct_rows(copies))


@settings(deadline=None)
@given(weighted_rows())
def test_rows_made_distinct_stay_as_they_are(rows):
    once = distinct_rows(rows)
    assert same_bits(distinct_rows(once), once)


def test_rows_that_are_equal_but_for_the_sign_of_zero_are_one():
    rows = rows_of(np.array([[0.0], [-0.0]], dtype=np.float32), [1, 1], [2.0, 3.0])
    merged = distinct_rows(rows)
    assert merged.X.tolist() == [[0.0]]
    assert merged.weight.tolist() == [5.0]


def test_the_given_rows_are_left_as_they_are():
    rows = rows_of(np.array([[2.0], [-0.0], [2.0]], dtype=np.float32), [0, 1, 0], [1.0, 2.0, 3.0])
    before = [array.tobytes() for array in (rows.X, rows.y, rows.weight)]
    distinct_rows(rows)
    assert [array.tobytes() for array in (rows.X, rows.y, rows.weight)] == before
