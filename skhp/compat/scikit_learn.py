"""Private names of scikit-learn, each with the reason for its use.

No other file of skhp imports a private name of scikit-learn. A test fails when one of them
disappears.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

# Validates the parameters of a fit, once, and tears its callbacks down. Third-party estimators have
# no public way to do either.
from sklearn.base import _fit_context as fit_context

# Scores several metrics with one prediction; a search recognises several metrics by this type.
from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer

# What `make_scorer` makes; a scorer of another class may do anything.
from sklearn.metrics._scorer import _Scorer as MadeScorer

# Takes rows of every kind of array.
from sklearn.utils import _safe_indexing as rows_of

# The constraints that scikit-learn's own estimators declare their parameters with, so that ours
# fail with the messages that users know.
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

# The error about a wrong value, in scikit-learn's words.
from sklearn.utils._param_validation import (
    InvalidParameterError as ScikitLearnInvalidParameterError,
)

# Cut rows and fit parameters as scikit-learn's tasks do, for every kind of array.
from sklearn.utils.metaestimators import _safe_split as split_rows
from sklearn.utils.validation import _check_method_params as cut_method_parameters

# Checks the shape, the finiteness and the sign of sample weights as every estimator does.
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

__all__ = [
    "FIT_AND_PREDICT",
    "FIT_AND_SCORE",
    "PERMUTATION_TEST_SCORE",
    "SPLITTERS_MODULE",
    "TASKS_MODULE",
    "CallbackSupportMixin",
    "Interval",
    "MadeScorer",
    "MultimetricScorer",
    "ScikitLearnInvalidParameterError",
    "StrOptions",
    "check_sample_weight",
    "constrain",
    "constraints_of",
    "context_has_callbacks",
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
    "with_metric",
    "with_scorers",
]

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for the mixin of scikit-learn 1.9 in earlier versions."""


def open_callback_context(estimator: Any, max_subtasks: int) -> Any | None:
    """Context of a fit for scikit-learn's callbacks; None if there are none.

    scikit-learn documents ``_init_callback_context`` for authors of estimators, although its name
    is private, and keeps the callbacks of an estimator in ``_skl_callbacks``.
    """
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def only_shows_progress(estimator: Any) -> bool:
    """Whether all callbacks of an estimator only show progress, and cannot end or inspect a fit."""
    callbacks = getattr(estimator, "_skl_callbacks", None) or []
    return all(type(callback).__name__ == "ProgressBar" for callback in callbacks)


TASKS_MODULE = "sklearn.model_selection._validation"
SPLITTERS_MODULE = "sklearn.model_selection._split"
FIT_AND_SCORE = "_fit_and_score"
FIT_AND_PREDICT = "_fit_and_predict"
PERMUTATION_TEST_SCORE = "_permutation_test_score"


def context_has_callbacks(context: Any) -> bool:
    """Whether a callback context has callbacks, which it keeps under a private name only."""
    return bool(getattr(context, "_callbacks", None))


def context_only_shows_progress(context: Any) -> bool:
    """Whether a callback context has callbacks, all of which are progress bars.

    scikit-learn keeps the callbacks of a context under a private name only.
    """
    callbacks = getattr(context, "_callbacks", None) or []
    return bool(callbacks) and all(type(one).__name__ == "ProgressBar" for one in callbacks)


def constrain(searcher: Any, constraints: Mapping[str, Any]) -> None:
    """Replace constraints that a class inherits; those that it declares itself are kept.

    scikit-learn's searchers check their parameters by this private attribute only.
    """
    inherited = super(searcher, searcher)._parameter_constraints
    own = vars(searcher).get("_parameter_constraints", {})
    searcher._parameter_constraints = {**inherited, **constraints, **own}


def constraints_of(estimator: Any) -> Mapping[str, Any]:
    """The constraints by which an estimator's `fit` checks its parameters; empty if unknown.

    There is no public way to learn before a fit whether a value is refused.
    """
    constraints = getattr(type(estimator), "_parameter_constraints", None)
    return constraints if isinstance(constraints, Mapping) else {}


def metric_of(scorer: Any) -> Any:
    """The metric that a scorer was made from; None if it was made otherwise.

    A scorer keeps the public argument `score_func` of `make_scorer` under a private name.
    """
    return getattr(scorer, "_score_func", None)


def with_metric(scorer: MadeScorer, metric: Callable[..., Any]) -> MadeScorer:
    """A copy of a scorer with another metric.

    A scorer keeps the public argument `score_func` of `make_scorer` under a private name.
    """
    changed = copy.copy(scorer)
    changed._score_func = metric
    return changed


def with_scorers(several: MultimetricScorer, change: Callable[[Any], Any]) -> MultimetricScorer:
    """A scorer of several metrics in which each scorer is changed.

    It keeps its public arguments under private names.
    """
    scorers = {name: change(scorer) for name, scorer in several._scorers.items()}
    return MultimetricScorer(scorers=scorers, raise_exc=several._raise_exc)


def response_methods_of(scorer: Any) -> tuple[str, ...]:
    """The methods of an estimator that a scorer may choose from; empty if unknown.

    A scorer keeps the public argument `response_method` of `make_scorer` under a private name.
    """
    methods = getattr(scorer, "_response_method", ())
    return (methods,) if isinstance(methods, str) else tuple(methods)
