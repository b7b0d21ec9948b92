"""Variables that are not trained, as the flat numbers that a member carries.

Statistics and frozen weights are floats already. Whole numbers, such as the seeds of layers that
draw random numbers, would lose digits as float32, so they are carried in parts of 16 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from skhp.networks.network import Tensor, flattened

_PART_BITS = 16
_PARTS = 4


def encoded_shape(variable: keras.Variable) -> tuple[int, ...]:
    """The shape in which a member carries a variable."""
    shape = tuple(variable.shape)
    return shape if _is_float(variable) else (*shape, _PARTS)


def encoded(variables: Iterable[keras.Variable]) -> np.ndarray:
    """The values of variables as one flat vector."""
    return flattened([_encoded(variable, variable.numpy()) for variable in variables])


def set_encoded(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    """Set variables to values of the shapes that `encoded_shape` gives."""
    for variable, value in zip(variables, values, strict=True):
        if _is_float(variable):
            variable.assign(value)
        else:
            parts = np.rint(value).astype(np.int64) << _shifts()
            variable.assign(parts.sum(axis=-1).astype(variable.dtype))


def decoded_in_graph(variable: keras.Variable, value: Tensor) -> Tensor:
    """The value of a variable, from the numbers that a member carries."""
    if _is_float(variable):
        return tf.cast(value, variable.dtype)
    parts = tf.bitwise.left_shift(tf.cast(tf.round(value), tf.int64), _shifts())
    return tf.cast(tf.reduce_sum(parts, axis=-1), variable.dtype)


def encoded_in_graph(variable: keras.Variable, value: Tensor) -> Tensor:
    """The numbers that a member carries for the value of a variable."""
    if _is_float(variable):
        return tf.cast(value, tf.float32)
    parts = tf.bitwise.right_shift(tf.cast(value, tf.int64)[..., None], _shifts())
    return tf.cast(tf.bitwise.bitwise_and(parts, np.int64(2**_PART_BITS - 1)), tf.float32)


def _encoded(variable: keras.Variable, value: np.ndarray) -> np.ndarray:
    if _is_float(variable):
        return value
    parts = np.asarray(value, np.int64)[..., None] >> _shifts()
    return parts & (2**_PART_BITS - 1)


def _shifts() -> np.ndarray:
    return np.arange(0, _PARTS * _PART_BITS, _PART_BITS, dtype=np.int64)


def _is_float(variable: keras.Variable) -> bool:
    return "float" in variable.dtype
