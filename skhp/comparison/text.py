"""A comparison as text of 80 columns, and as tables of HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

import pandas as pd
from rich.console import RenderableType

from skhp.comparison.findings import Findings
from skhp.comparison.verdict import decimal, p_value_text, split_count
from skhp.shared.terminal import as_text, text_table


class PrintedTable(NamedTuple):
    """Headings, rows, and the number of columns at the left that hold names."""

    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    n_names: int


def render_comparison(comparison: Findings) -> str:
    """Text of the scores, the differences to the baseline, the confusion and the verdict."""
    parts: list[RenderableType] = [_title(comparison), ""]
    parts += [" ".join(notes(comparison)), "", text_table(*score_table(comparison)), ""]
    parts += ["Difference to the baseline:", "", text_table(*_differences(comparison)), ""]
    if comparison.confusion is not None and comparison.rare_class is not None:
        parts += [_of_confusion(comparison), "", text_table(*_confusion(comparison)), ""]
    if calibration := _calibration(comparison):
        parts += [calibration, ""]
    return as_text(*parts, *comparison.verdict().splitlines()).rstrip()


def html_of_comparison(comparison: Findings) -> str:
    """HTML of what `render_comparison` prints, the verdict first."""
    verdicts = comparison.verdict().splitlines()
    parts = [paragraph(f"<strong>{html.escape(_title(comparison))}</strong>")]
    parts += [paragraph(html.escape(verdict)) for verdict in verdicts]
    parts += [html_table(score_table(comparison), "Scores")]
    parts += [html_table(_differences(comparison), "Difference to the baseline")]
    if comparison.confusion is not None and comparison.rare_class is not None:
        parts.append(html_table(_confusion(comparison), _of_confusion(comparison).rstrip(":")))
    parts += [paragraph(html.escape(note)) for note in notes(comparison)]
    if calibration := _calibration(comparison):
        parts.append(paragraph(html.escape(calibration)))
    return f'<div class="skhp-comparison">{"".join(parts)}</div>'


def notes(comparison: Findings) -> list[str]:
    """Sentences on what is averaged, which metrics are better if lower, and the dummy."""
    found = [_meaning(comparison)]
    lower = [
        comparison.title(name) for name in comparison.metrics if name in comparison.lower_is_better
    ]
    if lower:
        found.append(f"Lower is better: {', '.join(lower)}.")
    metrics_of: dict[str, list[str]] = {}
    for metric, dummy in comparison.dummy_scores.items():
        metrics_of.setdefault(dummy.answer, []).append(comparison.title(metric))
    answers = [f"{answer} ({', '.join(metrics)})" for answer, metrics in metrics_of.items()]
    if answers:
        row = f"The row {comparison.dummy} is the best answer that looks at no input"
        found.append(f"{row}: {'; '.join(answers)}.")
    return found


def score_table(comparison: Findings) -> PrintedTable:
    """A row for each estimator and metric."""
    seed = ("seed",) if _knows_seeds(comparison) else ()
    rows = [
        (
            name,
            comparison.title(metric),
            decimal(row["mean"]),
            decimal(row["std"]),
            *(decimal(row["seed_std"]) for _ in seed),
            _interval(row["low"], row["high"]),
            f"{row['seconds']:.2f}",
        )
        for (name, metric), row in comparison.natural_frame.iterrows()
    ]
    headings = ("estimator", "metric", "mean", "std", *seed, "95% interval", "seconds")
    return PrintedTable(headings, rows, 2)


def _knows_seeds(comparison: Findings) -> bool:
    """Whether more than one seed was tried on the same splits."""
    of_estimators = comparison.frame.drop(index=comparison.dummy or [], level="estimator")
    return bool(of_estimators["seed_std"].notna().any())


def _title(comparison: Findings) -> str:
    return f"Compared to {comparison.baseline}: {', '.join(comparison.names)}"


def _meaning(comparison: Findings) -> str:
    splits = split_count(comparison.n_repeats, comparison.n_folds)
    means = f"Means of {splits}"
    if comparison.n_repeats > 1:
        apart = "each with other folds and seeds" if comparison.drawn_anew else "with other seeds"
        seed = ", seed the spread over seeds alone" if _knows_seeds(comparison) else ""
        means += f", {apart}; std is the spread over the repeats{seed}"
    if comparison.confusion is None:
        return f"{means}."
    if comparison.rare_class is None:
        return f"{means}. Precision, recall and F1 are the means of all classes."
    return f"{means}. Precision, recall and F1 are those of class {comparison.rare_class!r}."


def _differences(comparison: Findings) -> PrintedTable:
    # The p-value of a single estimator is not adjusted.
    adjusted = ("p_value", "p_value_adjusted")[: len(comparison.names)]
    rows = [
        (
            name,
            comparison.title(metric),
            decimal(row["difference"], signed=True),
            _interval(row["difference_low"], row["difference_high"]),
            *(_p_value(row[column]) for column in adjusted),
        )
        for (name, metric), row in comparison.natural_frame.iterrows()
        if name != comparison.baseline
    ]
    headings = ("estimator", "metric", "difference", "95% interval", "p", "p by Holm")
    return PrintedTable(headings[: 4 + len(adjusted)], rows, 2)


def _p_value(p_value: float) -> str:
    return "-" if isnan(p_value) else p_value_text(p_value).removeprefix("p").lstrip("= ")


def _calibration(comparison: Findings) -> str:
    brier = comparison.frame.groupby(level="estimator", sort=False)["brier"].first().dropna()
    if brier.empty:
        return ""
    scores = ", ".join(f"{name} {decimal(score)}" for name, score in brier.items())
    of_class = f"the probabilities of class {comparison.rare_class!r}"
    return f"Brier score of {of_class} (0 is best): {scores}."


def _of_confusion(comparison: Findings) -> str:
    return f"Rows of class {comparison.rare_class!r}, and others, per repeat:"


def _confusion(comparison: Findings) -> PrintedTable:
    rare, confusion = comparison.rare_class, comparison.confusion
    assert confusion is not None
    rows = []
    for name, counts in confusion.groupby(level="estimator", sort=False):
        of_rare, others = counts.loc[(name, rare)], counts.drop(index=(name, rare)).iloc[0]
        found, false_alarms = of_rare[rare], others[rare]
        numbers = found, of_rare.sum() - found, false_alarms, others.sum() - false_alarms
        rows.append((str(name), *(f"{number:.1f}" for number in numbers)))
    headings = ("estimator", "found", "missed", "false alarms", "rightly left out")
    return PrintedTable(headings, rows, 1)


def _interval(low: float, high: float) -> str:
    return "-" if low != low else f"{decimal(low)} to {decimal(high)}"


def html_table(printed: PrintedTable, caption: str) -> str:
    """A table as HTML, with a caption."""
    frame = pd.DataFrame(printed.rows, columns=list(printed.headings))
    with pd.option_context("display.max_colwidth", None):
        table = frame.to_html(index=False, border=0)
    return table.replace(">", f"><caption>{html.escape(caption)}</caption>", 1)


def paragraph(content: str) -> str:
    """A paragraph of HTML."""
    return f"<p>{content}</p>"
