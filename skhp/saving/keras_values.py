"""Losses, metrics, optimizers, classes and functions of Keras as values of parameters."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras

from skhp.exceptions import CannotSaveError, FileRefusedError
from skhp.saving.file_parts.parts import short
from skhp.saving.keras_objects import (
    CLASSES,
    FUNCTIONS,
    deserialized,
    object_config,
    object_written,
)

_SERIALIZERS: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "losses": (keras.losses.Loss, keras.losses.serialize),
    "metrics": (keras.metrics.Metric, keras.metrics.serialize),
    "optimizers": (keras.optimizers.Optimizer, keras.optimizers.serialize),
    "schedules": (
        keras.optimizers.schedules.LearningRateSchedule,
        keras.optimizers.schedules.serialize,
    ),
    "initializers": (keras.initializers.Initializer, keras.initializers.serialize),
    "regularizers": (keras.regularizers.Regularizer, keras.regularizers.serialize),
    "constraints": (keras.constraints.Constraint, keras.constraints.serialize),
}
_GROUPS = frozenset(_SERIALIZERS)


def keras_value_written(value: Any, name: str) -> dict[str, Any] | None:
    """A loss, metric, optimizer, class or function of Keras as JSON; None for anything else."""
    for group, known in FUNCTIONS.items():
        for key, function in known.items():
            if value is function:
                return {"kind": "keras_function", "name": f"{group}/{key}"}
    if isinstance(value, type):
        for group in sorted(_GROUPS):
            for key, kind in CLASSES[group].items():
                if value is kind:
                    return {"kind": "keras_class", "name": f"{group}/{key}"}
        return None
    for group, (base, serialize) in _SERIALIZERS.items():
        if isinstance(value, base):
            if type(value) not in CLASSES[group].values():
                return None
            if group == "losses":
                _refuse_incomplete(value, name)
            with warnings.catch_warnings(action="ignore"):
                return {"kind": "keras_object", "object": object_written(serialize(value), name)}
    return None


def _refuse_incomplete(loss: keras.losses.Loss, name: str) -> None:
    """Refuse a loss whose configuration does not hold all that it was made with."""
    # Keras 3.15 leaves the `delta` of a Huber loss out, and would load it with the default.
    made = vars(type(loss).from_config(loss.get_config()))
    for attribute, given in vars(loss).items():
        if type(given) in (dict, int, float, str, bool) and made.get(attribute) != given:
            raise CannotSaveError(
                f"{name} is a {type(loss).__name__} whose configuration does not hold "
                f"{given!r}, so that Keras could not load it again. Use another loss, or its "
                "defaults."
            )


def read_keras_value(document: dict[str, Any]) -> Any:
    """The value that `keras_value_written` has written."""
    if document["kind"] == "keras_object":
        config = object_config(document.get("object"))
        if not isinstance(config, dict) or "class_name" not in config:
            raise FileRefusedError(f"has the object {short(document.get('object'))}")
        if config["module"] in ("keras", "keras.layers"):
            raise FileRefusedError(f"has a layer {short(document)} as a parameter")
        return deserialized(config)
    named = document.get("name")
    group, _, key = named.partition("/") if isinstance(named, str) else ("", "", "")
    known: Any = FUNCTIONS if document["kind"] == "keras_function" else CLASSES
    if group == "layers" or group == "models" or key not in known.get(group, ()):
        raise FileRefusedError(f"names {short(named)}, which is not in the list of known classes")
    return known[group][key]
