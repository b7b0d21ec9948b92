"""Refuse tables whose texts or dates would reach the network of each candidate."""

from __future__ import annotations

import inspect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Number, Real
from typing import Any

from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import ParameterGrid
from sklearn.utils import resample
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from skhp.compat.scikit_learn import response_methods_of
from skhp.exceptions import InvalidParameterError
from skhp.population.requested_fits import may_join
from skhp.search.checks.folds import refuse_rare_classes
from skhp.search.checks.parameters import refuse_bad_combinations, refuse_bad_values, with_choices
from skhp.search.space.dimensions import Choices
from skhp.search.space.space_reading import Dimension, understood
from skhp.shared.class_targets import class_labels
from skhp.shared.pipelines import is_pipeline, last_step, steps_before
from skhp.shared.unusable_tables import (
    columns_without_numbers,
    refuse_columns_not_finite,
    refuse_columns_without_numbers,
)

__all__ = ["check_search", "is_finite", "refuse_unanswerable_scorers", "refuse_unusable_columns"]

_ROWS_TO_TRY = 200

# What scikit-learn, NumPy and pandas say where a step takes numbers only.
_NO_NUMBERS = (
    *("could not convert string to float", "argument must be", "could not be promoted"),
    *("dtype='numeric' is not compatible", "Cannot cast", "Cannot convert", "not supported for"),
)


def refuse_unusable_columns(estimator: Any, space: Any, X: Any, y: Any) -> None:
    """Raise if texts, dates or missing values of a table reach a network that takes numbers.

    Where steps of a pipeline stand before it, they are fitted to a few rows. Steps that the search
    itself changes, and what fails for another reason, are left to the candidates.

    Parameters
    ----------
    estimator : estimator
        Of the search.
    space : dict, list of dict or callable
        That is searched.
    X, y : array-like

    Raises
    ------
    ValueError
        Names the columns.
    """
    if not may_join(estimator):
        return
    network, before = type(last_step(estimator)).__name__, steps_before(estimator)
    if not columns_without_numbers(X):
        if not before and not get_config()["assume_finite"]:
            refuse_columns_not_finite(X, network)
        return
    if not before:
        refuse_columns_without_numbers(X, network)
        return
    if _changes(space, [name for name, _ in before]):
        return
    rows, target = X, y
    try:
        if len(X) > _ROWS_TO_TRY:
            # The target is cut together with the rows.
            sample = {"replace": False, "n_samples": _ROWS_TO_TRY, "random_state": 0}
            rows, target = (resample(X, **sample), y) if y is None else resample(X, y, **sample)
        for name, step in before:
            if hasattr(step, "fit_resample"):
                continue
            taker = f"The step {name!r} of the pipeline, a {type(step).__name__},"
            with warnings.catch_warnings(action="ignore"):
                rows = clone(step).fit_transform(rows, target)
    except Exception as error:
        if any(words in str(error) for words in _NO_NUMBERS):
            refuse_columns_without_numbers(rows, taker)
        return
    refuse_columns_without_numbers(rows, f"{network}, behind the steps of the pipeline,")


def _changes(space: Any, steps: list[str]) -> bool:
    """Whether a search changes one of these steps, or may do so."""
    if callable(space):
        return True
    listed = [space] if isinstance(space, Mapping) else space
    dicts = [one[0] if isinstance(one, tuple) and one else one for one in listed]
    names = {str(name) for one in dicts if isinstance(one, Mapping) for name in one}
    return any(
        step == name or step.startswith(f"{name}__") or name.startswith(f"{step}__")
        for name in names
        for step in steps
    )


# Candidates that are looked at before a search is let go on.
_MOST_LOOKED_AT = 500

# Methods of these come and go with the parameters, never with a fit.
_KNOWN_LIBRARIES = ("sklearn", "skhp")


