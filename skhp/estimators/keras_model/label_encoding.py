"""Converts labels to what a network learns, and its outputs to labels and probabilities."""

from __future__ import annotations

import inspect
from typing import Any, Literal, Self

import keras
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import type_of_target

from skhp.estimators.keras_model.arguments import refuse_output_units
from skhp.estimators.keras_model.model_wrapper import BaseWrapper, ClassifierLabelEncoder, loss_name
from skhp.estimators.keras_model.wrapped_fit import KerasWrapper
from skhp.objectives.metrics import OutputForm
from skhp.shared.class_targets import one_hot_classes, one_hot_labels, one_hot_rows
from skhp.shared.equality import library_of
from skhp.shared.unusable_data import refuse_unclear_labels
from skhp.training.keras_fit import as_model_inputs

# How far rounding in float32 may take a probability below 0 or above 1.
_TOLERANCE = 1e-6


class RepairedLabelEncoder(ClassifierLabelEncoder):
    """SciKeras' encoder of labels, which refuses outputs that do not fit the classes."""

    def fit(self, y: np.ndarray) -> Self:
        """Learn the classes of a target, and refuse a single class."""
        super().fit(y)
        if self._target_type in ("binary", "multiclass") and self.n_classes_ < 2:
            raise ValueError(
                f"A classifier needs at least 2 classes, got 1 class: {self.classes_}."
            )
        return self

    def transform(self, y: np.ndarray) -> np.ndarray:
        """Convert labels to class numbers, or to columns of zeros and ones."""
        if self._target_type in ("binary", "multiclass"):
            unseen = np.setdiff1d(y, self.classes_)
            if len(unseen):
                raise ValueError(
                    f"y holds labels that are not among the classes {self.classes_} of the first "
                    f"fit: {unseen}."
                )
        return super().transform(y)

    def output_units(self) -> tuple[int, ...]:
        """The numbers of output units that a model may have; empty if they are not known."""
        if self._target_type == "binary":
            return 1, 2
        return () if self.n_classes_ is None else (self.n_classes_,)

    def inverse_transform(self, y: np.ndarray, return_proba: bool = False) -> np.ndarray:
        """Labels, or their probabilities, from the outputs of a model."""
        if y.ndim == 1:
            y = y.reshape(-1, 1)
        refuse_output_units(y.shape[-1], self.output_units())
        if not return_proba:
            return super().inverse_transform(y)
        if y.min() < -_TOLERANCE or y.max() > 1 + _TOLERANCE:
            raise ValueError(
                f"The outputs of the model are not probabilities: they go from {y.min():.3g} to "
                f"{y.max():.3g}. Give its last layer the activation 'sigmoid' or 'softmax', or its "
                "loss from_logits=True."
            )
        y = y.clip(0, 1)
        if self._target_type == "binary" and y.shape[1] == 1:
            return np.hstack([1 - y, y])
        if self._target_type in ("binary", "multiclass", "multiclass-onehot"):
            return _with_sum_one(y)
        return y


def likelier_of_two(outputs: np.ndarray) -> np.ndarray | None:
    """Scores of two classes from outputs that are not probabilities, above 0.5 for the likelier.

    None if the outputs are probabilities.
    """
    if not (outputs.min() < -_TOLERANCE or outputs.max() > 1 + _TOLERANCE):
        return None
    refuse_output_units(outputs.shape[-1], (1, 2))
    if outputs.shape[1] == 1:
        return np.hstack([1 - outputs, outputs])
    return softmax(outputs, axis=1)


def as_columns(target: np.ndarray, units: int | None, loss: Any) -> np.ndarray:
    """Class numbers as columns of zeros and ones, if the loss compares column by column.

    Keras would broadcast the single column of numbers over all units of the model.
    """
    if units is None or units < 2 or target.ndim != 2 or target.shape[1] != 1:
        return target
    if is_keras_own(loss) and "sparse" not in loss_name(loss):
        return np.eye(units, dtype=target.dtype)[target[:, 0].astype(int)]
    return target


