"""The result of a study as text of 80 columns."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as TextTable

from skhp.comparison.scores import Scores, natural_name, natural_score
from skhp.comparison.text import notes, score_table, text_table
from skhp.study.files import CURVES
from skhp.study.repeats import mean_and_deviation
from skhp.study.study import Study
from skhp.tables.preparation import missing_cells
from skhp.tables.table import Table
from skhp.tables.target import Target

__all__ = ["dummy_sentence", "render_files", "render_report", "side_by_side", "verdicts"]

_WIDTH = 80
_SHOWN_COLUMNS = 6
_SHOWN_CLASSES = 10


def render_report(study: Study) -> str:
    """What was compared, on what, the scores of both on the test rows, and the verdict.

    Parameters
    ----------
    study : Study

    Returns
    -------
    str
        Plain text; no line is longer than 80 characters.
    """
    rare = repr(study.table.target.rare_label)
    n_rare_test = int((study.split.y_test == study.table.target.rare_code).sum())
    return _as_text(
        "A network against logistic regression with lasso",
        "",
        _facts(study),
        "",
        f"Scores on the test rows; precision, recall, F1 and counts are those of class {rare}:",
        "",
        _scores(study),
        "",
        f"{dummy_sentence(study)} The test rows hold {n_rare_test} of class {rare}: each of them "
        f"is {1 / n_rare_test:.3f} of the recall. One split does not tell a gain from luck.",
        "",
        "The verdict:",
        "",
        " ".join((side_by_side(study), *notes(study.comparison))),
        "",
        Padding(text_table(score_table(study.comparison)), (0, 0, 0, 2)),
        "",
        *verdicts(study),
    )


def render_files(paths: Sequence[Path]) -> str:
    """Where the files of a study are, and how to get curves where there are none."""
    parts = [f"In {paths[0].parent}: {', '.join(path.name for path in paths)}."]
    if CURVES not in [path.name for path in paths]:
        parts.append(
            "The training curves were not drawn, as matplotlib is not installed: "
            "pip install matplotlib."
        )
    return _as_text(*parts)


def verdicts(study: Study) -> list[str]:
    """What `skhp.compare` says of both, by the score that they were tuned by and by F1."""
    metrics = dict.fromkeys((study.comparison.metrics[0], "f1"))
    return [study.comparison.verdict("network", metric) for metric in metrics]


def side_by_side(study: Study) -> str:
    """What is compared, and what flatters both."""
    n_rows, n_train = len(study.table.inputs), len(study.split.y_train)
    return (
        f"The network and the baseline with the settings above, trained anew on splits of all "
        f"{n_rows} rows. These settings were chosen on {n_train} of the rows, which flatters both "
        "a little."
    )


def dummy_sentence(study: Study) -> str:
    """What the dummy of the table of the test rows says."""
    always = f"The dummy says {study.table.target.rare_label!r} of each row"
    others = [] if study.table.target.is_binary else ["mean F1"]
    if study.scoring not in ("f1", "f1_macro"):
        others.append(natural_name(study.scoring))
    if not others:
        return f"{always}."
    are = "is that" if len(others) == 1 else "are those"
    return f"{always}; its {' and '.join(others)} {are} of the best constant answer."


def _facts(study: Study) -> TextTable:
    table, settings = study.table, study.settings
    n_train, n_test = len(study.split.y_train), len(study.split.y_test)
    lasso = study.baseline.best_params_["baseline__C"]
    winner = study.search.best_params_
    scoring = natural_name(study.scoring)
    trained = "once" if settings.repeats == 1 else f"{settings.repeats} times"
    folds = f"{study.n_folds} stratified folds"
    if study.n_folds < settings.folds:
        folds += f" (not {settings.folds}: a class has {study.n_folds} training rows only)"
    facts = TextTable.grid(padding=(0, 2, 0, 0))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    facts_by_name = [
        ("Table", _table_sentence(table)),
        ("Target", _target_sentence(table.target, table.target_by_default)),
        ("Missing", _missing_sentence(table)),
        *(("Look at", _as_sentence(note)) for note in table.notes),
        ("Split", f"{n_train} rows to train and tune on, {n_test} to test on, stratified."),
        ("Tuning", f"by {scoring} in {folds}, seed {settings.seed}."),
        (
            "Baseline",
            f"C = {lasso:.3g}, the best of {_candidates(study.baseline)} with "
            f"{scoring} {natural_score(study.scoring, study.baseline.best_score_):.3f} in "
            "cross-validation.",
        ),
        (
            "Network",
            f"learning rate {winner['network__learning_rate']:.3g}, batch size "
            f"{winner['network__batch_size']}, the best of {_candidates(study.search)} with "
            f"{scoring} {natural_score(study.scoring, study.search.best_score_):.3f} in "
            f"cross-validation; trained {trained}, {_epochs(study)}.",
        ),
        ("Time", f"{study.seconds:.0f} s."),
    ]
    if settings.time_budget is not None:
        facts_by_name.insert(-1, ("Budget", _budget_sentence(study, settings.time_budget)))
    for name, fact in facts_by_name:
        facts.add_row(name, fact)
    return facts


def _as_sentence(note: str) -> str:
    return note[:1].upper() + note[1:]


def _candidates(search: object) -> int:
    results = search.cv_results_  # type: ignore[attr-defined]
    # A halving search goes on with some of its candidates, which are not other ones.
    return len(results["params"]) if "iter" not in results else int((results["iter"] == 0).sum())


def _budget_sentence(study: Study, seconds: float) -> str:
    tried, total = len(study.search.cv_results_["params"]), study.n_candidates
    budget = f"time budget of {seconds:g} s"
    if study.search.search_stop_reason_ == "time_budget":
        return f"the {budget} ended the search of the network after {tried} of {total} candidates."
    return f"the search of the network tried {tried} of {total} candidates, within its {budget}."


def _epochs(study: Study) -> str:
    epochs = [repeat.best_epoch for repeat in study.repeats]
    if min(epochs) == max(epochs):
        return f"best after {epochs[0]} epochs"
    return f"best after {min(epochs)} to {max(epochs)} epochs"


def _table_sentence(table: Table) -> str:
    rows = f"{len(table.inputs)} rows"
    if table.n_rows_without_target:
        rows += f" ({table.n_rows_without_target} more without a target were left out)"
    n_columns = len(table.inputs.columns)
    return (
        f"{table.name}: {rows}, {n_columns} column{'' if n_columns == 1 else 's'} "
        f"({len(table.numbers)} of numbers, {len(table.categories)} of categories)."
    )


def _target_sentence(target: Target, by_default: bool) -> str:
    labels = [repr(label) for label in target.labels[:_SHOWN_CLASSES].tolist()]
    more = len(target.labels) - len(labels)
    n_rare = int((target.codes == target.rare_code).sum())
    return (
        f"{target.name!r}{', the last column' if by_default else ''}; classes "
        f"{', '.join(labels)}{f' and {more} more' if more else ''}. The rarest is "
        f"{target.rare_label!r}: {n_rare} rows, {n_rare / len(target.codes):.1%}."
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
            f"{sum(imputation.n_missing for imputation in rest)} in {len(rest)} more columns alike"
        )
    total = sum(imputation.n_missing for imputation in imputations)
    return f"{total} cells were imputed: {', '.join(columns)}."


def _scores(study: Study) -> Padding:
    rows = [("Precision", "precision", 3), ("Recall", "recall", 3), ("F1", "f1", 3)]
    if not study.table.target.is_binary:
        rows.append(("F1, mean of all classes", "f1_macro", 3))
    if study.scoring not in ("f1", "f1_macro"):
        rows.append((natural_name(study.scoring), "score", 3))
    rows += [
        ("True positives", "true_positives", 1),
        ("False positives", "false_positives", 1),
        ("False negatives", "false_negatives", 1),
        ("True negatives", "true_negatives", 1),
    ]
    scores = TextTable(box=None, padding=(0, 0, 0, 2), pad_edge=False)
    scores.add_column("")
    for heading in ("Dummy", "Baseline", "Network (mean)", "Network (std)"):
        scores.add_column(heading, justify="right")
    for name, field, decimals in rows:

        def known(scored: Scores, field: str = field) -> float:
            number = getattr(scored, field)
            return natural_score(study.scoring, number) if field == "score" else number

        mean, deviation = mean_and_deviation(known(repeat.scores) for repeat in study.repeats)
        others = [known(scored) for scored in (study.dummy_scores, study.baseline_scores)]
        scores.add_row(
            name,
            *(f"{one:.{decimals}f}" if isinstance(one, float) else str(one) for one in others),
            f"{mean:.{decimals}f}",
            "-" if deviation is None else f"{deviation:.{decimals}f}",
        )
    return Padding(scores, (0, 0, 0, 2))


def _as_text(*parts: RenderableType) -> str:
    text = io.StringIO()
    console = Console(
        file=text, width=_WIDTH, color_system=None, markup=False, emoji=False, highlight=False
    )
    for part in parts:
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())
