"""Arguments that wrappers pass to Keras: checked, resolved, and without state of earlier fits."""

from __future__ import annotations

import contextlib
import copy
import inspect
import math
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import keras
import numpy as np

from skhp.compat.keras import layer_calls
from skhp.estimators.early_stopping import unread_callbacks
from skhp.exceptions import CannotJoinError, InvalidParameterError
from skhp.networks.whole_models.portable_model import PortableModel
from skhp.shared.equality import library_of
from skhp.shared.unusable_data import ONE_TABLE

KERAS_BATCH_SIZE = 32

# Arguments of Keras' fit that the trainer of populations knows, too.
_KNOWN_ARGUMENTS = frozenset(
    [
        "batch_size",
        "callbacks",
        "n_training",
        "shuffle",
        "validation_batch_size",
        "validation_data",
        "verbose",
    ]
)

# Keras' metrics in every compiled model: the mean loss, and the container of all other metrics.
_COMPILED_METRICS = frozenset({"loss", "compile_metrics"})


def rows_at_once(batch_size: int | None, n_rows: int) -> int:
    """A batch size as a number: None is Keras' own, -1 is all rows."""
    if batch_size is None:
        return KERAS_BATCH_SIZE
    return n_rows if batch_size == -1 else int(batch_size)


def n_training_rows(n_rows: int, validation_split: float) -> int:
    """Number of rows left for training after Keras' `validation_split` held out the last ones."""
    n_training = math.floor(n_rows * (1.0 - validation_split))
    if validation_split and not 0 < n_training < n_rows:
        raise ValueError(
            f"validation_split={validation_split} leaves no row to train on or none to validate "
            f"on, got n_samples = {n_rows}. Give more rows or set validation_split=0."
        )
    return n_training


def refuse_unused_validation(arguments: Mapping[str, Any], early_stopping: bool = False) -> None:
    """Raise if validation arguments of Keras' fit would have no effect.

    With `early_stopping`, rows are held out in any case.
    """
    held_out, given = (arguments.get(f"validation_{kind}") for kind in ("split", "data"))
    if held_out and given is not None:
        raise InvalidParameterError(
            f"validation_split={held_out} has no effect beside validation_data, which are the rows "
            "to validate on. Leave out one of the two."
        )
    unused = [
        f"{name}={arguments[name]}"
        for name in ("validation_batch_size", "validation_freq", "validation_steps")
        if arguments.get(name) is not None
    ]
    if unused and not held_out and given is None and not early_stopping:
        raise InvalidParameterError(
            f"{', '.join(unused)} would have no effect, as no rows are held out to validate on. "
            "Set validation_split, pass validation_data to fit, or leave it out."
        )


def class_named(given: Any, module: ModuleType) -> Any:
    """The class of Keras that a string names; anything else is returned unchanged."""
    named = getattr(module, given, None) if isinstance(given, str) else None
    return named if isinstance(named, type) else given