def as_probabilities(outputs: Any, loss: Any) -> Any:
    """Outputs, converted to probabilities if the loss shows that they are something else.

    With ``from_logits=True`` they are logits; a hinge loss is minimal at -1 and 1.
    """
    if not isinstance(outputs, np.ndarray):
        return outputs
    hinges = (keras.losses.Hinge, keras.losses.SquaredHinge)
    names = ("hinge", "squared_hinge", "Hinge", "SquaredHinge")
    functions = (keras.losses.hinge, keras.losses.squared_hinge)
    if isinstance(loss, hinges) or loss in functions or (isinstance(loss, str) and loss in names):
        return (outputs + 1) / 2
    logits = _logits_of(loss)
    if logits is None:
        return outputs
    return expit(outputs) if logits == "each class" else softmax(outputs, axis=-1)


def log_probabilities(outputs: np.ndarray, loss: Any) -> np.ndarray | None:
    """Logarithms of class probabilities, computed from logits.

    None if the loss does not take logits, or if the classes do not exclude each other.
    """
    logits, is_one = _logits_of(loss), outputs.shape[-1] == 1
    if logits == "each class" and is_one:
        return np.hstack([log_expit(-outputs), log_expit(outputs)])
    return log_softmax(outputs, axis=-1) if logits == "all classes" and not is_one else None


def _logits_of(loss: Any) -> Literal["each class", "all classes"] | None:
    """Which logits a loss takes: of each class alone, or of classes that exclude each other."""
    if not isinstance(loss, keras.losses.Loss) or not loss.get_config().get("from_logits"):
        return None
    one_by_one = keras.losses.BinaryCrossentropy, keras.losses.BinaryFocalCrossentropy
    return "each class" if isinstance(loss, one_by_one) else "all classes"


def output_form(loss: Any, units: int) -> OutputForm | None:
    """The form in which our metrics read a model's outputs; None if they cannot read them."""
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
    # Rows of zeros become equal shares, as in scikit-learn's one-vs-rest classifier.
    return np.divide(y, total, out=np.full_like(y, 1 / y.shape[1]), where=total > 0)


