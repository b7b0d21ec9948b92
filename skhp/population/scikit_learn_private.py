"""The names of scikit-learn that are not public and that the population needs, with the reason.

The tasks that scikit-learn hands to joblib are private functions. They are recognised by name and
read by the names of their parameters, and where one of them is not as expected, the task runs as
it would have without skhp.
"""

from __future__ import annotations

from typing import Any

from sklearn.utils import _safe_indexing as rows_of

# These cut rows and fit parameters as the tasks do, for every kind of array.
from sklearn.utils.metaestimators import _safe_split as split_rows
from sklearn.utils.validation import _check_method_params as cut_method_parameters

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


__all__ = [
    "FIT_AND_PREDICT",
    "FIT_AND_SCORE",
    "PERMUTATION_TEST_SCORE",
    "SPLITTERS_MODULE",
    "TASKS_MODULE",
    "context_only_shows_progress",
    "cut_method_parameters",
    "rows_of",
    "split_rows",
]