def in_python_types(value: Any) -> Any:
    """A value with all NumPy scalars converted to Python's types, inside containers too.

    Keras refuses some NumPy scalars, such as ``units=numpy.int64(4)``. Arrays are kept.
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.shape == ()):
        return value.item()
    if type(value) is dict:
        return {name: in_python_types(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [in_python_types(part) for part in value]
        if type(value) in (list, tuple):
            return type(value)(parts)
        if hasattr(value, "_make"):
            return value._make(parts)
    return value


def fresh_objects(value: Any) -> Any:
    """A value with its Keras objects copied, because each can belong to one model only."""
    if type(value) in (list, tuple):
        return type(value)(fresh_objects(part) for part in value)
    if type(value) is dict:
        return {name: fresh_objects(part) for name, part in value.items()}
    if isinstance(value, keras.Model):
        return PortableModel(value).restored()
    if isinstance(value, keras.layers.Layer):
        return copy.deepcopy(value)
    return started_afresh(value)


def all_callbacks(given: Any) -> list[Any]:
    """A flat list of the callbacks in nested lists and dicts, in their order."""
    if given is None:
        return []
    if isinstance(given, Mapping):
        given = list(given.values())
    if isinstance(given, (list, tuple)):
        return [callback for part in given for callback in all_callbacks(part)]
    return [given]


def separate_callbacks(callbacks: list[Any]) -> list[keras.callbacks.Callback]:
    """Copies of callbacks for one fit, as Keras stores its model and its counts in a callback.

    Their attributes are copied, too, except functions and what cannot be copied, such as files.
    """
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            mend = f" Call it: {callback.__name__}()." if isinstance(callback, type) else ""
            raise TypeError(
                f"callbacks must be instances of keras.callbacks.Callback, got {callback!r}.{mend}"
            )
    copies = [copy.copy(callback) for callback in callbacks]
    # Copies refer to one another, and share objects, as the given callbacks do.
    known = {id(one): other for one, other in zip(callbacks, copies, strict=True)}
    known |= {id(callback.model): callback.model for callback in callbacks}
    for copied in copies:
        for name, value in list(vars(copied).items()):
            if not inspect.isroutine(value):
                with contextlib.suppress(Exception):
                    vars(copied)[name] = copy.deepcopy(value, known)
    return copies


def started_afresh(item: Any) -> Any:
    """A new optimizer or metric with the same configuration; anything else is returned unchanged.

    An optimizer is bound to the variables that it was built for, and a metric keeps counts.
    """
    stateful = isinstance(item, (keras.optimizers.Optimizer, keras.metrics.Metric))
    # An object of a user's class without a get_config of its own would lose its arguments.
    if stateful and (library_of(type(item)) == "keras" or "get_config" in vars(type(item))):
        return type(item).from_config(item.get_config())
    return item


def refuse_learning_rate(model: keras.Model) -> None:
    """Raise if a compiled model has a learning rate that it cannot learn with."""
    rate = model.optimizer.get_config().get("learning_rate")
    # A schedule may well begin with 0.
    if isinstance(rate, float) and not 0 < rate < math.inf:
        raise ValueError(
            f"The learning rate of {type(model.optimizer).__name__} must be a finite number above "
            f"0, got {rate}. Set it by optimizer__learning_rate, or where the model is compiled."
        )


def refuse_inputs(model: keras.Model, inputs: Any) -> None:
    """Raise if the model takes other inputs."""
    # A model that is built by its first batch has no inputs yet.
    names = [given.name for given in getattr(model, "inputs", None) or ()]
    if names and isinstance(inputs, dict) and set(names) != set(inputs):
        raise ValueError(
            f"The model has the inputs {', '.join(sorted(names))}, and is given "
            f"{', '.join(sorted(inputs))}. Name each keras.Input, as keras.Input((4,), "
            'name="numbers"), and give the same names.'
        )
    if names and isinstance(inputs, tuple) and len(inputs) != len(names):
        raise ValueError(
            f"The model has {len(names)} inputs, {', '.join(names)}, and is given {len(inputs)}."
        )
    if len(names) > 1 and isinstance(inputs, np.ndarray):
        raise ValueError(
            f"The model has {len(names)} inputs, {', '.join(names)}, and X is one table. "
            f"{ONE_TABLE}"
        )


def refuse_tokens(model: keras.Model, inputs: Any) -> None:
    """Raise if an Embedding reads an input that has numbers outside of its vocabulary.

    TensorFlow's error would not be a ValueError, and its compiled programs raise none: they take
    the vector of another number.
    """
    if not any(isinstance(layer, keras.layers.Embedding) for layer in model.layers):
        return
    tensors = list(getattr(model, "inputs", None) or ())
    arrays = keras.tree.flatten(inputs)
    if isinstance(inputs, dict):
        arrays = [inputs.get(tensor.name) for tensor in tensors]
    if len(arrays) != len(tensors):
        # `refuse_inputs` says that these are not the inputs of the model.
        return
    given = {id(tensor): array for tensor, array in zip(tensors, arrays, strict=True)}
    calls = [call for output in (model.outputs if tensors else ()) for call in layer_calls(output)]
    for call in calls:
        array = given.get(id(call.taken[0])) if call.taken else None
        if not isinstance(call.layer, keras.layers.Embedding) or array is None:
            continue
        size = int(call.layer.input_dim)
        wrong = (array < 0) | (array >= size)
        if wrong.any():
            row, *place = np.argwhere(wrong)[0]
            raise ValueError(
                f"X holds {array[(row, *place)]:g} in row {row}, place "
                f"{', '.join(map(str, place))}, counted from 0, but the layer {call.layer.name!r} "
                f"takes whole numbers from 0 to {size - 1}: give it a larger input_dim, or give "
                "these rows other numbers."
            )


def built_output_units(model: keras.Model, inputs: Any) -> int | None:
    """Number of output units of a model, which is built if necessary.

    None if it has several outputs, or one that is not a row of units.
    """
    shape = getattr(model, "output_shape", None) if model.built else None
    if shape is None:
        outputs = model(keras.tree.map_structure(lambda array: array[:1], inputs))
        shape = tuple(getattr(outputs, "shape", ()))
    return shape[1] if isinstance(shape, tuple) and len(shape) == 2 else None


def refuse_output_units(given: int | None, possible: tuple[int, ...]) -> None:
    """Raise if a model has a number of output units that does not fit the target."""
    if given is not None and possible and given not in possible:
        raise ValueError(
            f"The model has {given} output unit(s), but the target needs "
            f"{' or '.join(map(str, possible))}. A build function with a parameter `meta` can read "
            "meta['n_classes_'], meta['n_outputs_'] and meta['target_type_']."
        )


def predicts_in_its_own_way(model: keras.Model) -> bool:
    """Whether the class of a model changes how Keras predicts."""
    names = ("predict", "predict_step")
    return any(getattr(type(model), name) is not getattr(keras.Model, name) for name in names)


def watches_prediction(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback does anything while a model predicts."""
    return any(
        getattr(getattr(callback, name), "__func__", None)
        is not getattr(keras.callbacks.Callback, name)
        for name in (
            "on_predict_begin",
            "on_predict_batch_begin",
            "on_predict_batch_end",
            "on_predict_end",
        )
    )