class LabelWrapper(KerasWrapper):
    """The part of the classifier that encodes labels; not for direct use."""

    # Class weights are multiplied into the sample weights, so Keras must not apply them again.
    _fit_kwargs = BaseWrapper._fit_kwargs - {"class_weight"}

    class_weight: Any
    classes_: Any
    # The argument `classes` of `partial_fit`.
    _given_classes: np.ndarray | None = None
    # Number of columns of a one-hot target, and None for other targets.
    _one_hot_columns: int | None = None

    @property
    def target_encoder(self) -> Any:
        """Unfitted transformer between labels and the model; a subclass may return its own.

        Its `inverse_transform` is given the outputs of the model, and ``return_proba=True`` when
        it should return probabilities.
        """
        categories = "auto" if self.classes_ is None else [self.classes_]
        return RepairedLabelEncoder(loss=self.loss, categories=categories)

    def _encodes_labels(self) -> bool:
        return type(self).target_encoder is LabelWrapper.target_encoder

    def _validate_data(
        self, X: Any = None, y: Any = None, reset: bool = False, y_numeric: bool = False
    ) -> tuple[np.ndarray, Any]:
        if self._encodes_labels():
            refuse_unclear_labels(y)
        X, y = super()._validate_data(X, y, reset, y_numeric)
        return X, self._as_labels(y, first=reset)

    def _as_labels(self, y: Any, first: bool) -> Any:
        """Labels in place of one-hot rows; `first` records whether the target is one-hot."""
        if y is None or not self._encodes_labels():
            return y
        if first:
            self._one_hot_columns = None if one_hot_labels(y) is None else y.shape[1]
        if self._one_hot_columns is None:
            return y
        labels = one_hot_labels(y)
        if labels is None or y.shape[1] != self._one_hot_columns:
            raise ValueError(
                f"{type(self).__name__} was fitted on a y of {self._one_hot_columns} columns, in "
                "which each row holds a single 1 for its class; this y has other rows, of shape "
                f"{np.shape(y)}."
            )
        return labels

    def _as_given(self, labels: np.ndarray) -> np.ndarray:
        """Predicted labels in the form that the target had in `fit`."""
        if self._one_hot_columns is None:
            return labels
        return one_hot_rows(labels, self._one_hot_columns, self.y_dtype_)

    def _as_learnt(self, y: Any) -> Any:
        """One-hot rows in the form that predictions have; any other target unchanged."""
        labels = None if self._one_hot_columns is None else one_hot_labels(y)
        if labels is None or np.shape(y)[1] != self._one_hot_columns:
            return y
        return self._as_given(labels)

    def _type_of_target(self, y: np.ndarray) -> str:
        if self._encodes_labels() and one_hot_labels(y) is not None:
            return "binary" if y.shape[1] == 2 else "multiclass"
        kind = type_of_target(y)
        if kind == "binary" and self._given_classes is not None:
            return type_of_target(self._given_classes)
        return kind

    def _make_model(self, X: np.ndarray, y: np.ndarray) -> None:
        # `target_encoder` reads the given classes from here.
        self.classes_ = self._known_classes()
        super()._make_model(X, y)

    def _known_classes(self) -> np.ndarray | None:
        if self._one_hot_columns is None:
            return self._given_classes
        return one_hot_classes(self._one_hot_columns, self._given_classes)

    def _row_weight(
        self, X: np.ndarray, y: np.ndarray, sample_weight: ArrayLike | None
    ) -> np.ndarray | None:
        weight = super()._row_weight(X, y, sample_weight)
        if self.class_weight is None:
            return weight
        of_class = compute_sample_weight(self.class_weight, y)
        if not (np.isfinite(of_class).all() and (of_class >= 0).all()):
            raise ValueError(
                f"class_weight must hold finite numbers that are not negative, got "
                f"{self.class_weight}."
            )
        return of_class if weight is None else weight * of_class

    def _strata(self, y: np.ndarray) -> np.ndarray | None:
        if self.target_type_ not in ("binary", "multiclass"):
            return None
        return np.unique(y, return_inverse=True)[1].reshape(-1)

    def _refuse_rows(self, y: np.ndarray, n_training: int) -> None:
        if self.target_type_ not in ("binary", "multiclass"):
            return
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs rows of at least 2 classes, got 1 class: {classes} "
                "(rows of weight zero do not count)."
            )
        missing = np.setdiff1d(classes, np.unique(y[:n_training]))
        if len(missing):
            raise ValueError(
                f"validation_split holds out the last {len(y) - n_training} of {len(y)} rows, "
                f"including all rows of {missing}. Shuffle the rows before fit."
            )

    def _encoded_target(self, y: np.ndarray) -> Any:
        target = super()._encoded_target(y)
        encoder = self.target_encoder_
        if not isinstance(encoder, RepairedLabelEncoder):
            return target
        refuse_output_units(self._output_units, encoder.output_units())
        target = as_columns(target, self._output_units, self.model_.loss)
        columns = self._one_hot_columns
        if columns is None or columns != self._output_units or is_keras_own(self.model_.loss):
            return target
        # The user's own loss gets the columns that the user gave.
        return as_model_inputs(one_hot_rows(y, columns, np.float32))

    def _predict_raw(self, X: ArrayLike, **kwargs: Any) -> Any:
        return as_probabilities(self._own_outputs(X, **kwargs), self.model_.loss)

    def _own_outputs(self, X: ArrayLike, **kwargs: Any) -> Any:
        """The outputs of the model itself: probabilities, logits or scores."""
        return super()._predict_raw(X, **kwargs)
