"""Parameters beyond those of the constructor: for the build function, and routed by a prefix."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Iterable
from typing import Any, Self

from skhp.estimators.keras_model.build_function import (
    BuildSignature,
    collects_keywords,
    parameters_by_name,
)
from skhp.estimators.parameters import NamedParametersMixin
from skhp.exceptions import InvalidParameterError
from skhp.shared.equality import equal
from skhp.shared.nearest_name import nearest_name

ROUTES = (
    "model",
    "optimizer",
    "loss",
    "metrics",
    "callbacks",
    "compile",
    "fit",
    "predict",
    "score",
)


class RoutedParametersMixin(NamedParametersMixin):
    """Keeps the extra keywords of a constructor as parameters like all others.

    `get_params` lists them, `clone` and pickling keep them, and they can be read and set as
    attributes. Unknown names are refused only in `fit`, as the build function may be set after the
    constructor has run.
    """

    # Names that reach Keras without a prefix.
    _unrouted_names: frozenset[str]

    _extra_parameters: dict[str, Any]
    _set_names: frozenset[str] = frozenset()

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return list(constructor_names(cls, inherited=False))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of the estimator, including the extra ones.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of nested estimators, and inherited parameters that
            the constructor of a subclass does not take.

        Returns
        -------
        params : dict
            Values by name.
        """
        names = constructor_names(type(self), inherited=deep)
        # A constructor may not have kept a parameter; `fit` warns of this.
        params = {name: getattr(self, name) for name in names if hasattr(self, name)}
        if deep or collects_keywords(inspect.signature(type(self).__init__)):
            params |= self._given_extra()
        if deep:
            for name, value in list(params.items()):
                if has_parameters(value):
                    nested = value.get_params().items()
                    params.update((f"{name}__{inner}", part) for inner, part in nested)
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Parameters
        ----------
        **params : dict
            Parameters of the constructor, of the build function, or routed by a prefix, such as
            ``optimizer__learning_rate``.

        Returns
        -------
        self : object

        Raises
        ------
        InvalidParameterError
            If a name is unknown; then no parameter is set.
        """
        known = self.get_params()
        new = [name for name in params if name not in known]
        if new:
            self._refuse(self._unknown(new, params.get("model", self.model)))
        for name, value in params.items():
            outer, _, inner = name.partition("__")
            if inner and has_parameters(known.get(outer)):
                known[outer].set_params(**{inner: value})
            elif name in new:
                self._add_extra({name: value})
            else:
                setattr(self, name, value)
        # A call that sets all parameters, such as one that copies them, expresses no choice.
        if not self.get_params(deep=False).keys() <= params.keys():
            self._set_names = self._set_names | params.keys()
        return self

    def _chosen(self) -> dict[str, Any]:
        """Parameters that the user set, by `set_params` or to another value than the default."""
        defaults = constructor_defaults(type(self))
        return {
            name: value
            for name, value in self.get_params().items()
            if name in self._set_names or name not in defaults or not equal(value, defaults[name])
        }

    def _given_extra(self) -> dict[str, Any]:
        return vars(self).get("_extra_parameters", {})

    def _add_extra(self, extra: dict[str, Any]) -> None:
        # A new dict each time, as a shallow copy of the estimator shares the old one.
        self._extra_parameters = self._given_extra() | extra

    def __getattr__(self, name: str) -> Any:
        if name in self._given_extra():
            return self._given_extra()[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        route, separator, _ = name.partition("__")
        if name in self._given_extra() or (separator and route in ROUTES):
            self._add_extra({name: value})
        else:
            super().__setattr__(name, value)

    @property
    def _user_params(self) -> set[str]:
        """Extra parameters for the build function without a prefix; SciKeras reads this name."""
        build = self._build_signature(self.model)
        return {name for name in self._given_extra() if "__" not in name and build.takes(name)}

    def _validate_params(self) -> None:
        self._warn_of_parameters_not_kept()
        explicit = constructor_names(type(self), inherited=True)
        extra = [name for name in self._given_extra() if name not in explicit]
        mistakes = self._unknown(extra, self.model)
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            mistakes.insert(0, str(error))
        self._refuse(mistakes)

    def _unknown(self, names: Iterable[str], model: Any) -> list[str]:
        """A sentence for each unknown name, and one that lists the known names."""
        build = self._build_signature(model)
        own = constructor_names(type(self), inherited=True)
        mistakes = []
        for name in names:
            route, separator, rest = name.partition("__")
            if not separator:
                known = {*own, *self._unrouted_names, *build.names}
                accepted = name in known or build.takes(name)
            elif route == "model":
                known = {f"model__{parameter}" for parameter in build.names}
                accepted = build.takes(rest)
            else:
                known = {f"{prefix}__{rest}" for prefix in ROUTES}
                accepted = route in ROUTES or has_parameters(getattr(self, route, None))
            if not accepted:
                suggestion = nearest_name(name, sorted(known))
                mistakes.append(f"{type(self).__name__} has no parameter {name!r}.{suggestion}")
        if mistakes:
            mistakes.append(
                f"The parameters of {type(self).__name__} are: {', '.join(own)}. Its build "
                f"function takes: {', '.join(sorted(build.names)) or 'none'}. Others need one of "
                f"the prefixes {', '.join(f'{prefix}__' for prefix in ROUTES)}."
            )
        return mistakes

    def _refuse(self, mistakes: list[str]) -> None:
        if mistakes:
            raise InvalidParameterError("\n".join(mistakes))

    def _build_signature(self, model: Any) -> BuildSignature:
        return BuildSignature.of(self._given_build(model))

    def _given_build(self, model: Any) -> Any:
        """The function or class that builds the model, or the model itself."""
        candidates = (
            model,
            getattr(self, "build_fn", None),
            getattr(self, "_keras_build_fn", None),
        )
        return next((c for c in candidates if c is not None), None)

    def _warn_of_parameters_not_kept(self) -> None:
        for name in constructor_names(type(self), inherited=True):
            if not hasattr(self, name):
                warnings.warn(
                    f"The constructor of {type(self).__name__} takes {name!r} but does not keep "
                    f"it, so it has no effect. Add self.{name} = {name} to the constructor.",
                    UserWarning,
                    stacklevel=4,
                )


def has_parameters(value: Any) -> bool:
    """Whether a value is an estimator, or another object with scikit-learn's parameters."""
    return hasattr(value, "get_params") and not isinstance(value, type)


