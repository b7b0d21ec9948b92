"""Point out columns that should not be learned from: row numbers, ids, copies of the target.

Such columns give scores that new rows do not reach: in a table that was sorted by its target, the
number of a row tells its target.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from pandas.api import types
from scipy.stats import rankdata

from skhp.tables.cell_texts import MOST_WHOLE
from skhp.tables.numeric_target import NumericTarget
from skhp.tables.target import Target

# In fewer rows, chance alone may give any pattern.
_FEWEST_ROWS = 10
_FEWEST_IDS = 20
_CHANCE = 1e-6
# Numbers with more distinct values are measurements, which may rightly tell the classes apart.
_FEW_VALUES = 10
_SHARE_OF_EQUAL_STEPS = 0.95
# The share of the variance of a target that a copy of it may leave unexplained; a price in
# thousands, rounded, leaves less.
_UNEXPLAINED = 1e-4


def leakage_notes(inputs: pd.DataFrame, target: Target | NumericTarget) -> tuple[str, ...]:
    """A sentence for each column that counts rows, differs in each row, or repeats the target."""
    return tuple(
        f"column {str(name)!r} {fault} --drop {str(name)!r}."
        for name, column in inputs.items()
        for fault in _faults(column, target)
    )


def _faults(column: pd.Series, target: Target | NumericTarget) -> Iterator[str]:
    is_known = column.notna().to_numpy()
    known, learnt = column[is_known], target.learnt[is_known]
    has_classes = isinstance(target, Target)
    if (
        has_classes
        and len(column) >= _FEWEST_ROWS
        and _class_decides_missing(is_known, target.learnt)
    ):
        yield (
            "repeats the target, as it has values for some classes only: if new rows do not have "
            "it before their target is known, leave it out with"
        )
        return
    if len(known) < _FEWEST_ROWS:
        return
    values = pd.factorize(known)[0]
    n_distinct = int(values.max()) + 1
    is_number = types.infer_dtype(known) in ("integer", "floating", "mixed-integer-float")
    numbers = known.to_numpy(dtype=float) if is_number else None
    if has_classes:
        fault = _repeats_classes(values, learnt, is_number)
    elif numbers is None:
        fault = _decides_numbers(values, learnt)
    else:
        fault = _repeats_numbers(numbers, learnt)
    if fault:
        yield (
            f"repeats the target, {fault}: if new rows do not have it before their target is "
            "known, leave it out with"
        )
    elif numbers is not None and (direction := _direction_of_count(numbers, n_distinct)):
        yield (
            f"counts {direction} from row to row, as row numbers and times do: if it says nothing "
            "about new rows, leave it out with"
        )
    elif n_distinct == len(known) >= _FEWEST_IDS and (numbers is None or _are_whole(numbers)):
        what = "text" if numbers is None else "whole number"
        yield (
            f"holds another {what} in each row, as an id does: if it says nothing about new rows, "
            "leave it out with"
        )


def _class_decides_missing(is_known: np.ndarray, codes: np.ndarray) -> bool:
    """Whether the class of a row tells, beyond chance, that its cell is missing."""
    all_rows, known = np.bincount(codes), np.bincount(codes[is_known], minlength=codes.max() + 1)
    if is_known.all() or not is_known.any():
        return False
    if ((known == 0) | (known == all_rows)).all():
        return bool(all_rows.min() > 1)
    # For example, only the dead of a shipwreck have the number of a body.
    (only, *others) = np.flatnonzero(known)
    return not others and bool((all_rows[only] / len(codes)) ** known[only] < _CHANCE)


def _are_whole(numbers: np.ndarray) -> bool:
    # Beyond MOST_WHOLE each float is whole, whatever it measures.
    return bool((numbers % 1 == 0).all() and np.abs(numbers).max() < MOST_WHOLE)


def _direction_of_count(numbers: np.ndarray, n_distinct: int) -> str:
    """The direction, "up" or "down", in which numbers count from row to row, or an empty text."""
    steps = np.diff(numbers)
    # Values that repeat, such as the years of a sorted table, are not a count.
    if 2 * n_distinct < len(numbers):
        return ""
    if (steps >= 0).all():
        return "up"
    if (steps <= 0).all():
        return "down"
    # A count may begin anew, as where two tables were put together.
    sizes, times = np.unique(steps, return_counts=True)
    most = int(np.argmax(times))
    if times[most] < _SHARE_OF_EQUAL_STEPS * len(steps) or sizes[most] == 0:
        return ""
    return "up" if sizes[most] > 0 else "down"


def _repeats_numbers(numbers: np.ndarray, target: np.ndarray) -> str:
    """How a column of numbers repeats a target of numbers, or an empty text."""
    if _unexplained(numbers, target) < _UNEXPLAINED:
        return "as it is the target times a number, plus a number"
    # Two values have the same order as any two others.
    if (
        min(len(np.unique(numbers)), len(np.unique(target))) >= _FEWEST_ROWS
        and _unexplained(rankdata(numbers), rankdata(target)) < _UNEXPLAINED
    ):
        return "as it has the order of the target"
    return ""


def _unexplained(numbers: np.ndarray, target: np.ndarray) -> float:
    """The share of the variance of a target that a line through some numbers does not explain."""
    # A float cannot hold the squares of the largest numbers.
    x, y = (
        values / max(np.abs(values).max(), np.finfo(float).tiny) for values in (numbers, target)
    )
    x, y = x - x.mean(), y - y.mean()
    variances = float(x @ x) * float(y @ y)
    # Rounding alone makes a constant column vary a little.
    if min(float(x @ x), float(y @ y)) < len(x) * 1e-20:
        return 1.0
    return 1.0 - float(x @ y) ** 2 / variances


def _decides_numbers(values: np.ndarray, target: np.ndarray) -> str:
    """How a column of categories decides a target of numbers, or an empty text."""
    pairs = np.unique(np.column_stack([values, pd.factorize(target)[0]]), axis=0)
    n_distinct = int(values.max()) + 1
    # Each row beyond the first of its category has the number of the first one.
    repeated, n_numbers = len(values) - n_distinct, len(np.unique(target))
    if len(pairs) > n_distinct or n_numbers < 2 or n_distinct < 2:
        return ""
    _, counts = np.unique(target, return_counts=True)
    by_chance = repeated * np.log(counts.max() / counts.sum())
    return "as each value in it has one number" if by_chance < np.log(_CHANCE) else ""


def _repeats_classes(values: np.ndarray, classes: np.ndarray, is_number: bool) -> str:
    """How a column repeats a target of classes beyond chance, or an empty text."""
    classes = np.unique(classes, return_inverse=True)[1]
    n_distinct, n_classes = int(values.max()) + 1, int(classes.max()) + 1
    if n_distinct < 2 or n_classes < 2 or (is_number and n_distinct > max(_FEW_VALUES, n_classes)):
        return ""
    pairs = np.bincount(values * n_classes + classes, minlength=n_distinct * n_classes)
    counts = pairs.reshape(n_distinct, n_classes)
    occurs = counts > 0
    # A class of a single row always has one value in a column.
    if (occurs.sum(axis=0) == 1).all() and counts.sum(axis=0).min() > 1:
        return "as each class has one value in it"
    if (occurs.sum(axis=1) > 1).any() or (is_number and n_distinct > _FEW_VALUES):
        return ""
    shares = counts.sum(axis=0) / counts.sum()
    sizes = counts.sum(axis=1)
    by_chance = (shares[None, :] ** sizes[:, None]).sum(axis=1)
    is_unlikely = np.log(by_chance.clip(np.finfo(float).tiny)).sum() < np.log(_CHANCE)
    return "as each value in it has one class" if is_unlikely else ""
