"""The result of a study as text of 80 columns."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as TextTable

from skhp.comparison.files import CURVES
from skhp.comparison.preparation import missing_cells
from skhp.comparison.repeats import mean_and_deviation
from skhp.comparison.scores import Scores
from skhp.comparison.study import Study
from skhp.comparison.tables import Table
from skhp.comparison.target import Target

__all__ = ["gain_sentence", "render_files", "render_report"]

_WIDTH = 80
_SHOWN_COLUMNS = 6
_SHOWN_CLASSES = 10


def render_report(study: Study) -> str:
    """What was compared, on what, the scores of both on the test rows, and the gain.

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
        gain_sentence(
            study.baseline_scores,
            [repeat.scores for repeat in study.repeats],
            "f1" if study.table.target.is_binary else "f1_macro",
        ),
        f"The test rows hold {n_rare_test} of class {rare}: each of them is "
        f"{1 / n_rare_test:.3f} of the recall.",
    )


def render_files(paths: Sequence[Path]) -> str:
    """Where the files of a study are, and how to get curves where there are none."""
    parts = [f"In {paths[0].parent}: {', '.join(path.name for path in paths)}."]
    if CURVES not in [path.name for path in paths]:
        parts.append(
            "The training curves were not drawn, as matplotlib is not installed: "
            "pip install 'skhp[plot]'."
        )
    return _as_text(*parts)


def gain_sentence(baseline: Scores, repeats: Sequence[Scores], metric: str = "f1") -> str:
    """What the network gains over the baseline, and whether its own spread is larger.

    Parameters
    ----------
    baseline : Scores
    repeats : sequence of Scores
    metric : {"f1", "f1_macro"}, default="f1"

    Examples
    --------
    >>> baseline = Scores(0.5, 0.5, 0.5, 5, 5, 5, 85, f1_macro=0.7, score=0.5)
    >>> gain_sentence(baseline, [baseline])
    'No gain: the F1 of the network is that of the baseline, 0.500.'
    """
    named = {"f1": "F1", "f1_macro": "mean F1 of all classes"}[metric]
    before = getattr(baseline, metric)
    mean, deviation = mean_and_deviation(getattr(scores, metric) for scores in repeats)
    gain = mean - before
    if round(gain, 3) == 0:
        return f"No gain: the {named} of the network is that of the baseline, {before:.3f}."
    if deviation is None:
        on_average, verdict = "", "Gain"
        spread = "One repeat does not tell how much of that is the luck of its seed."
    else:
        is_clear = abs(gain) > deviation
        on_average, verdict = " on average", "Gain" if is_clear else "No clear gain"
        spread = (
            f"That is {'more than' if is_clear else 'within'} the spread of the repeats, whose "
            f"standard deviation is {deviation:.3f}."
        )
    return (
        f"{verdict if gain > 0 else 'No gain'}: the {named} of the network is {abs(gain):.3f} "
        f"{'higher' if gain > 0 else 'lower'}, {mean:.3f}{on_average} against {before:.3f}. "
        f"{spread}"
    )


def _facts(study: Study) -> TextTable:
    table, settings = study.table, study.settings
    n_train, n_test = len(study.split.y_train), len(study.split.y_test)
    lasso = study.baseline.best_params_["baseline__C"]
    winner = study.search.best_params_
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
        ("Tuning", f"by {study.scoring} in {folds}, seed {settings.seed}."),
        (
            "Baseline",
            f"C = {lasso:.3g}, the best of {_candidates(study.baseline)} with "
            f"{study.scoring} {study.baseline.best_score_:.3f} in cross-validation.",
        ),
        (
            "Network",
            f"learning rate {winner['network__learning_rate']:.3g}, batch size "
            f"{winner['network__batch_size']}, the best of {_candidates(study.search)} with "
            f"{study.scoring} {study.search.best_score_:.3f} in cross-validation; trained "
            f"{trained}, {_epochs(study)}.",
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
        rows.append((study.scoring, "score", 3))
    rows += [
        ("True positives", "true_positives", 1),
        ("False positives", "false_positives", 1),
        ("False negatives", "false_negatives", 1),
        ("True negatives", "true_negatives", 1),
    ]
    scores = TextTable(box=None, padding=(0, 0, 0, 2), pad_edge=False)
    scores.add_column("")
    for heading in ("Baseline", "Network (mean)", "Network (std)"):
        scores.add_column(heading, justify="right")
    for name, field, decimals in rows:
        mean, deviation = mean_and_deviation(
            getattr(repeat.scores, field) for repeat in study.repeats
        )
        before = getattr(study.baseline_scores, field)
        scores.add_row(
            name,
            f"{before:.{decimals}f}" if isinstance(before, float) else str(before),
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
