"""The best score so far, over the candidates or over the time of a search."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.inspection.displays.axes import drawing_area
from skhp.inspection.search_results import SearchResults, search_results

_LABELS = {"candidates": "candidate", "seconds": "seconds of fitting, one after another"}


class SearchHistoryDisplay:
    """The scores of the candidates in the order they were tried, with the best score so far.

    In a halving search, each round has a best score of its own, since scores of different resources
    do not compare. It is recommended to create a display by :meth:`from_search`.

    Parameters
    ----------
    results : SearchResults
        The results to draw.
    over : {"candidates", "seconds"}, default="candidates"
        The x axis. "seconds" is the sum of all fit times so far; a search that fits several
        candidates at once takes less.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that were drawn into.
    figure_ : matplotlib Figure
        The figure of the axes.
    positions_ : ndarray of shape (n_candidates,)
        The positions of the candidates on the x axis.
    best_so_far_ : ndarray of shape (n_candidates,)
        The best score up to each candidate; NaN before the first score.
    points_ : matplotlib Line2D
        The scores of the candidates.
    lines_ : list of matplotlib Line2D
        The best score so far, a line for each round.
    pruned_points_ : matplotlib Line2D or None
        The scores of pruned candidates, which are never the best.
    failed_marks_ : matplotlib Line2D or None
        Candidates without a score, at the lower edge.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skhp import SearchHistoryDisplay
    >>> search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]})
    >>> display = SearchHistoryDisplay.from_search(search.fit(*load_iris(return_X_y=True)))
    >>> display.best_so_far_.round(2).tolist()
    [0.67, 0.93]
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
            A fitted search of skhp, scikit-learn or scikit-optimize.
        over : {"candidates", "seconds"}, default="candidates"
            The x axis.
        metric : str, default=None
            Which score to draw, if there are several; None is the one that the search was refitted
            for.
        ax : matplotlib axes, default=None
            The axes to draw on; None makes a figure.

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
            The axes to draw on; None makes a figure.

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
            # fmax, unlike maximum, ignores NaN, the score of a candidate that failed.
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
