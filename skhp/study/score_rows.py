"""The scores of a study on its test rows, and sentences about them."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from typing import Any, NamedTuple

from skhp.comparison.verdict import decimal
from skhp.shared.natural_scores import natural_name, natural_score
from skhp.study.repeats import mean_and_deviation
from skhp.study.study import Study
from skhp.tables.image_folder import ImageFolder
from skhp.tables.target import Target

_OF_CLASSES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
_COUNTS = ("true_positives", "false_positives", "false_negatives", "true_negatives")
ERRORS = {"mae": "Mean absolute error (MAE)", "rmse": "Root mean squared error (RMSE)"}
_OF_NUMBERS = {"r2": "R2", "mae": "Mean absolute error", "rmse": "Root mean squared error"}
# The fields that hold the scores with these names.
FIELDS_OF_SCORES = {
    "f1": "f1",
    "f1_macro": "f1_macro",
    "r2": "r2",
    "neg_mean_absolute_error": "mae",
    "neg_root_mean_squared_error": "rmse",
}


class ScoreOnTestRows(NamedTuple):
    """A score on the test rows, with losses positive; for one repeat, `deviation` is NaN."""

    title: str
    dummy: float
    baseline: float
    mean: float
    deviation: float
    is_count: bool = False
    has_unit: bool = False

    def shown(self, number: float) -> str:
        """A mean or a deviation of this score as text."""
        if self.has_unit:
            return decimal(number)
        return f"{number:.{1 if self.is_count else 3}f}"


def scores_on_test_rows(study: Study) -> Iterator[ScoreOnTestRows]:
    """The scores on the test rows; for classes, counts of predictions follow."""
    has_classes = isinstance(study.table.target, Target)
    titles = dict(_OF_CLASSES if has_classes else _OF_NUMBERS)
    if has_classes and not study.table.target.is_binary:
        titles["f1_macro"] = "F1, mean of all classes"
    if study.scoring not in FIELDS_OF_SCORES:
        titles["score"] = natural_name(study.scoring)
    if has_classes:
        titles |= {field: field.replace("_", " ").capitalize() for field in _COUNTS}
    for field, title in titles.items():

        def known(scored: Any, field: str = field) -> float:
            number = getattr(scored, field)
            return natural_score(study.scoring, number) if field == "score" else number

        mean, deviation = mean_and_deviation(known(repeat.scores) for repeat in study.repeats)
        yield ScoreOnTestRows(
            title,
            known(study.dummy_scores),
            known(study.baseline_scores),
            mean,
            nan if deviation is None else deviation,
            is_count=field in _COUNTS,
            has_unit=not has_classes and field != "r2",
        )


def rows_of(study: Study) -> str:
    """The word for rows: "images" or "rows"."""
    return "images" if isinstance(study.table, ImageFolder) else "rows"


def meaning_of_scores(study: Study) -> str:
    """The class or the unit of the scores, to follow the words "scores on the test rows"."""
    target = study.table.target
    if isinstance(target, Target):
        return f"; precision, recall, F1 and counts are those of class {target.rare_label!r}"
    return f"; the errors are in the unit of {target.name!r}"


def dummy_sentence(study: Study) -> str:
    """A sentence about the answers of the dummy on the test rows."""
    target = study.table.target
    if not isinstance(target, Target):
        mean = decimal(float(study.split.y_train.mean()))
        return f"The dummy predicts {mean}, the mean of the training rows."
    always = f"The dummy predicts {target.rare_label!r} for each {rows_of(study)[:-1]}"
    others = [] if target.is_binary else ["mean F1"]
    if study.scoring not in ("f1", "f1_macro"):
        others.append(natural_name(study.scoring))
    if not others:
        return f"{always}."
    are = "is that" if len(others) == 1 else "are those"
    return f"{always}; its {' and '.join(others)} {are} of the best constant answer."


def weight_of_a_row(study: Study) -> Iterator[str]:
    """A sentence on how much a single test row of the rare class weighs, if there are classes."""
    target = study.table.target
    if isinstance(target, Target):
        n_rare = int((study.split.y_test == target.rare_code).sum())
        yield (
            f"The test {rows_of(study)} hold {n_rare} of class {target.rare_label!r}: each of them "
            f"is {1 / n_rare:.3f} of the recall."
        )
