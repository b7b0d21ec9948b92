"""The best score so far, over the candidates or over the time of a search."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.inspection.displays.axes import drawing_area
from skhp.inspection.search_results import SearchResults, search_results

_LABELS = {"candidates": "candidate", "seconds": "seconds of fitting, one after another"}


class SearchHistoryDisplay:
    """The scores of the candidates in the order they were tried, with the best one so far.

    Of a halving search, the best is that of each round by itself, since rounds have other
    resources. It is recommended to create a display by :meth:`from_search`.

    Parameters
    ----------
    results : SearchResults
    over : {"candidates", "seconds"}, default="candidates"
        "seconds" is the time of all fits of the candidates up to this one, as if they had been
        fitted one after another; a search that fits several at once is done earlier.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    positions_ : ndarray of shape (n_candidates,)
        Of the candidates on the x axis.
    best_so_far_ : ndarray of shape (n_candidates,)
        NaN before the first score.
    points_ : matplotlib Line2D
        Scores of the candidates.
    lines_ : list of matplotlib Line2D
        The best so far, one line a round.
    pruned_points_ : matplotlib Line2D or None
        Scores of pruned candidates, which are never the best.
    failed_marks_ : matplotlib Line2D or None
        At the lower edge: candidates without a score.
    """

    ax_: Any
    figure_: Any
    positions_: np.ndarray
    best_so_far_: np.ndarray
    points_: Any
    lines_: list[Any]
    pruned_points_: Any
    failed_marks_: Any

    def __init__(self, results: SearchResults, over: str = "candidates") -> None:
        self.results = results
        self.over = over

    @classmethod
    def from_search(
        cls, search: Any, *, over: str = "candidates", metric: str | None = None, ax: Any = None
    ) -> Self:
        """Draw the course of a fitted search.

        Parameters
        ----------
        search : estimator
            Of skhp, scikit-learn or scikit-optimize.
        over : {"candidates", "seconds"}, default="candidates"
        metric : str, default=None
            Of several scores; None is the one that the search was refitted for.
        ax : matplotlib axes, default=None

        Returns
        -------
        SearchHistoryDisplay
        """
        return cls(search_results(search, metric), over).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the course of the search.

        Parameters
        ----------
        ax : matplotlib axes, default=None

        Returns
        -------
        SearchHistoryDisplay
        """
        if self.over not in _LABELS:
            raise InvalidParameterError(
                f"Got over={self.over!r}; expected 'candidates' or 'seconds'."
            )
        ax = drawing_area(self, ax)
        results = self.results
        means, pruned, failed = results.means, results.pruned, results.failed
        places = np.arange(1, len(means) + 1, dtype=float)
        if self.over == "seconds":
            places = np.cumsum(np.nan_to_num(results.seconds))
        scored = ~pruned & ~failed
        (self.points_,) = ax.plot(
            places[scored], means[scored], "o", color="tab:blue", alpha=0.5, label="candidates"
        )
        self.pruned_points_ = self.failed_marks_ = None
        if (shown := pruned & ~failed).any():
            (self.pruned_points_,) = ax.plot(
                places[shown], means[shown], "v", color="tab:gray", alpha=0.5, label="pruned"
            )
        if failed.any():
            (self.failed_marks_,) = ax.plot(
                places[failed],
                np.full(failed.sum(), 0.03),
                "x",
                color="tab:red",
                transform=ax.get_xaxis_transform(),
                label="failed",
            )
        best = np.full(len(means), np.nan)
        self.lines_ = []
        for number in np.unique(results.rounds):
            within = results.rounds == number
            # fmax, unlike maximum, goes on after a candidate without a score.
            best[within] = np.fmax.accumulate(np.where(scored, means, np.nan)[within])
            (line,) = ax.plot(
                places[within],
                best[within],
                drawstyle="steps-post",
                color="tab:orange",
                label="best so far" if not results.rounds.any() else "best of the round so far",
            )
            if self.lines_:
                line.set_label(f"_round {number}")
            self.lines_.append(line)
        ax.set(xlabel=_LABELS[self.over], ylabel=f"mean test {results.metric_title}")
        ax.set_title(results.name)
        if self.over == "candidates":
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.set_xlim(0.5, len(places) + 0.5)
        ax.legend()
        self.positions_, self.best_so_far_ = places, best
        self.ax_, self.figure_ = ax, ax.figure
        return self
