"""Rows of a table by their numbers."""

import numpy as np
import pytest

from skhp.shared import taken_rows
from skhp.shared.equality import equal
from skhp.shared.taken_rows import TakenRows, as_array, taken

TABLE = np.arange(12, dtype=np.float32).reshape(6, 2)


@pytest.mark.parametrize("bytes_of_block", [1, 20, 2**20])
def test_rows_are_those_that_numpy_takes(bytes_of_block, monkeypatch):
    monkeypatch.setattr(taken_rows, "_BYTES_OF_BLOCK", bytes_of_block)
    rows = TakenRows.of(TABLE, np.array([5, 0, 0]))
    expected = TABLE[[5, 0, 0]]
    np.testing.assert_array_equal(np.concatenate(list(rows.blocks())), expected)
    np.testing.assert_array_equal(
        np.asarray(taken(rows, np.array([True, False, True]))), TABLE[[5, 0]]
    )
    assert (rows.shape, rows.nbytes, rows.dtype) == ((3, 2), expected.nbytes, expected.dtype)
    assert equal(rows, expected)
    assert equal(expected.copy(), rows)
    changed = expected.copy()
    changed[2, 1] += 1
    assert not equal(rows, changed)
    assert not equal(expected.astype(np.float64), rows)


def test_missing_values_are_equal_at_the_same_places():
    table = np.where(TABLE == 3, np.nan, TABLE)
    assert equal(TakenRows.of(table, np.arange(3)), table[:3])
    assert not equal(TakenRows.of(table, np.arange(3)), TABLE[:3])


@pytest.mark.parametrize(
    ("table", "index"),
    [
        (TABLE, np.array([-1])),
        (TABLE, np.array([6])),
        (TABLE, np.array([True] * 6)),
        (TABLE.astype(object), np.array([0])),
        (TABLE.tolist(), np.array([0])),
        (TABLE[:, 0], np.array([0])),
        (np.ma.masked_array(TABLE), np.array([0])),
    ],
)
def test_unusual_tables_and_indices_are_left_to_numpy(table, index):
    assert TakenRows.of(table, index) is None
    assert as_array(table) is table