def refuse_arguments(parameters: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Raise CannotJoinError for parameters and fit arguments that only Keras' own fit supports."""
    unread = unread_callbacks(arguments["callbacks"])
    if unread:
        reason = f"callbacks run in Python ({', '.join(dict.fromkeys(unread))})"
        raise CannotJoinError(
            f"{reason}, and a population is trained by a compiled program. Leave them out, or let "
            "Keras train the network by itself.",
            reason,
        )
    if parameters.get("run_eagerly"):
        raise CannotJoinError("run_eagerly=True has an effect only in Keras' own fit.")
    for name, value in arguments.items():
        if name not in _KNOWN_ARGUMENTS and value is not None:
            raise CannotJoinError(f"fit is given {name}={value!r}, which only Keras knows.")


# The methods by which a model is trained and validated.
_TRAINING = (
    "train_step",
    "test_step",
    "compute_loss",
    "compute_metrics",
    "make_train_function",
    "make_test_function",
    "stateless_call",
    "fit",
)


def _is_own(kind: type, name: str) -> bool:
    return getattr(kind, name) is not getattr(keras.Model, name)


def refuse_model(model: keras.Model) -> None:
    """Raise CannotJoinError for a compiled model that only Keras' own fit can train."""
    own = [name for name in _TRAINING if _is_own(type(model), name)]
    if own:
        raise CannotJoinError(
            f"{type(model).__name__} trains in its own way, by its {', '.join(own)}. Expected the "
            "methods of keras.Model."
        )
    if model.run_eagerly:
        raise CannotJoinError("the model is compiled with run_eagerly=True.")
    others = [metric.name for metric in model.metrics if metric.name not in _COMPILED_METRICS]
    if others:
        raise CannotJoinError(f"the model has metrics of its own, {', '.join(others)}.")
    for layer in model.layers:
        if layer.weights and layer.dtype_policy.name != "float32":
            raise CannotJoinError(
                f"the layer {layer.name!r} computes in {layer.dtype_policy.name}, not float32."
            )
    for variable in model.trainable_variables:
        if variable.constraint is not None:
            raise CannotJoinError(f"the weight {variable.path!r} has a constraint.")
