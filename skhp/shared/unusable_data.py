"""Refusals of tables and labels that NumPy or scikit-learn would misread."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

# A test follows this advice, so that it stays true.
ONE_TABLE = (
    "Put all columns into one table, as numpy.hstack([numbers, kinds]), which folds and pipelines "
    "can cut, and let KerasClassifier or KerasRegressor split it: "
    'input_columns={"numbers": [0, 1, 2, 3], "kinds": [4, 5, 6]}, where each name is an input of '
    "the model, with the positions or names of its columns."
)


def refuse_several_inputs(X: Any, y: Any = None) -> None:
    """Raise if `X` is a collection of tables instead of one."""
    if not are_several_inputs(X, y):
        return
    if isinstance(X, Mapping):
        names = ", ".join(map(repr, list(X)[:6]))
        raise ValueError(
            f"X is a {type(X).__name__} with the keys {names}, not a table. {ONE_TABLE}"
        )
    listed = ", ".join(str(part.shape) for part in X[:6])
    raise ValueError(
        f"X is a {type(X).__name__} of {len(X)} arrays of the shapes {listed}, not a table. "
        f"{ONE_TABLE}"
    )


def are_several_inputs(X: Any, y: Any = None) -> bool:
    """Whether `X` is a collection of tables, each with as many rows as `y`."""
    if isinstance(X, Mapping):
        return True
    parts = parts_of_rows(X)
    if parts is None:
        return False
    shapes = [part.shape for part in parts]
    n_rows = _length(y)
    # A list may also hold rows that are arrays, such as time series, which have the same shape.
    of_rows = n_rows is not None and len(X) != n_rows and shapes[0][0] == n_rows
    of_one_shape = len(set(shapes)) == 1
    return of_rows or (not of_one_shape and len(shapes[0]) > 1 and len(X) != n_rows)


def parts_of_rows(X: Any) -> list[Any] | None:
    """The arrays of a dict or list of arrays of one length; None if it is something else."""
    if isinstance(X, Mapping):
        return list(X.values())
    if not isinstance(X, (list, tuple)) or not X:
        return None
    shapes = [tuple(getattr(part, "shape", ())) for part in X]
    if not all(shapes) or len({shape[0] for shape in shapes}) > 1:
        return None
    return list(X)


def _length(y: Any) -> int | None:
    try:
        return len(y)
    except TypeError:
        return None


_SHOWN = 5
_MEND = (
    "Encode texts as numbers, by scikit-learn's OneHotEncoder or OrdinalEncoder in a "
    "ColumnTransformer before the network in a pipeline; turn dates into numbers, such as days; "
    "or leave these columns out."
)


def columns_without_numbers(X: Any) -> list[str]:
    """A description of each column of text or dates; texts that are numbers count as numbers.

    Examples
    --------
    >>> columns_without_numbers([[1, "Berlin"], [2, "Bonn"]])
    ["column 1, counted from 0, holds the text 'Berlin'"]
    """
    if issparse(X) or X is None:
        return []
    return [f"{name} {content}" for name, column in _columns(X) if (content := _content(column))]


def refuse_columns_without_numbers(X: Any, taker: str) -> None:
    """Raise ValueError, which says that `taker` takes numbers, if columns hold text or dates.

    Rows of different lengths, and arrays in the place of numbers, are refused, too.
    """
    refuse_arrays_of_arrays(X, taker)
    columns = columns_without_numbers(X)
    if columns:
        more = f"; and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
        raise ValueError(
            f"{taker} takes numbers, but in X {'; '.join(columns[:_SHOWN])}{more}. {_MEND}"
        )


def refuse_arrays_of_arrays(X: Any, taker: str) -> None:
    """Raise ValueError if rows have different lengths, or cells hold arrays and not numbers."""
    refuse_ragged(X, "values")
    _refuse_arrays_in_cells(X, taker)


def refuse_ragged(X: Any, unit: str, mend: str = "") -> None:
    """Raise ValueError if rows have different lengths, which are counted in the `unit`."""
    if not isinstance(X, Sequence | np.ndarray) or isinstance(X, str) or len(X) == 0:
        return
    if isinstance(X, np.ndarray) and X.dtype != object:
        return
    sized = [hasattr(row, "__len__") and not isinstance(row, str | bytes | Mapping) for row in X]
    if not all(sized):
        return
    lengths = [len(row) for row in X]
    if len(set(lengths)) > 1:
        other = next(k for k, length in enumerate(lengths) if length != lengths[0])
        raise ValueError(
            f"X holds rows of different lengths: {lengths[0]} {unit} in row 0 and {lengths[other]} "
            f"in row {other}. Expected the same number of {unit} in each row{mend}."
        )


def _refuse_arrays_in_cells(X: Any, taker: str) -> None:
    if issparse(X) or X is None:
        return
    for name, column in _columns(X):
        if getattr(column.dtype, "kind", "O") != "O":
            continue
        for row, value in enumerate(column):
            if not isinstance(value, list | tuple | np.ndarray) and not hasattr(value, "iloc"):
                continue
            shape = np.asarray(value, dtype=object).shape
            whole = ", ".join(map(str, (len(column), *shape)))
            raise ValueError(
                f"{taker} takes an array of numbers, but in X {name} holds an array of the shape "
                f"{shape} in row {row}, counted from 0. Expected one array of the shape ({whole}), "
                "as numpy.stack(list(column)) makes of arrays of one shape."
            )


def refuse_columns_not_finite(X: Any, taker: str) -> None:
    """Raise ValueError if columns of a table hold NaN, or values that are infinite in float32."""
    if issparse(X) or np.ndim(X) != 2:
        return
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = np.asarray(X, dtype=np.float32)
    except (TypeError, ValueError):
        return
    counts = (~np.isfinite(numbers)).sum(axis=0)
    if not counts.any():
        return
    names = list(getattr(X, "columns", range(numbers.shape[1])))
    found = [
        f"column {names[k]!r} in {counts[k]} row{'' if counts[k] == 1 else 's'}"
        for k in np.flatnonzero(counts)
    ]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    what = "NaN" if np.isnan(numbers).any() else "infinity or a value too large for float32"
    raise ValueError(
        f"Input X contains {what}: {', '.join(found[:_SHOWN])}{more}. {taker} takes finite numbers "
        "only: put a SimpleImputer of scikit-learn before it in a pipeline, or leave these rows or "
        "columns out."
    )


def _columns(X: Any) -> Iterator[tuple[str, Any]]:
    """The name and the content of each column that may hold anything but numbers."""
    if hasattr(X, "columns") and hasattr(X, "iloc"):
        for place, (name, dtype) in enumerate(zip(X.columns, X.dtypes, strict=True)):
            if getattr(dtype, "kind", "O") not in "biufc":
                yield f"column {name!r} of type {dtype}", X.iloc[:, place]
        return
    if hasattr(X, "iloc"):
        if getattr(X.dtype, "kind", "O") not in "biufc":
            yield f"a Series of type {X.dtype}", X
        return
    try:
        array = np.asarray(X)
    except ValueError:
        # scikit-learn explains rows of different lengths itself.
        return
    if array.dtype.kind in "biufc":
        return
    if array.ndim == 2:
        for place in range(array.shape[1]):
            yield f"column {place}, counted from 0,", array[:, place]
    else:
        yield f"an array of the shape {array.shape}", array.ravel()


def _content(column: Any) -> str:
    """A description of the first text, date or duration in a column; "" if there is none."""
    kind = getattr(column.dtype, "kind", "O")
    if kind in "mM":
        return "holds dates" if kind == "M" else "holds durations"
    categories = getattr(column, "cat", None)
    values: Iterable[Any] = column if categories is None else categories.categories
    for value in values:
        if isinstance(value, str | bytes) and not _is_number(value):
            plain = value.item() if isinstance(value, np.generic) else value
            return f"holds the text {plain!r}"
        if isinstance(value, datetime.date | datetime.time | np.datetime64) or (
            type(value).__name__ == "Period"
        ):
            return f"holds the date {value}"
        if isinstance(value, datetime.timedelta | np.timedelta64):
            return f"holds the duration {value}"
    return ""


def _is_number(text: str | bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_LABELS_SHOWN = 3


def refuse_unclear_labels(y: Any) -> None:
    """Raise if some labels are missing, or of types that cannot be sorted together."""
    labels = _objects(y)
    if labels is None:
        return
    missing = [place for place, label in enumerate(labels) if _is_missing(label)]
    if missing:
        more = f" and {len(missing) - _LABELS_SHOWN} more" if len(missing) > _LABELS_SHOWN else ""
        shown = ", ".join(map(str, missing[:_LABELS_SHOWN]))
        raise ValueError(
            f"Input y contains NaN or None, a missing label, in {len(missing)} of {len(labels)} "
            f"rows: {shown}{more}, counted from 0. Leave these rows out, or give them a label of "
            "their own, such as 'unknown'."
        )
    examples: dict[str, Any] = {}
    counts: dict[str, int] = {}
    for label in labels:
        kind = _kind_of(label)
        examples.setdefault(kind, label)
        counts[kind] = counts.get(kind, 0) + 1
    if len(counts) > 1 and ("str" in counts or not _have_an_order(labels)):
        found = ", ".join(
            f"{kind} in {count} rows (such as {examples[kind]!r})" for kind, count in counts.items()
        )
        raise ValueError(
            f"y has labels of several types: {found}. All labels of a target must have one type: "
            "give, for example, [str(label) for label in y]."
        )


def _objects(y: Any) -> list[Any] | None:
    """A list of labels that may be of several types; None if `y` cannot hold such labels."""
    if isinstance(y, list | tuple):
        return list(y) if not any(map(_holds_several, y)) else None
    dtype = getattr(y, "dtype", None)
    if dtype is None or getattr(y, "ndim", 0) not in (1, 2):
        return None
    is_array = isinstance(y, np.ndarray)
    if (is_array and dtype.kind != "O") or issparse(y):
        return None
    # A series of text, of categories or of nullable numbers becomes an array of objects.
    objects = np.asarray(y)
    if objects.dtype.kind != "O" or (objects.ndim == 2 and objects.shape[1] != 1):
        return None
    return objects.ravel().tolist()


def _holds_several(label: Any) -> bool:
    return isinstance(label, Iterable) and not isinstance(label, str | bytes)


def _is_missing(label: Any) -> bool:
    if label is None:
        return True
    try:
        return bool(label != label)
    except (TypeError, ValueError):
        # The missing value of pandas has no truth value, so it cannot be compared.
        return type(label).__name__ == "NAType"


def _kind_of(label: Any) -> str:
    if isinstance(label, int | float | np.number | np.bool_):
        return "number"
    return "str" if isinstance(label, str) else type(label).__name__


def _have_an_order(labels: list[Any]) -> bool:
    try:
        sorted(labels)
    except TypeError:
        return False
    return True
