"""A study as a page and a pipeline: the report of its search, and what it chose, fitted."""

from __future__ import annotations

import copy
import importlib.util
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib

from skhp.comparison.text import notes
from skhp.exceptions import OutputError, SettingsError
from skhp.inspection.report.search_report import ReportAddition, write_report
from skhp.study.files import check_writable, first_free, paths_that_can_be, refuse_what_is_read
from skhp.study.study import Study
from skhp.study.text import dummy_sentence, scores_on_test_rows, side_by_side, verdicts


def check_page(
    path: Path, reads: Sequence[str | os.PathLike[str] | None] = (), overwrite: bool = False
) -> None:
    """Refuse, before anything is trained, what could not be written; nothing is created.

    Parameters
    ----------
    path : Path
        Of the page.
    reads : sequence of path or None, default=()
        Files that the page must not take the place of.
    overwrite : bool, default=False
        Whether a file that is there may be replaced.

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
            "pip install matplotlib, or use skhp tune, which prints its report."
        )
    with paths_that_can_be(path):
        _check_paths(path, reads, overwrite)


def _check_paths(
    path: Path, reads: Sequence[str | os.PathLike[str] | None], overwrite: bool
) -> None:
    folder = path.absolute().parent
    if path.is_dir():
        raise OutputError(f"{str(path)!r} is a directory: give --out the path of a file.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{str(path)!r} is a pipe or a device: give --out the path of a file.")
    if not folder.is_dir():
        raise OutputError(
            f"{str(path)!r} cannot be written, as there is no directory {str(folder)!r}: make it, "
            "or choose another --out."
        )
    check_writable(folder)
    pipeline = pipeline_path(path)
    if pipeline.is_dir() or pipeline == path:
        raise OutputError(
            f"the fitted pipeline would go to {str(pipeline)!r}, which is "
            f"{'the page itself' if pipeline == path else 'a directory'}: choose another --out."
        )
    for file, what in ((path, "the page"), (pipeline, "the fitted pipeline")):
        refuse_what_is_read(file, reads, what)
        if os.path.lexists(file) and not overwrite:
            raise OutputError(
                f"{str(file)!r} exists, perhaps of an earlier run: choose another --out, or add "
                "--overwrite to replace it."
            )


def pipeline_path(page: Path) -> Path:
    """Where the fitted pipeline goes: beside the page, by its name."""
    return page.with_suffix(".joblib")


def write_page(study: Study, path: Path, overwrite: bool = False) -> Path:
    """Write the report of the search of a study, judged by the test rows of the study.

    The fitted pipeline is left beside it, at `pipeline_path`.

    Parameters
    ----------
    study : Study
    path : Path
    overwrite : bool, default=False
        Whether a file that is there is replaced, when the page is whole. If not, the page goes to
        the first of name-2, name-3 and so on that does not exist.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    OutputError
        If the system refuses.
    """
    while not overwrite and any(map(os.path.lexists, (path, pipeline_path(path)))):
        # Made by another run while this one trained. What was found is not thrown away.
        path = first_free(path)
    # A copy, as the search of a study has refitted nothing: the repeats did.
    search: Any = copy.copy(study.search)
    search.best_estimator_ = study.pipeline
    y_test = study.table.target.labels[study.split.y_test]
    additions = [_against_the_baseline(study), _on_the_test_rows(study)]
    pipeline = pipeline_path(path)
    aside = pipeline.with_name(f".skhp-{uuid.uuid4().hex}")
    try:
        joblib.dump(study.pipeline, aside)
        write_report(search, path, study.split.X_test, y_test, additions)
        os.replace(aside, pipeline)
        return path
    except OSError as error:
        raise OutputError(
            f"{str(path)!r} cannot be written ({error.strerror or error}): choose another --out."
        ) from error
    finally:
        aside.unlink(missing_ok=True)


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
    target, repeats = study.table.target, study.repeats
    rows = tuple(
        (
            score.title if score.title.startswith("F1") else score.title.lower(),
            *map(float, (score.dummy, score.baseline, score.mean, score.deviation)),
        )
        for score in scores_on_test_rows(study)
        if score.field in ("precision", "recall", "f1", "f1_macro")
    )
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
            *(f"Look at the table: {note}" for note in study.table.notes),
        ),
        ("score", "dummy", "baseline", "network (mean)", "network (std)"),
        rows,
    )
