"""What a search scores by if nobody says: F1 of the rare class."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import sklearn
from sklearn.base import is_classifier
from sklearn.metrics import f1_score, get_scorer, get_scorer_names, make_scorer
from sklearn.utils.multiclass import type_of_target

from skhp.compat.scikit_learn import metric_of
from skhp.shared.class_targets import ClassScorer, one_hot_labels, rarest_class

__all__ = ["default_scoring", "scoring_of_classes"]


def scoring_of_classes(scoring: Any) -> Any:
    """Metrics of scikit-learn, as they are for labels, for a target of one-hot rows.

    Functions of the user's own are given what the user gave; what scikit-learn does not know stays
    for it to say.
    """
    if isinstance(scoring, list | tuple | set) and all(isinstance(one, str) for one in scoring):
        scoring = {name: name for name in scoring}
    if isinstance(scoring, dict):
        return {name: scoring_of_classes(one) for name, one in scoring.items()}
    if isinstance(scoring, str) and scoring in get_scorer_names():
        return ClassScorer(get_scorer(scoring))
    return ClassScorer(scoring) if _is_of_scikit_learn(metric_of(scoring)) else scoring


def _is_of_scikit_learn(metric: Any) -> bool:
    return inspect.isroutine(metric) and metric.__module__.partition(".")[0] == "sklearn"


def default_scoring(estimator: Any, y: Any) -> Any:
    """The scorer that ``scoring="auto"`` stands for.

    Parameters
    ----------
    estimator : estimator
    y : array-like or None
        The target that it is to learn; one-hot rows are classes.

    Returns
    -------
    callable or None
        F1 of the rarest class where a classifier is to tell two classes, of labels of any type (of
        the last one in order where both are as frequent); macro F1 for more classes; None, the
        estimator's own score, for everything else.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> default_scoring(LogisticRegression(), ["sick", "well", "well"])
    make_scorer(f1_score, response_method='predict', pos_label=sick, zero_division=0.0)
    """
    if y is None or not is_classifier(estimator):
        return None
    labels = one_hot_labels(y)
    if labels is not None:
        return ClassScorer(default_scoring(estimator, labels))
    kind = type_of_target(y)
    if kind not in ("binary", "multiclass"):
        return None
    # A candidate that never says "rare" has an F1 of 0; to warn of each of hundreds helps nobody.
    if kind == "multiclass" or len(np.unique(np.asarray(y))) != 2:
        return _without_weights(make_scorer(f1_score, average="macro", zero_division=0.0))
    return _without_weights(make_scorer(f1_score, pos_label=rarest_class(y), zero_division=0.0))


def _without_weights(scorer: Any) -> Any:
    """The scorer, asking for no sample weights: nobody else can say so of a scorer made here.

    Where no metadata is routed, weights reach no scorer of a search either.
    """
    if sklearn.get_config()["enable_metadata_routing"]:
        return scorer.set_score_request(sample_weight=False)
    return scorer
