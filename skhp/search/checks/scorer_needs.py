"""Refuse a metric that needs what no candidate has, such as probabilities."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Number
from typing import Any

from sklearn.metrics import get_scorer

from skhp.compat.scikit_learn import response_methods_of
from skhp.exceptions import InvalidParameterError
from skhp.search.checks.parameters import with_choices
from skhp.search.space.dimension_reading import Dimension
from skhp.search.space.dimensions import Choices
from skhp.shared.pipelines import is_pipeline, last_step

__all__ = ["refuse_unanswerable_scorers"]

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
