"""Convolutional network that predicts numbers from images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from skhp.estimators.convolutional.convolutional_network import (
    ATTRIBUTES,
    PARAMETERS,
    ConvolutionalNetwork,
)
from skhp.estimators.network.regressor import NetworkRegressor
from skhp.estimators.parameters import keeps_parameters
from skhp.shared.documented_parameters import documented


@documented(PARAMETERS, ATTRIBUTES)
class KerasCNNRegressor(ConvolutionalNetwork, NetworkRegressor):
    """Convolutional network that predicts numbers from images, trained by Keras.

    `X` has the shape (n_samples, height, width) or (n_samples, height, width, channels). With
    `image_shape`, it may hold flat rows of the shape (n_samples, pixels). Blocks, filters and
    neurons are ordinary parameters. A part of the rows is held out, and the training stops early
    when the network no longer improves on it. The network learns targets scaled to mean 0 and
    deviation 1; predictions are in the unit of `y`.

    Parameters
    ----------
    monitor : str, default="val_loss"
        The value on the held-out rows that early stopping and the "plateau" schedule watch:
        "val_loss", "val_mean_absolute_error", "val_mean_squared_error", "val_r2" or
        "val_root_mean_squared_error". Keras' "val_mae", "val_mse" and "val_rmse" are accepted, too.
    validation_fraction : float, default=0.2
        Share of the rows to hold out.
    loss : {"auto", "squared_error", "absolute_error", "huber", "log_cosh"}, default="auto"
        "auto" is "squared_error". The loss of a batch is the weighted mean over its rows. Keras'
        names for these losses, such as "mse", are accepted, too; so are its classes and instances.
    scale_target : bool, default=True
        Whether to scale each target to mean 0 and deviation 1 over the training rows, and scale
        predictions back. Losses, and the errors that "huber" and "log_cosh" treat as large, are
        then in units of the deviation; metrics are in the unit of `y`. The first call of
        `partial_fit`, or the first `fit` of a warm start, fixes the scale for all later calls.

    Attributes
    ----------
    history_ : dict of str to list of float
        ``"loss"``, ``"val_loss"`` and the monitored metric, with one value per epoch. ``"loss"`` is
        the mean over the batches of an epoch, during which the network changes. Losses are of the
        scaled target, metrics in the unit of `y`.
    model_ : keras.Model
        The trained network, which takes images with channels. With `augmentation` it has layers of
        skhp that change images during training only; ``import skhp`` before Keras loads its file.
        If targets are scaled, its last layer converts outputs to the unit of `y`.
    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        Weighted mean and deviation of each target over the training rows, by which it is scaled;
        0 and 1 without `scale_target`. A constant target has a deviation of 1.
    {attributes}

    See Also
    --------
    KerasCNNClassifier : The same for classes.
    KerasMLPRegressor : A network for tables.
    KerasRegressor : Any network that Keras can express.

    Notes
    -----
    A batch of all rows holds each distinct row once, with the sum of its weights. The result is
    therefore the same to the bit for any order of the rows, and for a whole-number weight as for
    that many copies of a row. This does not hold with `batch_norm`, nor with early stopping, whose
    split may differ.

    Examples
    --------
    >>> import numpy as np
    >>> from skhp import KerasCNNRegressor
    >>> X = np.random.default_rng(0).uniform(size=(60, 6, 6))
    >>> y = X[:, 2:4, 2:4].mean(axis=(1, 2))
    >>> regressor = KerasCNNRegressor(filters=4, neurons=8, epochs=3, random_state=0)
    >>> regressor.fit(X, y).predict(X[:5]).shape
    (5,)
    """

    _row_parameters: ClassVar[tuple[str, ...]] = ()
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ConvolutionalNetwork._parameter_constraints,
        **NetworkRegressor._parameter_constraints,
    }

    @keeps_parameters
    def __init__(
        self,
        hidden_layers: int | str = 2,
        filters: int | Sequence[int] = 16,
        kernel_size: int | tuple[int, int] = 3,
        padding: str = "same",
        pooling: str | None = "max",
        pool_size: int | tuple[int, int] = 2,
        neurons: int | Sequence[int] | None = 32,
        image_shape: Sequence[int] | None = None,
        augmentation: str | Sequence[str] | Mapping[str, Any] | None = None,
        activation: str = "relu",
        dropout: float = 0.0,
        l2: float = 0.0,
        batch_norm: bool = False,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        lr_schedule: str | Mapping[str, Any] | None = None,
        batch_size: int | str = 32,
        epochs: int = 200,
        early_stopping: bool = True,
        patience: int = 10,
        min_delta: float = 0.0,
        monitor: str = "val_loss",
        validation_fraction: float = 0.2,
        validation_rows: str = "random",
        loss: Any = "auto",
        scale_target: bool = True,
        engine: str = "auto",
        max_memory: int | str | None = "2GB",
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None: ...
