"""Outputs of networks and of any Keras model; the outputs of a row do not depend on other rows.

The configuration and the variables of a model of Keras' own layers determine its outputs. Such a
model is called through a program that takes the variables as inputs and is traced once for all
models of that configuration, so that scoring the members of a search needs no tracing for each.
Any other model is called directly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from skhp.networks.description import LOGITS_LAYER
from skhp.networks.kept_programs import build_program
from skhp.networks.layered_network import LayeredNetwork
from skhp.networks.program_cache import ProgramCache
from skhp.networks.whole_models.model_twin import close
from skhp.networks.whole_models.portable_model import (
    anonymous_configuration,
    configuration_text,
    custom_objects,
    loading_scope,
)

# Limits for the memory of one forward pass: rows, and numbers that one layer returns.
ROWS_AT_ONCE = 8192
_OUTPUTS_AT_ONCE = 2**24

# Matrix products of very few rows run other code, with other rounding, than products of many rows:
# on a CPU, TensorFlow 2.21 gives a row alone other last bits than the same row among others.
# Measured: with a multiple of 32 rows, the bits of a row do not depend on how many there are.
_TILE = 32


def logits(model: keras.Model, X: np.ndarray) -> np.ndarray:
    """Logits of the rows, (n_rows, n_outputs) of float64; for a regression network its outputs."""
    layers = model.layers
    last = next(i for i, layer in enumerate(layers) if layer.name == LOGITS_LAYER)
    blocks = []
    for start in range(0, len(X), ROWS_AT_ONCE):
        block = X[start : start + ROWS_AT_ONCE]
        padded = np.pad(block, [(0, -len(block) % _TILE), *[(0, 0)] * (block.ndim - 1)])
        values = keras.ops.convert_to_tensor(padded)
        for layer in layers[: last + 1]:
            values = layer(values)
        blocks.append(keras.ops.convert_to_numpy(values)[: len(block)])
    return np.concatenate(blocks).astype(np.float64)


network_programs = ProgramCache()


def predicted_logits(
    network: LayeredNetwork, weights: np.ndarray, state: np.ndarray, X: np.ndarray
) -> np.ndarray:
    """Outputs before the last activation; the outputs of a row do not depend on other rows."""
    return predicted_logits_of_members(network, weights[None], state[None], X)[0]


def predicted_logits_of_members(
    network: LayeredNetwork, weights: np.ndarray, states: np.ndarray, X: np.ndarray
) -> np.ndarray:
    """Logits, (members, rows, units), with the same bits as for each member alone."""
    program = network_programs.get(network, lambda: _network_program(network))
    members = tf.constant(weights), tf.constant(states)
    blocks = []
    at_once = _rows_at_once(network)
    for start in range(0, len(X), at_once):
        block = X[start : start + at_once]
        padded = np.zeros((1, len(block) + -len(block) % _TILE, *X.shape[1:]), np.float32)
        padded[0, : len(block)] = block
        outputs = program(*members, tf.constant(padded))
        blocks.append(outputs.numpy()[:, : len(block)])
    return np.concatenate(blocks, axis=1).astype(np.float64)


def _rows_at_once(network: LayeredNetwork) -> int:
    """A multiple of the tile; fewer rows where a layer returns more numbers for a row."""
    fitting = _OUTPUTS_AT_ONCE // network.most_outputs
    return min(ROWS_AT_ONCE, max(fitting // _TILE, 1) * _TILE)


def _network_program(network: LayeredNetwork) -> Any:
    def outputs_of_one(member: tuple[Any, Any], x: Any) -> Any:
        weights, state = (part[None, None] for part in member)
        logits, _ = network.outputs(weights, state, x, training=False, until_logits=True)
        return logits[0, 0]

    # Members are computed one after the other, so that the shapes of the products, and with them
    # the bits, do not depend on the number of members. A turn of this loop takes a tenth of the
    # time of a call.
    def outputs(weights: Any, states: Any, x: Any) -> Any:
        return tf.map_fn(
            lambda member: outputs_of_one(member, x),
            (weights, states),
            fn_output_signature=tf.float32,
        )

    n_weights, n_state = (
        sum(math.prod(shape) for shape in shapes)
        for shapes in (network.weight_shapes, network.state_shapes)
    )
    specs = (
        *(tf.TensorSpec((None, size), tf.float32) for size in (n_weights, n_state)),
        tf.TensorSpec((1, None, *network.input_shape), tf.float32),
    )
    return build_program(outputs, specs, ("predictions", network), None)


# Limits the memory of one forward pass, which takes this many numbers, or one batch.
_NUMBERS_AT_ONCE = 2**18

# Layers whose outputs depend on more than their configuration and variables. The same holds for
# layers with a method `adapt`, which keep learnt values outside their variables.
_UNDETERMINED = frozenset({"Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"})

Called: TypeAlias = Callable[[Any], Any]

model_programs = ProgramCache()


def model_outputs(model: keras.Model, inputs: Any, batch_size: int) -> Any:
    """Outputs for prediction, without the tracing and the data pipeline of ``model.predict``."""
    call = _through_program(model, inputs) or _directly(model)
    return _outputs(call, inputs, batch_size)


def _outputs(call: Called, inputs: Any, batch_size: int) -> Any:
    arrays = keras.tree.flatten(inputs)
    n_rows = len(arrays[0])
    at_once = max(batch_size, n_rows * _NUMBERS_AT_ONCE // sum(array.size for array in arrays))
    at_once = _rounded_up(min(at_once, n_rows))
    # The last row is repeated to fill the block.
    rows = np.minimum(np.arange(_rounded_up(n_rows)), n_rows - 1)
    blocks = []
    for start in range(0, len(rows), at_once):
        outputs = call(_taken(inputs, rows[start : start + at_once]))
        blocks.append(keras.tree.map_structure(keras.ops.convert_to_numpy, outputs))
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts)[:n_rows], *blocks)


def _taken(arrays: Any, rows: np.ndarray) -> Any:
    return keras.tree.map_structure(lambda array: array[rows], arrays)


def _rounded_up(n_rows: int) -> int:
    return math.ceil(n_rows / _TILE) * _TILE


def _directly(model: keras.Model) -> Called:
    return lambda block: model(block, training=False)


def _through_program(model: keras.Model, inputs: Any) -> Called | None:
    """The program of a model with its variables; None where it may differ from the model."""
    if not isinstance(inputs, np.ndarray) or inputs.dtype.kind not in "fiub" or model.run_eagerly:
        return None
    try:
        if custom_objects(model):
            return None
        configuration = anonymous_configuration(model, inputs.shape[1:])
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        # Keras cannot serialise such a model.
        return None
    if any(map(_is_undetermined, _class_names(configuration))):
        return None
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    key = (
        configuration_text(configuration),
        len(model.trainable_variables),
        tuple((variable.dtype, tuple(variable.shape)) for variable in variables),
        inputs.dtype.str,
    )
    program = model_programs.get(key, lambda: _model_program(model, configuration, inputs))
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


def _is_undetermined(class_name: str) -> bool:
    return class_name in _UNDETERMINED or hasattr(getattr(keras.layers, class_name, None), "adapt")


def _model_program(model: keras.Model, configuration: dict[str, Any], inputs: np.ndarray) -> Any:
    """A program that takes variables and rows; None if it cannot be built or differs."""
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
        # A few rows are enough, since a program that differs would differ in all rows.
        few = _taken(inputs, np.resize(np.arange(len(inputs)), _TILE))
        made = program(*(variable.value for variable in variables), tf.constant(few))
        return program if close(made, model(few, training=False)) else None
    except Exception:
        # Such a model is called directly, and raises its own exception, if any.
        return None
