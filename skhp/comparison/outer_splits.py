"""The outer splits of a comparison, drawn anew for each repeat."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)

from skhp.exceptions import SettingsError
from skhp.shared.rarest_class import class_counts, rarest_position


class OuterSplit(NamedTuple):
    """Positions of the rows to tune and train on, and of the rows to score on."""

    train: np.ndarray
    test: np.ndarray


class OuterSplits(NamedTuple):
    """The splits of each repeat, and whether each repeat has drawn its own."""

    of_repeats: tuple[tuple[OuterSplit, ...], ...]
    drawn_anew: bool

    @property
    def every(self) -> Iterator[OuterSplit]:
        """The splits of all repeats."""
        return itertools.chain.from_iterable(self.of_repeats)

    @property
    def n_folds(self) -> int:
        """Number of splits of a repeat."""
        return len(self.of_repeats[0])

    @property
    def test_per_train(self) -> float:
        """Test rows per training row, the mean over all splits."""
        return float(np.mean([len(one.test) / len(one.train) for one in self.every]))


def outer_splits(
    cv: Any, X: Any, y: np.ndarray, seeds: Sequence[int], stratified: bool
) -> OuterSplits:
    """Split the rows once for each seed.

    A number `cv` is the number of shuffled folds. A splitter that shuffles gets each seed as its
    `random_state`; another splitter, or an iterable of pairs, has the same splits in all repeats.
    """
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        cv = _folds(int(cv), y, stratified)
    elif isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise SettingsError(
            f"cv={cv!r} cannot be used: give a number of folds, a splitter such as "
            "StratifiedShuffleSplit(10, test_size=0.2), or a list of pairs (train, test)."
        )
    if not shuffles_by_seed(cv):
        splits = _split(check_cv(list(cv) if not hasattr(cv, "split") else cv), X, y)
        return OuterSplits((splits,) * len(seeds), drawn_anew=False)
    of_repeats = []
    for seed in seeds:
        splitter = copy.deepcopy(cv)
        splitter.random_state = seed
        of_repeats.append(_split(splitter, X, y))
    return OuterSplits(tuple(of_repeats), drawn_anew=True)


def _folds(n_folds: int, y: np.ndarray, stratified: bool) -> KFold | StratifiedKFold:
    if n_folds < 2:
        raise SettingsError(
            f"cv={n_folds} leaves no rows to train on or none to test on: give 2 folds or more."
        )
    if len(y) < n_folds:
        raise SettingsError(
            f"cv={n_folds} needs {n_folds} rows or more, and there are {len(y)}: give fewer folds."
        )
    if not stratified:
        return KFold(n_folds, shuffle=True)
    labels, counts = class_counts(y)
    rarest = rarest_position(counts)
    if counts[rarest] < n_folds:
        raise SettingsError(
            f"class {labels[rarest].item()!r} has {counts[rarest]} rows and cv={n_folds} needs one "
            "for each fold: give fewer folds, add rows of it, or merge it with another class."
        )
    return StratifiedKFold(n_folds, shuffle=True)


def shuffles_by_seed(cv: Any) -> bool:
    """Whether a splitter draws other splits for another `random_state`."""
    return hasattr(cv, "random_state") and getattr(cv, "shuffle", True) is not False


def _split(splitter: Any, X: Any, y: np.ndarray) -> tuple[OuterSplit, ...]:
    splits = tuple(
        OuterSplit(np.asarray(train), np.asarray(test)) for train, test in splitter.split(X, y)
    )
    if not splits:
        raise SettingsError("cv gives no split at all: give at least one pair (train, test).")
    return splits


def grouped_splits(
    cv: Any, X: Any, y: np.ndarray, groups: np.ndarray, seeds: Sequence[int], stratified: bool
) -> OuterSplits:
    """Split as `outer_splits` does, but refuse a split that has a group on both sides."""
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        if not 2 <= cv <= len(np.unique(groups)):
            raise SettingsError(
                f"cv={cv} cannot be done with {len(np.unique(groups))} groups: give 2 folds or "
                "more, and no more folds than groups."
            )
        cv = (StratifiedGroupKFold if stratified else GroupKFold)(int(cv), shuffle=True)
    # A value without `split` is a list of pairs, or `outer_splits` refuses it.
    if isinstance(cv, str) or not hasattr(cv, "split"):
        cv = outer_splits(cv, X, y, [0], stratified).of_repeats[0]
    drawn_anew = shuffles_by_seed(cv)
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
                "groups apart: give an estimator that does not tune (the baselines 'dummy' and "
                "'gradient_boosting' do not), or leave out groups."
            )
