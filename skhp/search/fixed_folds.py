"""Folds that are drawn once, however often a search asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from skhp.shared.class_targets import class_labels

_STRATIFIED = (
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)


class FixedFolds:
    """A splitter that gives the folds of its first call again and again.

    Without it, a splitter that shuffles has the candidates of every round of a search compared on
    other rows.

    Parameters
    ----------
    splitter : cross validator

    Attributes
    ----------
    folds : list of (train, test) or None
        As they were drawn; None before that.

    Examples
    --------
    >>> from sklearn.model_selection import ShuffleSplit
    >>> folds = FixedFolds(ShuffleSplit(3))
    >>> first, again = (list(folds.split(range(10))) for _ in range(2))
    >>> all((one[0] == other[0]).all() for one, other in zip(first, again))
    True
    """

    def __init__(self, splitter: Any) -> None:
        self.splitter = splitter
        self.folds: list[tuple[np.ndarray, np.ndarray]] | None = None

    def split(self, X: Any, y: Any = None, **parameters: Any) -> Iterator[tuple[Any, Any]]:
        """Training and test rows of each fold, as indices."""
        if self.folds is None:
            # To stratify, scikit-learn's own want labels.
            target = class_labels(y) if isinstance(self.splitter, _STRATIFIED) else y
            self.folds = list(self.splitter.split(X, target, **parameters))
        return iter(self.folds)

    def get_n_splits(self, X: Any = None, y: Any = None, **parameters: Any) -> int:
        """Number of folds."""
        return self.splitter.get_n_splits(X, y, **parameters)

    def __getattr__(self, name: str) -> Any:
        # What else scikit-learn asks of a splitter, such as the metadata that it takes.
        if name.startswith("__") or "splitter" not in vars(self):
            raise AttributeError(name)
        return getattr(self.splitter, name)
