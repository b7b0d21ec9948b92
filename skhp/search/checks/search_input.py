"""What is wrong with a search is said before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from sklearn.base import is_classifier
from sklearn.model_selection import ParameterGrid
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from skhp.search.checks.folds import refuse_rare_classes
from skhp.search.checks.parameters import refuse_bad_combinations, refuse_bad_values
from skhp.search.checks.scorer_needs import refuse_unanswerable_scorers
from skhp.search.space.dimension_reading import Dimension
from skhp.search.space.dimensions import Choices
from skhp.search.space.spaces import understood
from skhp.shared.class_targets import class_labels
from skhp.shared.pipelines import last_step

__all__ = ["check_search", "is_finite"]


def check_search(search: Any, scoring: Any, splitter: Any, y: Any) -> None:
    """Raise if some candidate, or every candidate, could only fail.

    Parameters
    ----------
    search : searcher
        Its names of parameters are checked elsewhere, by `refuse_unknown_names`.
    scoring : str, callable, collection or None
        As scikit-learn is to read it.
    splitter : cross validator
    y : array-like or None

    Raises
    ------
    ValueError
        If a classifier is to learn numbers that are not classes.
    InvalidParameterError
        If the estimator's own constraints refuse a value of the search space, or itself some
        values together, if a scorer needs a method that no candidate has, or if a class has fewer
        rows than there are stratified folds and the metric is not the estimator's own.
    """
    _refuse_continuous_classes(search.estimator, y)
    alternatives = _alternatives(search)
    # Who gave a score for candidates that fail counts on some.
    if not is_finite(search.error_score):
        refuse_bad_values(search.estimator, alternatives)
        refuse_bad_combinations(search.estimator, alternatives)
    if not callable(getattr(search, "search_spaces", None)):
        # What a function will suggest, and put in place, nobody knows before.
        refuse_unanswerable_scorers(search.estimator, scoring, alternatives)
    # An estimator's own score of a fold says something of it without one of the classes, too.
    if search.scoring is not None:
        refuse_rare_classes(splitter, y)


def _refuse_continuous_classes(estimator: Any, y: Any) -> None:
    # Who encodes the target in a way of their own may take what they like.
    known = type(last_step(estimator)).__module__.partition(".")[0] in ("skhp", "sklearn")
    if y is None or not known or not is_classifier(estimator):
        return
    labels = class_labels(y)
    # scikit-learn has no word for a target of more dimensions, and lets it pass in a search.
    if type_of_target(labels) != "unknown":
        check_classification_targets(labels)


def _alternatives(search: Any) -> list[list[tuple[str, Any, Dimension]]]:
    """Name, value as it was written, and meaning of each parameter of each sub-space."""
    if hasattr(search, "param_grid"):
        # In a grid a tuple is as good as a list.
        return [
            [(name, values, Choices(tuple(values))) for name, values in grid.items()]
            for grid in ParameterGrid(search.param_grid).param_grid
        ]
    drawn = hasattr(search, "param_distributions")
    space = search.param_distributions if drawn else search.search_spaces
    if callable(space):
        return []
    listed = [space] if isinstance(space, Mapping) else space
    written = [one[0] if isinstance(one, tuple) else one for one in listed]
    return [
        [(name, alternative[name], dimension) for name, dimension in dimensions.items()]
        for alternative, dimensions in zip(written, understood(space), strict=True)
    ]


def is_finite(error_score: Any) -> bool:
    """Whether candidates that fail are to have a score."""
    return isinstance(error_score, Real) and math.isfinite(error_score)
