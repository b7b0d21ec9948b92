"""Outer splits that keep groups of rows whole."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from skhp.comparison.outer_splits import OuterSplit, OuterSplits, outer_splits
from skhp.exceptions import SettingsError

__all__ = ["grouped_splits", "refuse_inner_folds"]


def grouped_splits(
    cv: Any, X: Any, y: np.ndarray, groups: np.ndarray, seeds: Sequence[int], stratified: bool
) -> OuterSplits:
    """As `outer_splits`; none has a group on both sides, or a SettingsError is raised."""
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        if not 2 <= cv <= len(np.unique(groups)):
            raise SettingsError(
                f"cv={cv} cannot be done with {len(np.unique(groups))} groups: give 2 folds or "
                "more, and no more folds than groups."
            )
        cv = (StratifiedGroupKFold if stratified else GroupKFold)(int(cv), shuffle=True)
    # What is no splitter is pairs, or refused.
    if isinstance(cv, str) or not hasattr(cv, "split"):
        cv = outer_splits(cv, X, y, [0], stratified).of_repeats[0]
    drawn_anew = hasattr(cv, "random_state") and getattr(cv, "shuffle", True) is not False
    of_repeats: list[tuple[OuterSplit, ...]] = []
    for seed in seeds:
        splitter = copy.deepcopy(cv)
        if drawn_anew:
            splitter.random_state = seed
        pairs = splitter.split(X, y, groups) if hasattr(cv, "split") else cv
        of_repeats += outer_splits(list(pairs), X, y, [seed], stratified).of_repeats
    for train, test in (one for of_repeat in of_repeats for one in of_repeat):
        if len(torn := np.intersect1d(groups[train], groups[test])):
            raise SettingsError(
                f"cv has rows of group {torn[0].item()!r} among both the training and the test "
                "rows of a split: give a number of folds, a splitter such as GroupKFold or "
                "GroupShuffleSplit, or leave out groups."
            )
    return OuterSplits(tuple(of_repeats), drawn_anew)


def refuse_inner_folds(estimators: Mapping[str, Any]) -> None:
    """Raise a SettingsError if an estimator would split its rows into folds without the groups."""
    for name, estimator in estimators.items():
        if any(parameter.rpartition("__")[2] == "cv" for parameter in estimator.get_params()):
            raise SettingsError(
                f"{name!r} splits its training rows into folds of its own, which would tear the "
                "groups apart: give an estimator whose parameters are set (as the baseline, "
                "'dummy', 'gradient_boosting' or such an estimator), or leave out groups."
            )
