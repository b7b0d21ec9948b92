"""Which scores a picture tells apart, where a few candidates are far worse than all others."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from skhp.inspection.displays.parameter_scale import scale_of, wrapped_name
from skhp.inspection.search_results import SearchResults

__all__ = ["ScoreRange", "draw_parallel_coordinates", "score_range"]

# Tukey's outer fence.
_FENCE = 3.0


class ScoreRange(NamedTuple):
    """Lowest and highest score that are told apart; how many scores are below the lowest."""

    low: float
    high: float
    n_below: int


def score_range(scores: np.ndarray) -> ScoreRange:
    """From the lowest score that is not an outlier to the highest.

    One R² of -10,000 would leave one colour for all others. The best are never outliers.

    Parameters
    ----------
    scores : ndarray
        NaN where there is none.

    Returns
    -------
    ScoreRange

    Examples
    --------
    >>> score_range(np.array([0.5, 0.6, 0.7, 0.8, -10_000.0]))
    ScoreRange(low=0.5, high=0.8, n_below=1)
    """
    finite = np.sort(scores[np.isfinite(scores)])
    if not len(finite):
        return ScoreRange(0.0, 1.0, 0)
    first, third = np.quantile(finite, [0.25, 0.75])
    within = finite[finite >= first - _FENCE * (third - first)]
    low = within[0] if third > first else finite[0]
    return ScoreRange(float(low), float(finite[-1]), int((finite < low).sum()))


# Below the axis of numbers, for candidates that do not have the parameter.
NOT_SET_PLACE = -0.12

_READABLE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
# In inches: a letter of a value and of a name, and the height of a value with room around it.
_VALUE_LETTER = 0.07
_NAME_LETTER = 0.085
_VALUE_HEIGHT = 0.19
# Of more values, those that are written leave room between them, and lines can be seen.
_FEW_VALUES = 8


def draw_parallel_coordinates(ax: Any, results: SearchResults) -> dict[str, Any]:
    """Draw a line for each candidate, the better ones over the others, coloured by their score.

    The values beside an axis are among those that were tried.

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
    apart, gap = _room(ax, len(results.values))
    scales = [
        scale_of(values, label_length=max(6, int(apart / _VALUE_LETTER)))
        for values in results.values.values()
    ]
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
    shown = score_range(scores)
    lines.set_clim(shown.low, shown.high)
    ax.add_collection(lines)
    for place, scale in enumerate(scales):
        ax.axvline(place, color="black", linewidth=0.8)
        many, wide = len(scale.labels) > _FEW_VALUES, max(2.5 * gap, 0.12)
        ticks = [(share, label) for _, share, label in scale.ticks(wide if many else gap)]
        if not_set[:, place].any():
            ticks.append((NOT_SET_PLACE, "not set"))
        for share, text in ticks:
            ax.text(
                place, share, f" {text}", va="center", fontsize="small", bbox=_READABLE, zorder=3
            )
    names = [
        wrapped_name(results.short_names[n], int(apart / _NAME_LETTER)) for n in results.values
    ]
    ax.set_xticks(places, names)
    ax.set_yticks([])
    ax.set(xlim=(-0.1, len(scales) - 0.25), ylim=(-0.2 if not_set.any() else -0.06, 1.06))
    n_missing = len(scores) - len(scored)
    if n_missing:
        are = "candidate that failed or was pruned is"
        if n_missing > 1:
            are = "candidates that failed or were pruned are"
        ax.set_xlabel(f"{n_missing} {are} not shown")
    bar = ax.figure.colorbar(
        lines,
        ax=ax,
        label=f"mean test {results.metric_title}",
        extend="min" if shown.n_below else "neither",
    )
    return {"lines": lines, "colour bar": bar}


def _room(ax: Any, n_axes: int) -> tuple[float, float]:
    """Inches from an axis to the next, and the share of an axis that a value takes."""
    position = ax.get_subplotspec()
    width, height = ax.figure.get_size_inches()
    if position is not None:
        of_figure = position.get_position(ax.figure)
        width, height = width * of_figure.width, height * of_figure.height
    # Beside the coordinates stands the colour bar, beneath them the names.
    return max(width - 1.2, 1.0) / n_axes, _VALUE_HEIGHT / max(height - 0.6, 1.0)
