"""Convolutional network that classifies images."""

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

    `X` has the shape (n_samples, height, width) or (n_samples, height, width, channels). With
    `image_shape`, it may hold flat rows of the shape (n_samples, pixels). Blocks, filters and
    neurons are ordinary parameters. A stratified part of the rows is held out, and the training
    stops early when the network no longer improves on it.

    Parameters
    ----------
    monitor : str, default="val_loss"
        The value on the held-out rows that early stopping and the "plateau" schedule watch:
        "val_loss", "val_accuracy", "val_average_precision", "val_balanced_accuracy", "val_f1",
        "val_precision", "val_recall" or "val_roc_auc". For two classes, average precision, F1,
        precision and recall are about `rare_class_`; for more, they are the mean over all classes.
        Keras' "val_acc" and "val_auc" are accepted, too.
    validation_fraction : float, default=0.2
        Share of the rows to hold out. If they are drawn at random, every class of at least two
        rows is on both sides of the split.
    loss : {"auto", "crossentropy", "focal", "soft_f1"} or loss, default="auto"
        As for :class:`KerasMLPClassifier`.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class, by its label; "balanced" weighs a class inversely to its frequency.
    threshold : float or "tune", default=0.5
        For two classes: `predict` returns the rarer one if its probability is at least this. "tune"
        chooses the threshold with the greatest F1 on the held-out rows, after the training. Where
        nothing is held out, a searcher of skhp chooses the threshold on the test rows of its folds
        and sets it in its ``best_estimator_``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    history_ : dict of str to list of float
        ``"loss"``, ``"val_loss"`` and the monitored metric, with one value per epoch. ``"loss"`` is
        the mean over the batches of an epoch, during which the network changes.
    model_ : keras.Model
        The trained network, which takes images with channels. With `augmentation` it has layers of
        skhp that change images during training only; ``import skhp`` before Keras loads its file.
    rare_class_ : label
        The class with the fewest rows in `fit`, including held-out rows but not rows of weight
        zero; other weights are ignored. If several classes are equally rare, it is the last
        of them in `classes_`. The monitored metric, loss and threshold are about this class.
    threshold_ : float
        The least probability of `rare_class_` with which `predict` returns it; only for two
        classes.
    {attributes}

    See Also
    --------
    KerasCNNRegressor : The same for numbers.
    KerasMLPClassifier : A network for tables.
    KerasClassifier : Any network that Keras can express.

    Notes
    -----
    A batch of all rows holds each distinct row once, with the sum of its weights. The result is
    therefore the same to the bit for any order of the rows, and for a whole-number weight as for
    that many copies of a row. This does not hold with `batch_norm`, nor with early stopping, whose
    split may differ.

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
        validation_rows: str = "random",
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
