"""Labels as the target of SciKeras' wrapper: classes, their weights and their encoding."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import type_of_target

from skhp.estimators.class_encoding import RepairedLabelEncoder, as_columns, as_probabilities
from skhp.estimators.keras_arguments import refuse_output_units
from skhp.estimators.scikeras_base import BaseWrapper
from skhp.estimators.scikeras_fit import KerasWrapper


class LabelWrapper(KerasWrapper):
    """What the classifier knows of labels; not for direct use."""

    # SciKeras makes weights of rows of the class weights, so Keras must not get them too.
    _fit_kwargs = BaseWrapper._fit_kwargs - {"class_weight"}

    class_weight: Any
    classes_: Any
    _given_classes: np.ndarray | None

    @property
    def target_encoder(self) -> Any:
        """Transformer between labels and the model, not fitted; a subclass may return its own.

        Its `inverse_transform` gets the outputs of the model, and ``return_proba=True`` where
        probabilities are asked for.
        """
        categories = "auto" if self.classes_ is None else [self.classes_]
        return RepairedLabelEncoder(loss=self.loss, categories=categories)

    def _type_of_target(self, y: np.ndarray) -> str:
        kind = type_of_target(y)
        if kind == "binary" and self._given_classes is not None:
            return type_of_target(self._given_classes)
        return kind

    def _copied(self, **changed: Any) -> Self:
        # As fit does first of all.
        return super()._copied(_given_classes=None, **changed)

    def _make_model(self, X: np.ndarray, y: np.ndarray) -> None:
        # The encoder reads from here which classes there are, if they were given.
        self.classes_ = self._given_classes
        super()._make_model(X, y)

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
        return as_columns(target, self._output_units, self.model_.loss)

    def _predict_raw(self, X: ArrayLike, **kwargs: Any) -> Any:
        return as_probabilities(self._own_outputs(X, **kwargs), self.model_.loss)

    def _own_outputs(self, X: ArrayLike, **kwargs: Any) -> Any:
        """What the model itself predicts, be it probabilities or logits."""
        return super()._predict_raw(X, **kwargs)
