"""What a comparison has found: its tables, and the verdict on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from skhp.comparison.statistics import natural_frame
from skhp.comparison.verdict import (
    DummyScore,
    dummy_sentences,
    metric_key,
    metric_title,
    verdict_sentence,
)
from skhp.exceptions import SettingsError
from skhp.shared.nearest_name import nearest_name


@dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """The fields of a `Comparison` and its verdict, but not how they are shown."""

    frame: pd.DataFrame
    scores: pd.DataFrame
    seed_scores: pd.DataFrame
    confusion: pd.DataFrame | None
    baseline: str
    rare_class: Any
    n_repeats: int
    n_folds: int
    drawn_anew: bool
    n_rows: int | None = None
    dummy: str | None = None
    dummy_scores: Mapping[str, DummyScore] = field(default_factory=dict)
    lower_is_better: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """The estimators that are compared to the baseline."""
        every = self.frame.index.get_level_values("estimator").unique()
        return tuple(name for name in every if name not in (self.baseline, self.dummy))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics, in the order in which they were asked for."""
        return tuple(self.frame.index.get_level_values("metric").unique())

    @property
    def natural_frame(self) -> pd.DataFrame:
        """The frame with errors and losses as positive numbers."""
        return natural_frame(self.frame, self.lower_is_better)

    def title(self, metric: str) -> str:
        """The name of a metric where it is printed."""
        return metric_title(metric, metric in self.lower_is_better)

    def verdict(self, name: str | None = None, metric: str | None = None) -> str:
        """A sentence on what an estimator gains over the baseline, and how sure that is.

        It says "Gain" or "Loss" only where the corrected test, with Holm's adjustment for several
        estimators, finds the difference clear. Otherwise it says which difference this number of
        rows could show, and about how many rows would show the difference that was found. Where the
        estimator or the baseline is not better than the dummy, it says that, too.

        Parameters
        ----------
        name : str, default=None
            One of the estimators; None gives a line for each of them.
        metric : str, default=None
            The name that was given to `compare` or the one that is printed, such as "neg_log_loss"
            or "log loss"; capitals do not matter. None is F1 if that is among the metrics, else the
            first metric.

        Returns
        -------
        str

        Raises
        ------
        SettingsError
            If there is no such estimator or metric.
        """
        metric = self.main_metric if metric is None else self._known_metric(metric)
        names = self.names if name is None else (self._known_name(name),)
        return "\n".join(self._verdict(one, metric) for one in names)

    @property
    def main_metric(self) -> str:
        """The metric of the verdict where none is named: F1, or else the first one."""
        return "f1" if "f1" in self.metrics else self.metrics[0]

    def _verdict(self, name: str, metric: str) -> str:
        lower = metric in self.lower_is_better
        row = self.frame.loc[(name, metric)]
        dummy = self.dummy_scores.get(metric) if self.dummy != self.baseline else None
        sentence = verdict_sentence(
            self.natural_frame.loc[(name, metric)],
            name,
            self.baseline,
            metric,
            self.n_repeats,
            self.n_folds,
            len(self.names),
            n_rows=self.n_rows,
            n_values=None if self.drawn_anew else self.n_folds,
            lower_is_better=lower,
            beats_dummy=dummy is None or dummy.is_perfect or row["dummy_difference"] > 0,
        )
        if dummy is None:
            return sentence
        rows = {one: self.frame.loc[(one, metric)] for one in (name, self.baseline)}
        return f"{sentence} {dummy_sentences(dummy, rows, metric, lower)}".rstrip()

    def _known_metric(self, metric: Any) -> str:
        return _known(metric, {one: self.title(one) for one in self.metrics}, metric_key, "metric")

    def _known_name(self, name: Any) -> str:
        for one, what in ((self.baseline, "the baseline"), (self.dummy, "the dummy")):
            if name == one and one not in self.names:
                raise SettingsError(
                    f"{name!r} is {what}, which the others are compared to: give one of "
                    f"{', '.join(map(repr, self.names))}."
                )
        return _known(name, {one: one for one in self.names}, str.casefold, "estimator")


def _known(given: Any, labels: Mapping[str, str], key: Callable[[str], str], kind: str) -> str:
    """Find a name by itself, by its label, or by another spelling with the same `key`."""
    if isinstance(given, str):
        if given in labels:
            return given
        meant = {name for name, label in labels.items() if given == label} or {
            name for name, label in labels.items() if key(given) in (key(name), key(label))
        }
        if len(meant) == 1:
            return meant.pop()
    every = dict.fromkeys(both for pair in labels.items() for both in pair)
    printed = [
        repr(name) if name == label else f"{name!r} ({label})" for name, label in labels.items()
    ]
    raise SettingsError(
        f"no {kind} {given!r} was compared.{nearest_name(given, every)} Give one of "
        f"{', '.join(printed)}."
    )
