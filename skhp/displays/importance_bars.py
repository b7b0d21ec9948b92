"""Draw the importance of parameters."""

from __future__ import annotations

from typing import Any

from skhp.displays.parameter_importance import ParameterImportance

__all__ = ["draw_importance"]


def draw_importance(ax: Any, importance: ParameterImportance) -> None:
    """Draw a bar for each parameter, the most important one on top.

    Parameters
    ----------
    ax : matplotlib axes
    importance : ParameterImportance
    """
    names = sorted(importance.of_parameter, key=lambda name: importance.of_parameter[name])
    ax.barh(
        names,
        [importance.of_parameter[name] for name in names],
        xerr=[importance.spread[name] for name in names],
        color="tab:blue",
    )
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_xlabel("permutation importance\n(added squared error / variance)")
    believable = "" if importance.explained > 0.3 else "\nso the bars tell little"
    explained = f"{max(importance.explained, 0):.0%} of unseen scores"
    ax.set_title(f"A random forest explains\n{explained}{believable}", fontsize="small")
