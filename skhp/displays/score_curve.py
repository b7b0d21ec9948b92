"""Draw the scores of a search over one parameter."""

from __future__ import annotations

from typing import Any

import numpy as np

from skhp.displays.parameter_axis import label_parameter_axis
from skhp.displays.parameter_scale import scale_of
from skhp.displays.search_results import SearchResults

__all__ = ["best_at_each_place", "draw_score_curve"]


def draw_score_curve(ax: Any, results: SearchResults) -> dict[str, Any]:
    """Draw the mean score, with a standard deviation of the folds to either side.

    Parameters
    ----------
    ax : matplotlib axes
    results : SearchResults
        With one parameter.

    Returns
    -------
    dict of str to artist
        "line", "band" and, where candidates failed, "failed".
    """
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
    """Of candidates at one place the one of the highest score, ordered by place.

    Parameters
    ----------
    positions : ndarray of shape (n_candidates,) or (n_candidates, n_parameters)
    scores : ndarray of shape (n_candidates,)
        NaN for candidates that are not to be shown.

    Returns
    -------
    ndarray of int
        Indices of candidates.
    """
    table = positions.reshape(len(scores), -1)
    usable = np.flatnonzero(np.isfinite(scores) & np.isfinite(table).all(axis=1))
    best: dict[tuple[float, ...], int] = {}
    for candidate in usable[np.argsort(-scores[usable], kind="stable")].tolist():
        best.setdefault(tuple(table[candidate].tolist()), candidate)
    return np.array([best[place] for place in sorted(best)], dtype=int)
