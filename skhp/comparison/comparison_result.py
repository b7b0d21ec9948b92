"""What comes out of `skhp.compare`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from skhp.comparison.comparison_text import render_comparison
from skhp.comparison.errors import SettingsError
from skhp.comparison.verdict import verdict_sentence
from skhp.suggestions import nearest_name

if TYPE_CHECKING:
    from skhp.comparison.comparison_display import ComparisonDisplay

__all__ = ["Comparison"]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Scores of estimators and of a baseline on the same splits, as `skhp.compare` returns them.

    ``print(comparison)`` shows all of it in 80 columns.

    Parameters
    ----------
    frame : DataFrame
        A row for each estimator and metric, indexed by both. Columns:

        - mean, and low and high, its 95% interval, which ends at 0 and 1 where the metric does;
        - std, the standard deviation of the mean over the folds from repeat to repeat: what other
          folds and other seeds do together;
        - difference to the baseline, difference_low and difference_high, its 95% interval, and
          p_value, by the corrected resampled t-test (NaN for the baseline);
        - p_value_adjusted, by Holm's method for the number of estimators, each metric by itself;
        - seed_std, the standard deviation of the mean over the same folds from seed to seed; 0 for
          an estimator that takes none, NaN if one seed was tried only;
        - brier, the mean Brier score of the probabilities of the rare class, 0 at best (the same in
          all rows of an estimator; NaN without probabilities, and unless there are two classes);
        - seconds of one fit, tuning included.
    scores : DataFrame
        A row for each repeat, fold, estimator and metric.
    seed_scores : DataFrame
        The same for each seed on the splits of one repeat.
    confusion : DataFrame or None
        Of each estimator, how many rows of each class were given which class: summed over the
        folds, mean over the repeats. None for regressors.
    baseline : str
        Its name.
    rare_class : label or None
        The class whose precision, recall and F1 are meant; None unless there are two classes.
    n_repeats, n_folds : int
    drawn_anew : bool
        Whether each repeat had splits of its own, not another seed alone.
    """

    frame: pd.DataFrame
    scores: pd.DataFrame
    seed_scores: pd.DataFrame
    confusion: pd.DataFrame | None
    baseline: str
    rare_class: Any
    n_repeats: int
    n_folds: int
    drawn_anew: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The estimators that are compared to the baseline."""
        every = self.frame.index.get_level_values("estimator").unique()
        return tuple(name for name in every if name != self.baseline)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics, in the order in which they were asked for."""
        return tuple(self.frame.index.get_level_values("metric").unique())

    def verdict(self, name: str | None = None, metric: str | None = None) -> str:
        """A sentence on what an estimator gains over the baseline, and how sure that is.

        Parameters
        ----------
        name : str, default=None
            One of the estimators; None gives a line for each of them.
        metric : str, default=None
            None is F1 if that is among the metrics, else the first of them.

        Returns
        -------
        str
        """
        metrics = self.metrics
        if metric is None:
            metric = "f1" if "f1" in metrics else metrics[0]
        _require(metric, metrics, "metric")
        if name is not None:
            _require(name, self.names, "estimator")
        return "\n".join(
            verdict_sentence(
                self.frame.loc[(one, metric)],
                one,
                self.baseline,
                metric,
                self.n_repeats,
                self.n_folds,
                len(self.names),
            )
            for one in (self.names if name is None else (name,))
        )

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
        from skhp.comparison.comparison_display import ComparisonDisplay

        return ComparisonDisplay.from_comparison(self, ax=ax)

    def __str__(self) -> str:
        return render_comparison(self)

    def __repr__(self) -> str:
        return (
            f"Comparison(estimators={list(self.names)}, baseline={self.baseline!r}, "
            f"metrics={list(self.metrics)})"
        )


def _require(name: str, known: tuple[str, ...], kind: str) -> None:
    if name not in known:
        raise SettingsError(
            f"no {kind} {name!r} was compared.{nearest_name(name, known)} Give one of "
            f"{', '.join(map(repr, known))}."
        )
