"""A study as a page: the report of its search, with what the baseline has to say to it."""

from __future__ import annotations

import copy
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skhp.comparison.comparison_text import notes
from skhp.comparison.errors import OutputError, SettingsError
from skhp.comparison.files import check_writable
from skhp.comparison.repeats import mean_and_deviation
from skhp.comparison.report import dummy_sentence, side_by_side, verdicts
from skhp.comparison.study import Study
from skhp.reporting import ReportAddition, write_report


def check_page(path: Path, reads: Sequence[str | os.PathLike[str] | None] = ()) -> None:
    """Refuse, before anything is trained, what could not be written; nothing is created.

    Parameters
    ----------
    path : Path
        Of the page. A file that is there will be replaced, as `search.report` does.
    reads : sequence of path or None, default=()
        Files that the page must not take the place of.

    Raises
    ------
    SettingsError
        If matplotlib, which draws the pictures, is not installed.
    OutputError
        If the page could not be written there.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise SettingsError(
            "the pictures of a page are drawn by matplotlib, which is not installed: "
            "pip install 'skhp[plot]', or use skhp tune, which prints its report."
        )
    folder = path.absolute().parent
    if path.is_dir():
        raise OutputError(f"{str(path)!r} is a directory: give --out the path of a file.")
    if not folder.is_dir():
        raise OutputError(
            f"{str(path)!r} cannot be written, as there is no directory {str(folder)!r}: make it, "
            "or choose another --out."
        )
    check_writable(folder)
    for other in reads:
        if other is not None and path.resolve() == Path(other).resolve():
            raise OutputError(
                f"{str(path)!r} is read, or is the journal, and the page would take its place: "
                "choose another --out."
            )


def write_page(study: Study, path: Path) -> Path:
    """Write the report of the search of a study, judged by the test rows of the study.

    Parameters
    ----------
    study : Study
    path : Path
        A file that is there is replaced when the page is whole.

    Returns
    -------
    Path

    Raises
    ------
    OutputError
        If the system refuses.
    """
    # A copy, as the search of a study has refitted nothing: the repeats did.
    search: Any = copy.copy(study.search)
    search.best_estimator_ = study.pipeline
    y_test = study.table.target.labels[study.split.y_test]
    additions = [_against_the_baseline(study), _on_the_test_rows(study)]
    try:
        return write_report(search, path, study.split.X_test, y_test, additions)
    except OSError as error:
        raise OutputError(
            f"{str(path)!r} cannot be written ({error.strerror or error}): choose another --out."
        ) from error


def _against_the_baseline(study: Study) -> ReportAddition:
    comparison = study.comparison
    shown = comparison.natural_frame
    rows = []
    for metric in comparison.metrics:
        of_metric = shown.xs(metric, level="metric")
        lower = " (lower is better)" if metric in comparison.lower_is_better else ""
        rows.append(
            (
                f"{comparison.title(metric)}{lower}",
                *(float(of_metric.loc[name, "mean"]) for name in ("dummy", "logistic", "network")),
                *(
                    float(of_metric.loc["network", column])
                    for column in ("difference", "difference_low", "difference_high")
                ),
            )
        )
    names = ("score", "dummy", "baseline", "network", "difference", "from", "to (95% interval)")
    texts = (*verdicts(study), side_by_side(study), *notes(comparison))
    return ReportAddition("Against logistic regression", texts, names, tuple(rows))


def _on_the_test_rows(study: Study) -> ReportAddition:
    target, repeats = study.table.target, [repeat.scores for repeat in study.repeats]
    metrics = [("precision", "precision"), ("recall", "recall"), ("F1", "f1")]
    if not target.is_binary:
        metrics.append(("F1, mean of all classes", "f1_macro"))
    rows = []
    for title, metric in metrics:
        mean, deviation = mean_and_deviation(getattr(scores, metric) for scores in repeats)
        spread = float("nan") if deviation is None else deviation
        others = (
            float(getattr(scores, metric)) for scores in (study.dummy_scores, study.baseline_scores)
        )
        rows.append((title, *others, mean, spread))
    n_rare = int((study.split.y_test == target.rare_code).sum())
    trained = "once" if len(repeats) == 1 else f"{len(repeats)} times, each with another seed"
    return ReportAddition(
        "One split",
        (
            f"Scores on {len(study.split.y_test)} test rows of {study.table.name}, which neither "
            "the network nor the logistic regression (with lasso, tuned on the same folds) has "
            f"seen. Precision, recall and F1 are those of class {target.rare_label!r} of "
            f"{target.name!r}, of which they hold {n_rare}. The winner was trained {trained}; the "
            "pictures show the first of these trainings.",
            dummy_sentence(study),
        ),
        ("score", "dummy", "baseline", "network (mean)", "network (std)"),
        tuple(rows),
    )
