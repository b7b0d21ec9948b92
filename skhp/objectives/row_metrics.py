"""Keras' metrics that are means over rows, for a compiled program."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from skhp.exceptions import CannotJoinError
from skhp.objectives.losses import RowLoss

Tensor: TypeAlias = Any

_LEAST = float(np.finfo(np.float32).tiny)

# What a metric compares a row of outputs with: a number for each output, a row that marks one of
# several classes, or the number of a class. If the targets are a vector and not a column, Keras
# reshapes them for some metrics only; the others ("numbers in columns") would compare each row with
# all rows.
TargetForm = Literal["numbers", "numbers in columns", "marked class", "class number"]


class _Definition(NamedTuple):
    of_rows: Callable[..., Tensor]
    target: TargetForm
    is_root: bool = False


# These functions replace operations of Keras that TensorFlow cannot vectorise.


def _most_probable(values: Tensor) -> Tensor:
    # Keras takes a negative zero to be less than zero.
    is_negative_zero = tf.equal(values, 0.0) & (1.0 / values < 0.0)
    ordered = tf.where(is_negative_zero, -_LEAST, values)
    return tf.argmax(ordered, axis=-1, output_type=tf.int32)


def _in_top_k(class_number: Tensor, outputs: Tensor, k: int) -> Tensor:
    chosen = tf.gather(outputs, class_number[..., None], batch_dims=len(outputs.shape) - 1)
    above = tf.reduce_sum(tf.cast(outputs > chosen, tf.int32), axis=-1)
    sure = tf.reduce_all(tf.math.is_finite(outputs), axis=-1)
    return tf.cast((above < k) & sure, tf.float32)


def _is_class(y: Tensor, outputs: Tensor) -> Tensor:
    return tf.cast(tf.equal(_most_probable(y), _most_probable(outputs)), tf.float32)


def _is_class_number(y: Tensor, outputs: Tensor) -> Tensor:
    # A number that is not whole is not the number of a class.
    return tf.cast(tf.equal(y[..., 0], tf.cast(_most_probable(outputs), y.dtype)), tf.float32)


def _top_k(y: Tensor, outputs: Tensor, k: int) -> Tensor:
    return _in_top_k(_most_probable(y), outputs, k)


def _sparse_top_k(y: Tensor, outputs: Tensor, k: int) -> Tensor:
    return _in_top_k(tf.cast(y[..., 0], tf.int32), outputs, k)


def _equal(y: Tensor, outputs: Tensor) -> Tensor:
    return tf.cast(tf.equal(y, outputs), tf.float32)


def _cosine_similarity(y: Tensor, outputs: Tensor) -> Tensor:
    # Keras' loss of this name is the negative of the metric.
    return -keras.losses.cosine_similarity(y, outputs)


_METRICS = keras.metrics
_DEFINITIONS: dict[type[keras.metrics.Metric], _Definition] = {
    _METRICS.Accuracy: _Definition(_equal, "numbers"),
    _METRICS.BinaryAccuracy: _Definition(_METRICS.binary_accuracy, "numbers"),
    _METRICS.BinaryCrossentropy: _Definition(_METRICS.binary_crossentropy, "numbers in columns"),
    _METRICS.CategoricalAccuracy: _Definition(_is_class, "marked class"),
    _METRICS.CategoricalCrossentropy: _Definition(
        _METRICS.categorical_crossentropy, "marked class"
    ),
    _METRICS.CategoricalHinge: _Definition(_METRICS.categorical_hinge, "marked class"),
    _METRICS.CosineSimilarity: _Definition(_cosine_similarity, "numbers"),
    _METRICS.Hinge: _Definition(_METRICS.hinge, "numbers in columns"),
    _METRICS.KLDivergence: _Definition(_METRICS.kl_divergence, "numbers in columns"),
    _METRICS.LogCoshError: _Definition(_METRICS.log_cosh, "numbers"),
    _METRICS.MeanAbsoluteError: _Definition(_METRICS.mean_absolute_error, "numbers"),
    _METRICS.MeanAbsolutePercentageError: _Definition(
        _METRICS.mean_absolute_percentage_error, "numbers"
    ),
    _METRICS.MeanSquaredError: _Definition(_METRICS.mean_squared_error, "numbers"),
    _METRICS.MeanSquaredLogarithmicError: _Definition(
        _METRICS.mean_squared_logarithmic_error, "numbers"
    ),
    _METRICS.Poisson: _Definition(_METRICS.poisson, "numbers in columns"),
    _METRICS.RootMeanSquaredError: _Definition(
        _METRICS.mean_squared_error, "numbers", is_root=True
    ),
    _METRICS.SparseCategoricalAccuracy: _Definition(_is_class_number, "class number"),
    _METRICS.SparseCategoricalCrossentropy: _Definition(
        _METRICS.sparse_categorical_crossentropy, "class number"
    ),
    _METRICS.SparseTopKCategoricalAccuracy: _Definition(_sparse_top_k, "class number"),
    _METRICS.SquaredHinge: _Definition(_METRICS.squared_hinge, "numbers in columns"),
    _METRICS.TopKCategoricalAccuracy: _Definition(_top_k, "marked class"),
}

_NUMBER_SHAPES = ((), (1,))

# Settings that do not change a metric with one row of outputs for each row of targets.
_WITHOUT_EFFECT = {"dtype": "float32", "axis": -1, "ignore_class": None}


@dataclass(frozen=True)
class RowMetric:
    """A metric of Keras that is a mean over rows: its name in the history, class and settings.

    `weighted` tells whether rows count by their weights, or each row counts once.
    """

    name: str
    kind: type[keras.metrics.Metric]
    settings: tuple[tuple[str, Any], ...]
    weighted: bool

    def of_rows(self, y: Tensor, outputs: Tensor) -> Tensor:
        """Value of each row; the last axis of `outputs` is for the output units."""
        values = _DEFINITIONS[self.kind].of_rows(y, outputs, **dict(self.settings))
        if len(values.shape) == len(outputs.shape):
            return tf.reduce_mean(values, axis=-1)
        return values

    def of_mean(self, mean: Tensor) -> Tensor:
        """The value of the metric, from the mean over the rows."""
        return tf.sqrt(mean) if _DEFINITIONS[self.kind].is_root else mean


@dataclass(frozen=True)
class LossOfOutput:
    """The loss of one of several outputs, which Keras records beside the total loss.

    `target` and `output` are the positions of the target and of the output.
    """

    name: str
    target: int
    output: int
    loss: RowLoss

    weighted = True

    def of_rows(self, y: Any, outputs: Any) -> Tensor:
        """Value of each row."""
        values = self.loss.of_rows(
            tf.nest.flatten(y)[self.target], tf.nest.flatten(outputs)[self.output]
        )
        return tf.reduce_mean(tf.reshape(values, (tf.shape(values)[0], -1)), axis=-1)

    def of_mean(self, mean: Tensor) -> Tensor:
        """The mean itself."""
        return mean


EpochMetric: TypeAlias = RowMetric | LossOfOutput


def row_metrics(
    compiled: Mapping[str, Any], target_shape: Sequence[int], n_outputs: int
) -> tuple[RowMetric, ...]:
    """The metrics that a model is compiled with, in Keras' order and by Keras' names."""
    found: list[RowMetric] = []
    counts: Counter[str] = Counter()
    for argument in ("metrics", "weighted_metrics"):
        for given in _flat(compiled.get(argument) or ()):
            name, kind, settings = _resolved(given, tuple(target_shape), n_outputs)
            weighted = argument == "weighted_metrics"
            found.append(RowMetric(_unique(name, weighted, counts), kind, settings, weighted))
    if len({metric.name for metric in found} - {"loss"}) < len(found):
        names = ", ".join(metric.name for metric in found)
        raise CannotJoinError(f"two values of the history share a name, among loss, {names}.")
    return tuple(found)


def metric_names(compiled: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The names of all metrics that a model is compiled with; None if Keras chooses one of them."""
    names: list[str] = []
    counts: Counter[str] = Counter()
    for argument in ("metrics", "weighted_metrics"):
        for given in _flat(compiled.get(argument) or ()):
            config = given.get("config") if isinstance(given, dict) else given
            name = config.get("name") if isinstance(config, dict) else config
            if not isinstance(name, str):
                return None
            names.append(_unique(name, argument == "weighted_metrics", counts))
    return tuple(names)


