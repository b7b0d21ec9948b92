"""What a network of classes decides, from the outputs before its last activation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit, log_softmax, logit, softmax

from skhp.estimators.mlp_base import KerasMLPBase
from skhp.estimators.mlp_preparation import PreparedFit
from skhp.estimators.threshold import best_threshold
from skhp.exceptions import InvalidParameterError
from skhp.training import TrainedNetwork


class ClassDecisions(KerasMLPBase):
    """Predictions of classes, with a threshold for the rarest of two; not for direct use."""

    classes_: np.ndarray
    threshold: float | str
    threshold_: float
    _rarest: int

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
        if outputs.shape[1] == 1:
            return np.column_stack([expit(-outputs), expit(outputs)])
        return softmax(outputs, axis=1)

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Logarithms of the probabilities of the classes, finite also where those round to 0.

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
        """The most probable class of each row, or of two classes by the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels as in `classes_`.
        """
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return self.classes_[(outputs[:, 0] > self._least_log_odds()).astype(np.intp)]
        return self.classes_[outputs.argmax(axis=1)]

    def _least_log_odds(self) -> float:
        """Log-odds of ``classes_[1]`` that its rows exceed."""
        threshold = float(logit(getattr(self, "threshold_", 0.5)))
        return threshold if self._rarest == 1 else -threshold

    def _prepared(self, *rows: Any, **more: Any) -> PreparedFit:
        prepared = super()._prepared(*rows, **more)
        if self.threshold != 0.5:
            self._refuse_threshold(prepared)
        return prepared

    def _refuse_threshold(self, prepared: PreparedFit) -> None:
        if len(self.classes_) > 2:
            raise InvalidParameterError(
                f"threshold={self.threshold!r} is for two classes, and there are "
                f"{len(self.classes_)}: leave it at 0.5."
            )
        if self.threshold == "tune" and prepared.validation is None:
            raise InvalidParameterError(
                "threshold='tune' needs rows that are held out of the training: set "
                "early_stopping=True, or pass X_val and y_val to fit."
            )

    def _settle(self, prepared: PreparedFit, network: TrainedNetwork) -> None:
        rows = prepared.validation
        if self.threshold != "tune":
            self.threshold_ = float(self.threshold)
        elif rows is not None:
            log_odds = network.logits(rows.X)[:, 0]
            self.threshold_ = best_threshold(
                log_odds if self._rarest == 1 else -log_odds,
                rows.metric_target == self._rarest,
                rows.metric_weight,
            )
