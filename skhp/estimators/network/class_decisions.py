"""Predictions of classes, from the outputs of a network before its last activation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.utils import column_or_1d

from skhp.estimators.network.estimator import NetworkEstimator
from skhp.estimators.network.prepared_fit import PreparedFit
from skhp.estimators.tables import WeightedTable
from skhp.estimators.threshold import DecidesByThreshold, Threshold
from skhp.exceptions import InvalidParameterError
from skhp.shared.best_threshold import TunedByFolds
from skhp.shared.class_targets import one_hot_labels, one_hot_rows
from skhp.shared.rarest_class import class_counts, rarest_position
from skhp.shared.taken_rows import as_array
from skhp.shared.unusable_data import refuse_unclear_labels
from skhp.training.trained_network import TrainedNetwork


class OneHotForm(NamedTuple):
    """The form of a target that was given as one-hot rows."""

    n_columns: int
    dtype: np.dtype


class ClassDecisions(DecidesByThreshold, NetworkEstimator):
    """Predictions of classes, with a threshold for the rarer of two; not for direct use."""

    _row_parameters: ClassVar[tuple[str, ...]] = ()

    classes_: np.ndarray
    _one_hot: OneHotForm | None = None

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Logits: the outputs of the network before its last activation.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, (n_samples, n_classes) for more
            For two classes the log-odds of ``classes_[1]``.
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        outputs = self._outputs(X)
        return _both_probabilities(outputs) if outputs.shape[1] == 1 else softmax(outputs, axis=1)

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Logarithms of the class probabilities, finite even where a probability rounds to 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return np.column_stack([log_expit(-outputs), log_expit(outputs)])
        return log_softmax(outputs, axis=1)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The most probable class of each row; for two classes, the one that the threshold gives.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, n_classes) of zeros and ones
            Labels from `classes_`, or one-hot rows if `fit` was given one-hot rows.
        """
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            places = self._current_threshold().positions(_both_probabilities(outputs))
        else:
            places = outputs.argmax(axis=1)
        return self.labels_at(places)

    def labels_at(self, positions: np.ndarray) -> np.ndarray:
        """Labels of the classes at these positions in `classes_`, in the form of the target."""
        if self._one_hot is None:
            return self.classes_[positions]
        return one_hot_rows(positions, *self._one_hot)

    def _checked_table(
        self, X: ArrayLike, y: ArrayLike, *more: Any, first: bool, **options: Any
    ) -> WeightedTable:
        refuse_unclear_labels(y)
        table = super()._checked_table(X, y, *more, first=first, **options)
        labels = table.target.labels
        if first and labels is not None:
            _, counts = class_counts(labels, np.arange(len(self.classes_)))
            self._rarest = rarest_position(counts)
            self.rare_class_ = self.classes_[self._rarest]
        rare = self._rarest if len(self.classes_) == 2 else None
        return replace(table, target=replace(table.target, rare=rare))

    def _labels(self, y: np.ndarray, *, first: bool) -> np.ndarray:
        """The label of each row of a target; `first` records whether the target is one-hot."""
        labels = one_hot_labels(y)
        if first:
            self._one_hot = None if labels is None else OneHotForm(y.shape[1], y.dtype)
        if self._one_hot is not None and (labels is None or y.shape[1] != self._one_hot.n_columns):
            raise ValueError(
                f"{type(self).__name__} was fitted on a y of {self._one_hot.n_columns} columns, "
                "in which each row holds a single 1 for its class; this y has other rows, of shape "
                f"{y.shape}."
            )
        if self._one_hot is None and y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                f"y should be a 1d array of labels, or rows that each hold a single 1, got an "
                f"array of shape {y.shape} with other rows instead. For several labels per row, "
                "use KerasClassifier, or wrap this one in scikit-learn's MultiOutputClassifier."
            )
        return column_or_1d(y, warn=True) if labels is None else labels

    def _prepared(self, *rows: Any, **more: Any) -> PreparedFit:
        prepared = super()._prepared(*rows, **more)
        if self.threshold != 0.5:
            self._refuse_threshold(prepared)
        return prepared

    def _refuse_threshold(self, prepared: PreparedFit) -> None:
        if len(self.classes_) > 2:
            raise InvalidParameterError(
                f"threshold={self.threshold!r} is for two classes, and y has "
                f"{len(self.classes_)}: leave it at 0.5."
            )
        by_folds = isinstance(self.threshold, TunedByFolds)
        if self.threshold == "tune" and prepared.validation is None and not by_folds:
            raise InvalidParameterError(
                "threshold='tune' needs rows that are held out of the training: set "
                "early_stopping=True, or pass X_val and y_val to fit, or search with one of skhp's "
                "searchers, which tunes the threshold on its folds."
            )

    def _settle(self, prepared: PreparedFit, network: TrainedNetwork) -> None:
        rows = prepared.validation
        if len(self.classes_) > 2:
            self.__dict__.pop("_threshold", None)
        elif self.threshold != "tune":
            self._threshold = Threshold(float(self.threshold), self._rarest)
        elif rows is not None:
            self._threshold = Threshold.tuned(
                _both_probabilities(network.logits(as_array(rows.X))),
                rows.metric_target == 1,
                rows.metric_weight,
                self._rarest,
            )


def _both_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Probabilities of both classes from the log-odds of the second one, of shape (n_rows, 1)."""
    return np.column_stack([expit(-outputs), expit(outputs)])