def _flat(given: Any) -> Iterator[Any]:
    if isinstance(given, (list, tuple)):
        for item in given:
            yield from _flat(item)
    else:
        yield given


def _unique(name: str, weighted: bool, counts: Counter[str]) -> str:
    """The name that Keras gives to a metric of this name, so that it is unique."""
    if weighted and counts[name]:
        name = f"weighted_{name}"
    counts[name] += 1
    return name if counts[name] == 1 else f"{name}_{counts[name] - 1}"


def _resolved(
    given: Any, target_shape: tuple[int, ...], n_outputs: int
) -> tuple[str, type[keras.metrics.Metric], tuple[tuple[str, Any], ...]]:
    """Name, class and settings of a metric as the configuration of a model has it."""
    config: dict[str, Any] = {}
    if isinstance(given, str):
        name, kind = given, _class_for_targets(given, target_shape, n_outputs)
    else:
        kind, config = _class_and_config(given)
        name = config.get("name", "")
    if kind not in _DEFINITIONS:
        raise CannotJoinError(
            f"the metric {_readable(given)} is not known to be a mean over rows; expected one of "
            f"Keras' own, by its name or as an instance, such as 'accuracy' or 'mse'."
        )
    settings = {key: value for key, value in config.items() if key != "name"}
    for key, value in _WITHOUT_EFFECT.items():
        if settings.pop(key, value) != value:
            raise CannotJoinError(
                f"the metric {name!r} has a setting that only Keras knows, {key}."
            )
    single = all(isinstance(value, (bool, int, float)) for value in settings.values())
    if not single or "from_sorted_ids" in settings:
        raise CannotJoinError(f"the metric {name!r} has settings that only Keras knows.")
    if not _fits(_DEFINITIONS[kind].target, target_shape, n_outputs):
        raise CannotJoinError(
            f"the metric {name!r} compares {n_outputs} output unit(s) with targets of the shape "
            f"{target_shape}, which only Keras does."
        )
    return name, kind, tuple(sorted(settings.items()))


