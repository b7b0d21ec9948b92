"""The names of scikit-learn that are not public, each with the reason for its use.

The searchers also override three methods of scikit-learn's `BaseSearchCV`: `_run_search`, which its
documentation names for that purpose, `_get_scorers` and `_format_results`, the only places where a
search can learn of each fit and add columns to its results. A test fails when one of them
disappears.
"""

from __future__ import annotations

# Scores several metrics with one prediction; a search tells by this type that there are several.
from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

__all__ = ["Interval", "MultimetricScorer", "StrOptions", "validate_parameter_constraints"]
