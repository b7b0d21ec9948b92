"""Tensors of rows, made without a copy on the way, and shared by all cohorts of a table."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from skhp.shared.taken_rows import TakenRows

# TensorFlow's kernels end the process where memory that it did not allocate begins elsewhere.
_ALIGNMENT = 64
_BYTES_OF_BLOCK = 2**20


def zeros_for_tensor(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros in memory that `tensor_of` takes over without a copy."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def tensor_of(array: np.ndarray) -> Any:
    """The tensor of an array that nobody changes from now on.

    `tf.constant` of TensorFlow 2.21 holds two copies of an array; a tensor that takes over aligned
    memory needs none.
    """
    takes_over = array.dtype.kind in "fiu" and array.size and array.flags.c_contiguous
    if takes_over and array.ctypes.data % _ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)


class TablesOfStreams(NamedTuple):
    """The tables of several streams beneath one another, and the row in it of each row of a stream.

    `x` has the structure of the rows of a stream; its last row is padding.
    """

    x: Any
    places: list[np.ndarray]


def tables_of(streams: Sequence[Any], padded: Callable[[int], int]) -> TablesOfStreams:
    """The tables of streams; streams that are `TakenRows` of one table share it."""
    tables: list[Any] = []
    first_row: list[int] = []
    places = []
    n_rows = 0
    for rows in streams:
        taken = isinstance(rows, TakenRows)
        table = rows.table if taken else rows
        known = next((k for k, other in enumerate(tables) if other is table), None)
        if known is None:
            known = len(tables)
            tables.append(table)
            first_row.append(n_rows)
            n_rows += _length(table)
        numbers = rows.index if taken else np.arange(_length(table))
        places.append(first_row[known] + numbers)
    size = padded(n_rows) + 1
    x = tf.nest.map_structure(lambda *parts: _shared_tensor(parts, size), *tables)
    return TablesOfStreams(x, places)


def _length(table: Any) -> int:
    return len(tf.nest.flatten(table)[0])


class _Shared(NamedTuple):
    """The tensor of a table, and the memory that it has taken over."""

    tensor: weakref.ref[Any]
    memory: np.ndarray


# The tensor of each table that a cohort uses now, so that cohorts which train beside it share it.
_tensors: dict[tuple[int, int], _Shared] = {}
_lock = threading.Lock()


def _shared_tensor(parts: Sequence[np.ndarray], size: int) -> Any:
    if len(parts) > 1:
        return tensor_of(_stacked(parts, size))
    (table,) = parts
    key = id(table), size
    with _lock:
        known = _tensors.get(key)
        tensor = None if known is None else known.tensor()
        # The table may be another one at the same address, or have been changed in place.
        if known is not None and tensor is not None and _holds(known.memory, table):
            return tensor
        memory = _stacked(parts, size)
        tensor = tensor_of(memory)
        _tensors[key] = _Shared(weakref.ref(tensor, lambda _: _tensors.pop(key, None)), memory)
    return tensor


def _holds(memory: np.ndarray, table: np.ndarray) -> bool:
    rows = memory[: len(table)]
    if (rows.shape, rows.dtype) != (table.shape, table.dtype):
        return False
    length = max(1, _BYTES_OF_BLOCK // max(1, table[:1].nbytes))
    starts = range(0, len(table), length)
    return all(
        rows[start : start + length].tobytes() == table[start : start + length].tobytes()
        for start in starts
    )


def _stacked(parts: Sequence[np.ndarray], size: int) -> np.ndarray:
    first = parts[0]
    stacked = zeros_for_tensor((size, *first.shape[1:]), first.dtype)
    end = 0
    for part in parts:
        length = max(1, _BYTES_OF_BLOCK // max(1, part[:1].nbytes))
        # In blocks, because a table on disk is not to be in memory twice.
        for start in range(0, len(part), length):
            block = part[start : start + length]
            stacked[end + start : end + start + len(block)] = block
        end += len(part)
    return stacked
