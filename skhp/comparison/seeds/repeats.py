"""Trainings that differ in the seed, as `skhp.repeat` returns them: their scores and statistics."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import pandas as pd

from skhp.comparison.seeds.display import RepeatsDisplay
from skhp.comparison.text import PrintedTable, html_table, paragraph
from skhp.comparison.verdict import decimal, metric_title
from skhp.exceptions import SettingsError
from skhp.shared.nearest_name import nearest_name
from skhp.shared.terminal import as_text, text_table

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False, repr=False)
class Repeats:
    """Scores of trainings that differ in the seed, as `skhp.repeat` returns them.

    ``print(repeats)`` shows the statistics, and a notebook shows them as a table. Both show errors
    and losses as positive numbers. The data frames hold them negated, as scikit-learn's scorers
    return them, so that greater is better.

    The score of a seed is the mean over the splits, and NaN if one of its trainings failed.
    Statistics leave out seeds without a score.

    Parameters
    ----------
    estimator : str
        The class of the estimator, or of the last step of a pipeline.
    scores : DataFrame
        A row for each seed and split, indexed by both, and a column for each metric.
    trainings : DataFrame
        A row for each seed and split, with the columns `fit_time` in seconds and, for estimators
        that report them, `n_iter`, `best_epoch` and `stop_reason`.
    n_train, n_test : int
        Number of rows that the first split trains and scores on.
    lower_is_better : frozenset of str
        The metrics that are errors or losses.
    estimators : tuple or None
        With ``return_estimator=True`` the fitted estimator of each row of `scores`, or None where
        the fit failed; otherwise None.
    """

    estimator: str
    scores: pd.DataFrame
    trainings: pd.DataFrame
    n_train: int
    n_test: int
    lower_is_better: frozenset[str] = frozenset()
    estimators: tuple[Any, ...] | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics, in the order in which they were asked for."""
        return tuple(self.scores.columns)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in the order of the trainings."""
        return tuple(self.scores.index.get_level_values("seed").unique().tolist())

    @property
    def n_splits(self) -> int:
        """Number of splits that each seed was scored on."""
        return len(self.scores) // len(self.seeds)

    @property
    def by_seed(self) -> pd.DataFrame:
        """The scores of each seed, the means over the splits: a row for each seed."""
        scores = self.scores.to_numpy(float).reshape(-1, self.n_splits, len(self.metrics))
        index = pd.Index(self.seeds, name="seed")
        return pd.DataFrame(scores.mean(axis=1), index=index, columns=self.scores.columns)

    @property
    def frame(self) -> pd.DataFrame:
        """The statistics over the seeds: a row for each metric.

        The columns are those of pandas' ``describe``: count (of seeds that have a score), mean, std
        (of a sample, divided by n - 1), min, 5%, 25%, 50%, 75%, 95% and max.
        """
        return self.by_seed.describe(percentiles=list(_QUANTILES)).T.rename_axis("metric")

    @property
    def values(self) -> np.ndarray:
        """The score of each seed, in the first metric."""
        return self.by_seed.iloc[:, 0].to_numpy()

    @property
    def mean(self) -> float:
        """The mean over the seeds, in the first metric."""
        return float(self.frame["mean"].iloc[0])

    @property
    def std(self) -> float:
        """The standard deviation over the seeds, in the first metric; NaN for a single seed."""
        return float(self.frame["std"].iloc[0])

    @property
    def median(self) -> float:
        """The median over the seeds, in the first metric."""
        return float(self.frame["50%"].iloc[0])

    def quantile(self, q: float | Sequence[float] = 0.5) -> Any:
        """Quantiles over the seeds, linear between two scores.

        Parameters
        ----------
        q : float or sequence of float, default=0.5
            Between 0 and 1.

        Returns
        -------
        float or ndarray
            In the first metric; an array for a sequence. `by_seed` has the scores of all metrics.

        Raises
        ------
        ValueError
            If `q` is not between 0 and 1.
        """
        found = np.quantile(self.by_seed.iloc[:, 0].dropna(), q) if self._has_scores else None
        if found is None:
            found = np.full(np.shape(q), np.nan)
        return float(found) if np.ndim(found) == 0 else found

    def plot(self, metric: str | None = None, ax: Any = None) -> RepeatsDisplay:
        """Draw the score of each seed, errors and losses as positive numbers; needs matplotlib.

        Parameters
        ----------
        metric : str, default=None
            One of the `metrics`; None is the first.
        ax : matplotlib Axes, default=None
            None makes a figure.

        Returns
        -------
        RepeatsDisplay

        Raises
        ------
        ValueError
            If there is no such metric.
        """
        metric = self.metrics[0] if metric is None else metric
        if metric not in self.metrics:
            raise SettingsError(
                f"metric={metric!r} was not scored.{nearest_name(metric, self.metrics)} Give one "
                f"of {', '.join(map(repr, self.metrics))}."
            )
        return RepeatsDisplay(self._natural[metric], self._titled(metric)).plot(ax)

    @property
    def _natural(self) -> pd.DataFrame:
        """The scores of each seed, with errors and losses as positive numbers."""
        natural = self.by_seed
        for metric in self.lower_is_better:
            natural[metric] *= -1
        return natural

    @property
    def _has_scores(self) -> bool:
        return bool(np.isfinite(self.values).any())

    @property
    def _title(self) -> str:
        seeds = self.seeds
        are_ordered = list(seeds) == list(range(seeds[0], seeds[0] + len(seeds)))
        if len(seeds) == 1:
            return f"1 training of {self.estimator}, with the seed {seeds[0]}"
        which = f"the seeds {seeds[0]} to {seeds[-1]}" if are_ordered else "seeds that were drawn"
        return f"{len(seeds)} trainings of {self.estimator}, with {which}"

    @property
    def _notes(self) -> list[str]:
        rows = f"{self.n_train:,} rows to train on and {self.n_test:,} to score on"
        notes = [
            f"All seeds have the same split: {rows}."
            if self.n_splits == 1
            else f"All seeds have the same {self.n_splits} splits, the first of {rows}; the score "
            "of a seed is the mean over the splits."
        ]
        if lower := [self._titled(name) for name in self.metrics if name in self.lower_is_better]:
            notes.append(f"Lower is better: {', '.join(lower)}.")
        first, std = self.metrics[0], self.std
        if not isnan(std):
            notes.append(
                f"Another seed alone moves the {self._titled(first)} by about {decimal(std)}."
                if std
                else f"The seed has no effect on the {self._titled(first)}."
            )
        if failed := int(self.scores.isna().any(axis=1).sum()):
            have = "has" if failed == 1 else "have"
            notes.append(f"{failed} of {len(self.scores)} trainings {have} no score.")
        return notes

    def _titled(self, metric: str) -> str:
        return metric_title(metric, metric in self.lower_is_better)

    @property
    def _table(self) -> PrintedTable:
        frame = self._natural.describe(percentiles=list(_QUANTILES)).T
        columns = {"mean": "mean", "std": "std", "min": "min", "5%": "5%", "50%": "median"}
        columns |= {"95%": "95%", "max": "max"}
        rows = [
            (self._titled(str(metric)), *(decimal(row[name]) for name in columns))
            for metric, row in frame.iterrows()
        ]
        return PrintedTable(("metric", *columns.values()), rows, 1)

    def _repr_html_(self) -> str:
        parts = [paragraph(f"<strong>{html.escape(self._title)}</strong>")]
        parts += [html_table(self._table, "Statistics over the seeds")]
        parts += [paragraph(html.escape(note)) for note in self._notes]
        return f'<div class="skhp-repeats">{"".join(parts)}</div>'

    def __str__(self) -> str:
        table = text_table(*self._table)
        return as_text(self._title, "", table, "", " ".join(self._notes)).rstrip()

    def __repr__(self) -> str:
        return (
            f"Repeats(estimator={self.estimator!r}, n={len(self.seeds)}, "
            f"metrics={list(self.metrics)})"
        )
