"""Multilayer perceptron for numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from skhp.estimators.mlp.multilayer_perceptron import MultilayerPerceptron
from skhp.estimators.network.regressor import NetworkRegressor
from skhp.estimators.parameters import suggest_misspelt


class KerasMLPRegressor(MultilayerPerceptron, NetworkRegressor):
    """Multilayer perceptron that predicts numbers, trained by Keras.

    Hidden layers and neurons are ordinary parameters; training stops early on a part of the
    rows that it holds out itself. The network learns a target of mean 0 and deviation 1, whatever
    its unit; predictions are in the unit of `y`.

    Parameters
    ----------
    hidden_layers : int or "auto", default="auto"
        Number of hidden layers; 0 makes a linear model. "auto" is as many as `neurons` has
        entries, and 1 where that is one number or "auto".
    neurons : int, sequence of int or "auto", default="auto"
        Neurons of every hidden layer, or one number a layer: ``(20, 5)`` is two layers. "auto"
        takes two thirds of the number of inputs, rounded down, but 2 at least.
    activation : str, default="relu"
        Activation of the hidden layers, by Keras' name: "relu", "tanh", "sigmoid", "elu", "gelu",
        "selu", "silu", "linear" and others.
    dropout : float, default=0.0
        Share of the neurons dropped after each hidden layer while training, from 0 to below 1.
    l2 : float, default=0.0
        Weight of the squared kernels in the loss.
    batch_norm : bool, default=False
        Batch normalisation before each activation.
    optimizer : {"sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw", "nadam"}, \
            default="adam"
        Update rule, with Keras' defaults; momentum is 0.9 where there is one. "Adam" is "adam".
    learning_rate : float, default=1e-3
        Above 0.
    lr_schedule : {"step", "exponential", "cosine", "plateau"}, dict or None, default=None
        How the learning rate falls, counted in epochs: "step" multiplies it by ``factor`` (0.5)
        after each ``every`` (10) epochs; "exponential" shrinks it evenly by ``factor`` (0.95) an
        epoch; "cosine" lets it fall to ``floor`` (0) times itself over `epochs`; "plateau"
        multiplies it by ``factor`` (0.5) after ``patience`` (5) epochs without an improvement. A
        dict sets these numbers: ``{"kind": "step", "every": 30}``.
    batch_size : int or "full", default=32
        Rows in a batch; "full", or a number above the rows there are, takes all of them.
    epochs : int, default=200
        The most epochs to train.
    early_stopping : bool, default=True
        Hold out `validation_fraction` of the rows, stop after `patience` epochs without an
        improvement on them, and keep the best weights.
    patience : int, default=10
        Epochs without an improvement before the training stops.
    min_delta : float, default=0.0
        The least change of the monitored value that counts as an improvement.
    monitor : str, default="val_loss"
        What early stopping and "plateau" watch on the rows held out: "val_loss", or a metric over
        all of them: "val_mean_absolute_error", "val_mean_squared_error", "val_r2",
        "val_root_mean_squared_error". Keras' "val_mae", "val_mse" and "val_rmse" are taken, too.
    validation_fraction : float, default=0.2
        Share of the rows to hold out.
    loss : {"auto", "squared_error", "absolute_error", "huber", "log_cosh"}, default="auto"
        "auto" is the squared error. The loss of a batch is the weighted mean over its rows. Keras'
        "mse", "mae" and other names of these are taken, and its classes and instances.
    scale_target : bool, default=True
        Take the mean and the deviation of the training rows out of each target before the network
        sees it, and put them back into predictions. Losses, and what "huber" and "log_cosh" call
        large, are then in deviations; metrics are in the unit of `y`. The first call of
        `partial_fit`, or the first `fit` of a warm start, decides both numbers for all later ones.
    engine : {"auto", "population", "keras"}, default="auto"
        What trains the network: the compiled program that trains whole populations, and a lone fit
        as a cohort of one, or Keras' own ``fit``. "auto" takes Keras where there are `callbacks`;
        "population" raises a `CannotJoinError` there. Weights agree to rounding, but for dropout,
        whose noise the two draw differently.
    max_memory : int, str or None, default="2GB"
        The most memory that training the network may take, in bytes or as "500MB" or "4GiB": 48
        bytes for each weight and some 3.5 MB for each layer. A larger one is refused before the
        training; in a population no more members train at once than it allows. None sets no limit.
    callbacks : keras.callbacks.Callback, list of them or None, default=None
        Callbacks for Keras' ``fit``, as instances, of which shallow copies are used, or as classes.
        They find ``val_loss`` and the monitored metric in their logs.
    warm_start : bool, default=False
        Start from the weights of the last fit, with a new optimizer.
    random_state : int, RandomState instance or None, default=None
        Decides the rows held out, the initial weights, the order of the rows and the dropout
        noise. An int gives identical bits each time.
    verbose : int, default=0
        As in Keras: 0 is silent, 1 a progress bar, 2 a line an epoch.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where all of them are strings.
    n_iter_ : int
        Epochs run.
    best_epoch_ : int
        Epoch, counted from 1, whose weights are kept.
    history_ : dict of str to list of float
        ``"loss"``, ``"val_loss"`` and the monitored metric, one value an epoch. ``"loss"`` is the
        mean over the epoch's batches while the weights change. Losses are of the scaled target,
        metrics in the unit of `y`.
    model_ : keras.Model
        The trained network. Where targets are scaled, its last layer brings the outputs into the
        unit of `y`.
    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        What was taken out of each target: mean and deviation of the training rows, by their
        weights; 0 and 1 without `scale_target`, and a deviation of 1 for a constant target.
    learning_rate_ : list of float
        Rate that each epoch started with; only with an `lr_schedule`.
    stop_reason_ : {"patience", "epochs", "non_finite_loss", "callback"}
        Why the training ended.

    See Also
    --------
    KerasMLPClassifier : The same for classes.
    KerasRegressor : Any network that Keras can express.

    Notes
    -----
    A batch of all rows is trained on in its distinct rows with the sum of their weights, so that a
    whole-number weight, that many copies of a row and any order of the rows give identical bits. An
    inner split may tell them apart, so with early stopping this is not promised.

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from skhp import KerasMLPRegressor
    >>> X, y = make_regression(60, 5, random_state=0)
    >>> regressor = KerasMLPRegressor(epochs=20, learning_rate=0.1, random_state=0)
    >>> regressor.fit(X, y).predict(X[:5]).shape
    (5,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **MultilayerPerceptron._parameter_constraints,
        **NetworkRegressor._parameter_constraints,
    }

    @suggest_misspelt
    def __init__(
        self,
        hidden_layers: int | str = "auto",
        neurons: int | Sequence[int] | str = "auto",
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
        loss: Any = "auto",
        scale_target: bool = True,
        engine: str = "auto",
        max_memory: int | str | None = "2GB",
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            hidden_layers=hidden_layers,
            neurons=neurons,
            activation=activation,
            dropout=dropout,
            l2=l2,
            batch_norm=batch_norm,
            optimizer=optimizer,
            learning_rate=learning_rate,
            lr_schedule=lr_schedule,
            batch_size=batch_size,
            epochs=epochs,
            early_stopping=early_stopping,
            patience=patience,
            min_delta=min_delta,
            monitor=monitor,
            validation_fraction=validation_fraction,
            loss=loss,
            scale_target=scale_target,
            engine=engine,
            max_memory=max_memory,
            callbacks=callbacks,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
