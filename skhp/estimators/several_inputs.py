"""Rows of several inputs as one table, and a table as several inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.shared.nearest_name import nearest_name
from skhp.shared.unusable_data import columns_without_numbers, parts_of_rows

InputColumns: TypeAlias = Mapping[str, Sequence[str | int]]

_EXACT_IN_SINGLE = 2**24


@dataclass(frozen=True)
class PackedInputs:
    """How several arrays are packed into one table, so that one index takes rows of all of them.

    `names` is None for a list of arrays. Each shape is the shape of one row of an array.
    """

    names: tuple[str, ...] | None
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[np.dtype, ...]

    @classmethod
    def of(cls, X: Any, taker: str) -> PackedInputs:
        """How to pack these arrays."""
        names = tuple(X) if isinstance(X, Mapping) else None
        arrays = _checked(X, names, taker)
        return cls(
            names,
            tuple(array.shape[1:] for array in arrays),
            tuple(array.dtype for array in arrays),
        )

    def table(self, X: Any, taker: str) -> np.ndarray:
        """The arrays side by side, with their rows flattened."""
        parts = parts_of_rows(X)
        given = tuple(X) if isinstance(X, Mapping) else None
        if parts is None or (given is None) != (self.names is None):
            raise ValueError(
                f"{taker} was fitted on {self._form()}, got {type(X).__name__}: give X in this "
                "form."
            )
        if given is not None and set(given) != set(self.names or ()):
            raise ValueError(
                f"X has the inputs {sorted(given)}, but {taker} was fitted on "
                f"{sorted(self.names or ())}."
            )
        if given is not None:
            X = {name: X[name] for name in self.names or ()}
        arrays = _checked(X, self.names, taker)
        shapes = tuple(array.shape[1:] for array in arrays)
        if shapes != self.shapes:
            raise ValueError(
                f"X has inputs with rows of the shapes {list(shapes)}, but {taker} was fitted on "
                f"rows of the shapes {list(self.shapes)}."
            )
        dtype = np.float32 if all(map(_fits_single, arrays)) else np.float64
        return np.hstack([array.reshape(len(array), -1).astype(dtype) for array in arrays])

    def inputs(self, table: np.ndarray) -> Any:
        """The arrays that a table made by `table` was packed from."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes])[:-1]
        arrays = tuple(
            part.reshape(len(table), *shape).astype(dtype)
            for part, shape, dtype in zip(
                np.split(table, ends, axis=1), self.shapes, self.dtypes, strict=True
            )
        )
        return arrays if self.names is None else dict(zip(self.names, arrays, strict=True))

    def _form(self) -> str:
        shapes = ", ".join(map(str, self.shapes))
        if self.names is None:
            return f"a list of {len(self.shapes)} arrays with rows of the shapes {shapes}"
        return f"a dict of arrays with the keys {', '.join(map(repr, self.names))}"


def _fits_single(array: np.ndarray) -> bool:
    if array.dtype.kind == "f":
        return array.dtype.itemsize <= 4
    return not array.size or np.abs(array.astype(np.int64)).max() < _EXACT_IN_SINGLE


def _checked(X: Any, names: tuple[str, ...] | None, taker: str) -> list[np.ndarray]:
    arrays = []
    parts = X.values() if isinstance(X, Mapping) else X
    for number, part in enumerate(parts):
        name = repr(names[number]) if names else str(number)
        text = columns_without_numbers(part) if np.ndim(part) == 2 else []
        if text:
            raise ValueError(f"{taker} takes numbers, but in input {name} {text[0]}.")
        array = np.asarray(part)
        if array.dtype.kind not in "fiub" or array.ndim < 1:
            raise ValueError(
                f"{taker} takes arrays of numbers, got {type(part).__name__} of {array.dtype} as "
                f"input {name}."
            )
        if not np.isfinite(array).all():
            raise ValueError(f"Input {name} of X contains NaN or infinity.")
        arrays.append(array[:, None] if array.ndim == 1 else array)
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1:
        raise ValueError(
            f"Found inputs with inconsistent numbers of rows: {[len(a) for a in arrays]}."
        )
    return arrays


def input_mistakes(given: Any) -> list[str]:
    """The mistakes in the parameter `input_columns` that can be found without rows."""
    if given is None:
        return []
    mistakes = []
    if not given:
        mistakes.append("input_columns is empty: name the columns of each input, or leave it out.")
    for name, columns in given.items():
        if not isinstance(name, str):
            mistakes.append(f"input_columns names an input {name!r}: give its name as a str.")
        listed = isinstance(columns, (list, tuple, range, np.ndarray)) and len(columns) > 0
        if not listed or not all(isinstance(column, (str, Integral)) for column in columns):
            mistakes.append(
                f"input_columns[{name!r}] must be a list of names or positions of columns, got "
                f"{columns!r}."
            )
    return mistakes


def column_places(given: InputColumns, n_columns: int, names: Any) -> dict[str, list[int]]:
    """The positions of the columns of each input, in a table of `n_columns` columns."""
    return {
        name: [_place(name, column, n_columns, names) for column in columns]
        for name, columns in given.items()
    }


def _place(name: str, column: Any, n_columns: int, names: Any) -> int:
    if isinstance(column, str):
        known = [] if names is None else list(names)
        if column in known:
            return known.index(column)
        if not known:
            raise InvalidParameterError(
                f"input_columns[{name!r}] names the column {column!r}, and X has no names of "
                "columns: give positions, or a DataFrame."
            )
        raise InvalidParameterError(
            f"input_columns[{name!r}] names the column {column!r}, which X does not have."
            f"{nearest_name(column, known)} X has {', '.join(map(repr, known[:20]))}."
        )
    if not -n_columns <= column < n_columns:
        raise InvalidParameterError(
            f"input_columns[{name!r}] has the position {column}, and X has {n_columns} columns."
        )
    return int(column) % n_columns
