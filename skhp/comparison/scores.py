"""Scores of a fitted model on test rows, and the scorers to tune by."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import nan
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    check_scoring,
    confusion_matrix,
    f1_score,
    get_scorer_names,
    make_scorer,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from skhp.exceptions import SettingsError
from skhp.inspection.value_text import value_text
from skhp.shared.class_targets import as_classes
from skhp.shared.nearest_name import nearest_name

Scorer = Callable[[BaseEstimator, object, np.ndarray], float]

SCORINGS = tuple(
    name
    for name in (
        "accuracy",
        "average_precision",
        "balanced_accuracy",
        "d2_brier_score",
        "d2_log_loss_score",
        *(
            f"{metric}{average}"
            for metric in ("f1", "jaccard", "precision", "recall")
            for average in ("", "_macro", "_micro", "_weighted")
        ),
        "matthews_corrcoef",
        "neg_brier_score",
        "neg_log_loss",
        "roc_auc",
        "roc_auc_ovo",
        "roc_auc_ovo_weighted",
        "roc_auc_ovr",
        "roc_auc_ovr_weighted",
    )
    # The d2 scores came with scikit-learn 1.8.
    if name in get_scorer_names()
)

# scikit-learn defines these for two classes; their mean over the classes serves for more.
_MEAN_OVER_CLASSES = {
    "f1": "f1_macro",
    "jaccard": "jaccard_macro",
    "precision": "precision_macro",
    "recall": "recall_macro",
    "roc_auc": "roc_auc_ovr",
}


@dataclass(frozen=True)
class Scores:
    """Scores on a test set.

    `precision`, `recall`, `f1` and the four counts are those of the rare class against all others;
    `f1_macro` is the mean F1 of all classes, `score` the value of the scorer of the search. An
    undefined precision or recall is 0.
    """

    precision: float
    recall: float
    f1: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    f1_macro: float
    score: float


def score_classifier(
    classifier: BaseEstimator, X: object, y: np.ndarray, rare: object, scorer: Scorer
) -> Scores:
    """Score a fitted classifier."""
    predicted = classifier.predict(X)
    is_rare, said_rare = y == rare, predicted == rare
    true_positives = int((is_rare & said_rare).sum())
    false_positives = int((~is_rare & said_rare).sum())
    false_negatives = int((is_rare & ~said_rare).sum())
    with undefined_scores_are_zero():
        score = float(scorer(classifier, X, y))
    return Scores(
        precision=_share(true_positives, true_positives + false_positives),
        recall=_share(true_positives, true_positives + false_negatives),
        f1=_share(2 * true_positives, 2 * true_positives + false_positives + false_negatives),
        true_positives=true_positives,
        false_positives=false_positives,
        false_negatives=false_negatives,
        true_negatives=int((~is_rare & ~said_rare).sum()),
        f1_macro=float(f1_score(y, predicted, average="macro", zero_division=0.0)),
        score=score,
    )


@dataclass(frozen=True)
class NumberScores:
    """Scores of predicted numbers on a test set; `score` is the value of the search's scorer."""

    r2: float
    mae: float
    rmse: float
    score: float


def score_regressor(
    regressor: BaseEstimator, X: object, y: np.ndarray, scorer: Scorer
) -> NumberScores:
    """Score a fitted regressor."""
    predicted = regressor.predict(X)
    return NumberScores(
        r2=float(r2_score(y, predicted)),
        mae=float(mean_absolute_error(y, predicted)),
        rmse=float(root_mean_squared_error(y, predicted)),
        score=float(scorer(regressor, X, y)),
    )


def scoring_name(name: str, n_classes: int) -> str:
    """The name of scikit-learn's scorer for a number of classes.

    With more than two, a metric that is defined for two classes becomes the mean over the classes.
    """
    if name not in SCORINGS:
        raise SettingsError(
            f"unknown scoring {name!r}.{nearest_name(name, SCORINGS)} "
            f"Use one of {', '.join(SCORINGS)}."
        )
    return name if n_classes == 2 else _MEAN_OVER_CLASSES.get(name, name)


