"""Draw the differences of estimators to the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from skhp.comparison.verdict import metric_title

if TYPE_CHECKING:
    from skhp.comparison.comparison_result import Comparison

__all__ = ["ComparisonDisplay"]


class ComparisonDisplay:
    """Differences to a baseline with their 95% intervals, beside a line at no difference.

    Made by `Comparison.plot` or `from_comparison`, in the way of scikit-learn's displays.

    Parameters
    ----------
    frame : DataFrame
        As `Comparison.frame`.
    baseline : str

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn into.
    figure_ : matplotlib Figure
        Its figure.
    """

    def __init__(self, frame: pd.DataFrame, baseline: str) -> None:
        self.frame = frame
        self.baseline = baseline

    @classmethod
    def from_comparison(cls, comparison: Comparison, *, ax: Any = None) -> Self:
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
        return cls(comparison.frame, comparison.baseline).plot(ax)

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
        shown = self.frame.drop(index=self.baseline, level="estimator")
        self.ax_ = _new_axes(len(shown)) if ax is None else ax
        self.figure_ = self.ax_.figure
        self.ax_.axvline(0.0, color="tab:gray", linestyle="--", label=self.baseline)
        metrics = list(shown.index.get_level_values("metric").unique())
        for number, metric in enumerate(metrics):
            places = [k for k, (_, one) in enumerate(shown.index) if one == metric]
            rows = shown.iloc[places]
            below = rows["difference"] - rows["difference_low"]
            above = rows["difference_high"] - rows["difference"]
            self.ax_.errorbar(
                rows["difference"],
                places,
                # A single split has no interval.
                xerr=[below.fillna(0.0), above.fillna(0.0)],
                fmt="o",
                capsize=3,
                color=f"C{number}",
            )
        labels = [f"{name}: {metric_title(metric)}" for name, metric in shown.index]
        self.ax_.set_yticks(range(len(labels)), labels)
        self.ax_.set_ylim(len(labels) - 0.5, -0.5)
        self.ax_.set(xlabel=f"difference to {self.baseline}, with 95% interval")
        return self


def _new_axes(n_rows: int) -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "A comparison is drawn by matplotlib, which is not installed: pip install 'skhp[plot]'."
        ) from error
    _, axes = pyplot.subplots(figsize=(7, 1.2 + 0.4 * n_rows), layout="constrained")
    return axes
