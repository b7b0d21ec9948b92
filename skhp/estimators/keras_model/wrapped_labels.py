"""Labels as the target of SciKeras' wrapper: classes, their weights and their encoding."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import type_of_target

from skhp.estimators.keras_model.arguments import refuse_output_units
from skhp.estimators.keras_model.class_encoding import (
    RepairedLabelEncoder,
    as_columns,
    as_probabilities,
    is_keras_own,
)
from skhp.estimators.keras_model.model_wrapper import BaseWrapper
from skhp.estimators.keras_model.wrapped_fit import KerasWrapper
from skhp.shared.class_targets import one_hot_classes, one_hot_labels, one_hot_rows
from skhp.shared.unusable_data import refuse_unclear_labels
from skhp.training.keras_fit import as_model_inputs


class LabelWrapper(KerasWrapper):
    """What the classifier knows of labels; not for direct use."""

    # SciKeras makes weights of rows of the class weights, so Keras must not get them too.
    _fit_kwargs = BaseWrapper._fit_kwargs - {"class_weight"}

    class_weight: Any
    classes_: Any
    _given_classes: np.ndarray | None
    # Columns of the target where it is one-hot, and None where it is not.
    _one_hot_columns: int | None = None

    @property
    def target_encoder(self) -> Any:
        """Transformer between labels and the model, not fitted; a subclass may return its own.

        Its `inverse_transform` gets the outputs of the model, and ``return_proba=True`` where
        probabilities are asked for.
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
        """Labels in place of one-hot rows; `first` notes that the target is of such rows."""
        if y is None or not self._encodes_labels():
            return y
        if first:
            self._one_hot_columns = None if one_hot_labels(y) is None else y.shape[1]
        if self._one_hot_columns is None:
            return y
        labels = one_hot_labels(y)
        if labels is None or y.shape[1] != self._one_hot_columns:
            raise ValueError(
                f"{type(self).__name__} was fitted on rows of {self._one_hot_columns} columns "
                "that each hold a single 1, which are classes, and y has other rows, of the shape "
                f"{np.shape(y)}."
            )
        return labels

    def _as_given(self, labels: np.ndarray) -> np.ndarray:
        """Predicted labels in the form that the target had in `fit`."""
        if self._one_hot_columns is None:
            return labels
        return one_hot_rows(labels, self._one_hot_columns, self.y_dtype_)

    def _as_learnt(self, y: Any) -> Any:
        """One-hot rows in the form that predictions have; every other target as it is."""
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

    def _copied(self, **changed: Any) -> Self:
        # As fit does first of all.
        return super()._copied(_given_classes=None, **changed)

    def _make_model(self, X: np.ndarray, y: np.ndarray) -> None:
        # The encoder reads from here which classes there are, if they were given.
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
                f"validation_split holds out the last {len(y) - n_training} of {len(y)} rows, and "
                f"with them all rows of {missing}. Shuffle the rows before fit."
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
        # A loss of the user's own compares with the columns that the user gave.
        return as_model_inputs(one_hot_rows(y, columns, np.float32))

    def _predict_raw(self, X: ArrayLike, **kwargs: Any) -> Any:
        return as_probabilities(self._own_outputs(X, **kwargs), self.model_.loss)

    def _own_outputs(self, X: ArrayLike, **kwargs: Any) -> Any:
        """What the model itself predicts, be it probabilities or logits."""
        return super()._predict_raw(X, **kwargs)
