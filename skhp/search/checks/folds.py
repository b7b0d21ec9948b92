"""The folds of a search: drawn once, and refused if there are none, or too many for a class."""

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
from sklearn.utils.multiclass import type_of_target

from skhp.exceptions import InvalidParameterError
from skhp.shared.class_targets import class_labels

_STRATIFIED = (
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)


class FixedFolds:
    """A splitter that draws its folds once, at its first call.

    Otherwise a splitter that shuffles would score each round of candidates on different rows.
    """

    def __init__(self, splitter: Any) -> None:
        self.splitter = splitter
        self.folds: list[tuple[np.ndarray, np.ndarray]] | None = None

    def split(self, X: Any, y: Any = None, **parameters: Any) -> Iterator[tuple[Any, Any]]:
        """Training and test rows of each fold, as indices."""
        if self.folds is None:
            # scikit-learn's own stratified splitters take labels and not one-hot rows.
            target = class_labels(y) if isinstance(self.splitter, _STRATIFIED) else y
            self.folds = list(self.splitter.split(X, target, **parameters))
        return iter(self.folds)

    def get_n_splits(self, X: Any = None, y: Any = None, **parameters: Any) -> int:
        """Number of folds."""
        return self.splitter.get_n_splits(X, y, **parameters)

    def __getattr__(self, name: str) -> Any:
        # scikit-learn asks a splitter for other attributes, such as the metadata that it takes.
        if name.startswith("__") or "splitter" not in vars(self):
            raise AttributeError(name)
        return getattr(self.splitter, name)


class SomeFolds(FixedFolds):
    """Folds that are drawn once, and refused if there are none; a single fold is a hold-out."""

    def get_n_splits(self, X: Any = None, y: Any = None, **parameters: Any) -> int:
        """Number of folds."""
        count = super().get_n_splits(X, y, **parameters)
        if count == 0:
            # The middle is scikit-learn's own text, for which users may search.
            raise InvalidParameterError(
                f"cv={self.splitter!r} yields no fold, and a search needs at least 1. No fits were "
                "performed. Was the CV iterator empty? Were there no candidates? A generator can "
                "be read once only: give a list of its folds, or a splitter."
            )
        return count


def refuse_rare_classes(splitter: Any, y: Any) -> None:
    """Raise if there are more stratified folds than rows of a class, and name these classes."""
    n_folds = _stratified_folds(splitter)
    y = class_labels(y)
    if y is None or not n_folds or type_of_target(y) not in ("binary", "multiclass"):
        return
    target = np.asarray(y).ravel()
    # scikit-learn refuses fewer rows than folds.
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
    mend = f"Take cv={fewest}, leave" if fewest > 1 else "A single row cannot be divided: leave"
    raise InvalidParameterError(
        f"y has classes with fewer rows than the {n_folds} folds of cv={splitter!r}, so that some "
        f"folds would have no row of such a class to score: {', '.join(rare)}. {mend} the rarest "
        "class out, or find more rows of it."
    )


def _stratified_folds(splitter: Any) -> int:
    """The number of folds among which the rows of a class are divided; 0 if they are not."""
    if isinstance(splitter, StratifiedKFold | StratifiedGroupKFold):
        return int(splitter.get_n_splits())
    if isinstance(splitter, RepeatedStratifiedKFold):
        return int(splitter.get_n_splits()) // splitter.n_repeats
    return 0


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
