"""One understanding of search spaces for random, Bayesian and TPE searches.

A space is a dict from names of parameters to what they may be, or a list of such dicts, which are
alternatives: a parameter that makes sense only beside a value of another one stands in the dicts
that have this value. What a parameter may be:

==================================================== =============================================
list, array                                          one of its values
distribution of ``scipy.stats``                      as it draws; anything with ``rvs`` in a random
                                                     search
``(low, high)``, ``(low, high, "log-uniform")``      a range with both bounds; of whole numbers if
                                                     both are whole
a tuple of three numbers                             refused, as it may be a range or choices
other tuples                                         one of their values
``Real``, ``Integer``, ``Categorical`` of ``skopt``  as scikit-optimize says
``LayerSizes`` of ``skhp``                           stacks of hidden layers
distribution of ``optuna.distributions``             as Optuna says
==================================================== =============================================

A tuple of two numbers is a range in every search, as scikit-optimize has it, not a choice between
the two, as scikit-learn has it; a list of two numbers is a choice in every search, as scikit-learn
has it. Write choices as lists.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from skopt.space import Categorical, Integer, Real
from skopt.space import Dimension as SkoptDimension

from skhp.exceptions import InvalidParameterError
from skhp.search.space.dimension_reading import Dimension, read_dimension
from skhp.search.space.dimensions import Choices, Distribution, Range
from skhp.search.space.foreign_spaces import SteppedNumbers, is_optuna_distribution, refuse_hyperopt
from skhp.search.space.layer_sizes import LayerSizes
from skhp.search.space.skopt_dimensions import (
    HIGHEST_QUANTILE,
    LOWEST_QUANTILE,
    ExactCategorical,
    Quantiles,
    Stacks,
)
from skhp.shared.equality import equal

if TYPE_CHECKING:
    from optuna.trial import Trial

__all__ = ["SearchSpace", "SkoptSpace", "for_bayes", "for_random", "for_tpe", "understood"]

SearchSpace = Mapping[str, Any] | Sequence[Any]
SkoptSpace = dict[str, SkoptDimension]

SUB_SPACE = "sub-space"


def understood(space: SearchSpace) -> tuple[dict[str, Dimension], ...]:
    """The alternatives of a search space, each from names to dimensions.

    Parameters
    ----------
    space : dict or list of dict
        A list may hold pairs of a dict and a number of iterations, for a Bayesian search.

    Returns
    -------
    tuple of dict
        Choices, ranges and distributions by the names of the parameters.

    Raises
    ------
    InvalidParameterError
        Lists every mistake of the space.

    Examples
    --------
    >>> understood({"learning_rate": (1e-5, 1e-1, "log-uniform")})
    ({'learning_rate': Range(low=1e-05, high=0.1, log=True, integer=False)},)
    """
    mistakes = []
    found: list[dict[str, Dimension]] = []
    for alternative, _ in _alternatives(space):
        found.append({})
        for name, value in alternative.items():
            try:
                found[-1][name] = read_dimension(name, value)
            except InvalidParameterError as error:
                mistakes.append(str(error))
    if mistakes:
        raise InvalidParameterError("\n".join(mistakes))
    return tuple(found)


def for_random(space: SearchSpace) -> list[dict[str, Any]]:
    """The space as scikit-learn's `ParameterSampler` takes it.

    Lists and distributions stay the objects they are, so that the draws are scikit-learn's.

    Parameters
    ----------
    space : dict or list of dict

    Returns
    -------
    list of dict
        Sequences, and objects that draw by ``rvs(random_state=)``.
    """
    dimensions = understood(space)
    return [
        {name: _drawable(value, known[name]) for name, value in alternative.items()}
        for alternative, known in zip(_without_counts(space), dimensions, strict=True)
    ]


def for_bayes(space: SearchSpace) -> list[SkoptSpace | tuple[SkoptSpace, int]]:
    """The space in dimensions of scikit-optimize.

    A distribution that is no range is searched by its quantiles. The points that an
    ``skopt.Optimizer`` asks for in these dimensions are values that ``set_params`` takes.

    Parameters
    ----------
    space : dict or list of dict or of (dict, int)

    Returns
    -------
    list of dict or of (dict, int)
        New dimensions by name, as an optimizer changes those that it gets.
    """
    converted: list[SkoptSpace | tuple[SkoptSpace, int]] = []
    mistakes = []
    for (alternative, count), known in zip(_alternatives(space), understood(space), strict=True):
        if not known:
            mistakes.append(
                "A Bayesian search has nothing to learn in an empty sub-space. Leave it out, or "
                "name a parameter with one value, as {'dropout': [0.0]}."
            )
        dimensions = {}
        for name, value in alternative.items():
            try:
                dimensions[name] = _skopt_dimension(name, value, known[name])
            except InvalidParameterError as error:
                mistakes.append(str(error))
        converted.append(dimensions if count is None else (dimensions, count))
    if mistakes:
        raise InvalidParameterError("\n".join(mistakes))
    return converted


def for_tpe(space: SearchSpace) -> Callable[[Trial], dict[str, Any]]:
    """A function that lets a trial of Optuna suggest parameters.

    Where there are alternatives, the trial first chooses one and then within it. A parameter that
    is the same in all of them is learnt about in all of them; others have a name of their own in
    each, so that nothing is learnt about them from where they mean something else. What has one
    value only is not suggested.

    Parameters
    ----------
    space : dict or list of dict

    Returns
    -------
    callable
        From an Optuna trial to a dict for ``set_params``.
    """
    _without_counts(space)
    alternatives = understood(space)
    for known in alternatives:
        for name, dimension in known.items():
            _refuse_without_quantiles(name, dimension)
    shared = {
        name
        for name, dimension in alternatives[0].items()
        if all(equal(dimension, known.get(name)) for known in alternatives)
    }

    def suggest(trial: Trial) -> dict[str, Any]:
        chosen = 0
        if len(alternatives) > 1:
            chosen = trial.suggest_categorical(SUB_SPACE, range(len(alternatives)))
        return {
            name: _suggestion(
                trial, name if name in shared else f"{SUB_SPACE} {chosen}: {name}", dimension
            )
            for name, dimension in alternatives[chosen].items()
        }

    return suggest


def _alternatives(space: SearchSpace) -> Iterator[tuple[Mapping[str, Any], int | None]]:
    """Each dict of a space, with its own number of iterations where it has one."""
    refuse_hyperopt(space)
    listed = [space] if isinstance(space, Mapping) else space
    if isinstance(listed, str | bytes) or not isinstance(listed, Sequence):
        raise InvalidParameterError(
            f"A search space must be a dict or a list of dicts, got {space!r}."
        )
    if not listed or listed == [{}]:
        raise InvalidParameterError(
            f"The search space {space!r} is empty. Name one parameter at least, with its values."
        )
    for element in listed:
        alternative, count = element, None
        if isinstance(element, tuple) and len(element) == 2:
            alternative, count = element
            if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
                raise InvalidParameterError(
                    f"The number of iterations of a sub-space must be a whole number from 1 up, "
                    f"got {count!r}."
                )
        if not isinstance(alternative, Mapping):
            raise InvalidParameterError(
                f"Each element of a search space must be a dict from names of parameters to their "
                f"values, got {element!r}."
            )
        _refuse_names(alternative)
        yield alternative, None if count is None else int(count)


def _refuse_names(alternative: Mapping[Any, Any]) -> None:
    others = [name for name in alternative if not isinstance(name, str)]
    if others:
        named = ", ".join(f"{name!r} of type {type(name).__name__}" for name in others)
        raise InvalidParameterError(
            f"The keys of a search space are names of parameters, which are texts, got {named}. "
            "Write {'neurons': [5, 10]}: the name as the key, and its values in a list."
        )


def _without_counts(space: SearchSpace) -> list[Mapping[str, Any]]:
    alternatives = []
    for alternative, count in _alternatives(space):
        if count is not None:
            raise InvalidParameterError(
                f"The pair of a sub-space and its number of iterations, {count}, is for "
                "BayesSearchCV only. Give the dict alone; n_iter counts for all of them together."
            )
        alternatives.append(alternative)
    return alternatives


def _drawable(value: Any, dimension: Dimension) -> Any:
    if isinstance(value, SkoptDimension | tuple) or is_optuna_distribution(value):
        plain = isinstance(dimension, Choices) and dimension.weights is None
        return list(dimension.values) if plain else dimension  # type: ignore[union-attr]
    return value


def _skopt_dimension(name: str, value: Any, dimension: Dimension) -> SkoptDimension:
    _refuse_without_quantiles(name, dimension)
    if isinstance(dimension, LayerSizes):
        stacks = Stacks(dimension)
        return ExactCategorical([stacks.bounds[0]]) if stacks.is_constant else stacks
    if isinstance(dimension, Choices):
        return _categorical(name, value, dimension)
    if isinstance(value, SkoptDimension):
        return copy.copy(value)
    if isinstance(dimension, Range):
        prior = "log-uniform" if dimension.log else "uniform"
        if dimension.integer:
            return Integer(int(dimension.low), int(dimension.high), prior, dtype=int)
        return Real(dimension.low, dimension.high, prior)
    lowest = dimension.at_quantile(LOWEST_QUANTILE)
    if lowest == dimension.at_quantile(HIGHEST_QUANTILE):
        return ExactCategorical([lowest])
    return Quantiles(dimension)


def _categorical(name: str, value: Any, choices: Choices) -> SkoptDimension:
    try:
        distinct = len(set(choices.values)) == len(choices.values)
    except TypeError:
        raise InvalidParameterError(
            f"{name}: a Bayesian search needs choices that can be hashed, and one of "
            f"{list(choices.values)!r} cannot. Write lists among them as tuples."
        ) from None
    if not distinct:
        raise InvalidParameterError(
            f"{name}: {list(choices.values)!r} holds equal values, which a Bayesian search cannot "
            "tell apart. Name each once; True equals 1, and 1.0 equals 1."
        )
    transform = value.transform_ if isinstance(value, Categorical) else None
    prior = None if choices.weights is None else list(choices.weights)
    return ExactCategorical(choices.values, prior=prior, transform=transform)


def _refuse_without_quantiles(name: str, dimension: Dimension) -> None:
    if isinstance(dimension, Distribution) and not dimension.has_quantiles:
        raise InvalidParameterError(
            f"{name}: {dimension.frozen!r} draws by rvs but has no ppf and cdf, which Bayesian and "
            "TPE searches need. Give a distribution of scipy.stats, bounds as (1e-5, 1e-1, "
            "'log-uniform'), or a list of values."
        )


def _suggestion(trial: Trial, name: str, dimension: Dimension) -> Any:
    if isinstance(dimension, LayerSizes):
        return dimension.suggested(trial, name)
    if isinstance(dimension, Range):
        if dimension.integer:
            return trial.suggest_int(
                name, int(dimension.low), int(dimension.high), log=dimension.log
            )
        return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)
    if isinstance(dimension, Choices) and len(dimension.values) == 1:
        return dimension.values[0]
    if isinstance(dimension, Choices) and dimension.weights is None:
        # Optuna takes only a few types of values, but any number of places in a list.
        place = trial.suggest_categorical(name, range(len(dimension.values)))
        return dimension.values[place]
    stepped = dimension.frozen if isinstance(dimension, Distribution) else None
    if isinstance(stepped, SteppedNumbers):
        low, high, step = stepped.low, stepped.high, stepped.step
        if stepped.is_whole:
            return trial.suggest_int(name, int(low), int(high), step=int(step))
        return trial.suggest_float(name, low, high, step=step)
    # Evenly drawn quantiles are draws of the distribution; Optuna has no priors.
    if isinstance(dimension, Distribution):
        quantile = trial.suggest_float(name, LOWEST_QUANTILE, HIGHEST_QUANTILE)
    else:
        quantile = trial.suggest_float(name, 0.0, 1.0)
    return dimension.at_quantile(quantile)
