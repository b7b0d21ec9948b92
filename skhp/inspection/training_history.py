"""The curves of the training of a fitted estimator, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError

from skhp.inspection.value_text import public_name
from skhp.shared.pipelines import held_within

# Parts of the names of losses and metrics, in Keras and scikit-learn, that tell their direction.
_LESS_IS_BETTER = (
    *("loss", "error", "crossentropy", "hinge", "divergence", "deviance", "poisson"),
    *("cosh", "huber", "brier", "mse", "mae", "mape", "msle", "rmse"),
)
_GREATER_IS_BETTER = (
    *("acc", "auc", "f1", "fbeta", "f_beta", "precision", "recall", "r2", "score", "sensitivity"),
    *("specificity", "similarity", "iou", "kappa", "matthews", "jaccard", "dice"),
)


@dataclass(frozen=True)
class TrainingHistory:
    """The curves of one fit."""

    name: str
    curves: Mapping[str, tuple[float, ...]]  # a value an epoch; "val_..." for the rows held out
    # Counted from 1; None if it is unknown, or if the last epoch was kept only because it was last.
    kept_epoch: int | None = None
    watched: str | None = None  # the curve that early stopping watched, such as "val_f1"

    @property
    def n_epochs(self) -> int:
        """Length of the longest curve."""
        return max(map(len, self.curves.values()), default=0)

    def best_epoch(self, metric: str = "loss") -> int | None:
        """The epoch that was kept, or else the epoch with the best metric of the rows held out."""
        if self.kept_epoch is not None:
            return self.kept_epoch
        return _best_epoch_of(self.curves.get(f"val_{metric}", ()), greater_is_better(metric))


def greater_is_better(metric: str) -> bool | None:
    """Whether a loss or metric of this name is better where it is greater; None if unknown."""
    name = metric.removeprefix("val_").lower()
    if any(part in name for part in _LESS_IS_BETTER):
        return False
    return True if any(part in name for part in _GREATER_IS_BETTER) else None


def layers_of(estimator: Any) -> Iterator[Any]:
    """An estimator and those nested in it, down to the one that was trained.

    Searches, pipelines and wrappers (of a target's transformation or a threshold) hold another one.
    """
    while True:
        yield estimator
        held = held_within(estimator)
        if held is not None:
            estimator = held
        elif hasattr(estimator, "cv_results_") or hasattr(estimator, "refit"):
            if not hasattr(estimator, "best_estimator_"):
                raise NotFittedError(
                    f"{public_name(estimator)} has no best_estimator_ to look at. Fit it, with "
                    "refit=True."
                )
            estimator = estimator.best_estimator_
        else:
            return


def fitted_network(estimator: Any) -> Any:
    """The estimator that was trained: the innermost of `layers_of`."""
    *_, network = layers_of(estimator)
    return network


def training_history(estimator: Any) -> TrainingHistory:
    """Read the curves of a fitted estimator."""
    network = fitted_network(estimator)
    name = public_name(network)
    history = getattr(network, "history_", None)
    if isinstance(history, Mapping) and any(len(values) for values in history.values()):
        curves = {key: tuple(map(float, values)) for key, values in history.items()}
        by_callbacks = _history_of_wrapped_model(network, name, curves)
        is_told = hasattr(network, "best_epoch_")
        if is_told and (getattr(network, "early_stopping", False) or not by_callbacks.watched):
            return _history_of_own_network(network, name, curves)
        return by_callbacks
    losses = getattr(network, "loss_curve_", None)
    if losses is None:
        raise NotFittedError(
            f"{name} has no history_ of its training. Expected a fitted estimator of skhp, a "
            "multilayer perceptron of scikit-learn, or a pipeline or search with one of them."
        )
    curves = {"loss": tuple(map(float, losses))}
    scores = getattr(network, "validation_scores_", None)
    if scores is None:
        return TrainingHistory(name, curves)
    # scikit-learn's networks record this score of the rows held out.
    watched = "val_accuracy" if is_classifier(network) else "val_r2"
    curves[watched] = tuple(map(float, scores))
    return TrainingHistory(name, curves, int(np.argmax(scores)) + 1, watched)


def _history_of_own_network(
    network: Any, name: str, curves: Mapping[str, tuple[float, ...]]
) -> TrainingHistory:
    kept = int(network.best_epoch_)
    monitor = _recorded_name(getattr(network, "monitor", "val_loss"), curves)
    if getattr(network, "early_stopping", False) and monitor is not None:
        return TrainingHistory(name, curves, kept, monitor)
    # Nothing chose the last epoch. An earlier one was kept as the last with a finite loss.
    return TrainingHistory(name, curves, None if kept == len(curves["loss"]) else kept)


def _recorded_name(monitor: str, curves: Mapping[str, tuple[float, ...]]) -> str | None:
    """The curve of a monitor, which may be given by another name of the metric."""
    if monitor in curves:
        return monitor
    metrics = [name for name in curves if name.startswith("val_") and name != "val_loss"]
    return metrics[0] if len(metrics) == 1 and monitor != "val_loss" else None


def _history_of_wrapped_model(
    network: Any, name: str, curves: Mapping[str, tuple[float, ...]]
) -> TrainingHistory:
    """What Keras' EarlyStopping watched, and which epoch it kept."""
    # The callbacks that took part in the fit are not pickled; the parameter is.
    given = getattr(network, "callbacks_", None) or getattr(network, "callbacks", None)
    callbacks: Any = list(given.values()) if isinstance(given, Mapping) else given
    callbacks = callbacks if isinstance(callbacks, Sequence) else [callbacks]
    for callback in reversed(list(callbacks)):
        monitor = str(getattr(callback, "monitor", ""))
        if not hasattr(callback, "restore_best_weights") or monitor not in curves:
            continue
        if not callback.restore_best_weights:
            return TrainingHistory(name, curves, None, monitor)
        return TrainingHistory(name, curves, _restored_epoch(callback, curves[monitor]), monitor)
    return TrainingHistory(name, curves)


def _restored_epoch(callback: Any, curve: Sequence[float]) -> int | None:
    if getattr(callback, "best_weights", None) is not None:
        return int(callback.best_epoch) + 1
    mode = getattr(callback, "mode", "auto")
    greater = mode == "max" if mode in ("min", "max") else greater_is_better(callback.monitor)
    return _best_epoch_of(curve, greater)


def _best_epoch_of(curve: Sequence[float], greater: bool | None) -> int | None:
    values = np.array(curve, dtype=float)
    if greater is None or not np.isfinite(values).any():
        return None
    return int(np.nanargmax(values) if greater else np.nanargmin(values)) + 1
