"""Write names and values of parameters along an axis."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from skhp.displays.parameter_scale import ParameterScale

__all__ = ["label_parameter_axis", "wrapped_name"]

# So many values are named each; of more, an axis of numbers has the ticks of matplotlib.
_MOST_TICKS = 10
_LEVEL_GAP = 0.04
_NUMBER_GAP = 0.07


def label_parameter_axis(axis: Any, scale: ParameterScale) -> None:
    """Set the scale of an axis, with ticks at the values that were tried.

    Parameters
    ----------
    axis : matplotlib Axis
    scale : ParameterScale
    """
    is_levels = scale.kind == "levels"
    if not is_levels:
        axis.axes.set(**{f"{axis.axis_name}scale": scale.kind})
    if is_levels or len(scale.labels) <= _MOST_TICKS:
        ticks = scale.ticks(_LEVEL_GAP if is_levels else _NUMBER_GAP)
        labels = [label for *_, label in ticks]
        axis.set_ticks([position for position, *_ in ticks], labels)
        axis.set_minor_locator(_no_ticks())
        if axis.axis_name == "x" and sum(map(len, labels)) > _MOST_ACROSS:
            axis.set_tick_params(rotation=30)
            for label in axis.get_ticklabels():
                label.set_horizontalalignment("right")
    elif scale.whole and scale.kind == "linear":
        axis.get_major_locator().set_params(integer=True)


_MOST_ACROSS = 56
"""Characters that stand side by side along a picture of the usual width."""


def wrapped_name(name: str, width: int) -> str:
    """A name in lines, broken after underscores.

    Examples
    --------
    >>> print(wrapped_name("validation_fraction", 12))
    validation_
    fraction
    """
    spaced = re.sub(r"_(?=[^_])", "_\0", name).replace("\0", " ")
    lines = textwrap.wrap(spaced, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(line.replace("_ ", "_") for line in lines)


def _no_ticks() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()
