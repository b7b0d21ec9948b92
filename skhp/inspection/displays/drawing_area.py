"""Where a display draws: the axes that were given, or new ones."""

from __future__ import annotations

from typing import Any

__all__ = ["drawing_area"]


def drawing_area(display: object, ax: Any = None) -> Any:
    """The axes to draw on.

    Parameters
    ----------
    display : object
        Is to draw; its class is named where matplotlib is not installed.
    ax : matplotlib axes, default=None

    Returns
    -------
    matplotlib axes
        `ax`, or those of a new figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__} draws with matplotlib, which is not installed. Install it "
            "with: pip install matplotlib"
        ) from error
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax
