"""Any Keras model that TensorFlow can vectorise, as a network for many members at once.

What such a model computes follows from its configuration alone, from which it is built anew; so
models that one build function made are equal, and share a program.
"""

from __future__ import annotations

import copy
import functools
import logging
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skhp.compat.keras import DefaultSeeds
from skhp.exceptions import CannotJoinError
from skhp.networks.network import Tensor
from skhp.networks.portable_model import (
    anonymous_configuration,
    configuration_text,
    custom_objects,
    loading_scope,
    parts_of,
)
from skhp.networks.program_cache import ProgramCache
from skhp.networks.vectorized_model import RECURRENT_LAYERS, StreamDropout, VectorizedModel

# An LSTM of 3 units, unrolled, takes 0.2 s a step to trace and 0.3 s a step to compile.
MOST_UNROLLED_STEPS = 16

models = ProgramCache()

_close = partial(np.allclose, rtol=1e-4, atol=1e-5)


def vectorized_model(model: keras.Model, x: np.ndarray, y: np.ndarray, loss: Any) -> Any:
    """A Keras model as a `VectorizedModel`."""
    try:
        custom = custom_objects(model)
        configuration = _configuration(model, x, custom)
        text = configuration_text(configuration)
        named = tuple((name, custom[name]) for name in sorted(custom) if f'"{name}"' in text)
        key = (text, named, x.dtype.str, y.shape[1:], loss)

        def built() -> VectorizedModel | CannotJoinError:
            try:
                # Building the twin must not use up the seeds of the fit.
                with DefaultSeeds(0, required=False).in_use(), loading_scope(custom):
                    twin = keras.saving.deserialize_keras_object(configuration, safe_mode=False)
                    held = [variable.numpy() for variable in twin.non_trainable_variables]
                    vectorized = VectorizedModel(key, twin, held, _compared(model, twin, held, x))
                    _try(vectorized, x, y, loss)
            except Exception as error:
                # Returned, so that a refusal is remembered, too.
                return _refusal(model, error)
            return vectorized

        made = models.get(key, built)
    except Exception as error:
        raise _refusal(model, error) from None
    if isinstance(made, CannotJoinError):
        raise CannotJoinError(*made.args)
    return made


def _refusal(model: keras.Model, error: Exception) -> CannotJoinError:
    if isinstance(error, CannotJoinError):
        return error
    # An error within a traced function ends with its own message, and maybe the node.
    lines = [line.strip() for line in str(error).splitlines()]
    reason = [line for line in lines if line and line[0] != "["] or [type(error).__name__]
    return _refused(model, f"cannot be vectorised: {reason[-1].rstrip('.')[:200]}")


def _refused(model: keras.Model, what: str) -> CannotJoinError:
    return CannotJoinError(f"the model {model.name!r} {what}.")


