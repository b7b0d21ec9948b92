"""What a Keras model computes, without what may differ from one build of it to the next."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import keras

_NAMED_WITH = frozenset({"trainable", "inbound_nodes", "batch_shape"})


def anonymous_configuration(model: keras.Model, row_shape: tuple[int, ...]) -> dict[str, Any]:
    """The serialised model without names, initialisers, regularisers and compilation.

    Parameters
    ----------
    model : keras.Model
    row_shape : tuple of int
        Shape of one row, which takes the place of what the model was built with.

    Returns
    -------
    dict
        Equal for all models that one build function makes of the same arguments; Keras loads it.
    """
    # Keras warns of loading functions without a name, which are the user's own here.
    with warnings.catch_warnings(action="ignore"):
        whole = keras.saving.serialize_keras_object(model)
    names: dict[str, str] = {}
    for name in _names(whole):
        names.setdefault(name, f"layer_{len(names)}")
    return _normalised(whole, names, [None, *row_shape])


def configuration_text(configuration: dict[str, Any]) -> str:
    """A configuration as a text that is equal for equal ones."""
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
            elif key.endswith("_regularizer"):
                kept[key] = None
            elif key.endswith("_initializer"):
                kept[key] = "zeros"
            elif key in ("layer", "layers"):
                # A model among the layers has an input of its own.
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
