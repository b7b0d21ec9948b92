"""Keras' layers, losses, metrics and optimizers as JSON, out of a list of known classes.

A file says "layers/Dense", and the class is looked up here. No name from a file reaches an import,
nor Keras' registry of custom objects, which the loading process may have filled.
"""

from __future__ import annotations

import copy
import inspect
import re
import warnings
from collections.abc import Callable
from typing import Any

import keras

from skhp.exceptions import CannotSaveError, FileRefusedError
from skhp.saving.file_parts.parts import short

# Left out: layers with code of the user's (Lambda, TorchModuleWrapper, JaxLayer), layers that read
# files (TFSMLayer, StringLookup and other vocabularies), and layers that nobody has asked for.
_LAYERS = """
Activation Add AdditiveAttention AlphaDropout Attention Average AveragePooling1D AveragePooling2D
AveragePooling3D BatchNormalization Bidirectional CenterCrop Concatenate Conv1D Conv1DTranspose
Conv2D Conv2DTranspose Conv3D Conv3DTranspose Cropping1D Cropping2D Cropping3D Dense
DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding Flatten GRU GRUCell
GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention
Identity InputLayer LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D
MaxPooling3D Maximum Minimum MultiHeadAttention Multiply Normalization PReLU Permute RNN
RandomBrightness RandomContrast RandomCrop RandomFlip RandomRotation RandomTranslation RandomZoom
ReLU RepeatVector Rescaling Reshape Resizing SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell
Softmax SpatialDropout1D SpatialDropout2D SpatialDropout3D StackedRNNCells Subtract TimeDistributed
UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
"""
# Base classes, and classes that only call a function of the user's.
_NOT_THESE = frozenset(
    {
        "Loss",
        "Metric",
        "MeanMetricWrapper",
        "Optimizer",
        "LossScaleOptimizer",
        "LearningRateSchedule",
        "Initializer",
        "Regularizer",
        "Constraint",
    }
)


def _classes_of(module: Any, base: type) -> dict[str, type]:
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and name not in _NOT_THESE
    }


def _functions_of(module: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and name not in ("get", "serialize", "deserialize")
    }


CLASSES: dict[str, dict[str, type]] = {
    "layers": {name: getattr(keras.layers, name) for name in _LAYERS.split()},
    "models": {"Sequential": keras.Sequential, "Functional": keras.Model},
    "losses": _classes_of(keras.losses, keras.losses.Loss),
    "metrics": _classes_of(keras.metrics, keras.metrics.Metric),
    "optimizers": _classes_of(keras.optimizers, keras.optimizers.Optimizer),
    "schedules": _classes_of(
        keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule
    ),
    "initializers": _classes_of(keras.initializers, keras.initializers.Initializer),
    "regularizers": _classes_of(keras.regularizers, keras.regularizers.Regularizer),
    "constraints": _classes_of(keras.constraints, keras.constraints.Constraint),
}
FUNCTIONS: dict[str, dict[str, Any]] = {
    "losses": _functions_of(keras.losses),
    "metrics": _functions_of(keras.metrics),
    "activations": _functions_of(keras.activations),
}
_MODULES = {
    "models": "keras",
    "layers": "keras.layers",
    "losses": "keras.losses",
    "metrics": "keras.metrics",
    "optimizers": "keras.optimizers",
    "schedules": "keras.optimizers.schedules",
    "initializers": "keras.initializers",
    "regularizers": "keras.regularizers",
    "constraints": "keras.constraints",
}
_POLICIES = frozenset(
    {"float16", "float32", "float64", "bfloat16", "mixed_float16", "mixed_bfloat16"}
)
_DTYPES = _POLICIES | {
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "bool",
}
# Settings whose text Keras looks up among functions and classes, custom ones first.
_LOOKED_UP = re.compile(r".*(activation|initializer|regularizer|constraint)")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,200}")
_MOST_NUMBER = 2**40


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


_NAMES_LOOKED_UP: frozenset[str] = frozenset(
    {
        *FUNCTIONS["activations"],
        *(
            form
            for group in ("initializers", "regularizers", "constraints")
            for name in CLASSES[group]
            for form in (name, _snake(name), *vars(getattr(keras, group)))
            if not form.startswith("_")
        ),
        "uniform",
        "normal",
        "zeros",
        "ones",
        "l1",
        "l2",
        "l1_l2",
        "non_neg",
        "max_norm",
        "unit_norm",
        "l1l2",
    }
)
NAMES_OF_LOSSES: frozenset[str] = frozenset(
    {*CLASSES["losses"], *FUNCTIONS["losses"]} | {"bce", "mse", "mae", "mape", "msle", "kld", "cce"}
)
NAMES_OF_METRICS: frozenset[str] = frozenset(
    {*CLASSES["metrics"], *FUNCTIONS["metrics"], *NAMES_OF_LOSSES}
    | {"accuracy", "acc", "crossentropy", "ce"}
)
NAMES_OF_OPTIMIZERS: frozenset[str] = frozenset(
    {*CLASSES["optimizers"], *(name.lower() for name in CLASSES["optimizers"])}
)


def object_written(serialized: Any, name: str) -> Any:
    """A configuration of Keras as JSON of ours, which names classes only out of the list."""
    if serialized is None or isinstance(serialized, (bool, str)):
        return serialized
    if isinstance(serialized, (int, float)):
        return serialized if abs(serialized) < float("inf") else _refused_value(serialized, name)
    if isinstance(serialized, (list, tuple)):
        return [object_written(item, name) for item in serialized]
    if not isinstance(serialized, dict):
        return _refused_value(serialized, name)
    if "class_name" not in serialized:
        return {key: object_written(value, f"{name}.{key}") for key, value in serialized.items()}
    return _object_written(serialized, name)