def constructor_names(estimator_class: Any, inherited: bool) -> tuple[str, ...]:
    """Parameter names of a constructor, and of the constructors that its ``**keywords`` go to.

    `inherited` adds the names of the constructors of all base classes.
    """
    return _constructor_names(estimator_class, inherited)


# scikit-learn asks for the parameters several times a fit, and signatures take long to read.
@functools.lru_cache(256)
def _constructor_names(estimator_class: Any, inherited: bool) -> tuple[str, ...]:
    names: set[str] = set()
    for ancestor in estimator_class.__mro__:
        if "__init__" in vars(ancestor):
            signature = inspect.signature(vars(ancestor)["__init__"])
            names.update(parameter.name for parameter in parameters_by_name(signature))
            if not inherited and not collects_keywords(signature):
                break
    return tuple(sorted(names - {"self"}))


def constructor_defaults(estimator_class: type) -> dict[str, Any]:
    """Defaults of the parameters of the constructors of a class and of all its base classes."""
    defaults: dict[str, Any] = {}
    for ancestor in reversed(estimator_class.__mro__):
        if "__init__" in vars(ancestor):
            signature = inspect.signature(vars(ancestor)["__init__"])
            for parameter in parameters_by_name(signature):
                if parameter.default is not parameter.empty:
                    defaults[parameter.name] = parameter.default
    return defaults
