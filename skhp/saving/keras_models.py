"""Keras models as JSON and arrays, made of known layers only."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np

from skhp.exceptions import CannotSaveError, FileRefusedError
from skhp.networks.whole_models.portable_model import loading_scope
from skhp.networks.whole_models.unmade_model import variables_of
from skhp.objectives.numbered_loss import NumberedLoss
from skhp.saving.file_parts.parts import ReadParts, WrittenParts, field, only, short
from skhp.saving.keras_objects import (
    NAMES_OF_LOSSES,
    NAMES_OF_METRICS,
    NAMES_OF_OPTIMIZERS,
    deserialized,
    object_config,
    object_written,
)
from skhp.saving.keras_values import keras_value_written, read_keras_value
from skhp.saving.values import read, written

_COMPILED = ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics")
_MOST_STEPS = 2**31
_SETTINGS = ("run_eagerly", "steps_per_execution", "jit_compile")


def model_written(model: keras.Model, name: str, parts: WrittenParts) -> dict[str, Any]:
    """A Keras model as JSON, with its weights, its compilation and its optimizer's state."""
    kind = type(model)
    if kind not in (keras.Sequential, keras.Model) and kind.__name__ != "Functional":
        raise CannotSaveError(
            f"{name} is a {kind.__qualname__}, a class with code of its own, which would not be in "
            "the file. skhp.save writes Sequential and functional models."
        )
    if not model.built:
        raise CannotSaveError(f"{name} has no weights yet: give it an Input, or build it.")
    with warnings.catch_warnings(action="ignore"):
        serialized = keras.saving.serialize_keras_object(model)
    variables = _variables(model)
    document = {
        "structure": object_written(serialized, name),
        "variables": [parts.put(_value(v, name), f"{name}: {v.path}") for v in variables],
        "compiled": _compilation_written(model, name, parts) if model.compiled else None,
    }
    _refuse_unreadable(document, variables, name)
    return document


def _variables(model: keras.Model) -> list[Any]:
    """The weights and the seeds of a model, without what its compilation has added."""
    added = {id(v) for metric in model.metrics for v in metric.variables}
    return [v for v in model.variables if id(v) not in added]


def _value(variable: Any, name: str) -> np.ndarray:
    array = np.array(keras.ops.convert_to_numpy(variable))
    if array.dtype.kind not in "fiub":
        raise CannotSaveError(f"{name} has weights of {array.dtype}, which skhp.save cannot write.")
    return array


def _refuse_unreadable(document: dict[str, Any], variables: list[Any], name: str) -> None:
    try:
        shapes = _shapes(object_config(document["structure"]))
    except FileRefusedError as error:
        raise CannotSaveError(
            f"{name} would not load again: the file {error}. Use model_.save('name.keras')."
        ) from error
    expected = [(tuple(v.shape), str(v.dtype)) for v in variables]
    if shapes != expected:
        raise CannotSaveError(
            f"{name} would load with other weights: {short(shapes)} instead of {short(expected)}. "
            "Save it with model_.save('name.keras')."
        )


def _compilation_written(model: keras.Model, name: str, parts: WrittenParts) -> dict[str, Any]:
    with warnings.catch_warnings(action="ignore"):
        config = model.get_compile_config() or {}
    document: dict[str, Any] = {}
    for key in _COMPILED:
        document[key] = compiled_written(_as_given(model, config, key), f"{name}: {key}", parts)
    for key in _SETTINGS:
        value = getattr(model, key, None)
        document[key] = value if isinstance(value, (bool, int, str)) else None
    built = model.optimizer is not None and model.optimizer.built
    document["state"] = (
        [parts.put(_value(v, name), f"{name}: {v.path}") for v in model.optimizer.variables]
        if built
        else None
    )
    return document


def _as_given(model: keras.Model, config: dict[str, Any], key: str) -> Any:
    if key == "optimizer":
        return model.optimizer
    # A metric of a function of the user's has only a name in the configuration of Keras.
    return model.loss if key == "loss" else config.get(key)


