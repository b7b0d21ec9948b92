"""Recurrent network for numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from skhp.estimators.network.regressor import NetworkRegressor
from skhp.estimators.parameters import keeps_parameters
from skhp.estimators.recurrent.recurrent_network import ATTRIBUTES, PARAMETERS, RecurrentNetwork
from skhp.estimators.tables import TargetScale, WeightedTable
from skhp.exceptions import InvalidParameterError
from skhp.shared.documented_parameters import documented


@documented(PARAMETERS, ATTRIBUTES)
class KerasRNNRegressor(RecurrentNetwork, NetworkRegressor):
    """Recurrent network that predicts numbers from series or rows of tokens, trained by Keras.

    `X` has the shape (n_samples, steps, channels), or (n_samples, steps) for one channel, or holds
    tokens, (n_samples, steps) of whole numbers, where `embedding_dim` is given. Layers, neurons and
    the length of the window are ordinary parameters; training stops early on a part of the rows
    that it holds out itself. The network learns a target of mean 0 and deviation 1, whatever its
    unit; predictions are in the unit of `y`.

    Parameters
    ----------
    monitor : str, default="val_loss"
        What early stopping and "plateau" watch on the rows held out: "val_loss", or a metric over
        all of them: "val_mean_absolute_error", "val_mean_squared_error", "val_r2",
        "val_root_mean_squared_error". Keras' "val_mae", "val_mse" and "val_rmse" are taken, too.
    validation_fraction : float, default=0.2
        Share of the rows to hold out. They are drawn from all rows; to watch the last ones of a
        series, pass them to `fit` as `X_val` and `y_val`.
    loss : {"auto", "squared_error", "absolute_error", "huber", "log_cosh"}, default="auto"
        "auto" is the squared error. The loss of a batch is the weighted mean over its rows. Keras'
        "mse", "mae" and other names of these are taken, and its classes and instances.
    scale_target : bool, default=True
        Take the mean and the deviation of the training rows out of each target before the network
        sees it, and put them back into predictions. Losses, and what "huber" and "log_cosh" call
        large, are then in deviations; metrics are in the unit of `y`. The first call of
        `partial_fit`, or the first `fit` of a warm start, decides both numbers for all later ones.

    Attributes
    ----------
    history_ : dict of str to list of float
        ``"loss"``, ``"val_loss"`` and the monitored metric, one value an epoch. ``"loss"`` is the
        mean over the epoch's batches while the weights change. Losses are of the scaled target,
        metrics in the unit of `y`.
    model_ : keras.Model
        The trained network, of Keras' own layers. It takes what `time_steps` leaves of a row. Where
        targets are scaled, its last layer brings the outputs into the unit of `y`.
    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        What was taken out of each target: mean and deviation of the training rows, by their
        weights; 0 and 1 without `scale_target`, and a deviation of 1 for a constant target.
    {attributes}

    See Also
    --------
    KerasRNNClassifier : The same for classes.
    KerasMLPRegressor : A network for tables.

    Examples
    --------
    >>> import numpy as np
    >>> from skhp import KerasRNNRegressor
    >>> wave = np.sin(np.arange(100) / 5)
    >>> X, y = np.lib.stride_tricks.sliding_window_view(wave, 10)[:-1], wave[10:]
    >>> regressor = KerasRNNRegressor(neurons=8, time_steps=6, epochs=5, random_state=0)
    >>> regressor.fit(X, y).predict(X[:5]).shape
    (5,)
    >>> regressor.forecast(3).shape
    (3,)
    """

    _row_parameters: ClassVar[tuple[str, ...]] = ()
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **RecurrentNetwork._parameter_constraints,
        **NetworkRegressor._parameter_constraints,
    }

    _last_window: np.ndarray

    @keeps_parameters
    def __init__(
        self,
        cell: str = "lstm",
        hidden_layers: int | str = 1,
        neurons: int | Sequence[int] = 32,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        bidirectional: bool = False,
        time_steps: int | None = None,
        embedding_dim: int | None = None,
        vocabulary_size: int | None = None,
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
        loss: Any = "auto",
        scale_target: bool = True,
        engine: str = "auto",
        max_memory: int | str | None = "2GB",
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None: ...

    def forecast(self, steps: int, X: ArrayLike | None = None) -> np.ndarray:
        """Predict some steps ahead: each prediction is the newest value of the next window.

        The target has to be the next value of the series itself, in its unit. The first number
        forecast is the prediction for the window that it starts from.

        Parameters
        ----------
        steps : int
            Number of steps, from 1 up.
        X : array-like of shape (n_samples, n_steps) or (n_samples, n_steps, 1), default=None
            Windows to start from, as for `predict`. None starts from the last row of the `X` that
            `fit` was given.

        Returns
        -------
        ndarray of shape (steps,), or (n_samples, steps) where `X` is given

        Raises
        ------
        ValueError
            If the series has several channels or the estimator several targets, or if it was fitted
            on tokens; if `steps` is not a whole number from 1 up.

        Examples
        --------
        >>> import numpy as np
        >>> from skhp import KerasRNNRegressor
        >>> wave = np.sin(np.arange(100) / 5)
        >>> X, y = np.lib.stride_tricks.sliding_window_view(wave, 10)[:-1], wave[10:]
        >>> regressor = KerasRNNRegressor(neurons=8, epochs=5, random_state=0).fit(X, y)
        >>> regressor.forecast(3, X[:2]).shape
        (2, 3)
        """
        check_is_fitted(self)
        if isinstance(steps, bool) or not isinstance(steps, Integral) or steps < 1:
            raise InvalidParameterError(
                f"forecast takes a whole number of steps from 1 up, got steps={steps!r}."
            )
        self._refuse_forecast()
        windows = self._last_window[None] if X is None else self._read_rows(X)
        scale = TargetScale(self.target_mean_, self.target_scale_)
        values = []
        for _ in range(steps):
            values.append(scale.unscaled(self._trained_network.logits(windows))[:, 0])
            newest = values[-1].astype(np.float32)[:, None, None]
            windows = np.concatenate([windows[:, 1:], newest], axis=1)
        forecast = np.stack(values, axis=1)
        return forecast[0] if X is None else forecast

    def _refuse_forecast(self) -> None:
        name = type(self).__name__
        if self.embedding_dim is not None:
            raise ValueError(
                f"forecast is for series of numbers, and this {name} was fitted on tokens "
                f"(embedding_dim={self.embedding_dim})."
            )
        if self.n_channels_in_ != 1 or self._n_targets != 1:
            raise ValueError(
                "forecast takes predictions as the next values of the series, which needs one "
                f"channel and one target; this {name} was fitted on {self.n_channels_in_} channels "
                f"and {self._n_targets} targets."
            )

    def _checked_table(
        self, X: ArrayLike, y: ArrayLike, *more: Any, held_out: bool = False, **options: Any
    ) -> WeightedTable:
        table = super()._checked_table(X, y, *more, held_out=held_out, **options)
        if not held_out:
            self._last_window = table.X[-1].copy()
        return table
