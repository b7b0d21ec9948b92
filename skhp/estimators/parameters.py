"""Checks of an estimator's parameters, which report every mistake at once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import Any, ClassVar, Self

from skhp.compat.scikit_learn import (
    ScikitLearnInvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)
from skhp.exceptions import InvalidParameterError
from skhp.shared.nearest_name import nearest_name


class NamesIn(Set):
    """A live view of the names in a registry, and of some more names."""

    def __init__(self, registry: Mapping[str, Any], *more: str) -> None:
        self._registry, self._more = registry, more

    def __contains__(self, name: object) -> bool:
        return name in self._registry or name in self._more

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._registry, *self._more)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @classmethod
    def _from_iterable(cls, names: Iterable[str]) -> set[str]:  # type: ignore[override]
        return set(names)


def keeps_parameters(init: Callable[..., None]) -> Callable[..., None]:
    """Make a constructor with an empty body store each argument in the attribute of its name.

    The error about an unknown name suggests the nearest known one. The ``**keywords`` of a
    constructor go to the method `_add_extra`, as one dictionary.
    """
    signature = inspect.signature(init)
    _, *parameters = signature.parameters.values()
    kept = [
        parameter.name for parameter in parameters if parameter.kind is not parameter.VAR_KEYWORD
    ]
    further = [parameter.name for parameter in parameters[len(kept) :]]

    @functools.wraps(init)
    def constructor(self: Any, *positional: Any, **keywords: Any) -> None:
        if not further:
            _refuse_unknown(self, keywords, kept)
        given = signature.bind(self, *positional, **keywords)
        given.apply_defaults()
        for name in kept:
            setattr(self, name, given.arguments[name])
        for name in further:
            self._add_extra(given.arguments[name])

    return constructor


class NamedParametersMixin:
    """Collects every mistake in the names and in the values of parameters before it raises."""

    _parameter_constraints: ClassVar[dict[str, Any]]

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Parameters
        ----------
        **params : dict
            Estimator parameters.

        Returns
        -------
        self : object

        Raises
        ------
        InvalidParameterError
            If a name is unknown; then no parameter is set.
        """
        own = self.get_params(deep=False)  # type: ignore[attr-defined]
        known = list(own)
        # A loss that is set by this very call makes the names of its parameters known.
        for name, value in {**own, **params}.items():
            if hasattr(value, "get_params") and not isinstance(value, type):
                known += [f"{name}__{inner}" for inner in value.get_params()]
        _refuse_unknown(self, params, known)
        return super().set_params(**params)  # type: ignore[misc]

    def _validate_params(self) -> None:
        mistakes = []
        for name, value in self.get_params(deep=False).items():  # type: ignore[attr-defined]
            constraints = self._parameter_constraints.get(name, "no_validation")
            try:
                validate_parameter_constraints(
                    {name: constraints}, {name: value}, caller_name=type(self).__name__
                )
            except ScikitLearnInvalidParameterError as error:
                options = [
                    option
                    for constraint in constraints
                    if isinstance(constraint, StrOptions)
                    for option in constraint.options
                ]
                mistakes.append(f"{error}{self._suggestion(name, value, options)}")
        mistakes += self._further_mistakes()
        if mistakes:
            raise InvalidParameterError("\n".join(mistakes))

    def _suggestion(self, name: str, value: Any, options: list[str]) -> str:
        """A sentence that suggests what was meant by a refused value."""
        return nearest_name(value, options)

    def _further_mistakes(self) -> list[str]:
        """Mistakes in values that the constraints let pass."""
        return []


def _refuse_unknown(estimator: Any, given: Iterable[str], known: list[str]) -> None:
    name_of_class = type(estimator).__name__
    mistakes = [
        f"{name_of_class} has no parameter {name!r}.{nearest_name(name, known)}"
        for name in given
        if name not in known
    ]
    if mistakes:
        mistakes.append(f"The parameters of {name_of_class} are: {', '.join(known)}.")
        raise InvalidParameterError("\n".join(mistakes))
