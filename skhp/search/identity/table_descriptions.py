"""Arrays, sparse matrices and tables by type, shape and a digest of what they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas
from scipy.sparse import issparse

__all__ = ["described_table"]

Text = Callable[[Any], str]
Hash = Callable[[bytes | memoryview], str]


def described_table(value: Any, text: Text, hashed: Hash) -> dict[str, Any] | None:
    """The description of an array, a sparse matrix or a table; None for anything else.

    Parameters
    ----------
    value : object
    text : callable
        The canonical text of one element that is an object.
    hashed : callable
        The digest of bytes.
    """
    if isinstance(value, np.ndarray):
        return {"$array": _array(value, text, hashed)}
    if issparse(value):
        rows = value.tocsr(copy=True)
        rows.sum_duplicates()
        # SciPy chooses the width of the indices by where the matrix came from.
        arrays = rows.data, rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
        digests = [_array(array, text, hashed) for array in arrays]
        return {"$sparse": [type(value).__name__, list(value.shape), *digests]}
    if isinstance(value, pandas.DataFrame):
        columns = [
            [text(name), _column(value.iloc[:, place], text, hashed)]
            for place, name in enumerate(value.columns)
        ]
        return {"$frame": [_column(value.index.to_series(), text, hashed), columns]}
    if isinstance(value, pandas.Series):
        index = _column(value.index.to_series(), text, hashed)
        return {"$series": [index, text(value.name), _column(value, text, hashed)]}
    if isinstance(value, pandas.Index | pandas.api.extensions.ExtensionArray):
        return {"$series": _column(pandas.Series(value), text, hashed)}
    return None


def _array(array: np.ndarray, text: Text, hashed: Hash) -> list[Any]:
    kind = [array.dtype.str if array.dtype.names is None else str(array.dtype), list(array.shape)]
    if isinstance(array, np.ma.MaskedArray):
        mask = _array(np.ma.getmaskarray(array), text, hashed)
        return [*kind, _array(array.filled(), text, hashed), mask]
    # The buffer of objects and of NumPy's own strings holds addresses, that of long doubles what
    # was in the memory before.
    if array.dtype.hasobject or array.dtype.char in "TgG":
        return [*kind, _digest_of_objects(array, text, hashed)]
    return [*kind, hashed(np.ascontiguousarray(array).tobytes())]


def _column(column: pandas.Series, text: Text, hashed: Hash) -> list[Any]:
    if isinstance(column.dtype, pandas.CategoricalDtype):
        categories = _column(pandas.Series(column.cat.categories), text, hashed)
        codes = _array(column.cat.codes.to_numpy(), text, hashed)
        return ["category", bool(column.cat.ordered), categories, codes]
    if isinstance(column.dtype, np.dtype):
        return _array(column.to_numpy(), text, hashed)
    return [str(column.dtype), _digest_of_objects(column.to_numpy(dtype=object), text, hashed)]


def _digest_of_objects(array: np.ndarray, text: Text, hashed: Hash) -> str:
    # The length before each element, so that no two rows of elements run into the same bytes.
    # Tables are of texts for the most part, which need no search for how to describe them.
    texts = (
        f"s{element}" if type(element) is str else f"o{text(element)}"
        for element in array.ravel().tolist()
    )
    encoded = (element.encode("utf-8", "surrogatepass") for element in texts)
    return hashed(b"".join(b"%d:%b" % (len(element), element) for element in encoded))
