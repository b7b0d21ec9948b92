"""Folds by which candidates cannot be told apart."""

from __future__ import annotations

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
from skhp.shared.class_targets import class_labels

__all__ = ["SomeFolds", "refuse_rare_classes"]


class SomeFolds(FixedFolds):
    """Folds that are drawn once; none at all are refused.

    One fold is a deliberate hold-out, which scikit-learn's searchers take, too.

    Parameters
    ----------
    splitter : cross validator
    """

    def get_n_splits(self, X: Any = None, y: Any = None, **parameters: Any) -> int:
        """Number of folds."""
        count = super().get_n_splits(X, y, **parameters)
        if count == 0:
            # In part as scikit-learn says it, whose users may look for that.
            raise InvalidParameterError(
                f"cv={self.splitter!r} yields no fold, and a search needs 1 at least. No fits were "
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
    y = class_labels(y)
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
