"""Draw the candidates of a search as lines across an axis for each parameter."""

from __future__ import annotations

from typing import Any

import numpy as np

from skhp.displays.parameter_scale import ParameterScale, label_of, scale_of
from skhp.displays.search_results import SearchResults

__all__ = ["draw_parallel_coordinates"]

# Below the axis of numbers, for candidates that do not have the parameter.
NOT_SET_PLACE = -0.12


def draw_parallel_coordinates(ax: Any, results: SearchResults) -> dict[str, Any]:
    """Draw a line for each candidate, the better ones over the others, coloured by their score.

    Parameters
    ----------
    ax : matplotlib axes
    results : SearchResults

    Returns
    -------
    dict of str to artist
        "lines", a collection with a line for each candidate that has a score, ascending; and
        "colour bar".
    """
    from matplotlib.collections import LineCollection

    scores = np.where(results.pruned, np.nan, results.means)
    scored = np.flatnonzero(np.isfinite(scores))
    order = scored[np.argsort(scores[scored], kind="stable")]
    scales = [scale_of(values) for values in results.values.values()]
    table = np.column_stack(
        [scale.shares(of) for scale, of in zip(scales, results.values.values(), strict=True)]
    )
    not_set = np.isnan(table)
    table = np.where(not_set, NOT_SET_PLACE, table)
    places = np.arange(len(scales))
    lines = LineCollection(
        [np.column_stack([places, table[candidate]]) for candidate in order],
        array=scores[order],
        cmap="viridis",
        alpha=0.7,
        linewidths=[1.0] * (len(order) - 1) + [3.0],
    )
    ax.add_collection(lines)
    for place, scale in enumerate(scales):
        ax.axvline(place, color="black", linewidth=0.8)
        for share, text in [
            *_ticks(scale),
            *([(NOT_SET_PLACE, "not set")] if not_set[:, place].any() else []),
        ]:
            ax.text(
                place, share, f" {text}", va="center", fontsize="small", bbox=_READABLE, zorder=3
            )
    ax.set_xticks(places, list(results.values), rotation=20, ha="right")
    ax.set_yticks([])
    ax.set(xlim=(-0.1, len(scales) - 0.6), ylim=(-0.2 if not_set.any() else -0.06, 1.06))
    n_missing = len(scores) - len(scored)
    if n_missing:
        ax.set_xlabel(f"{n_missing} candidates that failed or were pruned are not shown")
    bar = ax.figure.colorbar(lines, ax=ax, label=f"mean test {results.metric}")
    return {"lines": lines, "colour bar": bar}


_READABLE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5}


def _ticks(scale: ParameterScale) -> list[tuple[float, str]]:
    if scale.kind == "levels":
        n_levels = len(scale.labels)
        return [(k / max(n_levels - 1, 1), label) for k, label in enumerate(scale.labels)]
    if scale.kind == "log":
        ticks = np.geomspace(scale.low, scale.high, 5)
    else:
        ticks = np.linspace(scale.low, scale.high, 5)
    return [(k / 4, label_of(float(f"{tick:.2g}"))) for k, tick in enumerate(ticks)]
