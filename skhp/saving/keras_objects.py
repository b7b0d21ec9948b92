"""Keras' layers, losses, metrics and optimizers as JSON, out of a list of known classes.

A file says "layers/Dense", and the class is looked up here. No name from a file reaches an import,
nor Keras' registry of custom objects, which the loading process may have filled.
"""

from __future__ import annotations

import copy
import inspect
import re
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
        # It computes its values at once, of whatever size.
        "STFT",
        "STFTInitializer",
    }
)
# What may stand within what: a learning rate that is a network would be built at once.
_WITHIN: dict[str, frozenset[str]] = {
    "": frozenset(
        {"models", "losses", "metrics", "optimizers", "schedules"}
        | {"initializers", "regularizers", "constraints"}
    ),
    "models": frozenset({"layers", "models", "initializers", "regularizers", "constraints"}),
    "layers": frozenset({"layers", "models", "initializers", "regularizers", "constraints"}),
    "optimizers": frozenset({"schedules"}),
}
# Keras builds a Sequential model anew with each layer that it adds.
_MOST_LAYERS_IN_SEQUENCE = 200
_MOST_LAYERS = 2_000
# Metrics make arrays of as many thresholds, or of the square of as many classes.
_MOST_OF_METRIC = 1_000


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
            if not form.startswith("_") and "stft" not in form.lower()
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


def object_config(document: Any) -> Any:
    """The configuration that Keras takes, from JSON of ours, or a `FileRefusedError`."""
    n_layers = _number_of_layers(document)
    if n_layers > _MOST_LAYERS:
        raise FileRefusedError(
            f"has a network of {n_layers} layers; at most {_MOST_LAYERS} are read"
        )
    return _config(document, "", "")


def _number_of_layers(document: Any) -> int:
    waiting, count = [document], 0
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            count += str(item.get("object"))[:7] == "layers/"
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return count


def _config(document: Any, key: str, within: str) -> Any:
    if document is None or isinstance(document, bool):
        return document
    if isinstance(document, (int, float)):
        if abs(document) > _MOST_NUMBER and not 0 < abs(document) < 1e30:
            raise FileRefusedError(f"has {key}={document} in a network")
        if type(document) is int and abs(document) > _MOST_NUMBER and key != "seed":
            raise FileRefusedError(f"has {key}={document} in a network")
        if within == "metrics" and type(document) is int and document > _MOST_OF_METRIC:
            raise FileRefusedError(f"has {key}={document} in a metric")
        return document
    if isinstance(document, str):
        return _text(document, key)
    if isinstance(document, list):
        return [_config(item, key, within) for item in document]
    if "object" in document:
        return _config_of(document, within)
    if "tensor" in document:
        return _tensor(document["tensor"])
    if "numpy" in document:
        return _numbers(document["numpy"])
    return {name: _config(value, name, within) for name, value in document.items()}


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
    if kind not in CLASSES.get(group, ()) or group not in _WITHIN.get(within, ()):
        raise FileRefusedError(
            f"names the class {short(named)}, which is not in the list of known classes"
        )
    config: Any = document.get("config")
    others = document.keys() - {"object", "config", "name", "inbound_nodes"}
    if not isinstance(config, dict) or others:
        raise FileRefusedError(f"has a class {named!r} with the fields {short(sorted(document))}")
    layers = config.get("layers")
    if kind == "Sequential" and isinstance(layers, list) and len(layers) > _MOST_LAYERS_IN_SEQUENCE:
        raise FileRefusedError(
            f"has {len(layers)} layers in a Sequential model; at most {_MOST_LAYERS_IN_SEQUENCE} "
            "are read. Make it a functional model"
        )
    for refused in ("stateful", "unroll", "sparse", "ragged"):
        # States belong to a batch of a size that the file gives; loops over steps are unrolled at
        # once.
        if config.get(refused):
            raise FileRefusedError(f"has {named!r} with {refused}={short(config[refused])}")
    made = {
        "module": _MODULES[group],
        "class_name": "Model" if kind == "Functional" else kind,
        "config": {key: _config(value, key, group) for key, value in config.items()},
        "registered_name": None,
    }
    for key in ("name", "inbound_nodes"):
        if key in document:
            made[key] = _config(document[key], key, within)
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
        "config": {"value": _config(given[0], "value", ""), "dtype": given[1]},
    }


def deserialized(config: dict[str, Any]) -> Any:
    """The object of a configuration that `object_config` has checked."""
    try:
        # Keras 3.15 takes parts out of the configuration of a functional model.
        return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise FileRefusedError(f"has settings that Keras refuses: {reason}") from error
