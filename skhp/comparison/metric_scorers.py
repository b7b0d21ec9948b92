"""From the `scoring` of a comparison to a scorer for each metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    check_scoring,
    f1_score,
    get_scorer,
    get_scorer_names,
    jaccard_score,
    make_scorer,
    precision_score,
    recall_score,
)

from skhp.comparison.scores import SCORINGS, scoring_name
from skhp.exceptions import SettingsError
from skhp.shared.nearest_name import nearest_name
from skhp.shared.rarest_class import rarest_class

Scoring = str | Any | Sequence[str] | Mapping[str, Any] | None

CLASSIFICATION_METRICS = ("precision", "recall", "f1")
REGRESSION_METRICS = ("r2", "neg_mean_absolute_error")

REGRESSION_SCORINGS = tuple(
    name
    for name in get_scorer_names()
    if name in ("r2", "explained_variance", "d2_absolute_error_score", "neg_max_error")
    or name.startswith(("neg_mean_", "neg_median_", "neg_root_"))
)
# Short names of errors, and what scikit-learn calls their scorers.
SHORT_NAMES = {"mae": "neg_mean_absolute_error", "rmse": "neg_root_mean_squared_error"}
# A prediction may be negative, for which these are not defined.
_FOR_POSITIVE_NUMBERS = ("log", "poisson", "gamma")
SCORINGS_OF_NUMBERS = tuple(
    name for name in REGRESSION_SCORINGS if not any(word in name for word in _FOR_POSITIVE_NUMBERS)
)
# The metrics of classifiers that can be below 0 begin with one of these.
_PREFIXES_BELOW_0 = ("neg_", "d2_", "matthews_")
_OF_ONE_CLASS = {
    "f1": f1_score,
    "jaccard": jaccard_score,
    "precision": precision_score,
    "recall": recall_score,
}


def number_scoring_name(name: str, what: str) -> str:
    """scikit-learn's name of a scorer of numbers; an unknown name is a SettingsError.

    `what` names the numbers that are predicted.
    """
    known = SHORT_NAMES.get(name.lower(), name)
    if known not in SCORINGS_OF_NUMBERS:
        names = (*SHORT_NAMES, *SCORINGS_OF_NUMBERS)
        raise SettingsError(
            f"unknown scoring {name!r} for {what}.{nearest_name(name, names)} Use one of "
            f"{', '.join(names)}."
        )
    return known


def rarer_of_two(y: np.ndarray) -> Any | None:
    """The rarest class where there are two; None for any other number of classes."""
    return rarest_class(y) if len(np.unique(y)) == 2 else None


def metric_scorers(
    scoring: Scoring, estimator: Any, y: np.ndarray, for_classes: bool
) -> dict[str, Any]:
    """The scorer of each metric.

    `scoring=None` means precision, recall and F1 for classifiers, R2 and mean absolute error for
    regressors. With two classes, precision and similar metrics are those of the rarer class; with
    more, they are means over the classes.
    """
    by_name = _by_name(scoring, for_classes)
    return {
        name: _scorer_of(given, y, for_classes)
        if isinstance(given, str)
        # check_scoring refuses a function of true and predicted values, which is not a scorer.
        else check_scoring(estimator, scoring=given)
        for name, given in by_name.items()
    }


def metrics_from_0_to_1(scoring: Scoring, metrics: Iterable[str]) -> frozenset[str]:
    """The metrics that are known to lie between 0 and 1; a user's own scorer is not among them."""
    known = {name for name in SCORINGS if not name.startswith(_PREFIXES_BELOW_0)}
    scorers = scoring if isinstance(scoring, Mapping) else {}
    return frozenset(name for name in metrics if scorers.get(name, name) in known)


def lower_is_better(scorers: Mapping[str, Any]) -> frozenset[str]:
    """The metrics whose scorers negate an error or a loss; a user's function is not among them."""
    # The text of a scorer is the only public place that tells its sign.
    return frozenset(
        name for name, scorer in scorers.items() if "greater_is_better=False" in repr(scorer)
    )


def _by_name(scoring: Scoring, for_classes: bool) -> dict[str, Any]:
    if scoring is None:
        scoring = CLASSIFICATION_METRICS if for_classes else REGRESSION_METRICS
    if isinstance(scoring, str):
        return {scoring: scoring}
    if callable(scoring):
        return {"score": scoring}
    if isinstance(scoring, Mapping):
        by_name = dict(scoring)
    elif isinstance(scoring, Sequence | set | frozenset):
        names = sorted(scoring) if isinstance(scoring, set | frozenset) else list(scoring)
        if callables := [name for name in names if not isinstance(name, str)]:
            raise SettingsError(
                f"scoring is a list that holds {callables[0]!r}, which is not a name: give a dict "
                "of names and scorers."
            )
        by_name = {name: name for name in names}
    else:
        raise SettingsError(
            f"scoring={scoring!r} cannot be used: give the name of a metric, a scorer, a list of "
            "names, or a dict of names and scorers."
        )
    for name, given in by_name.items():
        if not isinstance(name, str) or not (isinstance(given, str) or callable(given)):
            raise SettingsError(
                f"scoring maps {name!r} to {given!r}: map each name to a scorer, or to the name of "
                "a scorer."
            )
    if not by_name:
        raise SettingsError("scoring names no metric: give at least one, such as 'f1'.")
    return by_name


def _scorer_of(name: str, y: np.ndarray, for_classes: bool) -> Any:
    if not for_classes:
        if name not in REGRESSION_SCORINGS:
            raise SettingsError(
                f"unknown scoring {name!r} for regressors."
                f"{nearest_name(name, REGRESSION_SCORINGS)} Use one of "
                f"{', '.join(REGRESSION_SCORINGS)}."
            )
        return get_scorer(name)
    known = scoring_name(name, len(np.unique(y)))
    rare = rarer_of_two(y)
    if rare is None:
        return get_scorer(known)
    if known in _OF_ONE_CLASS:
        return make_scorer(_OF_ONE_CLASS[known], pos_label=rare, zero_division=0.0)
    if known == "average_precision":
        either = ("decision_function", "predict_proba")
        return make_scorer(average_precision_score, response_method=either, pos_label=rare)
    if known == "neg_brier_score":
        return make_scorer(
            brier_score_loss,
            greater_is_better=False,
            response_method="predict_proba",
            pos_label=rare,
        )
    return get_scorer(known)
