"""The result of a study as text of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Any, NamedTuple

import numpy as np

from skhp.comparison.text import PrintedTable, notes, score_table
from skhp.comparison.verdict import decimal
from skhp.shared.natural_scores import natural_name, natural_score
from skhp.shared.terminal import as_text, facts, indented, text_table
from skhp.study.network_search import winning_parameters
from skhp.study.repeats import Repeat
from skhp.study.score_rows import (
    dummy_sentence,
    meaning_of_scores,
    rows_of,
    scores_on_test_rows,
    weight_of_a_row,
)
from skhp.study.study import Study
from skhp.study.winner import settings_in_words, threshold_of, tunes_on_held_out_rows
from skhp.tables.image_folder import ImageFolder
from skhp.tables.numeric_target import NumericTarget
from skhp.tables.preparation import missing_cells
from skhp.tables.table import Table
from skhp.tables.target import Target

_SHOWN_COLUMNS = 6
_SHOWN_CLASSES = 10


def render_report(study: Study) -> str:
    """The settings, the scores of both models on the test rows, and the verdict."""
    rows, luck = rows_of(study), "One split does not tell a gain from luck."
    return as_text(
        f"A network against {baseline_words(study).title}",
        "",
        facts(_facts(study)),
        "",
        f"Scores on the test {rows}{meaning_of_scores(study)}:",
        "",
        indented(text_table(*_score_table(study))),
        "",
        " ".join((dummy_sentence(study), *weight_of_a_row(study), luck)),
        "",
        "The verdict:",
        "",
        " ".join((side_by_side(study), *notes(study.comparison))),
        "",
        indented(text_table(*score_table(study.comparison))),
        "",
        *verdicts(study),
    )


class _Baseline(NamedTuple):
    """Words for a baseline: a title, the name and symbol of its parameter, a longer phrase."""

    title: str
    parameter: str
    symbol: str
    at_length: str


_BASELINES = {
    "lasso": _Baseline(
        "logistic regression with lasso",
        "baseline__C",
        "C",
        "the logistic regression (with lasso, tuned on the same folds)",
    ),
    "pixels": _Baseline(
        "logistic regression on pixels",
        "baseline__C",
        "C",
        "the logistic regression (on pixels, tuned on the same folds)",
    ),
    "ridge": _Baseline(
        "ridge regression",
        "baseline__regressor__alpha",
        "alpha",
        "the ridge regression (tuned on the same folds)",
    ),
}


def baseline_words(study: Study) -> _Baseline:
    """What a report calls the baseline of a study."""
    if not has_classes(study):
        return _BASELINES["ridge"]
    return _BASELINES["pixels" if isinstance(study.table, ImageFolder) else "lasso"]


def has_classes(study: Study) -> bool:
    """Whether the target of a study has classes."""
    return isinstance(study.table.target, Target)


def verdicts(study: Study) -> list[str]:
    """The verdicts by the score of the tuning, and by F1 or R2."""
    metrics = dict.fromkeys((study.comparison.metrics[0], "f1" if has_classes(study) else "r2"))
    return [study.comparison.verdict("network", metric) for metric in metrics]


def side_by_side(study: Study) -> str:
    """A sentence about the compared settings, and about what flatters them."""
    n_rows, n_train = len(study.table.inputs), len(study.split.y_train)
    return (
        f"The network and the baseline, with the settings above, were trained anew on splits of "
        f"all {n_rows} {rows_of(study)}. These settings were chosen on {n_train} of the "
        f"{rows_of(study)}, which flatters both a little."
    )


def _facts(study: Study) -> list[tuple[str, str]]:
    table, settings = study.table, study.settings
    n_train, n_test = len(study.split.y_train), len(study.split.y_test)
    scoring, trained = natural_name(study.scoring), "once"
    if settings.repeats > 1:
        trained = f"{settings.repeats} times"
    kept_in_proportion = ", stratified" if has_classes(study) else ""
    words = settings_in_words(
        winning_parameters(study.search), of_images=isinstance(table, ImageFolder)
    )
    baseline = baseline_words(study)
    facts_by_name = [
        *(_facts_of_images(table) if isinstance(table, ImageFolder) else _facts_of_table(table)),
        *(("Look at", as_sentence(note)) for note in table.notes),
        (
            "Split",
            f"{n_train} {rows_of(study)} to train and tune on, {n_test} to test on"
            f"{kept_in_proportion}.",
        ),
        ("Tuning", f"by {scoring} in {_folds(study)}, seed {settings.seed}."),
        (
            "Baseline",
            f"{baseline.symbol} = {study.baseline.best_params_[baseline.parameter]:.3g}, "
            f"{_best_of(study, study.baseline)}.",
        ),
        (
            "Network",
            f"{words}, {_best_of(study, study.search)}; trained {trained}, "
            f"{epochs_of_repeats(study.repeats)}.",
        ),
        ("Time", f"{study.seconds:.0f} s."),
    ]
    if (said := threshold_sentence(study)) is not None:
        facts_by_name.insert(-1, ("Threshold", said))
    if settings.time_budget is not None:
        facts_by_name.insert(-1, ("Budget", budget_sentence(study, settings.time_budget)))
    return facts_by_name


def _folds(study: Study) -> str:
    folds = f"{study.n_folds} {'stratified' if has_classes(study) else 'shuffled'} folds"
    if study.n_folds == study.settings.folds:
        return folds
    few = (
        f"a class has {study.n_folds} training {rows_of(study)} only"
        if has_classes(study)
        else f"there are {len(study.split.y_train)} training rows only"
    )
    return f"{folds} (not {study.settings.folds}: {few})"


def _best_of(study: Study, search: Any) -> str:
    score = natural_score(study.scoring, search.best_score_)
    shown = f"{score:.3f}" if has_classes(study) else decimal(score)
    return (
        f"the best of {number_of_candidates(search)} with {natural_name(study.scoring)} {shown} in "
        "cross-validation"
    )


def threshold_sentence(study: Study) -> str | None:
    """A sentence on the threshold of the network; None if there are not two classes."""
    target, value = study.table.target, threshold_of(study.pipeline)
    if value is None or not isinstance(target, Target):
        return None
    above = f"{target.rare_label!r} is predicted from a probability of {value:.3g} on"
    if study.settings.threshold not in (None, "tune"):
        return f"{above}, as --threshold says."
    if not tunes_on_held_out_rows(study.pipeline):
        return f"{above}, the threshold with the best F1 on the test rows of the folds."
    several = ", of the first repeat" if len(study.repeats) > 1 else ""
    return f"{above}, the threshold with the best F1 on held-out rows{several}."


def as_sentence(note: str) -> str:
    """The note, with its first letter capitalised."""
    return note[:1].upper() + note[1:]


def in_a_sentence(title: str) -> str:
    """The title, with its first letter small."""
    return title[:1].lower() + title[1:]


def number_of_candidates(search: object) -> int:
    """The number of different candidates that a search has scored."""
    results = search.cv_results_  # type: ignore[attr-defined]
    # Each later iteration of a halving search scores some of the same candidates again.
    return len(results["params"]) if "iter" not in results else int((results["iter"] == 0).sum())


def budget_sentence(study: Any, seconds: float) -> str:
    """A sentence on what the time budget did to the search of a study."""
    tried, total = len(study.search.cv_results_["params"]), study.n_candidates
    budget = f"time budget of {seconds:g} s"
    if study.search.search_stop_reason_ == "time_budget":
        text = f"the {budget} ended the search of the network after {tried} of {total} candidates"
        if cut_off := _n_cut_off(study):
            text += f", {cut_off} of them in training, which win only if no other is finished"
        return f"{text}."
    return f"the search of the network tried {tried} of {total} candidates, within its {budget}."


def _n_cut_off(study: Any) -> int:
    """The number of candidates that a time budget ended in their training."""
    results = study.search.cv_results_
    reasons = np.asarray(results.get("stop_reason", []))
    ended = np.isfinite(results.get("pruned_at_epoch", np.full(len(reasons), np.nan)))
    return int((ended & (reasons == "time_budget")).sum())


def epochs_of_repeats(repeats: Sequence[Repeat]) -> str:
    """A phrase on the best epochs of the repeats."""
    epochs = [repeat.best_epoch for repeat in repeats]
    if min(epochs) == max(epochs):
        return f"best after {epochs[0]} epochs"
    return f"best after {min(epochs)} to {max(epochs)} epochs"


def _facts_of_table(table: Table) -> list[tuple[str, str]]:
    return [
        ("Table", _table_sentence(table)),
        ("Target", _target_sentence(table.target, "rows", table.target_by_default)),
        ("Missing", _missing_sentence(table)),
    ]


def _facts_of_images(images: ImageFolder) -> list[tuple[str, str]]:
    width, height = images.size
    colours = "grey" if images.is_grey else "in colour"
    return [
        (
            "Images",
            f"{images.name}: {len(images.inputs)} images of {width} x {height} pixels, {colours}.",
        ),
        ("Target", _target_sentence(images.target, "images")),
    ]


def _table_sentence(table: Table) -> str:
    rows = f"{len(table.inputs)} rows"
    if table.n_rows_without_target:
        rows += f" ({table.n_rows_without_target} more without a target were left out)"
    n_columns = len(table.inputs.columns)
    return (
        f"{table.name}: {rows}, {n_columns} column{'' if n_columns == 1 else 's'} "
        f"({len(table.numbers)} of numbers, {len(table.categories)} of categories)."
    )


def _target_sentence(target: Target | NumericTarget, rows: str, by_default: bool = False) -> str:
    last = ", the last column" if by_default else ""
    if isinstance(target, NumericTarget):
        low, middle, high = (decimal(q) for q in np.quantile(target.numbers, (0.0, 0.5, 1.0)))
        return f"{target.name!r}{last}; numbers from {low} to {high}, half of them up to {middle}."
    labels = [repr(label) for label in target.labels[:_SHOWN_CLASSES].tolist()]
    more = len(target.labels) - len(labels)
    n_rare = int((target.codes == target.rare_code).sum())
    return (
        f"{target.name!r}{last}; classes "
        f"{', '.join(labels)}{f' and {more} more' if more else ''}. The rarest is "
        f"{target.rare_label!r}: {n_rare} {rows}, {n_rare / len(target.codes):.1%}."
    )


def _missing_sentence(table: Table) -> str:
    imputations = missing_cells(table.inputs, table.numbers, table.categories)
    if not imputations:
        return "nothing; no cell was imputed."
    columns = [
        f"{imputation.column!r} {imputation.n_missing} by the {imputation.strategy}"
        for imputation in imputations[:_SHOWN_COLUMNS]
    ]
    rest = imputations[_SHOWN_COLUMNS:]
    if rest:
        columns.append(
            f"{sum(imputation.n_missing for imputation in rest)} in {len(rest)} more columns"
        )
    total = sum(imputation.n_missing for imputation in imputations)
    return f"{total} cells were imputed: {', '.join(columns)}."


def _score_table(study: Study) -> PrintedTable:
    rows = []
    for score in scores_on_test_rows(study):
        spread = "-" if isnan(score.deviation) else score.shown(score.deviation)
        known = [
            one if isinstance(one, float) else str(one) for one in (score.dummy, score.baseline)
        ]
        shown = [one if isinstance(one, str) else score.shown(one) for one in (*known, score.mean)]
        rows.append((score.title, *shown, spread))
    headings = ("", "Dummy", "Baseline", "Network (mean)", "Network (std)")
    return PrintedTable(headings, rows, 1)
