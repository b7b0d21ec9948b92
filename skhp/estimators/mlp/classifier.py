"""Multilayer perceptron for classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from skhp.estimators.mlp.multilayer_perceptron import MultilayerPerceptron
from skhp.estimators.network.classifier import NetworkClassifier
from skhp.estimators.parameters import suggest_misspelt


class KerasMLPClassifier(MultilayerPerceptron, NetworkClassifier):
    """Multilayer perceptron that classifies, trained by Keras.

    Hidden layers and neurons are ordinary parameters; training stops early on a stratified part of
    the rows that it holds out itself.

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
        all of them: "val_accuracy", "val_average_precision", "val_balanced_accuracy", "val_f1",
        "val_precision", "val_recall", "val_roc_auc". Average precision, F1, precision and recall
        are those of `rare_class_` for two classes, the mean over the classes for more. Keras'
        "val_acc" and "val_auc" are taken, too.
    validation_fraction : float, default=0.2
        Share of the rows to hold out. Every class of two rows or more is on both sides.
    loss : {"auto", "crossentropy", "focal", "soft_f1"} or loss, default="auto"
        "auto" is crossentropy, the weighted mean over the rows of a batch, as is "focal";
        "soft_f1" is the F1 of the batch, of the rarest class for two and the mean over the classes
        for more. A :class:`skhp.losses.FocalLoss` or :class:`skhp.losses.SoftF1` has parameters
        of its own, which a search reaches as ``loss__gamma``. Keras' names mean what they mean
        there: "categorical_crossentropy", "sparse_categorical_crossentropy" and, for two classes,
        "binary_crossentropy" and "binary_focal_crossentropy"; so do its classes and instances.
    class_weight : dict, "balanced" or None, default=None
        Weight of a class by its label; "balanced" weighs inversely to the frequency.
    threshold : float or "tune", default=0.5
        For two classes: the probability of the rarest from which on `predict` says it; at this
        probability itself it says the rarest. "tune" takes the one with the greatest F1 on the rows
        held out, after the training.
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
    classes_ : ndarray of shape (n_classes,)
        Class labels.
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
        mean over the epoch's batches while the weights change.
    model_ : keras.Model
        The trained network.
    learning_rate_ : list of float
        Rate that each epoch started with; only with an `lr_schedule`.
    stop_reason_ : {"patience", "epochs", "non_finite_loss", "callback", "pruned"}
        Why the training ended.
    rare_class_ : label
        The class with the fewest rows in `fit`, those that are held out included, whatever they
        weigh (rows of weight zero do not count); of equals the last. The monitored metric, the loss
        and the threshold are about it.
    threshold_ : float
        The probability of `rare_class_` that `predict` goes by, where there are two classes.

    See Also
    --------
    KerasMLPRegressor : The same for numbers.
    KerasClassifier : Any network that Keras can express.

    Notes
    -----
    A batch of all rows is trained on in its distinct rows with the sum of their weights, so that a
    whole-number weight, that many copies of a row and any order of the rows give identical bits. An
    inner split may tell them apart, so with early stopping this is not promised.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skhp import KerasMLPClassifier
    >>> X, y = make_blobs(60, centers=2, random_state=0)
    >>> classifier = KerasMLPClassifier(epochs=20, learning_rate=0.1, random_state=0)
    >>> classifier.fit(X, y).predict_proba(X[:5]).shape
    (5, 2)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **MultilayerPerceptron._parameter_constraints,
        **NetworkClassifier._parameter_constraints,
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
        class_weight: Mapping[Any, float] | str | None = None,
        threshold: float | str = 0.5,
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
            class_weight=class_weight,
            threshold=threshold,
            engine=engine,
            max_memory=max_memory,
            callbacks=callbacks,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