def compiled_written(value: Any, name: str, parts: WrittenParts) -> Any:
    """A loss, metrics or an optimizer as a model is compiled with: alone, in lists or in dicts."""
    found = keras_value_written(value, name)
    if found is not None:
        return found
    if isinstance(value, (list, tuple)):
        return [compiled_written(item, name, parts) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        items = {key: compiled_written(item, name, parts) for key, item in value.items()}
        return {"kind": "named", "items": items}
    if value is None or isinstance(value, (str, int, float, NumberedLoss)):
        return written(value, name, parts)
    if isinstance(value, dict):
        # A metric as Keras has noted it.
        if value["class_name"] == "function" and value.get("config") in NAMES_OF_METRICS:
            return value["config"]
        return {"kind": "keras_object", "object": object_written(value, name)}
    raise CannotSaveError(
        f"{name} is {short(value)}, which is code of its own and would not be in the file. Compile "
        "the model with a loss, metrics and an optimizer of Keras or skhp."
    )


# ---------------------------------------------------------------- reading


def read_model(document: Any, parts: ReadParts) -> keras.Model:
    """A Keras model from JSON; no weight is made before its size is known to be in the file."""
    if not isinstance(document, dict):
        raise FileRefusedError(f"has a model {short(document)}")
    only(document, "structure", "variables", "compiled", "kind")
    config = object_config(field(document, "structure", dict))
    if config.get("class_name") not in ("Sequential", "Model"):
        raise FileRefusedError(f"has a model of the class {short(config.get('class_name'))}")
    arrays = [parts.take(number) for number in field(document, "variables", list)]
    given = [(array.shape, str(array.dtype)) for array in arrays]
    shapes = _shapes(config)
    if shapes != given:
        raise FileRefusedError(
            f"has a model with weights of the shapes {short(shapes)}, and arrays of {short(given)}"
        )
    with loading_scope({}):
        model = deserialized(config)
    if len(model.variables) != len(arrays):
        raise FileRefusedError("has a model that Keras makes in two ways")
    for variable, array in zip(model.variables, arrays, strict=True):
        variable.assign(array)
    compiled = field(document, "compiled", dict, type(None))
    if compiled is not None:
        _compile(model, compiled, parts)
    return model


def _compile(model: keras.Model, document: dict[str, Any], parts: ReadParts) -> None:
    only(document, *_COMPILED, *_SETTINGS, "state")
    names = {
        "optimizer": NAMES_OF_OPTIMIZERS,
        "loss": NAMES_OF_LOSSES,
        "metrics": NAMES_OF_METRICS,
        "weighted_metrics": NAMES_OF_METRICS,
    }
    arguments = {
        key: read_compiled(document.get(key), names.get(key, frozenset()), parts)
        for key in _COMPILED
    }
    for key in _SETTINGS:
        value = document.get(key)
        allowed = {"run_eagerly": (bool,), "steps_per_execution": (int,)}.get(key, (bool, str))
        if value is not None and (
            type(value) not in allowed or (type(value) is int and not 0 < value <= _MOST_STEPS)
        ):
            raise FileRefusedError(f"has a model compiled with {key}={short(value)}")
        if value is not None:
            arguments[key] = value
    try:
        model.compile(**arguments)
        state = field(document, "state", list, type(None))
        if state is None:
            return
        arrays = [parts.take(number) for number in state]
        model.optimizer.build(model.trainable_variables)
        variables = model.optimizer.variables
        if [tuple(v.shape) for v in variables] != [array.shape for array in arrays]:
            raise FileRefusedError(
                f"has an optimizer's state of {[a.shape for a in arrays][:5]}..., which does not "
                "fit its optimizer"
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
    except (AttributeError, TypeError, ValueError) as error:
        if isinstance(error, FileRefusedError):
            raise
        raise FileRefusedError(f"has a compilation that Keras refuses: {error}") from error


def read_compiled(value: Any, names: frozenset[str], parts: ReadParts) -> Any:
    """What `compiled_written` has written; texts have to be among these names."""
    if isinstance(value, str):
        if value not in names:
            raise FileRefusedError(f"has {short(value)} in a compilation; known are Keras' names")
        return value
    if isinstance(value, list):
        return [read_compiled(item, names, parts) for item in value]
    if isinstance(value, dict):
        kind = value.get("kind")
        if kind == "named":
            items = field(value, "items", dict)
            return {key: read_compiled(item, names, parts) for key, item in items.items()}
        if isinstance(kind, str) and kind.startswith("keras_"):
            return read_keras_value(value)
    return read(value, parts)


def _shapes(config: dict[str, Any]) -> list[tuple[tuple[int, ...], str]]:
    """The shapes and dtypes of the variables of a model, without making any of them."""
    try:
        return [(v.shape, v.dtype) for v in variables_of(config)]
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise FileRefusedError(f"has a model that Keras cannot make: {reason}") from error
