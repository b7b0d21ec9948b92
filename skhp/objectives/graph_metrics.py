"""The metrics of `metrics.py` inside a compiled program, for many members at once.

All sums and values are in float64: a float32 sum of fractional weights drifts with the number of
rows, and two networks that differ in one of 10^10 pairs of rows would have the same area under the
ROC curve. Sums of whole weights are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# (target, outputs, weight) -> value, as `epoch_metric` describes them.
GraphMetric = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


def epoch_metric(name: str) -> GraphMetric | None:
    """The metric of this name for S streams of N rows and C candidates; None if it is not known.

    The target has the shape (S, N) in a classification, with 1 as the rare one of two classes, and
    (S, N, O) in a regression. The outputs, (S, C, N, O), are the values before the last activation;
    the weights have the shape (S, N). The metric returns float64 values of the shape (S, C), NaN
    where an output is not finite or where too few rows have a weight.
    """
    return _METRICS.get(name)


def _over_counted_rows(score: GraphMetric, least_rows: int = 1) -> GraphMetric:
    """A metric that gives `score` float64 numbers, and zeros in place of rows without a weight."""

    def metric(target: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        counted = weight > 0
        counted_of_outputs = counted[:, None, :, None]
        finite = tf.math.is_finite(outputs)
        kept = finite & counted_of_outputs
        counted_of_target = tf.reshape(counted, [*counted.shape, *[1] * (target.shape.rank - 2)])
        value = score(
            tf.where(counted_of_target, target, tf.zeros_like(target)),
            tf.cast(tf.where(kept, outputs, 0.0), tf.float64),
            tf.cast(tf.where(counted, weight, 0.0), tf.float64),
        )
        enough = tf.math.count_nonzero(counted, axis=1) >= least_rows
        valid = tf.reduce_all(finite | ~counted_of_outputs, axis=(2, 3)) & enough[:, None]
        return tf.where(valid, value, tf.constant(float("nan"), tf.float64))

    return metric


def _sums_by_segment(values: tf.Tensor, segment: tf.Tensor, n_segments: int) -> tf.Tensor:
    """The sum over the rows of each segment, for each member: [S, C, n_segments, ...]."""
    n_members = segment.shape[0] * segment.shape[1]
    first = tf.reshape(tf.range(n_members) * n_segments, [*segment.shape[:2], 1])
    sums = tf.math.unsorted_segment_sum(values, segment + first, n_members * n_segments)
    return tf.reshape(sums, [*segment.shape[:2], n_segments, *sums.shape[1:]])


def _weighted_mean(values: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """The mean over the last axis; with a boolean weight, over the values where it is True."""
    weight = tf.cast(weight, values.dtype)
    total = tf.reduce_sum(weight * values, axis=-1)
    return tf.math.divide_no_nan(total, tf.reduce_sum(weight, axis=-1))


class _ClassSums(NamedTuple):
    """Sums of weights for each class, [S, C, n_classes]: of hits, of predicted and of true rows."""

    hit: tf.Tensor
    predicted: tf.Tensor
    true: tf.Tensor


def _predicted(outputs: tf.Tensor) -> tf.Tensor:
    n_outputs = outputs.shape[-1]
    if n_outputs == 1:
        return tf.cast(outputs[..., 0] >= 0, tf.int32)
    # The first of equal outputs wins, as in NumPy; tf.argmax does not promise this.
    largest = outputs == tf.reduce_max(outputs, axis=-1, keepdims=True)
    return tf.reduce_min(tf.where(largest, tf.range(n_outputs), n_outputs), axis=-1)


def _class_sums(target: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> _ClassSums:
    n_classes = max(2, outputs.shape[-1])
    predicted = _predicted(outputs)
    true = tf.broadcast_to(target[:, None], predicted.shape)
    weights = tf.broadcast_to(weight[:, None], predicted.shape)
    hits = tf.where(predicted == true, weights, tf.zeros_like(weights))
    by_truth = _sums_by_segment(tf.stack([hits, weights], axis=-1), true, n_classes)
    by_prediction = _sums_by_segment(weights, predicted, n_classes)
    return _ClassSums(by_truth[..., 0], by_prediction, by_truth[..., 1])


def _accuracy(target: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    hit = tf.cast(_predicted(outputs) == target[:, None], weight.dtype)
    return _weighted_mean(hit, weight[:, None])


def _share_of_hits(sums: _ClassSums, true: float, predicted: float) -> tf.Tensor:
    """The share of hits in the true rows, the predicted rows, or both: [S, C, n_classes]."""
    among = true * sums.true + predicted * sums.predicted
    return tf.math.divide_no_nan((true + predicted) * sums.hit, among)


def _balanced_accuracy(target: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    sums = _class_sums(target, outputs, weight)
    return _weighted_mean(_share_of_hits(sums, true=1.0, predicted=0.0), sums.true > 0)


def _averaged_hits(true: float, predicted: float) -> GraphMetric:
    """The share of hits of the rarer of two classes, or averaged over the classes that occur."""

    def score(target: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        sums = _class_sums(target, outputs, weight)
        shares = _share_of_hits(sums, true, predicted)
        if outputs.shape[-1] == 1:
            return shares[..., 1]
        return _weighted_mean(shares, sums.true + sums.predicted > 0)

    return score


class _Ranking(NamedTuple):
    """Sums of weights at each distinct score, and from the highest score down to it.

    Each is [S, C, N], the highest score first, filled up with zeros.
    """

    positive: tf.Tensor
    negative: tf.Tensor
    positive_so_far: tf.Tensor
    negative_so_far: tf.Tensor


_Area = Callable[[_Ranking], tf.Tensor]

# Beyond these log odds, a float64 probability is 0 or 1, and the rows tie.
_LOG_ODDS_OF_ZERO, _LOG_ODDS_OF_ONE = -745.2, 37.4
# The last bits of an exponential depend on the place of the number in its tensor. Log odds are
# rounded to multiples of this number, so that equal rows tie.
_PART = 2.0**-34


def _ranking(score: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor) -> _Ranking:
    """Rank the scores, [S, C, N], of rows with these weights, [S, N]."""
    n_streams, n_candidates, n_rows = score.shape
    ordered, row = tf.math.top_k(score, k=n_rows)
    is_lower = tf.cast(ordered[..., 1:] != ordered[..., :-1], tf.int32)
    tie = tf.pad(tf.cumsum(is_lower, axis=-1), [[0, 0], [0, 0], [1, 0]])
    weights = tf.gather(
        tf.stack([positive, negative], axis=-1),
        tf.reshape(row, [n_streams, n_candidates * n_rows]),
        batch_dims=1,
    )
    # Rows with the same score are one step of a curve: their order must not matter.
    sums = _sums_by_segment(tf.reshape(weights, [*score.shape, 2]), tie, n_rows)
    so_far = tf.cumsum(sums, axis=2)
    return _Ranking(sums[..., 0], sums[..., 1], so_far[..., 0], so_far[..., 1])


def _area_under_roc(ranking: _Ranking) -> tf.Tensor:
    """The share of pairs of a positive and a negative row in the right order; a tie counts half."""
    above = ranking.positive_so_far - ranking.positive / 2
    pairs = ranking.positive_so_far[..., -1] * ranking.negative_so_far[..., -1]
    return tf.reduce_sum(ranking.negative * above, axis=-1) / pairs


def _area_under_precision(ranking: _Ranking) -> tf.Tensor:
    """The precision at each score, weighted by the step in recall that it brings."""
    precision = tf.math.divide_no_nan(
        ranking.positive_so_far, ranking.positive_so_far + ranking.negative_so_far
    )
    recalled = tf.math.divide_no_nan(ranking.positive, ranking.positive_so_far[..., -1:])
    return tf.reduce_sum(recalled * precision, axis=-1)


def _area_of_class(
    area: _Area, number: tf.Tensor | int, target: tf.Tensor, score: tf.Tensor, weight: tf.Tensor
) -> tf.Tensor:
    positive = tf.where(target == number, weight, tf.zeros_like(weight))
    return area(_ranking(score, positive, weight - positive))


def _area_of_each_class(
    area: _Area, target: tf.Tensor, score: tf.Tensor, weight: tf.Tensor
) -> tf.Tensor:
    """The area of each class against the rest, from its column of the scores: [S, C, n_classes]."""
    # One class after the other, in a loop of the graph: only one ranking is in memory, and the
    # program to compile is the same for any number of classes.
    areas = tf.map_fn(
        lambda class_: _area_of_class(area, class_[0], target, class_[1], weight),
        (tf.range(score.shape[-1], dtype=target.dtype), tf.transpose(score, [3, 0, 1, 2])),
        fn_output_signature=score.dtype,
        parallel_iterations=1,
    )
    return tf.transpose(areas, [1, 2, 0])


def _is_present(target: tf.Tensor, weight: tf.Tensor, n_classes: int) -> tf.Tensor:
    """Whether a stream has a row of a class: [S, 1, n_classes]."""
    return _sums_by_segment(weight[:, None], target[:, None], n_classes) > 0


def _log_odds(outputs: tf.Tensor) -> tf.Tensor:
    """Numbers that rank the rows as their probabilities do: [S, C, N, O]."""
    log_odds = outputs
    if outputs.shape[-1] > 1:
        below_largest = outputs - tf.reduce_max(outputs, axis=-1, keepdims=True)
        powers = tf.exp(below_largest)
        # The other powers are added up: subtracting the own power from the sum of all powers would
        # leave 0 where the network is sure of a class.
        others = tf.cumsum(powers, axis=-1, exclusive=True)
        others += tf.cumsum(powers, axis=-1, exclusive=True, reverse=True)
        log_odds = tf.round((below_largest - tf.math.log(others)) / _PART) * _PART
    return tf.clip_by_value(log_odds, _LOG_ODDS_OF_ZERO, _LOG_ODDS_OF_ONE)


def _roc_auc(target: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    n_classes = max(2, outputs.shape[-1])
    if outputs.shape[-1] == 1:
        value = _area_of_class(_area_under_roc, 1, target, outputs[..., 0], weight)
    else:
        areas = _area_of_each_class(_area_under_roc, target, _log_odds(outputs), weight)
        value = tf.reduce_mean(areas, axis=-1)
    defined = tf.reduce_all(_is_present(target, weight, n_classes), axis=-1)
    return tf.where(defined, value, tf.constant(0.5, value.dtype))


def _average_precision(target: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    n_outputs = outputs.shape[-1]
    log_odds = _log_odds(outputs)
    if n_outputs == 1:
        return _area_of_class(_area_under_precision, 1, target, log_odds[..., 0], weight)
    areas = _area_of_each_class(_area_under_precision, target, log_odds, weight)
    return _weighted_mean(areas, _is_present(target, weight, n_outputs))


def _mean_over_targets(of_target: GraphMetric) -> GraphMetric:
    """The mean over targets; `of_target` scores y [S, 1, O, N] and outputs [S, C, O, N]."""

    def score(target: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        # The rows come last: TensorFlow sums over an inner axis in an order that depends on where
        # the member stands, and equal members would differ in the last bit.
        y = tf.linalg.matrix_transpose(tf.cast(target, outputs.dtype))[:, None]
        scores = of_target(y, tf.linalg.matrix_transpose(outputs), weight[:, None, None])
        return tf.reduce_mean(scores, axis=-1)

    return score


def _absolute_error(y: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    return _weighted_mean(tf.abs(outputs - y), weight)


def _squared_error(y: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    return _weighted_mean(tf.square(outputs - y), weight)


def _root_squared_error(y: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(_squared_error(y, outputs, weight))


def _r2(y: tf.Tensor, outputs: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    residual = _squared_error(y, outputs, weight)
    variance = _squared_error(y, _weighted_mean(y, weight)[..., None], weight)
    # The mean of equal numbers can differ from them in the last bit: their variance is then not 0.
    highest = tf.reduce_max(tf.where(weight > 0, y, y.dtype.min), axis=-1)
    is_constant = highest == tf.reduce_min(tf.where(weight > 0, y, y.dtype.max), axis=-1)
    of_constant = tf.cast(residual == 0, y.dtype)
    return tf.where(is_constant, of_constant, 1 - tf.math.divide_no_nan(residual, variance))


_METRICS: dict[str, GraphMetric] = {
    "accuracy": _over_counted_rows(_accuracy),
    "average_precision": _over_counted_rows(_average_precision),
    "balanced_accuracy": _over_counted_rows(_balanced_accuracy),
    "f1": _over_counted_rows(_averaged_hits(true=1.0, predicted=1.0)),
    "mean_absolute_error": _over_counted_rows(_mean_over_targets(_absolute_error)),
    "mean_squared_error": _over_counted_rows(_mean_over_targets(_squared_error)),
    "precision": _over_counted_rows(_averaged_hits(true=0.0, predicted=1.0)),
    "r2": _over_counted_rows(_mean_over_targets(_r2), least_rows=2),
    "recall": _over_counted_rows(_averaged_hits(true=1.0, predicted=0.0)),
    "roc_auc": _over_counted_rows(_roc_auc),
    "root_mean_squared_error": _over_counted_rows(_mean_over_targets(_root_squared_error)),
}
