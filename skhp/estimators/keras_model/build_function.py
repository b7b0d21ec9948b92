"""The object that a user gives as `model`: its parameters, and mistakes in it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Self

import keras

from skhp.shared.equality import library_of

# Arguments that no parameter of an estimator sets; a build function is given those that it names.
OFFERED = frozenset({"meta", "compile_kwargs", "params"})

REQUIRED = inspect.Parameter.empty

_EXPECTED = "Give a function that returns a keras.Model, or such a model itself."


@dataclass(frozen=True)
class BuildSignature:
    """The parameters that a build function takes by name.

    `defaults` maps each name to its default, or to `REQUIRED`; `open_ended` tells whether there is
    a ``**parameter`` for all other names; `offered` holds the names from `OFFERED` that it takes.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)
    open_ended: bool = False
    offered: frozenset[str] = frozenset()

    @classmethod
    def of(cls, build: Any) -> Self:
        """Signature of a build function; empty for a model that is already built."""
        # A Keras model is callable, too.
        built = hasattr(build, "layers") and not isinstance(build, type)
        if not callable(build) or built:
            return cls()
        try:
            # The `__new__` of Keras' classes takes any argument, so `__init__` is read.
            signature = inspect.signature(_init(build) if isinstance(build, type) else build)
        except ValueError:
            # Functions written in C may have no signature.
            return cls(open_ended=True)
        named = {parameter.name: parameter.default for parameter in parameters_by_name(signature)}
        if isinstance(build, type):
            named.pop("self", None)
        # The further keywords of a class are Keras' own: `name`, `trainable`, `dtype`.
        open_ended = collects_keywords(signature) and not isinstance(build, type)
        return cls(
            {name: default for name, default in named.items() if name not in OFFERED},
            open_ended,
            OFFERED if open_ended else OFFERED & named.keys(),
        )

    @property
    def names(self) -> frozenset[str]:
        """Names of the parameters."""
        return frozenset(self.defaults)

    def takes(self, name: str) -> bool:
        """Whether the build function takes a parameter of this name from the estimator."""
        return name not in OFFERED and (self.open_ended or name in self.defaults)

    def lacking(self, given: Iterable[str]) -> list[str]:
        """Parameters without a default that are not among those given."""
        needed = [name for name, default in self.defaults.items() if default is REQUIRED]
        return [name for name in needed if name not in set(given)]


class OfferedParameters(dict[str, Any]):
    """A dict for a build function; it records in `read` the names that the function looks up."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        super().__init__(parameters)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Look up a name."""
        self.read.add(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        """Look up a name and remove it."""
        self.read.add(name)
        return super().pop(name, *default)

    # A function that reads everything at once, for example by `**params`, calls one of these.

    def __iter__(self) -> Iterator[str]:
        return iter(self._all_read())

    def keys(self) -> Any:
        """All names."""
        return self._all_read().keys()

    def values(self) -> Any:
        """All values."""
        return self._all_read().values()

    def items(self) -> Any:
        """All names with their values."""
        return self._all_read().items()

    def copy(self) -> dict[str, Any]:
        """A plain dict of all names and values."""
        return self._all_read()

    def __or__(self, other: Any) -> Any:
        return self._all_read() | other

    def __ror__(self, other: Any) -> Any:
        return other | self._all_read()

    def _all_read(self) -> dict[str, Any]:
        self.read.update(dict.keys(self))
        return {name: super(OfferedParameters, self).__getitem__(name) for name in dict.keys(self)}


def _init(made: type) -> Any:
    return next(vars(part)["__init__"] for part in made.__mro__ if "__init__" in vars(part))


def parameters_by_name(signature: inspect.Signature) -> Iterator[inspect.Parameter]:
    """Parameters that can be passed by name."""
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            yield parameter


def collects_keywords(signature: inspect.Signature) -> bool:
    """Whether there is a ``**parameter``."""
    return any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())


def model_mistake(model: Any, build_fn: Any, build_method: Any) -> str | None:
    """The mistake in the parameters that should build a model, or None."""
    if model is not None and build_fn is not None:
        return (
            "model and build_fn, its former name, are both given, so that build_fn would have no "
            "effect. Leave out build_fn."
        )
    given, name = (build_fn, "build_fn") if model is None else (model, "model")
    if given is None:
        if build_method is None:
            return f"model is None, so there is nothing to train. {_EXPECTED}"
        return None
    if build_method is not None:
        return (
            f"{name} is given and the class has a method _keras_build_fn too, so that one of them "
            "would have no effect. Leave out one of them."
        )
    mistake = _mistake(given, name)
    return f"{name}={_shown(given)} {mistake}" if mistake else None


def wrong_result(build: Any, result: Any) -> str:
    """The error message about a build function that did not return a model."""
    mend = ""
    if result is None:
        mend = " Does it end with `return model`?"
    elif isinstance(result, keras.callbacks.History):
        mend = " Let it return the model, and leave the training to `fit`."
    elif isinstance(result, (tuple, list)) and any(isinstance(r, keras.Model) for r in result):
        mend = " Return the model alone."
    elif inspect.isroutine(result):
        mend = f" Give the function that it returns, as model={_shown(build)}(...)."
    elif isinstance(result, type):
        mend = " Let it call the class."
    return f"The build function {_shown(build)} has to return a keras.Model, got {result!r}.{mend}"


def _mistake(given: Any, name: str) -> str | None:
    """The end of a sentence about an object that cannot build a model; None if it can."""
    if isinstance(given, keras.Model):
        return None
    if isinstance(given, type):
        return _mistaken_class(given)
    if isinstance(given, (str, bytes, PurePath)):
        return (
            "is a name or a path, and not a model: it must be a callable or a keras.Model. Load a "
            f"file by {name}=keras.models.load_model({str(given)!r}), and give a function itself, "
            "without quotes."
        )
    if isinstance(getattr(given, "__self__", None), keras.Model):
        return f"is a method of a keras.Model. Give the model itself, without .{given.__name__}."
    if isinstance(given, keras.layers.Layer):
        return "is a layer, and not a model. Give a function that builds a model with it."
    if hasattr(given, "get_params") and hasattr(given, "fit"):
        return (
            "is an estimator, and not a Keras model. Use it without this wrapper, or give "
            "a function that returns a keras.Model."
        )
    if isinstance(given, (list, tuple)):
        return f"is a {type(given).__name__}. For a list of layers write keras.Sequential([...])."
    if not callable(given):
        return f"must be a callable or a keras.Model. {_EXPECTED}"
    return None


def _mistaken_class(given: type) -> str | None:
    if not issubclass(given, keras.Model):
        return f"is a class whose instances are not Keras models. {_EXPECTED}"
    if library_of(given) == "keras":
        return (
            "is a class of Keras, and not a model of layers. Give a function that returns an "
            f"instance: `return keras.{given.__name__}(...)`."
        )
    return None


def _shown(given: Any) -> str:
    name = getattr(given, "__qualname__", None) or getattr(given, "__name__", None)
    return name.rpartition("<locals>.")[2] if isinstance(name, str) else repr(given)[:200]
