"""Losses for rare classes, with parameters that a search of scikit-learn can set.

They are losses of Keras, for any model. The members of a cohort may have different numbers as
parameters, so that a search over these needs only one compiled program.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
import tensorflow as tf

from skhp.exceptions import InvalidParameterError
from skhp.objectives.numbered_loss import NumberedLoss, named_loss

Tensor: TypeAlias = Any

# Keras keeps probabilities away from 0 and 1 by the same amount.
_LEAST = 1e-7


@named_loss("focal")
@keras.saving.register_keras_serializable("skhp")
class FocalLoss(NumberedLoss):
    """Crossentropy in which a row counts less if the network is already sure of it.

    A row whose class has the probability p costs ``-(1 - p) ** gamma * log(p)``. For two classes
    with one output this is Keras' ``BinaryFocalCrossentropy``; for more classes it takes class
    numbers, which Keras' own does not.

    Parameters
    ----------
    gamma : float, default=2.0
        0 or more. 0 is the crossentropy; with a greater gamma, rows that the network is sure of
        count less.
    alpha : float or None, default=None
        The weight of the positive class, between 0 and 1; the other class weighs ``1 - alpha``.
        Only for two classes with one output. None weighs both classes by 1.
    positive : {0, 1} or None, default=None
        The positive class. None is the rarest class of the training rows if an estimator of skhp
        compiles the loss, and otherwise 1, as in Keras' ``BinaryFocalCrossentropy``.
    reduction, name, dtype
        As for any loss of Keras.

    Raises
    ------
    InvalidParameterError
        When the loss is computed, if `gamma` or `alpha` is out of its range, or if `alpha` is given
        and there are several outputs.

    References
    ----------
    Lin, Goyal, Girshick, He and Dollar (2017), Focal loss for dense object detection.

    Examples
    --------
    >>> import numpy as np
    >>> loss = FocalLoss(gamma=0.0)
    >>> round(float(loss(np.array([[1.0]]), np.array([[0.5]]))), 4)
    0.6931
    """

    parameters = ("gamma", "alpha", "positive")

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | None = None,
        positive: int | None = None,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str = "focal",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.gamma = gamma
        self.alpha = alpha
        self.positive = positive

    def numbers_of_member(self) -> tuple[float, ...]:
        """The numbers that may differ from member to member."""
        if not self.gamma >= 0 or not (self.alpha is None or 0 < self.alpha < 1):
            raise InvalidParameterError(
                f"FocalLoss has gamma={self.gamma!r} and alpha={self.alpha!r}: gamma has to be 0 "
                "or more, and alpha None or between 0 and 1."
            )
        if self.alpha is None:
            return float(self.gamma), 1.0, 1.0
        of_both = 1.0 - float(self.alpha), float(self.alpha)
        return float(self.gamma), *(of_both[::-1] if self.positive == 0 else of_both)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Loss of each row."""
        y_pred = tf.convert_to_tensor(y_pred)
        y_true = _as_column(tf.convert_to_tensor(y_true), y_pred)
        if self.alpha is not None and y_pred.shape[-1] > 1:
            raise InvalidParameterError(
                f"FocalLoss has alpha={self.alpha!r}, which is for two classes with one output, "
                f"and there are {y_pred.shape[-1]} outputs: use class_weight."
            )
        return self.of_rows(y_true, y_pred, self.numbers_of_member())

    @staticmethod
    def of_rows(y: Tensor, outputs: Tensor, numbers: tuple[Any, ...]) -> Tensor:
        """Loss of each row; `numbers` have the shape of the leading axes."""
        gamma, weight_of_0, weight_of_1 = (_for_rows(number) for number in numbers)
        if outputs.shape[-1] > 1:
            probability = tf.reduce_sum(_one_hot(y, outputs) * outputs, axis=-1)
            weight = weight_of_1
        else:
            y = tf.cast(y, outputs.dtype)[..., 0]
            probability = y * outputs[..., 0] + (1.0 - y) * (1.0 - outputs[..., 0])
            weight = y * weight_of_1 + (1.0 - y) * weight_of_0
        probability = tf.clip_by_value(probability, _LEAST, 1.0 - _LEAST)
        return -weight * tf.pow(1.0 - probability, gamma) * tf.math.log(probability)


