"""The sections of a page that only a study has."""

from __future__ import annotations

from skhp.comparison.text import notes
from skhp.inspection.report.search_report import ReportAddition
from skhp.study.score_rows import (
    dummy_sentence,
    meaning_of_scores,
    rows_of,
    scores_on_test_rows,
)
from skhp.study.study import Study
from skhp.study.text import (
    baseline_words,
    in_a_sentence,
    side_by_side,
    threshold_sentence,
    verdicts,
)


def against_the_baseline(study: Study) -> ReportAddition:
    """The section of a page that compares the network with the baseline."""
    comparison, baseline = study.comparison, study.task.baseline
    shown = comparison.natural_frame
    rows = []
    for metric in comparison.metrics:
        of_metric = shown.xs(metric, level="metric")
        lower = " (lower is better)" if metric in comparison.lower_is_better else ""
        rows.append(
            (
                f"{comparison.title(metric)}{lower}",
                *(float(of_metric.loc[name, "mean"]) for name in ("dummy", baseline, "network")),
                *(
                    float(of_metric.loc["network", column])
                    for column in ("difference", "difference_low", "difference_high")
                ),
            )
        )
    names = ("score", "dummy", "baseline", "network", "difference", "from", "to (95% interval)")
    texts = (*verdicts(study), side_by_side(study), *notes(comparison))
    return ReportAddition(f"Against {baseline} regression", texts, names, tuple(rows))


def on_the_test_rows(study: Study) -> ReportAddition:
    """The section of a page with the scores on the test rows."""
    repeats = study.repeats
    rows = tuple(
        (
            score.title if score.title.startswith(("F1", "R2")) else in_a_sentence(score.title),
            *map(float, (score.dummy, score.baseline, score.mean, score.deviation)),
        )
        for score in scores_on_test_rows(study)
        if not score.is_count
    )
    trained = "once" if len(repeats) == 1 else f"{len(repeats)} times, each with another seed"
    threshold = threshold_sentence(study)
    return ReportAddition(
        "One split",
        (
            f"Scores on {len(study.split.y_test)} test {rows_of(study)} of {study.table.name}, "
            f"which neither the network nor {baseline_words(study).at_length} has seen"
            f"{meaning_of_scores(study)}. The winner was trained {trained}; the pictures show the "
            "first of these trainings.",
            dummy_sentence(study),
            *([] if threshold is None else [f"Threshold: {threshold}"]),
            *(f"Look at the table: {note}" for note in study.table.notes),
        ),
        ("score", "dummy", "baseline", "network (mean)", "network (std)"),
        rows,
    )
