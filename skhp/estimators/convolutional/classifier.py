"""Convolutional network for classes of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from skhp.estimators.convolutional.convolutional_network import (
    ATTRIBUTES,
    PARAMETERS,
    ConvolutionalNetwork,
)
from skhp.estimators.network.classifier import NetworkClassifier
from skhp.estimators.parameters import keeps_parameters
from skhp.shared.documented_parameters import documented


@documented(PARAMETERS, ATTRIBUTES)
class KerasCNNClassifier(ConvolutionalNetwork, NetworkClassifier):
    """Convolutional network that classifies images, trained by Keras.

    `X` has the shape (n_samples, height, width) or (n_samples, height, width, channels), or holds
    flat rows, (n_samples, pixels), with `image_shape`. Blocks, filters and neurons are ordinary
    parameters; training stops early on a stratified part of the rows that it holds out itself.

    Parameters
    ----------
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

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    history_ : dict of str to list of float
        ``"loss"``, ``"val_loss"`` and the monitored metric, one value an epoch. ``"loss"`` is the
        mean over the epoch's batches while the weights change.
    model_ : keras.Model
        The trained network, which takes images with channels. With `augmentation` it has layers of
        skhp that change images in training only; ``import skhp`` before Keras loads its file.
    rare_class_ : label
        The class with the fewest rows in `fit`, those that are held out included, whatever they
        weigh (rows of weight zero do not count); of equals the last. The monitored metric, the loss
        and the threshold are about it.
    threshold_ : float
        The probability of `rare_class_` that `predict` goes by, where there are two classes.
    {attributes}

    See Also
    --------
    KerasCNNRegressor : The same for numbers.
    KerasMLPClassifier : A network for tables.
    KerasClassifier : Any network that Keras can express.

    Notes
    -----
    A batch of all rows is trained on in its distinct rows with the sum of their weights, so that a
    whole-number weight, that many copies of a row and any order of the rows give identical bits. An
    inner split may tell them apart, so with early stopping this is not promised.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhp import KerasCNNClassifier
    >>> digits = load_digits(n_class=3)
    >>> classifier = KerasCNNClassifier(filters=4, neurons=8, epochs=3, random_state=0)
    >>> classifier.fit(digits.images / 16, digits.target).predict_proba(digits.images[:5]).shape
    (5, 3)
    >>> flat = KerasCNNClassifier(filters=4, epochs=3, image_shape=(8, 8), random_state=0)
    >>> flat.fit(digits.data / 16, digits.target).image_shape_
    (8, 8, 1)
    """

    _row_parameters: ClassVar[tuple[str, ...]] = ()
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **ConvolutionalNetwork._parameter_constraints,
        **NetworkClassifier._parameter_constraints,
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
        loss: Any = "auto",
        class_weight: Mapping[Any, float] | str | None = None,
        threshold: float | str = 0.5,
        engine: str = "auto",
        max_memory: int | str | None = "2GB",
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None: ...
