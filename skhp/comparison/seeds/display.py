"""The picture of trainings that differ in the seed."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skhp.inspection.displays.axes import drawing_area

_HEIGHT_OF_DOTS = 0.25


class RepeatsDisplay:
    """A dot for the score of each seed, above a box from the first to the third quartile.

    Made by `Repeats.plot`. The line in the box is the median, and its whiskers end at the least and
    the greatest score. Seeds without a score are left out.

    Parameters
    ----------
    scores : array-like of shape (n_seeds,)
        The score of each seed.
    metric : str, default="score"
        The name of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that were drawn into.
    figure_ : matplotlib Figure
        The figure of the axes.
    """

    def __init__(self, scores: ArrayLike, metric: str = "score") -> None:
        self.scores = scores
        self.metric = metric

    def plot(self, ax: Any = None) -> Self:
        """Draw into axes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        RepeatsDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = drawing_area(self, ax, size=(7, 1.8))
        self.figure_ = self.ax_.figure
        scores = np.asarray(self.scores, float)
        scores = scores[np.isfinite(scores)]
        heights = np.full(len(scores), _HEIGHT_OF_DOTS)
        self.ax_.plot(scores, heights, "o", color="C0", alpha=0.5)
        if len(scores):
            # Not matplotlib's boxplot: from 3.11 on, another argument sets its direction.
            least, first, median, third, greatest = np.quantile(scores, (0, 0.25, 0.5, 0.75, 1))
            self.ax_.plot([least, greatest], [0, 0], color="tab:gray", linewidth=1)
            box = {"color": "C0", "linewidth": 12, "solid_capstyle": "butt", "alpha": 0.4}
            self.ax_.plot([first, third], [0, 0], **box)
            self.ax_.plot([median, median], [-0.12, 0.12], color="C0", linewidth=2)
        self.ax_.set_ylim(-0.3, 0.5)
        self.ax_.set_yticks([])
        seeds = "1 seed" if len(scores) == 1 else f"{len(scores)} seeds"
        self.ax_.set_xlabel(f"{self.metric} of {seeds}")
        return self
