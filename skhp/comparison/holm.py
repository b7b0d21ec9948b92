"""Holm's adjustment of p-values that are looked at together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["holm"]


def holm(p_values: Sequence[float]) -> np.ndarray:
    """P-values that can be held against one level, however many there are of them.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none is less than the one
    before it, nor more than 1.

    Parameters
    ----------
    p_values : sequence of float
        NaN is no test: it stays, and does not count.

    Returns
    -------
    ndarray
        In the order of `p_values`.

    References
    ----------
    S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
    Statistics 6 (1979).

    Examples
    --------
    >>> holm([0.03, 0.01, 0.02]).tolist()
    [0.04, 0.03, 0.04]
    """
    adjusted = np.array(p_values, dtype=float)
    tests = np.flatnonzero(~np.isnan(adjusted))
    order = tests[np.argsort(adjusted[tests], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(adjusted[order] * factors), 1.0)
    return adjusted
