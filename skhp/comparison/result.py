"""A comparison as `skhp.compare` returns it: printed, shown in a notebook, drawn."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from skhp.comparison.findings import Findings
from skhp.comparison.text import html_of_comparison, render_comparison
from skhp.inspection.displays.axes import drawing_area


class ComparisonDisplay:
    """Differences to a baseline with their 95% intervals, beside a line at no difference.

    Made by `Comparison.plot` or `from_comparison`, like scikit-learn's displays.

    For errors and losses, left of the line is better.

    Parameters
    ----------
    comparison : Comparison
        The comparison to draw.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that were drawn into.
    figure_ : matplotlib Figure
        The figure of the axes.
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
        self.ax_ = drawing_area(self, ax, size=(7, 1.2 + 0.4 * len(shown)))
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
                    # matplotlib turns a Series of one value into a number; pandas 2 warns of that.
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


class Comparison(Findings):
    """Scores of estimators and of a baseline on the same splits, as `skhp.compare` returns them.

    ``print(comparison)`` shows all of it in 80 columns, and a notebook shows it as tables. Both
    show errors and losses as positive numbers. The data frames hold them negated, as scikit-learn's
    scorers return them, so that greater is better.

    The row "dummy" has the best answer that ignores the inputs, for each metric: always the same
    class, the frequencies of the classes, or for regressors the mean or the median.

    Parameters
    ----------
    frame : DataFrame
        A row for each estimator and metric, indexed by both. Columns:

        - mean, low, high: the mean and its 95% interval, which ends at 0 and 1 for a metric from 0
          to 1;
        - std: the standard deviation, over the repeats, of the mean over the folds; it shows the
          effect of other folds and other seeds together;
        - difference, difference_low, difference_high, p_value: the difference to the baseline, its
          95% interval and its p-value by the corrected resampled t-test (NaN for the baseline);
        - p_value_adjusted: the p-value by Holm's method for the number of estimators, each metric
          by itself (NaN for the dummy, which does not count);
        - dummy_difference, dummy_difference_low, dummy_difference_high, dummy_p_value: the same
          for the difference to the dummy;
        - seed_std: the standard deviation, over seeds on the same splits, of the mean over the
          folds; 0 for an estimator without a seed, NaN if only one seed was tried;
        - brier: the mean Brier score of the probabilities of the rare class, 0 at best (the same in
          all rows of an estimator; NaN without probabilities, and unless there are two classes);
        - seconds: the mean time of one fit, tuning included.
    scores : DataFrame
        A row for each repeat, fold, estimator and metric.
    seed_scores : DataFrame
        A row for each seed, fold, estimator and metric, on the splits of the first repeat.
    confusion : DataFrame or None
        For each estimator, the number of rows of each class by predicted class: the sum over the
        folds, averaged over the repeats. None for regressors.
    baseline : str
        The name of the baseline.
    rare_class : label or None
        The class of precision, recall and F1; None unless there are two classes.
    n_repeats, n_folds : int
        Number of repeats, and of splits in each repeat.
    drawn_anew : bool
        Whether each repeat had new splits, not only new seeds.
    n_rows : int or None
        Number of rows of the table.
    dummy : str or None
        The name of the row of the dummy.
    dummy_scores : mapping of str to DummyScore
        The answer of the dummy to each metric, and its score.
    lower_is_better : frozenset of str
        The metrics that are errors or losses.
    """

    def plot(self, ax: Any = None) -> ComparisonDisplay:
        """Draw the differences to the baseline with their intervals; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        ComparisonDisplay
        """
        return ComparisonDisplay.from_comparison(self, ax=ax)

    def _repr_html_(self) -> str:
        return html_of_comparison(self)

    def __str__(self) -> str:
        return render_comparison(self)

    def __repr__(self) -> str:
        return (
            f"Comparison(estimators={list(self.names)}, baseline={self.baseline!r}, "
            f"metrics={list(self.metrics)})"
        )
