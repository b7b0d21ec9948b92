"""The column that is learned: its classes, and the rare one among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types

from skhp.exceptions import TableError
from skhp.shared.class_targets import rarest_position
from skhp.tables.columns import describe_type

# One for the test set; of the other three, each fold scores on one, and of the two that are left
# the network learns from one and is stopped by the other.
MIN_CLASS_ROWS = 4
_MANY_WHOLE_NUMBERS = 50
_MANY_NUMBERS = 20


@dataclass(frozen=True, eq=False)
class Target:
    """A target of two classes or more, encoded as whole numbers with the rarest class last.

    So the rarer of two classes is 1, the positive class of scikit-learn's ``f1`` and its kin.

    Parameters
    ----------
    name : str
        Its column.
    codes : ndarray of int, shape (n_rows,)
    labels : ndarray of shape (n_classes,)
        The class behind each code. They are in sorted order, but for the rarest.
    """

    name: str
    codes: np.ndarray
    labels: np.ndarray

    @property
    def rare_code(self) -> int:
        """The code of the rare class."""
        return len(self.labels) - 1

    @property
    def rare_label(self) -> object:
        """The rare class as it stands in the table."""
        return self.labels[-1].item()

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.labels) == 2


def encode_target(
    column: pd.Series, name: str, place_of_row: Callable[[int], str] = "row {}".format
) -> Target:
    """Encode a target without missing values; the rarest class, or the last of them, comes last.

    Parameters
    ----------
    column : Series
        Text, truth values or few different numbers.
    name : str
        The name that messages use.
    place_of_row : callable, default="row {}".format
        What a message calls the row of the index.

    Returns
    -------
    Target

    Raises
    ------
    TableError
        If there is one class only, a class has too few rows, or the target is a measurement.

    Examples
    --------
    >>> target = encode_target(pd.Series(["sick"] * 4 + ["well"] * 9), "state")
    >>> target.labels
    array(['well', 'sick'], dtype='<U4')
    >>> int(target.codes.sum())
    4
    """
    kind = types.infer_dtype(column)
    if kind in ("integer", "floating", "mixed-integer-float"):
        _refuse_measurement(column, name)
    elif kind not in ("string", "boolean", "categorical"):
        raise TableError(
            f"the target {name!r} holds neither text nor numbers nor truth values, but "
            f"{describe_type(column, place_of_row)}: name another column with --target, or turn "
            "all of it into text."
        )
    # Through a list, so that text and extension types of pandas become plain types of numpy.
    labels, codes, counts = np.unique(
        np.array(column.tolist()), return_inverse=True, return_counts=True
    )
    if len(labels) == 1:
        raise TableError(
            f"the target {name!r} has one class only, every row is {labels[0].item()!r}: name "
            "another column with --target, or add rows of another class."
        )
    rarest = rarest_position(counts)
    if counts[rarest] < MIN_CLASS_ROWS:
        few = int((counts < MIN_CLASS_ROWS).sum())
        rows = "a single row" if counts[rarest] == 1 else f"{counts[rarest]} rows"
        others = f" ({few} of {len(labels)} classes have too few)" if few > 1 else ""
        raise TableError(
            f"class {labels[rarest].item()!r} of the target {name!r} has {rows}{others}: at least "
            f"{MIN_CLASS_ROWS} are needed to train, stop and test; add rows of it, remove it, or "
            "merge it with another class."
        )
    order = np.r_[np.delete(np.arange(len(labels)), rarest), rarest]
    return Target(name, np.argsort(order)[codes], labels[order])


def _refuse_measurement(column: pd.Series, name: str) -> None:
    distinct = column.nunique()
    fractions = bool((column % 1 != 0).any())
    # Fractions that hardly come back are measured even where there are few of them.
    limit = min(_MANY_NUMBERS, len(column) // 4) if fractions else _MANY_WHOLE_NUMBERS
    if distinct > limit:
        raise TableError(
            f"the target {name!r} holds {distinct} different numbers, so it is measured, not a "
            "class (regression is not done here): name another column with --target, or replace "
            "the numbers by classes such as low and high."
        )
