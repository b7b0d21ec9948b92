"""Draw the scores of a search over two parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from skhp.displays.parameter_axis import label_parameter_axis, wrapped_name
from skhp.displays.parameter_scale import scale_of
from skhp.displays.score_curve import best_at_each_place
from skhp.displays.search_results import SearchResults
from skhp.displays.value_text import decimals_of, number_text

__all__ = ["draw_score_map"]

# A map with fewer of its cells tried has more holes than scores.
_LEAST_FILLED = 0.5
_MOST_CELLS_WITH_NUMBERS = 64
# In a line of the name of a parameter.
_MOST_LETTERS = 36


def draw_score_map(ax: Any, results: SearchResults) -> dict[str, Any]:
    """Draw a heat map, or coloured points where the candidates are no grid.

    Parameters
    ----------
    ax : matplotlib axes
    results : SearchResults
        With two parameters; the first is drawn from bottom to top, the second from left to right.

    Returns
    -------
    dict of str to artist
        "image" or "points", "best", "colour bar" and, where candidates failed, "failed".
    """
    scores = np.where(results.pruned, np.nan, results.means)
    levels = [scale_of(values, levels=True) for values in results.values.values()]
    n_cells = len(levels[0].labels) * len(levels[1].labels)
    columns = results.values.values()
    at_levels = [scale.positions(of) for scale, of in zip(levels, columns, strict=True)]
    tried = np.unique(at_levels, axis=1).shape[1]
    as_map = tried >= _LEAST_FILLED * n_cells
    scales = levels if as_map else [scale_of(values) for values in columns]
    row, column = (scale.positions(of) for scale, of in zip(scales, columns, strict=True))
    shown = best_at_each_place(np.column_stack([row, column]), scores)
    # A candidate that failed is not told of where another one stands in its cell.
    filled = set(zip(row[shown], column[shown], strict=True))
    failed = np.array(
        [
            bool(fails and place not in filled)
            for fails, place in zip(results.failed, zip(row, column, strict=True), strict=True)
        ]
    )
    drawn: dict[str, Any] = {}
    if as_map:
        grid = np.full([len(scale.labels) for scale in levels], np.nan)
        grid[row[shown].astype(int), column[shown].astype(int)] = scores[shown]
        drawn["image"] = ax.imshow(grid, origin="lower", aspect="auto", cmap="viridis")
        if grid.size <= _MOST_CELLS_WITH_NUMBERS:
            _write_numbers(ax, grid)
    else:
        drawn["points"] = ax.scatter(column[shown], row[shown], c=scores[shown], cmap="viridis")
    if failed.any():
        (drawn["failed"],) = ax.plot(
            column[failed], row[failed], "x", color="tab:red", label="failed"
        )
    if len(shown):
        best = shown[int(np.argmax(scores[shown]))]
        (drawn["best"],) = ax.plot(
            column[best],
            row[best],
            "s" if as_map else "o",
            markersize=36 if as_map else 12,
            fillstyle="none",
            color="tab:red",
            label=f"best: {number_text(scores[best])}",
        )
    for axis, scale in ((ax.yaxis, scales[0]), (ax.xaxis, scales[1])):
        label_parameter_axis(axis, scale)
    for set_label, name in zip((ax.set_ylabel, ax.set_xlabel), results.values, strict=True):
        set_label(wrapped_name(results.short_names[name], _MOST_LETTERS))
    drawn["colour bar"] = ax.figure.colorbar(
        drawn["image"] if as_map else drawn["points"],
        ax=ax,
        label=f"mean test {results.metric_title}",
    )
    if failed.any():
        ax.legend(handles=[drawn["failed"]], loc="upper left")
    return drawn


def _write_numbers(ax: Any, grid: np.ndarray) -> None:
    # Light figures on the dark half of the colours.
    decimals = decimals_of(grid, 3)
    dark = grid < (np.nanmin(grid) + np.nanmax(grid)) / 2 if np.isfinite(grid).any() else grid < 0
    for (row, column), score in np.ndenumerate(grid):
        if np.isfinite(score):
            colour = "white" if dark[row, column] else "black"
            ax.text(column, row, f"{score:.{decimals}f}", ha="center", va="center", color=colour)
