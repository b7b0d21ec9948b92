"""Draw the importance of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skhp.displays.parameter_axis import wrapped_name
from skhp.displays.parameter_importance import ParameterImportance

__all__ = ["draw_importance"]

# In a line of a name, where the bars stand beside another picture.
_LETTERS = 18


def draw_importance(
    ax: Any, importance: ParameterImportance, short_names: Mapping[str, str], *, wide: bool = False
) -> None:
    """Draw a bar for each parameter, the most important one on top.

    Parameters
    ----------
    ax : matplotlib axes
    importance : ParameterImportance
    short_names : dict of str to str
        What each parameter is called in the picture.
    wide : bool, default=False
        Whether there is room to say all in one line.
    """
    names = sorted(importance.of_parameter, key=lambda name: importance.of_parameter[name])
    ax.barh(
        [wrapped_name(short_names[name], 40 if wide else _LETTERS) for name in names],
        [importance.of_parameter[name] for name in names],
        xerr=[importance.spread[name] for name in names],
        color="tab:blue",
    )
    ax.axvline(0, color="black", linewidth=0.8)
    between = " " if wide else "\n"
    ax.set_xlabel(
        f"permutation importance{between}(added squared error / variance)", fontsize="small"
    )
    believable = "" if importance.explained > 0.3 else f"{between}so the bars tell little"
    explained = f"{max(importance.explained, 0):.0%} of unseen scores"
    ax.set_title(f"A random forest explains{between}{explained}{believable}", fontsize="small")
