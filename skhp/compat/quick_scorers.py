"""Scores of predictions without scikit-learn's checks of the arrays, equal to the last bit.

A search of small networks spends almost half of its time within ``f1_score`` and its like, which
check and encode each pair of vectors anew. Where an input is not a plain vector, scikit-learn's own
scorer is called, and tells what is wrong with the input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn import metrics

from skhp.compat.scikit_learn import (
    MadeScorer,
    MultimetricScorer,
    metric_of,
    options_of_metric,
    response_methods_of,
    sign_of,
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
    is_known = type(scorer) is MadeScorer and metric_of(scorer) in _METRICS
    if not is_known or response_methods_of(scorer) != ("predict",):
        return scorer
    return QuickScorer(scorer)


class QuickScorer:
    """A scorer of scikit-learn whose metric is computed here in the plain case."""

    def __init__(self, scorer: Any) -> None:
        self._scorer = scorer
        self._metric = _METRICS[metric_of(scorer)]
        self._options = options_of_metric(scorer)
        self._sign = sign_of(scorer)

    def __call__(self, estimator: Any, X: Any, y: Any, **keywords: Any) -> Any:
        """Score an estimator."""
        if not keywords and type(y) is np.ndarray and y.ndim == 1 and len(y):
            predicted = estimator.predict(X)
            if type(predicted) is np.ndarray and predicted.shape == y.shape:
                score = self._metric(y, predicted, self._options)
                if score is not None and self._knows_label(estimator):
                    return self._sign * score
        return self._scorer(estimator, X, y, **keywords)

    def _knows_label(self, estimator: Any) -> bool:
        # scikit-learn refuses a positive label that no class of the estimator has.
        label = self._options.get("pos_label")
        return label is None or label in getattr(estimator, "classes_", [label])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_scorer" not in vars(self):
            raise AttributeError(name)
        return getattr(self._scorer, name)

    def __repr__(self) -> str:
        return repr(self._scorer)


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
    """The counts of one of two classes; None if there are more, or if the label is of neither."""
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
