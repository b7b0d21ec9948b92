"""The loss of a classifier, from what the user gave, and whether its batches can teach it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.stats import hypergeom

from skhp.exceptions import InvalidParameterError, RareClassWarning
from skhp.objectives.losses import NetworkLoss, is_for_two_classes, own_loss
from skhp.objectives.numbered_loss import NAMED_LOSSES, name_of_loss
from skhp.training.training_rows import TrainingRows


def network_loss(loss: Any, rarest: int, n_classes: int) -> str | NetworkLoss:
    """The loss of a network.

    Parameters
    ----------
    loss : str, NumberedLoss or a loss of Keras
    rarest : int
        Code of the rarest class, which a loss without a positive class is about.
    n_classes : int

    Raises
    ------
    InvalidParameterError
        If the loss is for another number of classes.
    """
    if n_classes > 2 and is_for_two_classes(loss):
        own = "focal" if "focal" in repr(loss).lower() else "crossentropy"
        raise InvalidParameterError(
            f"loss={loss!r} is for two classes, and y has {n_classes}: write {own!r}, which is for "
            "any number of them."
        )
    loss = own_loss(loss)
    if isinstance(loss, str):
        if loss not in NAMED_LOSSES:
            return loss
        loss = NAMED_LOSSES[loss]()
    loss.numbers_of_member()
    if n_classes == 2:
        loss = loss.about(rarest)
    return NetworkLoss(name_of_loss(type(loss)), tuple(loss.get_params().items()))


def warn_of_empty_batches(
    loss: str | NetworkLoss, rows: TrainingRows, batch_size: int, rarest: int, label: Any
) -> None:
    """Warn where most batches would hold no row of the rarest class, and could not teach its F1.

    Parameters
    ----------
    loss : str or NetworkLoss
    rows : TrainingRows
    batch_size : int
    rarest : int
        Code of the rarest class.
    label : object
        Its label.
    """
    if isinstance(loss, str) or loss.name != "soft_f1":
        return
    n_rows, n_rare = len(rows.X), int((np.ravel(rows.y) == rarest).sum())
    share = hypergeom(n_rows, n_rare, min(batch_size, n_rows)).pmf(0)
    if share > 0.5:
        warnings.warn(
            f"{share:.0%} of the batches of {batch_size} rows hold no row of class {label!r} "
            f"({n_rare} of {n_rows} rows), and teach loss='soft_f1' nothing of it. Set a larger "
            "batch_size, or batch_size='full'.",
            RareClassWarning,
            stacklevel=2,
        )
