"""The names of scikit-learn that are not public, each with the reason for its use.

No other file of skhp imports a private name of scikit-learn. A test fails when one of them
disappears.
"""

from __future__ import annotations

from typing import Any

# Runs a fit with its parameters validated, once, and its callbacks torn down. Third-party
# estimators have no public way to either.
from sklearn.base import _fit_context as fit_context
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

# Checks the shape, the finiteness and the sign of sample weights as every estimator does.
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

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


__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "ScikitLearnInvalidParameterError",
    "StrOptions",
    "check_sample_weight",
    "fit_context",
    "only_shows_progress",
    "open_callback_context",
    "validate_parameter_constraints",
]
