"""Tables of several inputs, which are said to be so before NumPy or scikit-learn misreads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["ONE_TABLE", "refuse_several_inputs"]

# Kept true by a test that does what it says.
ONE_TABLE = (
    "Models of several inputs are not supported yet: put all columns into one table, as "
    "numpy.hstack([numbers, kinds]), give the model one keras.Input for it, and take it apart "
    "inside the model, as table[:, :4] and table[:, 4:]."
)


def refuse_several_inputs(X: Any, y: Any = None) -> None:
    """Raise if `X` is a collection of tables instead of one.

    Parameters
    ----------
    X : object
        As the user gave it.
    y : object, default=None
        Tells a list of tables from a list of rows.

    Raises
    ------
    ValueError
    """
    if isinstance(X, Mapping):
        names = ", ".join(map(repr, list(X)[:6]))
        raise ValueError(
            f"X is a {type(X).__name__} with the keys {names}, not a table. {ONE_TABLE}"
        )
    if not isinstance(X, (list, tuple)) or not X:
        return
    shapes = [tuple(getattr(part, "shape", ())) for part in X]
    if not all(shapes) or len({shape[0] for shape in shapes}) > 1:
        return
    n_rows = _length(y)
    # Rows may be arrays themselves, as series over time are; then they are of one shape.
    of_rows = n_rows is not None and len(X) != n_rows and shapes[0][0] == n_rows
    of_one_shape = len(set(shapes)) == 1
    if of_rows or (not of_one_shape and len(shapes[0]) > 1 and len(X) != n_rows):
        listed = ", ".join(map(str, shapes[:6]))
        raise ValueError(
            f"X is a {type(X).__name__} of {len(X)} arrays of the shapes {listed}, not a table. "
            f"{ONE_TABLE}"
        )


def _length(y: Any) -> int | None:
    try:
        return len(y)
    except TypeError:
        return None