def _configuration(model: keras.Model, x: np.ndarray, custom: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a model as it is to be vectorised."""
    configuration = anonymous_configuration(model, x.shape[1:])
    recurrent = list(_recurrent_entries(configuration))
    if recurrent:
        _refuse_many_steps(configuration, x, custom)
        # XLA does not compile a loop that was vectorised.
        for entry in recurrent:
            entry["config"]["unroll"] = True
    numbers = iter(range(len(model.layers)))
    for entry in configuration["config"]["layers"]:
        if entry["class_name"] == "Dropout":
            _take_dropout_out(entry, next(numbers))
    return configuration


def _recurrent_entries(item: Any) -> Iterator[dict[str, Any]]:
    if isinstance(item, dict):
        if item.get("class_name") in RECURRENT_LAYERS:
            yield item
        item = list(item.values())
    if isinstance(item, (list, tuple)):
        for value in item:
            yield from _recurrent_entries(value)


def _refuse_many_steps(
    configuration: dict[str, Any], x: np.ndarray, custom: dict[str, Any]
) -> None:
    """Raise if a recurrent layer walks over more steps than can be unrolled.

    How many there are is seen where a model like it is called: layers before it may leave some
    out, or add some.
    """
    with DefaultSeeds(0, required=False).in_use(), loading_scope(custom):
        # Keras takes the configuration apart that it loads.
        looked_at = keras.saving.deserialize_keras_object(
            copy.deepcopy(configuration), safe_mode=False
        )
        steps = _steps_walked(looked_at, np.zeros((1, *x.shape[1:]), x.dtype))
    if steps > MOST_UNROLLED_STEPS:
        raise CannotJoinError(
            f"a recurrent layer over {steps} steps cannot join a cohort: it would be unrolled, "
            f"and to compile more than {MOST_UNROLLED_STEPS} steps takes too long."
        )


def _steps_walked(model: keras.Model, x: np.ndarray) -> int:
    """The most steps of any recurrent layer of a model, which is spoilt by the measuring."""
    walked = [0]
    for layer in parts_of(model):
        if isinstance(layer, keras.layers.RNN):
            layer.call = _noting_steps(layer.call, walked)
    model(x, training=False)
    return max(walked)


def _noting_steps(call: Any, walked: list[int]) -> Any:
    @functools.wraps(call)
    def noted(sequences: Tensor, *arguments: Any, **keywords: Any) -> Tensor:
        walked.append(int(sequences.shape[1]))
        return call(sequences, *arguments, **keywords)

    return noted


def _take_dropout_out(entry: dict[str, Any], number: int) -> None:
    config = entry["config"]
    if config["noise_shape"] is not None or len(entry.get("inbound_nodes", ())) > 1:
        raise CannotJoinError(
            "a Dropout layer with a noise_shape, or used more than once, cannot join a cohort."
        )
    own = keras.saving.serialize_keras_object(StreamDropout(number))
    kept = {name: config[name] for name in ("name", "trainable", "dtype")}
    entry.update({**own, "config": {**kept, "number": number}})


def _compared(model: keras.Model, twin: keras.Model, held: Any, x: np.ndarray) -> bool:
    """Refuse a twin that differs from its model; tell whether the gradient of it is sparse."""
    if model.non_trainable_weights:
        raise _refused(model, "has weights that are not trained by the gradient")
    trainable = [tuple(variable.shape) for variable in model.trainable_variables]
    if trainable != [tuple(variable.shape) for variable in twin.trainable_variables]:
        raise _refused(model, "is not what its configuration describes")
    generator = np.random.default_rng(0)
    weights = [tf.constant(generator.normal(0, 0.5, shape), tf.float32) for shape in trainable]
    # Whole numbers are 0 or 1, which even the smallest vocabulary holds.
    drawn = generator.normal if x.dtype.kind == "f" else partial(generator.integers, 0, 2)
    rows = drawn(size=(4, *x.shape[1:])).astype(x.dtype)
    own_held = [variable.numpy() for variable in model.non_trainable_variables]
    outputs, _, losses = model.stateless_call(
        weights, own_held, rows, training=False, return_losses=True
    )
    if len(losses) != sum(v.regularizer is not None for v in model.trainable_variables):
        raise _refused(model, "adds losses of its own")
    if not _close(twin.stateless_call(weights, held, rows, training=False)[0], outputs):
        raise _refused(model, "is not what its configuration describes")
    trained, after = twin.stateless_call(weights, held, rows, training=True)
    if not all(map(np.array_equal, held, after)):
        raise _refused(model, "draws random numbers, or keeps statistics, while it trains")
    alone = [twin.stateless_call(weights, held, row[None], training=True)[0] for row in rows]
    if not _close(np.concatenate(alone), trained):
        raise _refused(model, "treats a row differently among other rows")
    with tf.GradientTape() as tape:
        tape.watch(weights)
        outputs = twin.stateless_call(weights, held, rows, training=False)[0]
    gradients = tape.gradient(outputs, weights)
    if any(gradient is None for gradient in gradients):
        raise _refused(model, "has weights that play no part")
    return any(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)


def _try(vectorized: VectorizedModel, x: np.ndarray, y: np.ndarray, loss: Any) -> None:
    """Run a step of two members on a few rows, which fails where a large one would.

    What runs of Keras' own layers is known to compile, too; with others one has to try.
    """
    is_lambda = [isinstance(layer, keras.layers.Lambda) for layer in vectorized.model.layers]
    has_own_code = any(is_lambda) or bool(custom_objects(vectorized.model))
    n_weights = sum(math.prod(shape) for shape in vectorized.weight_shapes)
    noise = [tf.zeros((2, 3, *shape)) for shape in vectorized.noise_shapes]

    def step(weights: Tensor, x: Tensor, y: Tensor, weight: Tensor) -> Any:
        return vectorized.loss_gradient(
            weights,
            tf.zeros((2, 2, 0)),
            (x, y, weight),
            loss=lambda y, outputs, weight: (tf.reduce_sum(loss.of_rows(y, outputs) * weight, -1),),
            present=weight,
            noise=noise,
            dropout=[tf.zeros((2, 2))] * len(noise),
        )

    few = [tf.zeros((2, 3, *rows.shape[1:]), rows.dtype) for rows in (x, y)]
    with _silent_tensorflow():
        for compiled in (False, True) if has_own_code else (False,):
            program = tf.function(step, jit_compile=compiled, autograph=False)
            program(tf.zeros((2, 2, n_weights)), *few, tf.ones((2, 3)))


@contextmanager
def _silent_tensorflow() -> Iterator[None]:
    """Keep TensorFlow from logging, in this thread, pages about what it cannot vectorise."""
    thread, logger = threading.get_ident(), tf.get_logger()

    def is_of_others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(is_of_others)
    try:
        yield
    finally:
        logger.removeFilter(is_of_others)
