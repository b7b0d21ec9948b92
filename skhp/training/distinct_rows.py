"""Equal rows: which rows are copies of each other, and a table with every row once."""

from __future__ import annotations

import numpy as np

from skhp.training.fit_task import TrainingRows


def row_groups(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Groups of equal rows, numbered by their content and not by their place.

    Parameters
    ----------
    *columns : ndarrays of shape (n_rows,) or (n_rows, n_columns)
        Numbers; a row is what stands in the same place of all of them.

    Returns
    -------
    first : ndarray of shape (n_groups,)
        Index of a row of each group.
    group : ndarray of shape (n_rows,)
        Group of each row.

    Examples
    --------
    >>> first, group = row_groups(np.array([3.0, 1.0, 3.0]))
    >>> len(first), bool(group[0] == group[2])
    (2, True)
    """
    n_rows = len(columns[0])
    table = np.column_stack([column.reshape(n_rows, -1) for column in columns])
    # Compared byte by byte, many times faster than number by number. That is not the order of the
    # numbers, but as fixed; adding 0 turns -0 into 0.
    table = np.ascontiguousarray(table + 0.0)
    as_bytes = table.view(np.dtype((np.void, table.dtype.itemsize * table.shape[1])))
    _, first, group = np.unique(as_bytes, return_index=True, return_inverse=True)
    return first, group.reshape(-1)


def distinct_rows(rows: TrainingRows) -> TrainingRows:
    """Every distinct row once, in a fixed order, with the sum of its weights.

    To a training whose batch is all the rows, this is the same data: a row of weight two, that row
    given twice, and the rows in another order all lead to the same gradient. Training on this form
    makes them lead to the same bits.
    """
    first, group = row_groups(rows.X, rows.y)
    weight = sum_by_group(group, rows.weight)
    return TrainingRows(rows.X[first], rows.y[first], weight.astype(rows.weight.dtype))


def sum_by_group(group: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum of the weights of each group, to the same bits whatever the order of the rows.

    Examples
    --------
    >>> sum_by_group(np.array([1, 0, 1]), np.array([2.0, 3.0, 4.0])).tolist()
    [3.0, 6.0]
    """
    order = np.lexsort((weight, group))
    return np.bincount(group[order], weights=weight[order].astype(np.float64))