def refuse_unanswerable_scorers(
    estimator: Any,
    scoring: Any,
    alternatives: Iterable[Sequence[tuple[str, Any, Dimension]]],
) -> None:
    """Raise if a scorer calls only methods that every candidate lacks for sure.

    Parameters
    ----------
    estimator : estimator
    scoring : str, callable, collection or None
        As scikit-learn reads it; callables that `make_scorer` did not make say nothing of what they
        need.
    alternatives : iterable of sequence of (str, object, Dimension)
        Of each sub-space, names of parameters, what the user wrote, and what that stands for.

    Raises
    ------
    InvalidParameterError
        Names every such scorer, what it needs, and the estimator.
    """
    spaces = [{name: dimension for name, _, dimension in one} for one in alternatives]
    mistakes = []
    for name, scorer in _scorers(scoring):
        methods = response_methods_of(scorer)
        if methods and not _is_answered(estimator, methods, spaces):
            reason = _reason(estimator, methods)
            mistakes.append(
                f"scoring {name} needs {' or '.join(methods)}, which {type(estimator).__name__} "
                f"does not have{reason}."
            )
    if mistakes:
        mistakes.append(
            "Take a metric of what the estimator predicts, as 'f1' or 'accuracy' of classes, or an "
            "estimator, or parameters of it, with such a method."
        )
        raise InvalidParameterError("\n".join(mistakes))


def _scorers(scoring: Any) -> Iterator[tuple[str, Any]]:
    """Name and scorer of each metric; what scikit-learn does not know, it says itself."""
    if isinstance(scoring, Mapping):
        named = [(f"{name!r}", value) for name, value in scoring.items()]
    elif isinstance(scoring, list | tuple | set):
        named = [(f"{value!r}", value) for value in scoring]
    else:
        named = [(f"{scoring!r}", scoring)]
    for name, value in named:
        try:
            yield name, get_scorer(value) if isinstance(value, str) else value
        except ValueError:
            continue


def _is_answered(
    estimator: Any, methods: Sequence[str], spaces: Sequence[Mapping[str, Dimension]]
) -> bool:
    if _always_has(estimator, methods):
        return True
    looked_at = 0
    for space in spaces or [{}]:
        for candidate in itertools.islice(
            with_choices(estimator, {n: d for n, d in space.items() if _can_switch(d)}),
            _MOST_LOOKED_AT - looked_at,
        ):
            looked_at += 1
            if not all(_lacks(candidate, method) for method in methods):
                return True
    # Where there are more, or none that the estimator takes, it is not known.
    return not 0 < looked_at < _MOST_LOOKED_AT


def _always_has(estimator: Any, methods: Sequence[str]) -> bool:
    own = (inspect.getattr_static(type(estimator), method, None) for method in methods)
    # What is there under a condition is no plain function of the class.
    return any(map(inspect.isfunction, own))


def _can_switch(dimension: Dimension) -> bool:
    """Whether a choice may decide of a method; one among numbers does not."""
    return isinstance(dimension, Choices) and not all(
        isinstance(value, Number) and not isinstance(value, bool) for value in dimension.values
    )


def _lacks(estimator: Any, method: str) -> bool:
    """Whether an estimator will not have a method, fitted or not; False where that is unknown."""
    if is_pipeline(estimator):
        last = last_step(estimator)
        return hasattr(last, "fit") and _lacks(last, method)
    try:
        if hasattr(estimator, method):
            return False
    except Exception:
        # A property of the user's: the search will come upon it.
        return False
    owners = [one for one in type(estimator).__mro__ if method in vars(one)]
    answers = [one for one in type(estimator).__mro__ if "__getattr__" in vars(one)]
    if not all(map(_is_known, owners[:1] + answers)):
        return False
    # What is composed of others may get the method from one that its fit makes.
    return not owners or not any("__" in name for name in estimator.get_params(deep=True))


def _is_known(owner: type) -> bool:
    return owner.__module__.partition(".")[0] in _KNOWN_LIBRARIES


def _reason(estimator: Any, methods: Sequence[str]) -> str:
    """Why scikit-learn hides a method that the class has."""
    for method in methods:
        try:
            getattr(estimator, method)
        except AttributeError as error:
            if error.__cause__ is not None:
                return f" ({error.__cause__})"
    return ""


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
