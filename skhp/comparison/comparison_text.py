"""A comparison as text of 80 columns."""

from __future__ import annotations

import io
from math import isnan
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.table import Table

from skhp.comparison.verdict import decimal, metric_title, p_value_text, split_count

if TYPE_CHECKING:
    from skhp.comparison.comparison_result import Comparison

__all__ = ["render_comparison"]

_WIDTH = 80


def render_comparison(comparison: Comparison) -> str:
    """Scores, differences to the baseline, confusion and the verdict.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
        Plain text; no line is longer than 80 characters.
    """
    parts: list[RenderableType] = [
        f"Compared to {comparison.baseline}: {', '.join(comparison.names)}",
        "",
        _meaning(comparison),
        "",
        _scores(comparison),
        "",
        "Difference to the baseline:",
        "",
        _differences(comparison),
        "",
    ]
    if comparison.confusion is not None and comparison.rare_class is not None:
        parts += [
            f"Rows of class {comparison.rare_class!r}, and others, per repeat:",
            "",
            _confusion(comparison),
            "",
        ]
    if calibration := _calibration(comparison):
        parts += [calibration, ""]
    for name in comparison.names:
        parts.append(comparison.verdict(name))
    return _as_text(parts)


def _meaning(comparison: Comparison) -> str:
    splits = split_count(comparison.n_repeats, comparison.n_folds)
    means = f"Means of {splits}"
    if comparison.n_repeats > 1:
        apart = "each with other folds and seeds" if comparison.drawn_anew else "with other seeds"
        means += f", {apart}; std is the spread of the repeats, seed that of the seed alone"
    if comparison.confusion is None:
        return f"{means}."
    if comparison.rare_class is None:
        return f"{means}. Precision, recall and F1 are the means of all classes."
    return f"{means}. Precision, recall and F1 are those of class {comparison.rare_class!r}."


def _scores(comparison: Comparison) -> Table:
    table = _table("mean", "std", "seed", "95% interval", "seconds")
    for (name, metric), row in comparison.frame.iterrows():
        table.add_row(
            name,
            metric_title(metric),
            decimal(row["mean"]),
            decimal(row["std"]),
            decimal(row["seed_std"]),
            _interval(row["low"], row["high"]),
            f"{row['seconds']:.2f}",
        )
    return table


def _differences(comparison: Comparison) -> Table:
    # Of a single estimator, nothing is adjusted.
    adjusted = ("p_value", "p_value_adjusted")[: len(comparison.names)]
    table = _table("difference", "95% interval", *("p", "p by Holm")[: len(adjusted)])
    for (name, metric), row in comparison.frame.iterrows():
        if name == comparison.baseline:
            continue
        table.add_row(
            name,
            metric_title(metric),
            decimal(row["difference"], signed=True),
            _interval(row["difference_low"], row["difference_high"]),
            *(_p_value(row[column]) for column in adjusted),
        )
    return table


def _p_value(p_value: float) -> str:
    return "-" if isnan(p_value) else p_value_text(p_value).removeprefix("p").lstrip("= ")


def _calibration(comparison: Comparison) -> str:
    brier = comparison.frame.groupby(level="estimator", sort=False)["brier"].first().dropna()
    if brier.empty:
        return ""
    scores = ", ".join(f"{name} {decimal(score)}" for name, score in brier.items())
    of_class = f"the probabilities of class {comparison.rare_class!r}"
    return f"Brier score of {of_class} (0 is best): {scores}."


def _confusion(comparison: Comparison) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2), pad_edge=False)
    table.add_column("estimator", overflow="fold")
    for heading in ("found", "missed", "false alarms", "rightly not"):
        table.add_column(heading, justify="right", no_wrap=True)
    rare = comparison.rare_class
    confusion = comparison.confusion
    assert confusion is not None
    for name, counts in confusion.groupby(level="estimator", sort=False):
        of_rare, others = counts.loc[(name, rare)], counts.drop(index=(name, rare)).iloc[0]
        found, false_alarms = of_rare[rare], others[rare]
        numbers = found, of_rare.sum() - found, false_alarms, others.sum() - false_alarms
        table.add_row(str(name), *(f"{number:.1f}" for number in numbers))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2), pad_edge=False)
    table.add_column("estimator", overflow="fold")
    table.add_column("metric", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _interval(low: float, high: float) -> str:
    return "-" if low != low else f"{decimal(low)} to {decimal(high)}"


def _as_text(parts: list[RenderableType]) -> str:
    text = io.StringIO()
    console = Console(
        file=text, width=_WIDTH, color_system=None, markup=False, emoji=False, highlight=False
    )
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