def _object_written(serialized: dict[str, Any], name: str) -> Any:
    kind: str = serialized["class_name"]
    config: Any = serialized.get("config")
    module = str(serialized.get("module"))
    if kind == "DTypePolicy":
        return config["name"]
    if kind == "__keras_tensor__":
        parts = [config["shape"], config["dtype"], config["keras_history"]]
        return {"tensor": object_written(parts, name)}
    if kind == "__numpy__" and not isinstance(config["value"], (int, float)):
        return {"numpy": [config["value"], config["dtype"]]}
    if kind == "__numpy__":
        return config["value"]
    group = next((group for group, known in _MODULES.items() if known == module), None)
    if kind in CLASSES["models"] and module.split(".")[0] == "keras":
        group = "models"
    if module == "keras" and kind == "Model":
        group, kind = "models", "Functional"
    if group is None or kind not in CLASSES[group]:
        raise CannotSaveError(
            f"{name} has {module}.{kind}, which is not among the classes that a file may name: its "
            "code would not be in the file. skhp.save writes Keras' own layers without code of the "
            "user's, such as a Lambda layer's or a custom layer's."
        )
    document = {"object": f"{group}/{kind}", "config": object_written(config, f"{name}.{kind}")}
    # A layer of a functional model has its name and its inputs beside its configuration.
    for key in ("name", "inbound_nodes"):
        if key in serialized:
            document[key] = object_written(serialized[key], name)
    return document


def _refused_value(value: Any, name: str) -> Any:
    raise CannotSaveError(f"{name} has the value {short(value)}, which skhp.save does not write.")


def object_config(document: Any, key: str = "", within: str = "") -> Any:
    """The configuration that Keras takes, from JSON of ours, or a `FileRefusedError`."""
    if document is None or isinstance(document, bool):
        return document
    if isinstance(document, (int, float)):
        if abs(document) > _MOST_NUMBER and not 0 < abs(document) < 1e30:
            raise FileRefusedError(f"has {key}={document} in a network")
        if type(document) is int and abs(document) > _MOST_NUMBER and key != "seed":
            raise FileRefusedError(f"has {key}={document} in a network")
        return document
    if isinstance(document, str):
        return _text(document, key)
    if isinstance(document, list):
        return [object_config(item, key, within) for item in document]
    if "object" in document:
        return _config_of(document, within)
    if "tensor" in document:
        return _tensor(document["tensor"])
    if "numpy" in document:
        return _numbers(document["numpy"])
    return {name: object_config(value, name, within) for name, value in document.items()}


def _text(text: str, key: str) -> str:
    if not _TEXT.fullmatch(text):
        raise FileRefusedError(f"has the text {short(text)} as {key!r} in a network")
    if _LOOKED_UP.fullmatch(key) and text not in _NAMES_LOOKED_UP:
        raise FileRefusedError(f"has {key}={short(text)} in a network, which Keras does not have")
    if key == "dtype" and text not in _DTYPES:
        raise FileRefusedError(f"has dtype={short(text)} in a network")
    return text


def _config_of(document: dict[str, Any], within: str) -> dict[str, Any]:
    named: Any = document.get("object")
    group, _, kind = named.partition("/") if isinstance(named, str) else ("", "", "")
    if kind not in CLASSES.get(group, ()):
        raise FileRefusedError(
            f"names the class {short(named)}, which is not in the list of known classes"
        )
    config: Any = document.get("config")
    others = document.keys() - {"object", "config", "name", "inbound_nodes"}
    if not isinstance(config, dict) or others:
        raise FileRefusedError(f"has a class {named!r} with the fields {short(sorted(document))}")
    for refused in ("stateful", "unroll", "sparse", "ragged"):
        # States belong to a batch of a size that the file gives; loops over steps are unrolled at
        # once.
        if config.get(refused):
            raise FileRefusedError(f"has {named!r} with {refused}={short(config[refused])}")
    made = {
        "module": _MODULES[group],
        "class_name": "Model" if kind == "Functional" else kind,
        "config": {key: object_config(value, key, named) for key, value in config.items()},
        "registered_name": None,
    }
    for key in ("name", "inbound_nodes"):
        if key in document:
            made[key] = object_config(document[key], key, within)
    return made


def _tensor(given: Any) -> dict[str, Any]:
    if not isinstance(given, list) or len(given) != 3:
        raise FileRefusedError(f"has a tensor {short(given)} in a network")
    shape, dtype, history = given
    fits = (
        isinstance(shape, list)
        and all(size is None or (type(size) is int and 0 <= size < _MOST_NUMBER) for size in shape)
        and dtype in _DTYPES
        and isinstance(history, list)
        and [type(item) for item in history] == [str, int, int]
    )
    if not fits:
        raise FileRefusedError(f"has a tensor {short(given)} in a network")
    config = {"shape": shape, "dtype": dtype, "keras_history": history}
    return {"class_name": "__keras_tensor__", "config": config}


def _numbers(given: Any) -> dict[str, Any]:
    if not isinstance(given, list) or len(given) != 2 or given[1] not in _DTYPES:
        raise FileRefusedError(f"has an array {short(given)} in a network")
    return {
        "class_name": "__numpy__",
        "config": {"value": object_config(given[0], "value"), "dtype": given[1]},
    }


# ---------------------------------------------------------------- values of parameters

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


def deserialized(config: dict[str, Any]) -> Any:
    """The object of a configuration that `object_config` has checked."""
    try:
        # Keras 3.15 takes parts out of the configuration of a functional model.
        return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise FileRefusedError(f"has settings that Keras refuses: {reason}") from error
