"""Keras models as configurations and bytes that are equal from one build to the next."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import warnings
import weakref
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from skhp.compat.keras import DefaultSeeds, seeds_in_use
from skhp.shared.equality import library_of

# Keys beside the name of a layer or model; layers that only draw noise may lack `trainable`.
_NAMED_WITH = frozenset({"trainable", "inbound_nodes", "batch_shape", "seed"})


def anonymous_configuration(
    model: keras.Model, row_shape: tuple[int, ...] | None, kept: Collection[str] = ()
) -> dict[str, Any]:
    """The serialised model without names, initialisers, regularisers and compilation.

    `row_shape` is the shape of the rows; None keeps the shapes of a model with several inputs.
    `kept` are names that stay, such as the names of inputs in a dict.
    """
    # Keras warns of loading functions without a name, which are the user's own here.
    with warnings.catch_warnings(action="ignore"):
        whole = keras.saving.serialize_keras_object(model)
    names: dict[str, str] = {}
    for name in _names(whole):
        names.setdefault(name, name if name in kept else f"layer_{len(names)}")
    return _normalised(whole, names, None if row_shape is None else [None, *row_shape])


def configuration_text(configuration: dict[str, Any]) -> str:
    """The text of a configuration, the same for equal configurations."""
    return json.dumps(configuration, sort_keys=True)


def _names(item: Any) -> Iterator[str]:
    if isinstance(item, dict):
        if _NAMED_WITH & item.keys() and isinstance(item.get("name"), str):
            yield item["name"]
        for value in item.values():
            yield from _names(value)
    elif isinstance(item, (list, tuple)):
        for value in item:
            yield from _names(value)


def _normalised(item: Any, names: dict[str, str], batch_shape: list[int | None] | None) -> Any:
    if isinstance(item, dict):
        if item.get("class_name") == "DTypePolicy":
            return item
        kept: dict[str, Any] = {}
        for key, value in item.items():
            if key == "name" and isinstance(value, str):
                kept[key] = names.get(value, value)
            elif key in ("batch_shape", "build_input_shape") and batch_shape is not None:
                kept[key] = batch_shape
            elif key.endswith("_regularizer") and key != "activity_regularizer":
                kept[key] = None
            elif key.endswith("_initializer"):
                kept[key] = "zeros"
            elif key in ("layer", "layers"):
                # A model among the layers has its own input.
                layers = value if isinstance(value, list) else [value]
                parts = [
                    _normalised(layer, names, None if _is_model(layer) else batch_shape)
                    for layer in layers
                ]
                kept[key] = parts if isinstance(value, list) else parts[0]
            elif key not in ("compile_config", "build_config"):
                kept[key] = _normalised(value, names, batch_shape)
        return kept
    if isinstance(item, (list, tuple)):
        if len(item) == 3 and isinstance(item[0], str) and isinstance(item[1], int):
            return [names.get(item[0], item[0]), *item[1:]]
        return [_normalised(value, names, batch_shape) for value in item]
    return item


def _is_model(item: Any) -> bool:
    return isinstance(item, dict) and "layers" in (item.get("config") or ())


# The arguments that Keras saves of every layer and model.
_KERAS_ARGUMENTS = frozenset({"name", "trainable", "dtype"})

# Classes and functions defined inside a function cannot be pickled by reference. A model that uses
# them can at least be copied within the process that defined them, through this table.
_local_objects: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()


class PortableModel:
    """A Keras model as bytes, with the custom classes and functions that it is made of.

    Keras saves a custom layer, loss or metric by its name alone, and finds it again only if it was
    registered with ``keras.saving.register_keras_serializable``, in the loading process too. Here
    they are pickled along as Python pickles any class or function: by reference to its module.

    A model that was made from a `base` stores the variables that both share as references to it.
    """

    def __init__(self, model: keras.Model, base: PortableModel | None = None) -> None:
        self._importable: dict[str, Any] = {}
        self._local: dict[str, str] = {}
        for name, custom in custom_objects(model).items():
            if "<locals>" in custom.__qualname__:
                self._local[name] = f"{custom.__qualname__} at {id(custom)}"
                _local_objects[self._local[name]] = custom
            else:
                self._importable[name] = custom
        optimizer = getattr(model, "optimizer", None)
        self._optimizer_is_new = optimizer is not None and not optimizer.built
        # Keras' own way to pickle a model: the one that SciKeras may have put in its place cannot
        # load models with a Lambda layer.
        self._load, (file,) = keras.layers.Layer.__reduce__(model)
        self._base = base
        self._parts: list[bytes | slice] = [file.getvalue()]
        if base is not None:
            self._parts = _shared_parts(base.content(), file.getvalue(), model.variables)

    def restored(self) -> keras.Model:
        """A model that predicts as the original did, and shares nothing with it."""
        local = {
            name: _local_objects[key] for name, key in self._local.items() if key in _local_objects
        }
        with warnings.catch_warnings(), loading_scope(local | self._importable):
            if self._optimizer_is_new:
                # Keras 3.15 builds the optimizer that it loads, and warns of each slot without a
                # value; an optimizer that has not trained yet has no values at all.
                warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            return self._load(io.BytesIO(self.content()))

    def content(self) -> bytes:
        """The bytes of the file that Keras has written."""
        held = b"" if self._base is None else self._base.content()
        return b"".join(held[part] if isinstance(part, slice) else part for part in self._parts)


# Shorter arrays may be found by chance, and save little.
_FEWEST_BYTES_SHARED = 256


def _shared_parts(base: bytes, content: bytes, variables: Sequence[Any]) -> list[bytes | slice]:
    """The parts of a content, with slices of a base in place of the variables that both hold.

    Keras writes variables as they are in memory, uncompressed; variables that it writes in another
    form are not found and stay.
    """
    found: dict[int, slice] = {}
    for variable in variables:
        array = np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).tobytes()
        if len(array) < _FEWEST_BYTES_SHARED:
            continue
        place, source = content.find(array), base.find(array)
        if place >= 0 and source >= 0:
            found[place] = slice(source, source + len(array))
    parts: list[bytes | slice] = []
    end = 0
    for place in sorted(found):
        shared = found[place]
        if place >= end:
            parts += [content[end:place], shared]
            end = place + shared.stop - shared.start
    return [*parts, content[end:]]


@contextlib.contextmanager
def loading_scope(custom: dict[str, Any]) -> Iterator[None]:
    """Let Keras find custom objects while it loads a model, without any global generator."""
    objects = {
        name: _LenientClass(thing) if isinstance(thing, type) else thing
        for name, thing in custom.items()
    }
    seeds = contextlib.nullcontext() if seeds_in_use() else DefaultSeeds(0, required=False).in_use()
    with keras.saving.custom_object_scope(objects), seeds:
        yield


def custom_objects(model: keras.Model) -> dict[str, Any]:
    """Classes and functions of a model that are not Keras' own, by the names that Keras saves.

    Functions without a name are left out: Keras saves their code.
    """
    found: dict[str, Any] = {}
    for item in parts_of(model):
        if inspect.isfunction(item):
            if _is_custom(item) and item.__name__ != "<lambda>":
                found[keras.saving.get_registered_name(item)] = item
        elif _is_custom(type(item)):
            _refuse_unknown_arguments(type(item))
            found[keras.saving.get_registered_name(type(item))] = type(item)
    return found


def parts_of(model: keras.Model) -> Iterator[Any]:
    """The model, and all layers, functions and other objects of Keras that it is made of."""
    seen: set[int] = set()
    waiting: list[Any] = [model]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if inspect.isfunction(item):
            yield item
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple, set)):
            waiting.extend(item)
        elif hasattr(item, "get_config") and not isinstance(item, type):
            yield item
            waiting.extend(getattr(item, "__dict__", {}).values())


class _LenientClass:
    """A custom class whose constructor need not take the arguments that Keras adds by itself.

    Keras 3.15 cannot load a layer or model that does not take its `name`, `trainable` and `dtype`,
    as with ``def __init__(self, units)``.
    """

    def __init__(self, custom_class: Any) -> None:
        self._class = custom_class

    def from_config(self, config: dict[str, Any]) -> Any:
        """Make an instance of the class."""
        parameters = inspect.signature(self._class).parameters
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            added = _KERAS_ARGUMENTS - parameters.keys()
            config = {name: value for name, value in config.items() if name not in added}
        return self._class.from_config(config)


def _refuse_unknown_arguments(custom: Any) -> None:
    # Keras 3.15 notes the arguments of a custom layer by itself, but for a custom model it notes
    # only their defaults, and loads the model with the defaults.
    if not issubclass(custom, keras.Model):
        return
    arguments = inspect.signature(custom).parameters.keys() - {"args", "kwargs", *_KERAS_ARGUMENTS}
    if custom.get_config is keras.Model.get_config and arguments:
        raise TypeError(
            f"{custom.__qualname__} cannot be copied or pickled: Keras does not know which values "
            f"of {', '.join(sorted(arguments))} it was made with. Give it a method get_config that "
            "returns them."
        )


def _is_custom(thing: Any) -> bool:
    return library_of(thing) not in (
        "keras",
        "tensorflow",
        "numpy",
        "builtins",
    )
