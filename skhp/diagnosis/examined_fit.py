"""A fit as the rules of the diagnosis read it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from skhp.displays.training_history import fitted_network, training_history

__all__ = ["ExaminedFit", "examined_fit"]

# Losses whose value for a constant prediction is known.
_CROSSENTROPIES = {
    "auto",
    "crossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
}
_SQUARED_ERRORS = {"auto", "mse", "mean_squared_error", "squared_error"}


@dataclass(frozen=True)
class ExaminedFit:
    """Curves of a fit, how it ended and what it was to do.

    Parameters
    ----------
    loss : ndarray of shape (n_epochs,)
    val_loss : ndarray of shape (n_epochs,) or None
        None where no rows were held out.
    kept_epoch : int
        Whose weights were kept, counted from 1.
    stop_reason : str
    parameters : dict of str to object
    constant_loss : float or None
        The loss of the best constant prediction, where it is known; without the target the most
        that it can be for so many classes.
    held_out_rows : int or None
        How many rows early stopping watched, where it is known.
    rarest_held_out : int or None
        How many of them were of the rarest class.
    """

    loss: np.ndarray
    val_loss: np.ndarray | None
    kept_epoch: int
    stop_reason: str
    parameters: Mapping[str, Any]
    constant_loss: float | None = None
    held_out_rows: int | None = None
    rarest_held_out: int | None = None

    @property
    def watched(self) -> np.ndarray:
        """The validation loss, or else the training loss."""
        return self.loss if self.val_loss is None else self.val_loss

    @property
    def reference(self) -> float:
        """The loss of knowing nothing: of a constant prediction, at most that of epoch 1."""
        first = float(self.loss[0])
        return first if self.constant_loss is None else min(first, self.constant_loss)


def examined_fit(estimator: Any, y: ArrayLike | None = None) -> ExaminedFit:
    """Read a fitted estimator, the last step of a pipeline or the best one of a search.

    Parameters
    ----------
    estimator : estimator
    y : array-like, default=None
        What it was fitted on.

    Returns
    -------
    ExaminedFit
    """
    history = training_history(estimator)
    network = fitted_network(estimator)
    parameters = network.get_params(deep=False)
    loss = np.array(history.curves.get("loss", ()), dtype=float)
    val_loss = np.array(history.curves.get("val_loss", ()), dtype=float)
    target = None if y is None else np.asarray(y)
    held_out, rarest = _held_out(parameters, target, hasattr(network, "classes_"))
    stop_reason = getattr(network, "stop_reason_", None)
    if not isinstance(stop_reason, str):
        most = parameters.get("epochs", parameters.get("max_iter"))
        stop_reason = "epochs" if len(loss) == most else "patience"
    return ExaminedFit(
        loss=loss,
        val_loss=val_loss if len(val_loss) == len(loss) else None,
        kept_epoch=len(loss) if history.kept_epoch is None else history.kept_epoch,
        stop_reason=stop_reason,
        parameters=parameters,
        constant_loss=_constant_loss(network, parameters, target),
        held_out_rows=held_out,
        rarest_held_out=rarest,
    )


def _constant_loss(
    network: Any, parameters: Mapping[str, Any], y: np.ndarray | None
) -> float | None:
    loss, class_weight = parameters.get("loss", "auto"), parameters.get("class_weight")
    if not isinstance(loss, str) or isinstance(class_weight, Mapping):
        return None
    classes = getattr(network, "classes_", None)
    if classes is None:
        if loss not in _SQUARED_ERRORS or y is None or y.dtype.kind not in "fiu":
            return None
        # The loss of a network that scales its target is of the scaled one.
        scale = np.ravel(getattr(network, "target_scale_", 1.0))
        return float(np.mean(np.var(y, axis=0) / np.square(scale)))
    if loss not in _CROSSENTROPIES or np.ndim(classes) != 1 or len(classes) < 2:
        return None
    if y is None or class_weight == "balanced":
        return math.log(len(classes))
    _, counts = np.unique(y, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _held_out(
    parameters: Mapping[str, Any], y: np.ndarray | None, has_classes: bool
) -> tuple[int | None, int | None]:
    fraction = parameters.get("validation_fraction")
    if y is None or not parameters.get("early_stopping") or not isinstance(fraction, float):
        return None, None
    rarest = None
    if has_classes and y.ndim == 1:
        _, counts = np.unique(y, return_counts=True)
        rarest = math.ceil(fraction * int(counts.min()))
    return round(fraction * len(y)), rarest
