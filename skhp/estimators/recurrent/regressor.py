"""Recurrent network that predicts numbers from series or tokens."""

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
from skhp.shared.unusable_data import refuse_several_inputs


@documented(PARAMETERS, ATTRIBUTES)
class KerasRNNRegressor(RecurrentNetwork, NetworkRegressor):
    """Recurrent network that predicts numbers from series or sequences of tokens, trained by Keras.

    `X` has the shape (n_samples, steps, channels), or (n_samples, steps) for one channel. With
    `embedding_dim`, it holds tokens: whole numbers of the shape (n_samples, steps). Layers, neurons
    and the window length are ordinary parameters. A part of the rows is held out, and the training
    stops early when the network no longer improves on it. The network learns targets scaled to
    mean 0 and deviation 1; predictions are in the unit of `y`.

    Parameters
    ----------
    monitor : str, default="val_loss"
        The value on the held-out rows that early stopping and the "plateau" schedule watch:
        "val_loss", "val_mean_absolute_error", "val_mean_squared_error", "val_r2" or
        "val_root_mean_squared_error". Keras' "val_mae", "val_mse" and "val_rmse" are accepted, too.
    validation_fraction : float, default=0.2
        Share of the rows to hold out. Drawn rows overlap with others if they are windows of one
        series: set ``validation_rows="last"``.
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
        The trained network, of Keras' own layers. It takes the last `time_steps` steps of a row. If
        targets are scaled, its last layer converts outputs to the unit of `y`.
    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        Weighted mean and deviation of each target over the training rows, by which it is scaled;
        0 and 1 without `scale_target`. A constant target has a deviation of 1.
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

    _newest_window: np.ndarray

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

    def forecast(self, steps: int, X: ArrayLike | None = None) -> np.ndarray:
        """Forecast several steps, where each prediction is appended to the window for the next.

        The target has to be the next value of the series itself, in the unit of the series. The
        first forecast is for the step after the series seen in `fit`, or after each window of `X`.

        Parameters
        ----------
        steps : int
            Number of steps, from 1 up.
        X : array-like of shape (n_samples, n_steps) or (n_samples, n_steps, 1), default=None
            Windows to start from, as for `predict`. None starts from the last row seen in `fit`,
            with its target appended.

        Returns
        -------
        ndarray of shape (steps,), or (n_samples, steps) where `X` is given

        Raises
        ------
        ValueError
            If `steps` is not a whole number from 1 up, or the estimator was fitted on several
            channels, several targets or tokens.

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
        refuse_several_inputs(X)
        windows = self._newest_window[None] if X is None else self._read_rows(X)
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
        if not held_out and table.X.ndim == 3:
            newest = np.broadcast_to(table.target.values[-1, :1], table.X.shape[2:])
            self._newest_window = np.vstack(
                [np.asarray(table.X[-1:])[0, 1:], newest.astype(np.float32)]
            )
        return table
