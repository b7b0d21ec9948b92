"""The names of scikit-learn that are not public, each with the reason for its use.

The searchers also override methods of scikit-learn's `BaseSearchCV`: `_run_search`, which its
documentation names for that purpose, `_get_scorers` and `_format_results`, the only places where a
search can learn of each fit and add columns to its results, `_select_best_index`, so that a
candidate that was pruned is not the best, `_get_routed_params_for_fit`, because scikit-optimize
passes groups that nobody gave, and `_check_input_parameters` of the halving searches, which takes
no target of two dimensions. A test fails when one of them disappears.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Scores several metrics with one prediction; a search tells by this type that there are several.
from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

# What is wrong with a value, in scikit-learn's words.
from sklearn.utils._param_validation import (
    InvalidParameterError as ScikitLearnInvalidParameterError,
)

__all__ = [
    "Interval",
    "MultimetricScorer",
    "ScikitLearnInvalidParameterError",
    "StrOptions",
    "constraints_of",
    "metric_of",
    "response_methods_of",
    "validate_parameter_constraints",
]


def constraints_of(estimator: Any) -> Mapping[str, Any]:
    """Constraints of the parameters of an estimator, which its `fit` would check; else none.

    No public name tells before a fit whether a value is refused.
    """
    constraints = getattr(type(estimator), "_parameter_constraints", None)
    return constraints if isinstance(constraints, Mapping) else {}


def metric_of(scorer: Any) -> Any:
    """The function of a target and predictions that a scorer was made of; None if it was not.

    A scorer keeps the public argument `score_func` of `make_scorer` under a private name.
    """
    return getattr(scorer, "_score_func", None)


def response_methods_of(scorer: Any) -> tuple[str, ...]:
    """Methods of the estimator of which a scorer needs one; none if it does not say.

    A scorer keeps the public argument `response_method` of `make_scorer` under a private name.
    """
    methods = getattr(scorer, "_response_method", ())
    return (methods,) if isinstance(methods, str) else tuple(methods)
