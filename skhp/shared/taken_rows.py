"""Rows of a table by their numbers, so that the folds of a search need no copies of the table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

# Blocks of rows are read one after another; a block takes about this many bytes.
_BYTES_OF_BLOCK = 2**20


def blocks_of(rows: Any) -> Iterator[np.ndarray]:
    """Rows in order as contiguous arrays: `TakenRows` a few at a time, an array as a whole."""
    for block in rows.blocks() if isinstance(rows, TakenRows) else (rows,):
        yield np.ascontiguousarray(block)


class TakenRows:
    """The rows of a table with the numbers `index`, copied only while somebody reads them.

    It can be indexed by rows and read as an array; the table itself is never copied.

    Examples
    --------
    >>> rows = TakenRows(np.array([[1.0], [2.0], [3.0]]), np.array([2, 0]))
    >>> rows.shape, rows.read().ravel().tolist(), rows[np.array([True, False])].index.tolist()
    ((2, 1), [3.0, 1.0], [2])
    """

    def __init__(self, table: np.ndarray, index: np.ndarray) -> None:
        self.table = table
        self.index = index

    @classmethod
    def of(cls, table: Any, index: np.ndarray) -> TakenRows | None:
        """The rows of a plain array of numbers; None for other tables, or for unusual indices."""
        if type(table) not in (np.ndarray, np.memmap) or table.ndim < 2:
            return None
        if table.dtype.kind not in "fiu" or index.ndim != 1 or index.dtype.kind not in "iu":
            return None
        if not len(index) or index.min() < 0 or index.max() >= len(table):
            return None
        return cls(table, index)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array that `read` returns."""
        return len(self.index), *self.table.shape[1:]

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.table.ndim

    @property
    def dtype(self) -> np.dtype:
        """The type of the numbers."""
        return self.table.dtype

    @property
    def nbytes(self) -> int:
        """The bytes of the array that `read` returns."""
        return self.dtype.itemsize * math.prod(self.shape)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: Any) -> TakenRows:
        return TakenRows(self.table, self.index[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the rows of a table cannot be read without a copy.")
        return np.asarray(self.read(), dtype=dtype)

    def read(self) -> np.ndarray:
        """The rows as an array of their own."""
        return self.table[self.index]

    def blocks(self) -> Iterator[np.ndarray]:
        """The rows in order, a few at a time."""
        for part in self._parts():
            yield self.table[self.index[part]]

    def equals(self, other: Any) -> bool:
        """Whether an array, or other rows, hold the same values of the same type."""
        if not isinstance(other, np.ndarray | TakenRows):
            return False
        if other.dtype != self.dtype or other.shape != self.shape:
            return False
        if isinstance(other, TakenRows):
            if other.table is self.table and np.array_equal(other.index, self.index):
                return True
            pairs = zip(self.blocks(), other.blocks(), strict=True)
        else:
            pairs = zip(self.blocks(), (other[part] for part in self._parts()), strict=True)
        nan = self.dtype.kind == "f"
        return all(np.array_equal(own, given, equal_nan=nan) for own, given in pairs)

    def _parts(self) -> Iterator[slice]:
        of_row = max(1, self.nbytes // len(self))
        length = max(1, _BYTES_OF_BLOCK // of_row)
        for start in range(0, len(self.index), length):
            yield slice(start, start + length)


def taken(rows: Any, index: np.ndarray) -> Any:
    """Some of the rows: without a copy if they are a plain array of numbers, or taken rows."""
    if isinstance(rows, TakenRows):
        return rows[index]
    places = np.flatnonzero(index) if index.dtype.kind == "b" else index
    found = TakenRows.of(rows, places)
    return rows[index] if found is None else found


def as_array(rows: Any) -> Any:
    """The rows themselves, or the array that taken rows stand for."""
    return rows.read() if isinstance(rows, TakenRows) else rows
