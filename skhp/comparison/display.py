"""Draw the differences of estimators to the baseline."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skhp.comparison.findings import Findings


class ComparisonDisplay:
    """Differences to a baseline with their 95% intervals, beside a line at no difference.

    Made by `Comparison.plot` or `from_comparison`, in the way of scikit-learn's displays.

    Errors and losses are drawn as a reader knows them: left of the line is better.

    Parameters
    ----------
    comparison : Comparison

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn into.
    figure_ : matplotlib Figure
        Its figure.
    """

    def __init__(self, comparison: Findings) -> None:
        self.comparison = comparison

    @classmethod
    def from_comparison(cls, comparison: Findings, *, ax: Any = None) -> Self:
        """Draw a comparison.

        Parameters
        ----------
        comparison : Comparison
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        ComparisonDisplay
        """
        return cls(comparison).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw into axes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        ComparisonDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        comparison, baseline = self.comparison, self.comparison.baseline
        shown = comparison.natural_frame.drop(index=baseline, level="estimator")
        self.ax_ = _new_axes(len(shown)) if ax is None else ax
        self.figure_ = self.ax_.figure
        self.ax_.axvline(0.0, color="tab:gray", linestyle="--", label=baseline)
        metrics = list(comparison.metrics)
        for is_dummy in (False, True):
            for number, metric in enumerate(metrics):
                places = [
                    k
                    for k, (name, one) in enumerate(shown.index)
                    if one == metric and (name == comparison.dummy) == is_dummy
                ]
                if not places:
                    continue
                middle, low, high = (
                    # pandas 2 warns where matplotlib makes a number of a Series of one.
                    shown.iloc[places][column].to_numpy()
                    for column in ("difference", "difference_low", "difference_high")
                )
                self.ax_.errorbar(
                    middle,
                    places,
                    # A single split has no interval.
                    xerr=np.nan_to_num([middle - low, high - middle]),
                    fmt="o",
                    capsize=3,
                    color="tab:gray" if is_dummy else f"C{number}",
                )
        labels = [f"{name}: {self._label(metric)}" for name, metric in shown.index]
        self.ax_.set_yticks(range(len(labels)), labels)
        self.ax_.set_ylim(len(labels) - 0.5, -0.5)
        self.ax_.set(xlabel=f"difference to {baseline}, with 95% interval")
        return self

    def _label(self, metric: str) -> str:
        lower = metric in self.comparison.lower_is_better
        return f"{self.comparison.title(metric)}{' (lower is better)' if lower else ''}"


def _new_axes(n_rows: int) -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "A comparison is drawn by matplotlib, which is not installed: pip install matplotlib."
        ) from error
    _, axes = pyplot.subplots(figsize=(7, 1.2 + 0.4 * n_rows), layout="constrained")
    return axes
