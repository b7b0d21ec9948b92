"""The result of a study as text of 80 columns, and as sections of a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan, nan
from typing import Any, NamedTuple

from skhp.comparison.scores import Scores
from skhp.comparison.text import PrintedTable, notes, score_table
from skhp.inspection.report.search_report import ReportAddition
from skhp.shared.natural_scores import natural_name, natural_score
from skhp.shared.terminal import as_text, facts, indented, text_table
from skhp.study.repeats import Repeat, mean_and_deviation
from skhp.study.study import Study
from skhp.tables.image_folder import ImageFolder
from skhp.tables.preparation import missing_cells
from skhp.tables.table import Table
from skhp.tables.target import Target

_SHOWN_COLUMNS = 6
_SHOWN_CLASSES = 10


def render_report(study: Study) -> str:
    """The settings, the scores of both models on the test rows, and the verdict."""
    rare = repr(study.table.target.rare_label)
    n_rare_test = int((study.split.y_test == study.table.target.rare_code).sum())
    images = isinstance(study.table, ImageFolder)
    return as_text(
        f"A network against logistic regression {'on pixels' if images else 'with lasso'}",
        "",
        facts(_facts(study)),
        "",
        f"Scores on the test {rows_of(study)}; precision, recall, F1 and counts are those of class "
        f"{rare}:",
        "",
        indented(text_table(*_score_table(study))),
        "",
        f"{dummy_sentence(study)} The test {rows_of(study)} hold {n_rare_test} of class {rare}: "
        f"each of them is {1 / n_rare_test:.3f} of the recall. One split does not tell a gain from "
        "luck.",
        "",
        "The verdict:",
        "",
        " ".join((side_by_side(study), *notes(study.comparison))),
        "",
        indented(text_table(*score_table(study.comparison))),
        "",
        *verdicts(study),
    )


def rows_of(study: Study) -> str:
    """The word for rows: "images" or "rows"."""
    return "images" if isinstance(study.table, ImageFolder) else "rows"


def verdicts(study: Study) -> list[str]:
    """The verdicts by the score of the tuning, and by F1."""
    metrics = dict.fromkeys((study.comparison.metrics[0], "f1"))
    return [study.comparison.verdict("network", metric) for metric in metrics]


def side_by_side(study: Study) -> str:
    """A sentence about the compared settings, and about what flatters them."""
    n_rows, n_train = len(study.table.inputs), len(study.split.y_train)
    return (
        f"The network and the baseline with the settings above, trained anew on splits of all "
        f"{n_rows} {rows_of(study)}. These settings were chosen on {n_train} of the "
        f"{rows_of(study)}, which flatters both a little."
    )


def dummy_sentence(study: Study) -> str:
    """A sentence about the answers of the dummy on the test rows."""
    always = f"The dummy says {study.table.target.rare_label!r} of each {rows_of(study)[:-1]}"
    others = [] if study.table.target.is_binary else ["mean F1"]
    if study.scoring not in ("f1", "f1_macro"):
        others.append(natural_name(study.scoring))
    if not others:
        return f"{always}."
    are = "is that" if len(others) == 1 else "are those"
    return f"{always}; its {' and '.join(others)} {are} of the best constant answer."


def _facts(study: Study) -> list[tuple[str, str]]:
    table, settings = study.table, study.settings
    n_train, n_test = len(study.split.y_train), len(study.split.y_test)
    lasso = study.baseline.best_params_["baseline__C"]
    winner = study.search.best_params_
    scoring = natural_name(study.scoring)
    trained = "once" if settings.repeats == 1 else f"{settings.repeats} times"
    folds = f"{study.n_folds} stratified folds"
    blocks = ""
    if "network__hidden_layers" in winner:
        n_blocks = winner["network__hidden_layers"]
        blocks = f"{n_blocks} block{'' if n_blocks == 1 else 's'} of convolution, "
    if study.n_folds < settings.folds:
        folds += (
            f" (not {settings.folds}: a class has {study.n_folds} training {rows_of(study)} only)"
        )
    facts_by_name = [
        *(_facts_of_images(table) if isinstance(table, ImageFolder) else _facts_of_table(table)),
        *(("Look at", as_sentence(note)) for note in table.notes),
        (
            "Split",
            f"{n_train} {rows_of(study)} to train and tune on, {n_test} to test on, stratified.",
        ),
        ("Tuning", f"by {scoring} in {folds}, seed {settings.seed}."),
        (
            "Baseline",
            f"C = {lasso:.3g}, the best of {number_of_candidates(study.baseline)} with "
            f"{scoring} {natural_score(study.scoring, study.baseline.best_score_):.3f} in "
            "cross-validation.",
        ),
        (
            "Network",
            f"learning rate {winner['network__learning_rate']:.3g}, batch size "
            f"{winner['network__batch_size']}, {blocks}the best of "
            f"{number_of_candidates(study.search)} with {scoring} "
            f"{natural_score(study.scoring, study.search.best_score_):.3f} in "
            f"cross-validation; trained {trained}, {epochs_of_repeats(study.repeats)}.",
        ),
        ("Time", f"{study.seconds:.0f} s."),
    ]
    if settings.time_budget is not None:
        facts_by_name.insert(-1, ("Budget", budget_sentence(study, settings.time_budget)))
    return facts_by_name


def as_sentence(note: str) -> str:
    """The note, with its first letter capitalised."""
    return note[:1].upper() + note[1:]


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
        return f"the {budget} ended the search of the network after {tried} of {total} candidates."
    return f"the search of the network tried {tried} of {total} candidates, within its {budget}."


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


def _target_sentence(target: Target, rows: str, by_default: bool = False) -> str:
    labels = [repr(label) for label in target.labels[:_SHOWN_CLASSES].tolist()]
    more = len(target.labels) - len(labels)
    n_rare = int((target.codes == target.rare_code).sum())
    return (
        f"{target.name!r}{', the last column' if by_default else ''}; classes "
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


class ScoreOnTestRows(NamedTuple):
    """A score on the test rows, with losses positive; for one repeat, `deviation` is NaN."""

    title: str
    field: str
    dummy: float
    baseline: float
    mean: float
    deviation: float


def scores_on_test_rows(study: Study) -> Iterator[ScoreOnTestRows]:
    """The scores on the test rows, followed by the counts of true and false predictions."""
    titles = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
    if not study.table.target.is_binary:
        titles["f1_macro"] = "F1, mean of all classes"
    if study.scoring not in ("f1", "f1_macro"):
        titles["score"] = natural_name(study.scoring)
    counts = ("true_positives", "false_positives", "false_negatives", "true_negatives")
    titles |= {field: field.replace("_", " ").capitalize() for field in counts}
    for field, title in titles.items():

        def known(scored: Scores, field: str = field) -> float:
            number = getattr(scored, field)
            return natural_score(study.scoring, number) if field == "score" else number

        mean, deviation = mean_and_deviation(known(repeat.scores) for repeat in study.repeats)
        dummy, baseline = known(study.dummy_scores), known(study.baseline_scores)
        spread = nan if deviation is None else deviation
        yield ScoreOnTestRows(title, field, dummy, baseline, mean, spread)


def _score_table(study: Study) -> PrintedTable:
    rows = []
    for score in scores_on_test_rows(study):
        decimals = 1 if isinstance(score.dummy, int) else 3
        rows.append(
            (
                score.title,
                *(
                    f"{one:.{decimals}f}" if isinstance(one, float) else str(one)
                    for one in (score.dummy, score.baseline)
                ),
                f"{score.mean:.{decimals}f}",
                "-" if isnan(score.deviation) else f"{score.deviation:.{decimals}f}",
            )
        )
    headings = ("", "Dummy", "Baseline", "Network (mean)", "Network (std)")
    return PrintedTable(headings, rows, 1)


# ---------------------------------------------------------------- sections of a page


def against_the_baseline(study: Study) -> ReportAddition:
    """The section of a page that compares the network with the baseline."""
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


def on_the_test_rows(study: Study) -> ReportAddition:
    """The section of a page with the scores on the test rows."""
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
            f"{target.name!r} ({n_rare} of these rows). The winner was trained {trained}; the "
            "pictures show the first of these trainings.",
            dummy_sentence(study),
            *(f"Look at the table: {note}" for note in study.table.notes),
        ),
        ("score", "dummy", "baseline", "network (mean)", "network (std)"),
        rows,
    )
