"""Outputs of any Keras model, the same for a row whatever its neighbours.

A model of Keras' own layers computes what its configuration says of its variables. It is called
through a program that takes them as inputs, and that is traced once for all models of that
configuration; so scoring the members of a search traces nothing for each of them. Any other model
is called as it stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from skhp.networks.portable_model import (
    anonymous_configuration,
    configuration_text,
    custom_objects,
    loading_scope,
)
from skhp.networks.program_cache import ProgramCache

# Measured with TensorFlow 2.21: the bits of a row's outputs depend on how many rows there are,
# unless that is a multiple of 8.
_MULTIPLE = 32

# Bounds the memory of one forward pass: that many numbers go into it, or one batch.
_NUMBERS_AT_ONCE = 2**18

# Layers that compute something which neither their configuration nor their variables tell; and
# all that have a method `adapt` keep what they learnt beside their variables.
_NOT_TOLD = frozenset({"Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"})

Called: TypeAlias = Callable[[Any], Any]

programs = ProgramCache()


def model_outputs(model: keras.Model, inputs: Any, batch_size: int) -> Any:
    """Outputs for prediction, without the tracing and the data pipeline of ``model.predict``.

    Parameters
    ----------
    model : keras.Model
    inputs : ndarray or nested structure of ndarrays
    batch_size : int
        Rows that are known to fit into memory at once.

    Returns
    -------
    ndarray, or a nested structure of ndarrays as the model returns it
    """
    call = _through_program(model, inputs) or _as_it_stands(model)
    return _outputs(call, inputs, batch_size)


def _outputs(call: Called, inputs: Any, batch_size: int) -> Any:
    arrays = keras.tree.flatten(inputs)
    n_rows = len(arrays[0])
    at_once = max(batch_size, n_rows * _NUMBERS_AT_ONCE // sum(array.size for array in arrays))
    at_once = _rounded_up(min(at_once, n_rows))
    # The last row again, for as long as it takes.
    rows = np.minimum(np.arange(_rounded_up(n_rows)), n_rows - 1)
    blocks = []
    for start in range(0, len(rows), at_once):
        outputs = call(_taken(inputs, rows[start : start + at_once]))
        blocks.append(keras.tree.map_structure(keras.ops.convert_to_numpy, outputs))
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts)[:n_rows], *blocks)


def _taken(arrays: Any, rows: np.ndarray) -> Any:
    return keras.tree.map_structure(lambda array: array[rows], arrays)


def _rounded_up(n_rows: int) -> int:
    return math.ceil(n_rows / _MULTIPLE) * _MULTIPLE


def _as_it_stands(model: keras.Model) -> Called:
    return lambda block: model(block, training=False)


def _through_program(model: keras.Model, inputs: Any) -> Called | None:
    """The program of a model with its variables; None where it may compute something else."""
    if not isinstance(inputs, np.ndarray) or inputs.dtype.kind not in "fiub" or model.run_eagerly:
        return None
    try:
        if custom_objects(model):
            return None
        configuration = anonymous_configuration(model, inputs.shape[1:])
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        # Keras cannot write such a model down.
        return None
    if any(map(_is_not_told, _class_names(configuration))):
        return None
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    key = (
        configuration_text(configuration),
        len(model.trainable_variables),
        tuple((variable.dtype, tuple(variable.shape)) for variable in variables),
        inputs.dtype.str,
    )
    program = programs.get(key, lambda: _program(model, configuration, inputs))
    if program is None:
        return None
    values = [variable.value for variable in variables]
    return lambda block: program(*values, tf.constant(block))


def _class_names(item: Any) -> Iterator[str]:
    if isinstance(item, dict):
        if isinstance(item.get("class_name"), str):
            yield item["class_name"]
        item = list(item.values())
    if isinstance(item, (list, tuple)):
        for value in item:
            yield from _class_names(value)


def _is_not_told(class_name: str) -> bool:
    return class_name in _NOT_TOLD or hasattr(getattr(keras.layers, class_name, None), "adapt")


def _program(model: keras.Model, configuration: dict[str, Any], inputs: np.ndarray) -> Any:
    """A program of the variables of a model and of rows; None if it cannot be had."""
    n_trainable = len(model.trainable_variables)
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    try:
        with loading_scope({}):
            twin = keras.saving.deserialize_keras_object(configuration, safe_mode=False)
        own = [*twin.trainable_variables, *twin.non_trainable_variables]
        if [variable.shape for variable in own] != [variable.shape for variable in variables]:
            return None

        @tf.function(autograph=False)
        def outputs(*arguments: Any) -> Any:
            *values, x = arguments
            trainable, held = values[:n_trainable], values[n_trainable:]
            return twin.stateless_call(trainable, held, x, training=False)[0]

        program = outputs.get_concrete_function(
            *(tf.TensorSpec(variable.shape, variable.dtype) for variable in variables),
            tf.TensorSpec((None, *inputs.shape[1:]), inputs.dtype),
        )
        # A few rows, since one that differs differs in all.
        few = _taken(inputs, np.resize(np.arange(len(inputs)), _MULTIPLE))
        made = program(*(variable.value for variable in variables), tf.constant(few))
        is_same = keras.tree.map_structure(_close, made, model(few, training=False))
        return program if all(keras.tree.flatten(is_same)) else None
    except Exception:
        # Called as it stands, such a model raises what is to be raised, if anything is.
        return None


def _close(one: Any, other: Any) -> bool:
    numbers = keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other)
    return np.allclose(*numbers, rtol=1e-4, atol=1e-5, equal_nan=True)
