"""Folds by which candidates cannot be told apart."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.utils.multiclass import type_of_target

from skhp.exceptions import InvalidParameterError
from skhp.search.fixed_folds import FixedFolds

__all__ = ["SeveralFolds", "refuse_rare_classes"]


class SeveralFolds(FixedFolds):
    """Folds that are drawn once; fewer than two are refused.

    How many a splitter yields is known for sure only when they are drawn, which is before the first
    fit.

    Parameters
    ----------
    splitter : cross validator
    """

    def split(self, X: Any, y: Any = None, **parameters: Any) -> Iterator[tuple[Any, Any]]:
        """Training and test rows of each fold, as indices."""
        folds = list(super().split(X, y, **parameters))
        # A splitter that says another number than it yields is refused by scikit-learn.
        if len(folds) == 1 and self.get_n_splits(X, y, **parameters) == 1:
            given = textwrap.shorten(repr(self.splitter), 60, placeholder=" ...")
            raise InvalidParameterError(
                f"cv={given} yields 1 fold, and a search needs 2 at least: one score "
                "does not tell how much it owes to the rows held out. Give a whole number from 2 "
                "up, as cv=5, or a splitter of more folds. To search on one held-out part all the "
                "same, take scikit-learn's own class under "
                "joblib.parallel_config(backend='skhp')."
            )
        return iter(folds)

    def get_n_splits(self, X: Any = None, y: Any = None, **parameters: Any) -> int:
        """Number of folds."""
        count = super().get_n_splits(X, y, **parameters)
        if count == 0:
            # In part as scikit-learn says it, whose users may look for that.
            raise InvalidParameterError(
                f"cv={self.splitter!r} yields no fold, and a search needs 2 at least. No fits were "
                "performed. Was the CV iterator empty? Were there no candidates? A generator can "
                "be read once only: give a list of its folds, or a splitter."
            )
        return count


def refuse_rare_classes(splitter: Any, y: Any) -> None:
    """Raise if stratified folds are more than the rows of a class.

    Parameters
    ----------
    splitter : cross validator
    y : array-like or None

    Raises
    ------
    InvalidParameterError
        Names every such class, with its rows.
    """
    n_folds = _stratified_folds(splitter)
    if y is None or not n_folds or type_of_target(y) not in ("binary", "multiclass"):
        return
    target = np.asarray(y).ravel()
    # Of fewer rows than folds, scikit-learn speaks.
    if len(target) < n_folds:
        return
    labels, counts = np.unique(target, return_counts=True)
    rare = [
        f"{label!r} with {_rows(count)}"
        for label, count in zip(labels.tolist(), counts.tolist(), strict=True)
        if count < n_folds
    ]
    if not rare:
        return
    fewest = int(counts.min())
    mend = f"Take cv={fewest}" if fewest > 1 else "A class of one row cannot be cross-validated"
    raise InvalidParameterError(
        f"y has classes of fewer rows than the {n_folds} folds of cv={splitter!r}, so that some "
        f"folds would have none of them to score by: {', '.join(rare)}. {mend}; or leave the "
        "rarest class out, or find more rows of it."
    )


def _stratified_folds(splitter: Any) -> int:
    """Folds among which the rows of a class are dealt out; 0 where they are not."""
    if isinstance(splitter, StratifiedKFold | StratifiedGroupKFold):
        return int(splitter.get_n_splits())
    if isinstance(splitter, RepeatedStratifiedKFold):
        return int(splitter.get_n_splits()) // splitter.n_repeats
    return 0


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
