"""Scores of predictions without scikit-learn's checks of the arrays, equal to the last bit.

A search of small networks spends almost half of its time within ``f1_score`` and its like, which
check and encode each pair of vectors anew. Where an input is not a plain vector, scikit-learn's own
scorer is called, and tells what is wrong with the input.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
from sklearn import metrics

from skhp.compat.scikit_learn import (
    MadeScorer,
    MultimetricScorer,
    metric_of,
    with_metric,
    with_scorers,
)

# A metric gets the truth, the predictions and the options of the scorer. None stands for a case
# that is left to scikit-learn.
Metric = Callable[[np.ndarray, np.ndarray, Mapping[str, Any]], float | None]

# Kinds of NumPy's dtypes whose values are labels: truth values, whole numbers and text.
_LABELS = "biuU"


def quick(scorer: Any) -> Any:
    """A scorer that gives the same numbers in less time, or the scorer itself if none is known."""
    if type(scorer) is MultimetricScorer:
        return with_scorers(scorer, quick)
    if type(scorer) is not MadeScorer or not _is_known(metric_of(scorer)):
        return scorer
    return with_metric(scorer, QuickMetric(metric_of(scorer)))


def _is_known(metric: Any) -> bool:
    # A metric of the user's may be an object that cannot be a key.
    return isinstance(metric, Hashable) and metric in _METRICS


class QuickMetric:
    """A metric of scikit-learn that is computed here in the plain case."""

    __wrapped__: Callable[..., Any]

    def __init__(self, metric: Callable[..., Any]) -> None:
        # A scorer reads the signature of its metric.
        functools.update_wrapper(self, metric)

    def __call__(self, y_true: Any, y_pred: Any, **options: Any) -> Any:
        """The metric of some predictions."""
        are_vectors = all(type(one) is np.ndarray and one.ndim == 1 for one in (y_true, y_pred))
        score = None
        if are_vectors and len(y_true) == len(y_pred) > 0:
            score = _METRICS[self.__wrapped__](y_true, y_pred, options)
        return self.__wrapped__(y_true, y_pred, **options) if score is None else score


def _accuracy(truth: np.ndarray, predicted: np.ndarray, options: Mapping[str, Any]) -> float | None:
    if options or not _are_labels(truth, predicted):
        return None
    return float(np.average(truth == predicted))


def _balanced_accuracy(
    truth: np.ndarray, predicted: np.ndarray, options: Mapping[str, Any]
) -> float | None:
    if options or not _are_labels(truth, predicted):
        return None
    true_positives, _, positives = _counts(truth, predicted)
    # scikit-learn warns of a single class, and of a class that is only predicted.
    if len(positives) < 2 or not positives.all():
        return None
    return float(np.mean(true_positives / positives))


def _precision(
    truth: np.ndarray, predicted: np.ndarray, options: Mapping[str, Any]
) -> float | None:
    return _by_counts(truth, predicted, options, lambda tp, found, _: (tp, found))


def _recall(truth: np.ndarray, predicted: np.ndarray, options: Mapping[str, Any]) -> float | None:
    return _by_counts(truth, predicted, options, lambda tp, _, positives: (tp, positives))


def _f1(truth: np.ndarray, predicted: np.ndarray, options: Mapping[str, Any]) -> float | None:
    return _by_counts(
        truth, predicted, options, lambda tp, found, positives: (2.0 * tp, positives + found)
    )


def _by_counts(
    truth: np.ndarray,
    predicted: np.ndarray,
    options: Mapping[str, Any],
    parts: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> float | None:
    """An average over classes of the quotient of two counts."""
    average = options.get("average", "binary")
    if options.keys() - {"average", "pos_label", "zero_division"} or average is None:
        return None
    if not _are_labels(truth, predicted):
        return None
    if average == "binary":
        counts = _counts_of_one(truth, predicted, options.get("pos_label", 1))
        if counts is None:
            return None
    elif options.get("pos_label") is not None or average not in ("macro", "micro", "weighted"):
        return None
    else:
        counts = _counts(truth, predicted)
    positives = counts[2]
    if average == "micro":
        counts = tuple(count.sum(keepdims=True) for count in counts)
    numerator, denominator = parts(*counts)
    if not denominator.all():
        # scikit-learn warns, or takes `zero_division`.
        return None
    quotients = np.asarray(numerator, np.float64) / np.asarray(denominator, np.float64)
    if average == "weighted":
        return float(np.average(quotients, weights=positives))
    return float(np.nanmean(quotients))


def _are_labels(truth: np.ndarray, predicted: np.ndarray) -> bool:
    return truth.dtype.kind == predicted.dtype.kind and truth.dtype.kind in _LABELS


def _counts(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, ...]:
    """For each class, the true positives, the predicted positives and the positives."""
    labels, codes = np.unique(np.concatenate([truth, predicted]), return_inverse=True)
    true, found = codes[: len(truth)], codes[len(truth) :]
    return tuple(
        np.bincount(of, minlength=len(labels)) for of in (true[true == found], found, true)
    )


def _counts_of_one(
    truth: np.ndarray, predicted: np.ndarray, label: Any
) -> tuple[np.ndarray, ...] | None:
    """The counts of one of two classes; None if there are more, or if no row has the label."""
    if isinstance(label, str) != (truth.dtype.kind == "U"):
        return None
    is_true, is_found = truth == label, predicted == label
    others = np.concatenate([truth[~is_true], predicted[~is_found]])
    if (others != others[:1]).any() or not (is_true.any() or is_found.any()):
        return None
    counts = ((is_true & is_found).sum(), is_found.sum(), is_true.sum())
    return tuple(np.array([count]) for count in counts)


def _absolute_error(
    truth: np.ndarray, predicted: np.ndarray, options: Mapping[str, Any]
) -> float | None:
    if options or not _are_numbers(truth, predicted):
        return None
    return float(np.average(np.abs(predicted - truth)[:, None], axis=0)[0])


def _squared_error(
    truth: np.ndarray, predicted: np.ndarray, options: Mapping[str, Any]
) -> float | None:
    if options or not _are_numbers(truth, predicted):
        return None
    return float(np.average(((truth - predicted) ** 2)[:, None], axis=0)[0])


def _root_squared_error(
    truth: np.ndarray, predicted: np.ndarray, options: Mapping[str, Any]
) -> float | None:
    squared = _squared_error(truth, predicted, options)
    return None if squared is None else float(np.sqrt(squared))


def _are_numbers(truth: np.ndarray, predicted: np.ndarray) -> bool:
    of_double = truth.dtype == np.float64 == predicted.dtype
    return of_double and bool(np.isfinite(truth).all() and np.isfinite(predicted).all())


_METRICS: dict[Any, Metric] = {
    metrics.accuracy_score: _accuracy,
    metrics.balanced_accuracy_score: _balanced_accuracy,
    metrics.f1_score: _f1,
    metrics.precision_score: _precision,
    metrics.recall_score: _recall,
    metrics.mean_absolute_error: _absolute_error,
    metrics.mean_squared_error: _squared_error,
    metrics.root_mean_squared_error: _root_squared_error,
}
