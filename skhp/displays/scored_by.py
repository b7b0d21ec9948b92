"""What the scores of a search are of."""

from __future__ import annotations

import re
from typing import Any

from sklearn.base import is_classifier, is_regressor

from skhp.displays.value_text import value_text

__all__ = ["scored_by"]

# As scikit-learn prints its scorers: make_scorer(f1_score, response_method='predict').
_MADE_BY_SCIKIT_LEARN = re.compile(r"make_scorer\((?P<function>\w+)(?P<arguments>.*)\)$", re.S)
_CLASS = re.compile(r"\bpos_label=(.*?)(?=, \w+=|$)", re.S)
_AVERAGE = re.compile(r"\baverage=(\w+)")


def scored_by(search: Any, metric: str = "score") -> str:
    """The name of the metric that a search scores its candidates by.

    Parameters
    ----------
    search : estimator
        Fitted.
    metric : str, default="score"
        By which name the columns of the results have it; "score" where there is a single one.

    Returns
    -------
    str
        The name that was given as `scoring`, what the scorer says, or what the estimator itself
        scores by; "score" where nothing says.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> scored_by(GridSearchCV(LogisticRegression(), {}, scoring="neg_log_loss"))
    'neg_log_loss'
    >>> scored_by(GridSearchCV(LogisticRegression(), {}))
    'accuracy'
    """
    if metric != "score":
        return metric
    scoring = getattr(search, "scoring", None)
    if isinstance(scoring, str) and scoring != "auto":
        return scoring
    scorer = getattr(search, "scorer_", None if scoring == "auto" else scoring)
    return _own_score(search) if scorer is None else _scorer_name(scorer, search)


def _own_score(search: Any) -> str:
    estimator = getattr(search, "estimator", None)
    if estimator is not None and is_classifier(estimator):
        return "accuracy"
    return "R²" if estimator is not None and is_regressor(estimator) else "score"


def _scorer_name(scorer: Any, search: Any) -> str:
    # Its text, not its attributes, so that what wraps a scorer and prints like it counts as it.
    text = repr(scorer)
    if made := _MADE_BY_SCIKIT_LEARN.match(text):
        return _made_name(made["function"], made["arguments"])
    if "passthrough" in type(scorer).__name__.lower():
        return _own_score(search)
    name = getattr(scorer, "__name__", "")
    if name == "_passthrough_scorer" or text.startswith("<function _passthrough_scorer"):
        return _own_score(search)
    return name.removesuffix("_scorer") if name.isidentifier() else value_text(scorer)


def _made_name(function: str, arguments: str) -> str:
    name = function.removesuffix("_score")
    if name == "f1":
        name = "F1"
    if "greater_is_better=False" in arguments:
        name = f"neg_{name}"
    if (average := _AVERAGE.search(arguments)) and average[1] not in ("binary", "None"):
        name = f"{average[1]} {name}"
    if of_class := _CLASS.search(arguments):
        name = f"{name} of class {of_class[1]}"
    return name
