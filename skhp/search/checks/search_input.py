"""Refuses a search that could only fail, before anything is trained."""

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
from skhp.shared.unusable_data import (
    columns_without_numbers,
    refuse_arrays_of_arrays,
    refuse_columns_not_finite,
    refuse_columns_without_numbers,
)

_ROWS_TO_TRY = 200

# Words from the errors of scikit-learn, NumPy and pandas when a step takes only numbers.
_NO_NUMBERS = (
    *("could not convert string to float", "argument must be", "could not be promoted"),
    *("dtype='numeric' is not compatible", "Cannot cast", "Cannot convert", "not supported for"),
)


def refuse_unusable_columns(estimator: Any, space: Any, X: Any, y: Any) -> None:
    """Raise ValueError if texts, dates or missing values reach a network, which takes only numbers.

    Rows of different lengths, and arrays in the place of numbers, are refused, too. The steps of a
    pipeline before the network are fitted to a few rows. Nothing is raised if the search may change
    a step, or if a step fails for another reason.
    """
    if not may_join(estimator):
        return
    network, before = type(last_step(estimator)).__name__, steps_before(estimator)
    if not before:
        refuse_arrays_of_arrays(X, network)
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
            # Rows and target are drawn together.
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


# The most candidates that are checked; a search with more of them is not refused.
_MOST_LOOKED_AT = 500

# In these libraries, parameters may add or remove a method of an estimator, but a fit does not.
_KNOWN_LIBRARIES = ("sklearn", "skhp")


def refuse_unanswerable_scorers(
    estimator: Any,
    scoring: Any,
    alternatives: Iterable[Sequence[tuple[str, Any, Dimension]]],
) -> None:
    """Raise if a scorer calls only methods that every candidate certainly lacks.

    A callable that `make_scorer` did not make does not tell which methods it calls, and passes.
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
            "Take a metric of the estimator's predictions, such as 'f1' or 'accuracy' for classes, "
            "or an estimator or parameters that provide the method."
        )
        raise InvalidParameterError("\n".join(mistakes))


def _scorers(scoring: Any) -> Iterator[tuple[str, Any]]:
    """Name and scorer of each metric that scikit-learn knows; it refuses other names itself."""
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
    # With more candidates, or with none that the estimator takes, the answer is not known.
    return not 0 < looked_at < _MOST_LOOKED_AT


def _always_has(estimator: Any, methods: Sequence[str]) -> bool:
    own = (inspect.getattr_static(type(estimator), method, None) for method in methods)
    # A method that exists only under a condition is not a plain function of the class.
    return any(map(inspect.isfunction, own))


def _can_switch(dimension: Dimension) -> bool:
    """Whether a choice may decide which methods exist; a choice among numbers does not."""
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
        # The error of a user's property arises again in the search.
        return False
    owners = [one for one in type(estimator).__mro__ if method in vars(one)]
    answers = [one for one in type(estimator).__mro__ if "__getattr__" in vars(one)]
    if not all(map(_is_known, owners[:1] + answers)):
        return False
    # An estimator of estimators may get the method from one that its fit creates.
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
    """Raise if a candidate, or the whole search, can only fail.

    `refuse_unknown_names` checks the names of parameters.
    """
    _refuse_continuous_classes(search.estimator, y)
    alternatives = _alternatives(search)
    # A number as error_score says that some candidates may fail.
    if not is_finite(search.error_score):
        refuse_bad_values(search.estimator, alternatives)
        refuse_bad_combinations(search.estimator, alternatives)
    if not callable(getattr(search, "search_spaces", None)):
        # The parameters that a function will suggest are not known beforehand.
        refuse_unanswerable_scorers(search.estimator, scoring, alternatives)
    # An estimator's own score of a fold is meaningful even if the fold lacks a class.
    if search.scoring is not None:
        refuse_rare_classes(splitter, y)


def _refuse_continuous_classes(estimator: Any, y: Any) -> None:
    # An estimator of another library may encode its target in its own way.
    known = type(last_step(estimator)).__module__.partition(".")[0] in ("skhp", "sklearn")
    if y is None or not known or not is_classifier(estimator):
        return
    labels = class_labels(y)
    # A target of more dimensions is "unknown" to scikit-learn, which lets it pass in a search.
    if type_of_target(labels) != "unknown":
        check_classification_targets(labels)


def _alternatives(search: Any) -> list[list[tuple[str, Any, Dimension]]]:
    """The name, the written value and the dimension of each parameter of each sub-space."""
    if hasattr(search, "param_grid"):
        # In a grid, a tuple is a list of values and not the bounds of a range.
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
    """Whether candidates that fail get a score."""
    return isinstance(error_score, Real) and math.isfinite(error_score)
