"""The inner validation split that early stopping watches."""

from __future__ import annotations

import numpy as np

# With fewer distinct rows than this share of all rows, copies are the nature of the table (a few
# categories), and a split that keeps them together would not be representative.
_LEAST_DISTINCT_SHARE = 0.1


def validation_split(
    groups: np.ndarray,
    fraction: float,
    seed: int,
    labels: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    rows_given_as: str = "X_val and y_val",
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rows to train on and of the rows to validate on, each ascending.

    Copies of a row stay on one side, so that a table with oversampled rows is not validated on rows
    that it was trained on. The split depends on what the rows hold, not on their order.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,)
        Number of each row's group of equal rows, as :func:`skhp.training.row_groups` gives it.
    fraction : float
        Share of the rows to validate on, above 0 and below 1.
    seed : int
    labels : ndarray of int of shape (n_rows,), default=None
        Class numbers to stratify by. A class of two rows or more is on both sides however rare it
        is; a class of a single row is trained on.
    weight : ndarray of shape (n_rows,), default=None
        Weights of the rows, which decide the class that equal rows of several classes count for.
    rows_given_as : str, default="X_val and y_val"
        How `fit` takes rows to validate on.

    Returns
    -------
    training, validation : ndarrays of int

    Raises
    ------
    ValueError
        If there is no row left for one of the sides.

    Examples
    --------
    >>> training, validation = validation_split(
    ...     np.arange(10), fraction=0.2, seed=0, labels=np.array([0] * 8 + [1] * 2)
    ... )
    >>> len(training), len(validation)
    (7, 3)
    """
    n_rows, n_groups = len(groups), groups.max() + 1
    generator = np.random.default_rng(seed)
    strata = np.zeros(n_rows, dtype=np.intp) if labels is None else labels
    held_out = np.zeros(n_rows, dtype=bool)
    if n_groups >= _LEAST_DISTINCT_SHARE * n_rows:
        total = np.zeros((n_groups, strata.max() + 1))
        np.add.at(total, (groups, strata), 1.0 if weight is None else weight)
        held_out = _stratified(total.argmax(axis=1), fraction, generator)[groups]
    if not _on_both_sides(strata, held_out):
        by_content = np.lexsort((np.zeros(n_rows) if weight is None else weight, strata, groups))
        held_out[by_content] = _stratified(strata[by_content], fraction, generator)
    if not held_out.any():
        raise ValueError(
            f"early_stopping=True needs rows to validate on, got n_samples = {n_rows}"
            + ("" if labels is None else " with no class of two rows")
            + f". Give more rows, pass {rows_given_as} to fit, or set early_stopping=False."
        )
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _stratified(strata: np.ndarray, fraction: float, generator: np.random.Generator) -> np.ndarray:
    held_out = np.zeros(len(strata), dtype=bool)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        if len(members) > 1:
            count = min(max(1, round(fraction * len(members))), len(members) - 1)
            held_out[generator.permutation(members)[:count]] = True
    return held_out


def _on_both_sides(strata: np.ndarray, held_out: np.ndarray) -> bool:
    count = np.bincount(strata)
    return bool(
        np.isin(np.flatnonzero(count > 1), strata[held_out]).all()
        and np.isin(np.flatnonzero(count > 0), strata[~held_out]).all()
    )