@named_loss("soft_f1")
@keras.saving.register_keras_serializable("skhp")
class SoftF1(NumberedLoss):
    """One minus the F1 of a batch, with probabilities in place of predictions.

    The true positives, for example, are the sum of the probabilities of the positive rows. The loss
    is not a mean over rows: the gradient of a row depends on its batch. A batch without a positive
    row has an F1 of 0 for any prediction, and teaches nothing. A rare class therefore needs large
    batches; skhp's networks warn if most batches would hold no row of it. A network trained with
    this loss predicts probabilities near 0 and 1, which say little about how sure it is;
    ``CalibratedClassifierCV`` calibrates them.

    Parameters
    ----------
    beta : float, default=1.0
        Above 0. Above 1, recall counts more than precision, as in scikit-learn's ``fbeta_score``.
    average : {"binary", "macro"}, default="binary"
        For two classes with one output: the F1 of the positive class, or the mean of both classes.
        With more outputs, the loss always takes the mean over the classes.
    positive : {0, 1} or None, default=None
        The positive class. None is the rarest class of the training rows if an estimator of skhp
        compiles the loss, and otherwise 1.
    reduction, name, dtype
        As for any loss of Keras.

    Raises
    ------
    InvalidParameterError
        When the loss is computed, if `beta` or `average` has an invalid value.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([[1.0], [1.0], [0.0], [0.0]])
    >>> round(float(SoftF1()(y, np.array([[1.0], [0.0], [0.0], [0.0]]))), 4)
    0.3333
    """

    parameters = ("beta", "average", "positive")
    of_program = ("average", "positive")

    def __init__(
        self,
        beta: float = 1.0,
        average: str = "binary",
        positive: int | None = None,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str = "soft_f1",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.beta = beta
        self.average = average
        self.positive = positive

    def numbers_of_member(self) -> tuple[float, ...]:
        """The numbers that may differ from member to member."""
        if not self.beta > 0 or self.average not in ("binary", "macro"):
            raise InvalidParameterError(
                f"SoftF1 has beta={self.beta!r} and average={self.average!r}: beta has to be above "
                "0, and average 'binary' or 'macro'."
            )
        return (float(self.beta),)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> Tensor:
        """Loss of a batch."""
        y_pred = tf.cast(tf.convert_to_tensor(y_pred), self.dtype)
        y_true = _as_column(tf.convert_to_tensor(y_true), y_pred)
        weight = tf.ones(tf.shape(y_pred)[:-1], y_pred.dtype)
        if sample_weight is not None:
            given = tf.cast(tf.convert_to_tensor(sample_weight), y_pred.dtype)
            weight *= tf.reshape(given, tf.shape(weight)) if given.shape.rank else given
        numbers = self.numbers_of_member()
        return self.of_batch(
            y_true, y_pred, weight, numbers, average=self.average, positive=self.positive
        )

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Loss of a batch of rows with equal weights."""
        return self(y_true, y_pred)

    @staticmethod
    def of_batch(
        y: Tensor,
        outputs: Tensor,
        weight: Tensor,
        numbers: tuple[Any, ...],
        *,
        average: str,
        positive: int | None,
    ) -> Tensor:
        """Loss of the batch at each place of the leading axes; `numbers` have their shape."""
        (beta,) = numbers
        y, outputs = _of_classes(y, outputs, average, positive)
        # A row of weight zero must not count even where its value is not finite.
        weight = weight[..., None]
        counted = tf.where(weight > 0.0, outputs, 0.0) * weight
        true_positives = tf.reduce_sum(y * counted, axis=-2)
        predicted = tf.reduce_sum(counted, axis=-2)
        actual = tf.reduce_sum(y * weight, axis=-2)
        square = tf.square(_for_rows(beta))
        f1 = tf.math.divide_no_nan((1.0 + square) * true_positives, predicted + square * actual)
        return 1.0 - tf.reduce_mean(f1, axis=-1)


def _of_classes(
    y: Tensor, outputs: Tensor, average: str, positive: int | None
) -> tuple[Tensor, Tensor]:
    """Targets of 0 and 1, and probabilities; the last axis has the classes that count."""
    if outputs.shape[-1] > 1:
        return _one_hot(y, outputs), outputs
    y = tf.cast(y, outputs.dtype)
    if average == "macro":
        return tf.concat([1.0 - y, y], -1), tf.concat([1.0 - outputs, outputs], -1)
    return (1.0 - y, 1.0 - outputs) if positive == 0 else (y, outputs)


def _as_column(y: Tensor, outputs: Tensor) -> Tensor:
    return y[..., None] if y.shape.rank is not None and y.shape.rank < outputs.shape.rank else y


def _one_hot(y: Tensor, outputs: Tensor) -> Tensor:
    """One-hot targets, from class numbers or from targets that are one-hot already."""
    if y.shape.rank == outputs.shape.rank and y.shape[-1] == outputs.shape[-1]:
        return tf.cast(y, outputs.dtype)
    if y.shape.rank == outputs.shape.rank:
        y = y[..., 0]
    return tf.one_hot(tf.cast(y, tf.int32), outputs.shape[-1], dtype=outputs.dtype)


def _for_rows(number: Any) -> Tensor:
    """A number of each member, with a last axis for its rows or classes."""
    return tf.cast(tf.convert_to_tensor(number), tf.float32)[..., None]
