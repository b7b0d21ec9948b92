"""Tensors of rows that cohorts share."""

import numpy as np
import pytest

from skhp.shared.taken_rows import TakenRows
from skhp.training.cohort.row_tensors import tables_of


def tensor_of_table(table):
    return tables_of([TakenRows(table, np.arange(len(table)))], lambda n_rows: n_rows).x


def table():
    return np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


def test_cohorts_that_train_at_once_share_the_tensor_of_a_table():
    rows = table()
    first = tensor_of_table(rows)
    assert tensor_of_table(rows) is first
    np.testing.assert_array_equal(first[:-1], rows)


@pytest.mark.parametrize("place", [0, -1])
def test_a_table_that_was_changed_in_place_has_a_new_tensor(place):
    rows = table()
    first = tensor_of_table(rows)
    before = rows.copy()
    rows[place, 1] = 7
    np.testing.assert_array_equal(tensor_of_table(rows)[:-1], rows)
    np.testing.assert_array_equal(first[:-1], before)


def test_missing_numbers_are_the_same_numbers():
    rows = table()
    rows[3] = np.nan
    assert tensor_of_table(rows) is tensor_of_table(rows)
