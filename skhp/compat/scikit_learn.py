"""The names of scikit-learn that are not public, each with the reason for its use.

No other file of skhp imports a private name of scikit-learn. A test fails when one of them
disappears.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Runs a fit with its parameters validated, once, and its callbacks torn down. Third-party
# estimators have no public way to either.
from sklearn.base import _fit_context as fit_context

# Scores several metrics with one prediction; a search tells by this type that there are several.
from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer
from sklearn.utils import _safe_indexing as rows_of
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

# The constraints that scikit-learn's own estimators declare their parameters with, so that ours
# fail with the messages that users know.
from sklearn.utils._param_validation import (
    InvalidParameterError as ScikitLearnInvalidParameterError,
)

# These cut rows and fit parameters as the tasks do, for every kind of array.
from sklearn.utils.metaestimators import _safe_split as split_rows
from sklearn.utils.validation import _check_method_params as cut_method_parameters

# Checks the shape, the finiteness and the sign of sample weights as every estimator does.
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

# What is wrong with a value, in scikit-learn's words.

__all__ = [
    "FIT_AND_PREDICT",
    "FIT_AND_SCORE",
    "PERMUTATION_TEST_SCORE",
    "SPLITTERS_MODULE",
    "TASKS_MODULE",
    "CallbackSupportMixin",
    "Interval",
    "MultimetricScorer",
    "ScikitLearnInvalidParameterError",
    "StrOptions",
    "check_sample_weight",
    "constrain",
    "constraints_of",
    "context_only_shows_progress",
    "cut_method_parameters",
    "fit_context",
    "metric_of",
    "only_shows_progress",
    "open_callback_context",
    "response_methods_of",
    "rows_of",
    "split_rows",
    "validate_parameter_constraints",
]

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for the mixin of scikit-learn 1.9, where there is none yet."""


def open_callback_context(estimator: Any, max_subtasks: int) -> Any | None:
    """Context of a fit for scikit-learn's callbacks; None where there are none.

    scikit-learn documents ``_init_callback_context`` for authors of estimators, yet under a
    private name; and keeps the callbacks of an estimator in ``_skl_callbacks``.
    """
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def only_shows_progress(estimator: Any) -> bool:
    """Whether no callback of an estimator can end a fit or look into it after an epoch."""
    callbacks = getattr(estimator, "_skl_callbacks", None) or []
    return all(type(callback).__name__ == "ProgressBar" for callback in callbacks)


TASKS_MODULE = "sklearn.model_selection._validation"
SPLITTERS_MODULE = "sklearn.model_selection._split"
FIT_AND_SCORE = "_fit_and_score"
FIT_AND_PREDICT = "_fit_and_predict"
PERMUTATION_TEST_SCORE = "_permutation_test_score"


def context_only_shows_progress(context: Any) -> bool:
    """Whether a callback context has callbacks, and progress bars alone.

    scikit-learn keeps the callbacks of a context under a private name, and has no other way to ask.
    """
    callbacks = getattr(context, "_callbacks", None) or []
    return bool(callbacks) and all(type(one).__name__ == "ProgressBar" for one in callbacks)


def constrain(searcher: Any, constraints: Mapping[str, Any]) -> None:
    """Have a class take some constraints in place of those of its bases; its own come first.

    scikit-learn's searchers check their parameters by this attribute, and have no public one.
    """
    inherited = super(searcher, searcher)._parameter_constraints
    own = vars(searcher).get("_parameter_constraints", {})
    searcher._parameter_constraints = {**inherited, **constraints, **own}


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
