"""Plots of the scores of a search: a curve, a map, parallel coordinates."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from skhp.inspection.displays.axes import label_parameter_axis, scale_of, wrapped_name
from skhp.inspection.search_results import SearchResults
from skhp.inspection.value_text import decimals_of, number_text


def draw_score_curve(ax: Any, results: SearchResults) -> dict[str, Any]:
    """Draw the mean score, with one standard deviation of the folds to either side."""
    ((name, values),) = results.values.items()
    scale = scale_of(values)
    positions = scale.positions(values)
    shown = best_at_each_place(positions, np.where(results.pruned, np.nan, results.means))
    means, deviations = results.means[shown], results.scores[shown].std(axis=1)
    several = len(np.unique(positions[np.isfinite(results.means)])) < (~results.failed).sum()
    label = "mean of the folds" + (", best over other parameters" if several else "")
    (line,) = ax.plot(positions[shown], means, "o-", label=label)
    band = ax.fill_between(
        positions[shown],
        means - deviations,
        means + deviations,
        alpha=0.2,
        linewidth=0,
        color=line.get_color(),
        label="standard deviation of the folds",
    )
    drawn = {"line": line, "band": band}
    failed = results.failed & np.isfinite(positions)
    if failed.any():
        (drawn["failed"],) = ax.plot(
            positions[failed],
            np.full(failed.sum(), 0.03),
            "x",
            color="tab:red",
            transform=ax.get_xaxis_transform(),
            label="failed",
        )
    label_parameter_axis(ax.xaxis, scale)
    ax.set(xlabel=results.short_names[name], ylabel=f"mean test {results.metric_title}")
    ax.legend()
    return drawn


def best_at_each_place(positions: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The index of the best candidate at each place, in the order of the places."""
    table = positions.reshape(len(scores), -1)
    usable = np.flatnonzero(np.isfinite(scores) & np.isfinite(table).all(axis=1))
    best: dict[tuple[float, ...], int] = {}
    for candidate in usable[np.argsort(-scores[usable], kind="stable")].tolist():
        best.setdefault(tuple(table[candidate].tolist()), candidate)
    return np.array([best[place] for place in sorted(best)], dtype=int)


# A map needs a score in at least this share of its cells.
_LEAST_FILLED = 0.5
_MOST_CELLS_WITH_NUMBERS = 64
# The longest line of the name of a parameter.
_MOST_LETTERS = 36


def draw_score_map(ax: Any, results: SearchResults) -> dict[str, Any]:
    """Draw a heat map, or coloured points where the candidates are not a grid."""
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
    # A failed candidate is not marked where the score of another candidate is shown.
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
    # Numbers are white on the dark half of the colours.
    decimals = decimals_of(grid, 3)
    dark = grid < (np.nanmin(grid) + np.nanmax(grid)) / 2 if np.isfinite(grid).any() else grid < 0
    for (row, column), score in np.ndenumerate(grid):
        if np.isfinite(score):
            colour = "white" if dark[row, column] else "black"
            ax.text(column, row, f"{score:.{decimals}f}", ha="center", va="center", color=colour)


# Tukey's outer fence.
_FENCE = 3.0


class ScoreRange(NamedTuple):
    """The lowest and the highest score with a colour, and the number of lower scores."""

    low: float
    high: float
    n_below: int


def score_range(scores: np.ndarray) -> ScoreRange:
    """The range from the lowest score that is not an outlier to the highest score.

    One R² of -10,000 would leave one colour for all other scores. High scores are never outliers.
    """
    finite = np.sort(scores[np.isfinite(scores)])
    if not len(finite):
        return ScoreRange(0.0, 1.0, 0)
    first, third = np.quantile(finite, [0.25, 0.75])
    within = finite[finite >= first - _FENCE * (third - first)]
    low = within[0] if third > first else finite[0]
    return ScoreRange(float(low), float(finite[-1]), int((finite < low).sum()))


# The place below the axis for candidates that do not have the parameter.
NOT_SET_PLACE = -0.12

_READABLE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
# The width of a letter of a value and of a name, and the height of a value, in inches.
_VALUE_LETTER = 0.07
_NAME_LETTER = 0.085
_VALUE_HEIGHT = 0.19
# With more values, only some are written, so that the lines between them can be seen.
_FEW_VALUES = 8


def draw_parallel_coordinates(ax: Any, results: SearchResults) -> dict[str, Any]:
    """Draw a line for each candidate, the better ones over the others, coloured by their score.

    The values beside an axis are among those that were tried.
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
    """Inches from an axis to the next, and the share of an axis that one line of text takes."""
    position = ax.get_subplotspec()
    width, height = ax.figure.get_size_inches()
    if position is not None:
        of_figure = position.get_position(ax.figure)
        width, height = width * of_figure.width, height * of_figure.height
    # The colour bar takes 1.2 inches beside the coordinates, and the names take 0.6 beneath them.
    return max(width - 1.2, 1.0) / n_axes, _VALUE_HEIGHT / max(height - 0.6, 1.0)
