"""Labels as a network learns them, and its outputs as labels and probabilities."""

from __future__ import annotations

import inspect
from typing import Any, Self

import keras
import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax

from skhp.estimators.keras_model.arguments import refuse_output_units
from skhp.estimators.keras_model.model_wrapper import ClassifierLabelEncoder, loss_name
from skhp.objectives.metrics import OutputForm
from skhp.shared.equality import library_of

# How far float32 may lead a probability beyond 0 and 1.
_TOLERANCE = 1e-6


class RepairedLabelEncoder(ClassifierLabelEncoder):
    """SciKeras' encoder of labels, with probabilities that are some and outputs that fit.

    Parameters
    ----------
    loss : str, function or keras.losses.Loss, default=None
        With categorical crossentropy, classes become columns of zeros and ones.
    categories : "auto" or list of one ndarray, default="auto"
        The classes; "auto" takes those of the target.
    """

    def fit(self, y: np.ndarray) -> Self:
        """Learn the classes of a target.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If there is one class only, or the target is not of classes.
        """
        super().fit(y)
        if self._target_type in ("binary", "multiclass") and self.n_classes_ < 2:
            raise ValueError(
                f"A classifier needs at least 2 classes, got 1 class: {self.classes_}."
            )
        return self

    def transform(self, y: np.ndarray) -> np.ndarray:
        """Class numbers, or columns of zeros and ones, of labels.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)

        Returns
        -------
        ndarray of shape (n_samples, n_columns)

        Raises
        ------
        ValueError
            If there are labels that were not among the classes.
        """
        if self._target_type in ("binary", "multiclass"):
            unseen = np.setdiff1d(y, self.classes_)
            if len(unseen):
                raise ValueError(
                    f"y holds labels that are not among the classes {self.classes_} of the first "
                    f"fit: {unseen}."
                )
        return super().transform(y)

    def output_units(self) -> tuple[int, ...]:
        """How many output units a model may have; none where that is not known."""
        if self._target_type == "binary":
            return 1, 2
        return () if self.n_classes_ is None else (self.n_classes_,)

    def inverse_transform(self, y: np.ndarray, return_proba: bool = False) -> np.ndarray:
        """Labels, or their probabilities, from the outputs of a model.

        Parameters
        ----------
        y : ndarray of shape (n_samples, n_units)
        return_proba : bool, default=False

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or of the shape that the labels had in `fit`

        Raises
        ------
        ValueError
            If there are not as many units as the classes need, or probabilities are asked for and
            the outputs are none.
        """
        if y.ndim == 1:
            y = y.reshape(-1, 1)
        refuse_output_units(y.shape[-1], self.output_units())
        if not return_proba:
            return super().inverse_transform(y)
        if y.min() < -_TOLERANCE or y.max() > 1 + _TOLERANCE:
            raise ValueError(
                f"The outputs of the model are no probabilities: they go from {y.min():.3g} to "
                f"{y.max():.3g}. Let its last layer have the activation 'sigmoid' or 'softmax', or "
                "its loss from_logits=True."
            )
        y = y.clip(0, 1)
        if self._target_type == "binary" and y.shape[1] == 1:
            return np.hstack([1 - y, y])
        if self._target_type in ("binary", "multiclass", "multiclass-onehot"):
            return _with_sum_one(y)
        return y


def likelier_of_two(outputs: np.ndarray) -> np.ndarray | None:
    """Outputs for two classes that are not probabilities, as numbers of which one is above a half.

    None where they are probabilities.
    """
    if not (outputs.min() < -_TOLERANCE or outputs.max() > 1 + _TOLERANCE):
        return None
    refuse_output_units(outputs.shape[-1], (1, 2))
    if outputs.shape[1] == 1:
        return np.hstack([1 - outputs, outputs])
    return softmax(outputs, axis=1)


def as_columns(target: np.ndarray, units: int | None, loss: Any) -> np.ndarray:
    """Class numbers as columns of zeros and ones, where a loss compares column by column.

    Keras would broadcast the one column of numbers against the units of the model.
    """
    if units is None or units < 2 or target.ndim != 2 or target.shape[1] != 1:
        return target
    if is_keras_own(loss) and "sparse" not in loss_name(loss):
        return np.eye(units, dtype=target.dtype)[target[:, 0].astype(int)]
    return target


def as_probabilities(outputs: Any, loss: Any) -> Any:
    """Outputs as probabilities, where the loss of a model tells that they are something else.

    With ``from_logits=True`` they are logits. A hinge is at its least at -1 and 1.
    """
    if not isinstance(outputs, np.ndarray):
        return outputs
    hinges = (keras.losses.Hinge, keras.losses.SquaredHinge)
    names = ("hinge", "squared_hinge", "Hinge", "SquaredHinge")
    functions = (keras.losses.hinge, keras.losses.squared_hinge)
    if isinstance(loss, hinges) or loss in functions or (isinstance(loss, str) and loss in names):
        return (outputs + 1) / 2
    if isinstance(loss, keras.losses.Loss) and loss.get_config().get("from_logits"):
        binary = isinstance(
            loss, (keras.losses.BinaryCrossentropy, keras.losses.BinaryFocalCrossentropy)
        )
        return expit(outputs) if binary else softmax(outputs, axis=-1)
    return outputs


def log_probabilities(outputs: np.ndarray, loss: Any) -> np.ndarray | None:
    """Logarithms of the probabilities of classes from the outputs of a model, if they are logits.

    None where the loss does not tell that they are, or tells of classes that do not exclude each
    other.
    """
    if not isinstance(loss, keras.losses.Loss) or not loss.get_config().get("from_logits"):
        return None
    binary = isinstance(
        loss, (keras.losses.BinaryCrossentropy, keras.losses.BinaryFocalCrossentropy)
    )
    if binary != (outputs.shape[-1] == 1):
        return None
    if binary:
        return np.hstack([log_expit(-outputs), log_expit(outputs)])
    return log_softmax(outputs, axis=-1)


def output_form(loss: Any, units: int) -> OutputForm | None:
    """What the outputs of a model are to a metric of classes; None if it is not simply told."""
    outputs = np.full((1, units), 0.25)
    if np.array_equal(as_probabilities(outputs, loss), outputs):
        return "probabilities"
    return None if log_probabilities(outputs, loss) is None else "own logits"


def is_keras_own(loss: Any) -> bool:
    """Whether a loss is one of Keras', given as a string, a function, a class or an instance."""
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if isinstance(loss, (list, tuple, dict)):
        return False
    thing = loss if inspect.isroutine(loss) or isinstance(loss, type) else type(loss)
    return library_of(thing) == "keras"


def _with_sum_one(y: np.ndarray) -> np.ndarray:
    total = y.sum(axis=1, keepdims=True)
    # As scikit-learn's one-vs-rest classifier where no class is the least likely.
    return np.divide(y, total, out=np.full_like(y, 1 / y.shape[1]), where=total > 0)
