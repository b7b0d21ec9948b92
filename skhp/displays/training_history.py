"""What a fitted estimator tells of its training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from skhp.last_step import trained_within

__all__ = ["TrainingHistory", "fitted_network", "training_history"]


@dataclass(frozen=True)
class TrainingHistory:
    """The curves of one fit.

    Parameters
    ----------
    name : str
        Class of the estimator.
    curves : dict of str to tuple of float
        One value an epoch; of the rows held out under names that begin with ``val_``.
    kept_epoch : int or None, default=None
        Epoch, counted from 1, whose weights the estimator kept; None where it does not say.
    """

    name: str
    curves: Mapping[str, tuple[float, ...]]
    kept_epoch: int | None = None

    @property
    def n_epochs(self) -> int:
        """Length of the longest curve."""
        return max(map(len, self.curves.values()), default=0)

    def best_epoch(self, metric: str = "loss") -> int | None:
        """The epoch that was kept, or else the one of the least validation loss."""
        if self.kept_epoch is not None:
            return self.kept_epoch
        values = np.array(self.curves.get("val_loss", ()), dtype=float)
        if metric != "loss" or not np.isfinite(values).any():
            return None
        return int(np.nanargmin(values)) + 1


def fitted_network(estimator: Any) -> Any:
    """The estimator that was trained: the best one of a search, the last step of a pipeline.

    Raises
    ------
    NotFittedError
        If a search has no refitted estimator.
    """
    while True:
        estimator = trained_within(estimator)
        if hasattr(estimator, "cv_results_") or hasattr(estimator, "refit"):
            if not hasattr(estimator, "best_estimator_"):
                raise NotFittedError(
                    f"{type(estimator).__name__} has no best_estimator_, whose training could be "
                    "looked at. Fit it, with refit=True."
                )
            estimator = estimator.best_estimator_
        else:
            return estimator


def training_history(estimator: Any) -> TrainingHistory:
    """Read the curves of a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        Of skhp, a multilayer perceptron of scikit-learn, or a pipeline or search with one of them.

    Returns
    -------
    TrainingHistory

    Raises
    ------
    NotFittedError
        If it has no curves.
    """
    network = fitted_network(estimator)
    name = type(network).__name__
    history = getattr(network, "history_", None)
    if isinstance(history, Mapping) and any(len(values) for values in history.values()):
        curves = {key: tuple(map(float, values)) for key, values in history.items()}
        return TrainingHistory(name, curves, getattr(network, "best_epoch_", None))
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
    curves["val_score"] = tuple(map(float, scores))
    return TrainingHistory(name, curves, int(np.argmax(scores)) + 1)
