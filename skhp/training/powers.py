"""Powers and sines with the same bits for a member in a cohort of any size.

TensorFlow 2.21 computes the last of the values of a tensor, those beyond a multiple of 8, by other
functions than the rest, and the two differ by a rounding in single precision. Values with one
number for each member are few, so a member's bits would depend on its place and on the number of
members. In double precision, both round to the same number.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def power(base: Any, exponent: Any) -> Any:
    """`base` to the power of `exponent`, both in single precision."""
    return _single(tf.pow(_double(base), _double(exponent)))


def sine(angle: Any) -> Any:
    """The sine of an angle in single precision."""
    return _single(tf.sin(_double(angle)))


def _double(values: Any) -> Any:
    return tf.cast(values, tf.float64)


def _single(values: Any) -> Any:
    return tf.cast(values, tf.float32)
