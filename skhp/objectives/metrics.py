"""Metrics over the whole validation set after an epoch, never averaged over batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import expit, logit, softmax
from sklearn import metrics

# (labels or targets, outputs of the network, weights of the rows or None) -> value
Score = Callable[[np.ndarray, np.ndarray, np.ndarray | None], float]

# What a metric computes its outputs from: the values before the last activation, the numbers that a
# network predicts, its probabilities, or the logits of a network without a last activation.
OutputForm: TypeAlias = Literal["logits", "numbers", "probabilities", "own logits"]

# The log-odds of 0 and of 1 are infinite, so probabilities stay between these numbers.
LEAST_PROBABILITY, MOST_PROBABILITY = 1e-300, 1 - 2.0**-53


@dataclass(frozen=True)
class Metric:
    """A full-epoch metric: its name, its direction and how to compute it from outputs.

    The outputs are the values before the last activation: one column for two classes, otherwise one
    for each class, or one for each target of a regression. Labels are whole numbers from 0 up. With
    two classes, 1 is the rare class, and the outputs are its log-odds. With fewer than `least_rows`
    rows, the metric has no value. If the targets are halved, it is divided by
    ``2 ** power_of_unit``. `logged_as` is its name in a history, if this differs from `name`.
    `takes` says what the outputs are computed from.
    """

    name: str
    greater_is_better: bool
    score: Score
    least_rows: int = 1
    power_of_unit: int = 0
    logged_as: str = ""
    takes: OutputForm = "logits"

    @property
    def key(self) -> str:
        """The key of the metric in a history."""
        return f"val_{self.logged_as or self.name}"

    def outputs(self, predicted: np.ndarray) -> np.ndarray:
        """The input of `score`, (n_rows, n_outputs), from the predictions of a model."""
        values = np.asarray(predicted, np.float64)
        if self.takes == "probabilities":
            values = np.clip(values, LEAST_PROBABILITY, MOST_PROBABILITY)
            values = logit(values) if values.shape[1] == 1 else np.log(values)
        is_of_two_classes = values.shape[1] == 2 and self.takes in ("probabilities", "own logits")
        return values[:, 1:] - values[:, :1] if is_of_two_classes else values


def _predicted(outputs: np.ndarray) -> np.ndarray:
    if outputs.shape[1] == 1:
        # At the threshold itself the rare class is predicted.
        return (outputs[:, 0] >= 0).astype(np.intp)
    return outputs.argmax(axis=1)


def _averaged(function: Callable[..., float]) -> Score:
    """The score of the rare one of two classes; with more classes, the mean over all of them."""

    def score(y: np.ndarray, outputs: np.ndarray, weight: np.ndarray | None) -> float:
        average = "binary" if outputs.shape[1] == 1 else "macro"
        return function(
            y, _predicted(outputs), average=average, sample_weight=weight, zero_division=0
        )

    return score


def _accuracy(y: np.ndarray, outputs: np.ndarray, weight: np.ndarray | None) -> float:
    return metrics.accuracy_score(y, _predicted(outputs), sample_weight=weight)


def _balanced_accuracy(y: np.ndarray, outputs: np.ndarray, weight: np.ndarray | None) -> float:
    # balanced_accuracy_score does the same, but warns if a predicted class is absent from y.
    return metrics.recall_score(
        y, _predicted(outputs), labels=np.unique(y), average="macro", sample_weight=weight
    )


def _roc_auc(y: np.ndarray, outputs: np.ndarray, weight: np.ndarray | None) -> float:
    if len(np.unique(y)) < max(2, outputs.shape[1]):
        return 0.5
    if outputs.shape[1] == 1:
        return metrics.roc_auc_score(y, outputs[:, 0], sample_weight=weight)
    return metrics.roc_auc_score(
        y, softmax(outputs, axis=1), multi_class="ovr", sample_weight=weight
    )


def _average_precision(y: np.ndarray, outputs: np.ndarray, weight: np.ndarray | None) -> float:
    if not y.any() and outputs.shape[1] == 1:
        return 0.0
    if outputs.shape[1] == 1:
        return metrics.average_precision_score(y, expit(outputs[:, 0]), sample_weight=weight)
    present = np.unique(y)
    one_hot = y[:, None] == present
    return metrics.average_precision_score(
        one_hot, softmax(outputs, axis=1)[:, present], sample_weight=weight
    )


def _regression(function: Callable[..., float]) -> Score:
    def score(y: np.ndarray, outputs: np.ndarray, weight: np.ndarray | None) -> float:
        return function(y, outputs, sample_weight=weight)

    return score


def _r2(y: np.ndarray, outputs: np.ndarray, weight: np.ndarray | None) -> float:
    if len(y) < 2:
        return float("nan")
    return metrics.r2_score(y, outputs, sample_weight=weight)


CLASSIFICATION_METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", True, _accuracy),
        Metric("average_precision", True, _average_precision),
        Metric("balanced_accuracy", True, _balanced_accuracy),
        Metric("f1", True, _averaged(metrics.f1_score)),
        Metric("precision", True, _averaged(metrics.precision_score)),
        Metric("recall", True, _averaged(metrics.recall_score)),
        Metric("roc_auc", True, _roc_auc),
    )
}

REGRESSION_METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "mean_absolute_error",
            False,
            _regression(metrics.mean_absolute_error),
            power_of_unit=1,
        ),
        Metric(
            "mean_squared_error",
            False,
            _regression(metrics.mean_squared_error),
            power_of_unit=2,
        ),
        Metric("r2", True, _r2, least_rows=2),
        Metric(
            "root_mean_squared_error",
            False,
            _regression(metrics.root_mean_squared_error),
            power_of_unit=1,
        ),
    )
}