class ObservedScorer:
    """A scorer that calls `observe` with each classifier and its score.

    It has the repr of the scorer, because the journal of a search keeps the repr.
    """

    def __init__(self, scorer: Callable[..., Any], observe: Callable[[Any, Any], None]) -> None:
        self._scorer = scorer
        self._observe: Callable[[Any, Any], None] | None = observe

    def __call__(self, classifier: BaseEstimator, X: object, y: Any = None, **further: Any) -> Any:
        """Score a classifier."""
        score = self._scorer(classifier, X, y, **further)
        if self._observe is not None:
            self._observe(classifier, score)
        return score

    def __repr__(self) -> str:
        return repr(self._scorer)

    def __getstate__(self) -> dict[str, Any]:
        # The function `observe` belongs to this process, and cannot go to another one.
        return {"_scorer": self._scorer, "_observe": None}


@contextmanager
def undefined_scores_are_zero() -> Iterator[None]:
    """Silence the warning that a score is undefined, such as precision without predictions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        yield


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def number_of_score(name: str, value: Any) -> float:
    """What a scorer returned, as a number; a SettingsError if it is not one."""
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if not isinstance(value, Number):
        kind = type(value).__name__
        raise SettingsError(
            f"the scorer {name!r} returned {value_text(value)}, of type {kind}: give a scorer "
            "that returns a number."
        )
    return float(value)  # type: ignore[arg-type]


_CONFUSION = "confusion"


class FoldScores(NamedTuple):
    """Scores on the test rows, counts of true by predicted class, Brier score, seconds of the fit.

    The Brier score is NaN where no probabilities are predicted, and unless there are two classes.
    """

    scores: Mapping[str, float]
    confusion: np.ndarray | None
    brier: float
    seconds: float = nan


@dataclass(frozen=True, eq=False)
class FoldScorer:
    """Scorer of `metrics`, the confusion of `labels` and the Brier score of the class `rare`.

    Without labels there is no confusion, without a rare class no Brier score. With `raises` False,
    a metric that fails has the score NaN.
    """

    metrics: Mapping[str, Any]
    labels: np.ndarray | None = None
    rare: Any = None
    raises: bool = True

    def __call__(self, estimator: Any, X: Any, y: Any) -> FoldScores:
        """Score a fitted estimator."""
        estimator, X, y = as_classes(estimator, X, y)
        # The keys are numbers, because a metric may be named "confusion", too.
        scorers = {f"{position}": metric for position, metric in enumerate(self.metrics.values())}
        if self.labels is not None:
            scorers[_CONFUSION] = make_scorer(confusion_matrix, labels=self.labels)
        with undefined_scores_are_zero():
            # scikit-learn's scorer of several metrics shares one prediction among them.
            together = check_scoring(estimator, scoring=scorers, raise_exc=self.raises)
            values = together(estimator, X, y)
        confusion = values.pop(_CONFUSION, None)
        return FoldScores(
            {
                name: self._number(name, value)
                for name, value in zip(self.metrics, values.values(), strict=True)
            },
            None if confusion is None else confusion.astype(float),
            self._brier(estimator, X, y),
        )

    def _number(self, name: str, value: Any) -> float:
        if not self.raises and isinstance(value, str):
            # scikit-learn puts the text of the error in place of a score that failed.
            return nan
        return number_of_score(name, value)

    def _brier(self, estimator: Any, X: Any, y: Any) -> float:
        if self.rare is None or not hasattr(estimator, "predict_proba"):
            return nan
        # A class that the training rows did not hold has a probability of 0.
        is_rare_column = np.asarray(estimator.classes_) == self.rare
        probability = np.asarray(estimator.predict_proba(X))[:, is_rare_column].sum(axis=1)
        is_rare = np.asarray(y).ravel() == self.rare
        return float(np.mean((probability - is_rare) ** 2))