def _class_for_targets(
    name: str, target_shape: tuple[int, ...], n_outputs: int
) -> type[keras.metrics.Metric] | None:
    if name.lower() in ("accuracy", "acc"):
        if n_outputs == 1:
            return _METRICS.BinaryAccuracy
        is_number = target_shape in _NUMBER_SHAPES
        return _METRICS.SparseCategoricalAccuracy if is_number else _METRICS.CategoricalAccuracy
    return _class_of_name(name)


@functools.lru_cache
def _class_of_name(name: str) -> type[keras.metrics.Metric] | None:
    try:
        return type(keras.metrics.get(name))
    except ValueError:
        return None


def _class_and_config(given: Any) -> tuple[type | None, dict[str, Any]]:
    """Class and settings of a metric as Keras serialises it; no class if it is not Keras' own."""
    own = isinstance(given, dict) and given.get("module") == "keras.metrics"
    if not own or not isinstance(given.get("config"), dict):
        # Functions are refused, too: a user's function may have the name of one of Keras'.
        return None, {}
    return getattr(keras.metrics, str(given.get("class_name")), None), given["config"]


def _readable(given: Any) -> str:
    """The name of a metric in an error."""
    if not isinstance(given, dict):
        return repr(given)
    config = given.get("config")
    named = given.get("class_name")
    return repr(config if named == "function" else "lambda" if named == "__lambda__" else named)


def _fits(target: TargetForm, shape: tuple[int, ...], n_outputs: int) -> bool:
    if target == "class number":
        return shape in _NUMBER_SHAPES
    if target == "numbers" and n_outputs == 1:
        return shape in _NUMBER_SHAPES
    return shape == (n_outputs,) and (target != "marked class" or n_outputs > 1)
