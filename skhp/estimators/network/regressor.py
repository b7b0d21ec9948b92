"""The base of our own networks that regress: scales targets, and scales predictions back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d

from skhp.compat.scikit_learn import StrOptions, fit_context
from skhp.estimators.early_stopping import monitors
from skhp.estimators.familiar_names import REGRESSION_MONITORS
from skhp.estimators.network.estimator import NetworkEstimator
from skhp.estimators.tables import EncodedTarget, TargetScale, WeightedTable
from skhp.objectives.losses import REGRESSION_ALIASES, REGRESSION_LOSSES
from skhp.objectives.metrics import REGRESSION_METRICS, Metric

if TYPE_CHECKING:
    import keras


class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """Base of the regressors whose network is a `NetworkDescription`; not for direct use."""

    _row_parameters: ClassVar[tuple[str, ...]] = ("scale_target",)

    target_mean_: np.ndarray
    target_scale_: np.ndarray

    _metrics: ClassVar[dict[str, Metric]] = REGRESSION_METRICS
    _monitors: ClassVar[dict[str, str]] = REGRESSION_MONITORS

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **NetworkEstimator._parameter_constraints,
        "loss": [StrOptions({"auto", *REGRESSION_LOSSES, *REGRESSION_ALIASES}), callable],
        "monitor": [StrOptions(monitors(REGRESSION_METRICS, REGRESSION_MONITORS))],
        "scale_target": ["boolean"],
    }

    def __init__(self, scale_target: bool = True, **of_training: Any) -> None:
        super().__init__(**of_training)
        self.scale_target = scale_target

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch on all of these rows, from the current weights of the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            As in `fit`.
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predicted targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the unit of the target, and in the shape that it had in `fit`.
        """
        outputs = self._outputs(X)
        outputs = TargetScale(self.target_mean_, self.target_scale_).unscaled(outputs)
        return outputs[:, 0] if self._one_target else outputs

    def _encode_target(
        self,
        y: np.ndarray,
        *,
        first: bool,
        classes: ArrayLike | None = None,
        held_out: bool = False,
    ) -> EncodedTarget:
        try:
            y = np.asarray(y, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"y must hold numbers for a regressor, got {y[:1].tolist()[0]!r}."
            ) from error
        largest = np.abs(y).max()
        if largest > np.finfo(np.float32).max:
            raise ValueError(
                f"y holds {largest:g}, which is too large for the float32 that networks compute in."
                " Scale the target, for example by TransformedTargetRegressor."
            )
        one_target = y.ndim == 1 or y.shape[1] == 1
        if one_target:
            y = column_or_1d(y, warn=True)[:, None]
        if first:
            self._one_target = one_target
            self._n_targets = y.shape[1]
        elif y.shape[1] != self._n_targets:
            raise ValueError(
                f"y has {y.shape[1]} targets, but this {type(self).__name__} was fitted with "
                f"{self._n_targets}."
            )
        return EncodedTarget(
            values=y,
            labels=None,
            class_weight=np.ones(len(y)),
            output="regression",
            n_outputs=y.shape[1],
        )

    def _scaled(self, table: WeightedTable, *, first: bool) -> WeightedTable:
        if first:
            n_targets = table.target.n_outputs
            learnt = TargetScale.of(table) if self.scale_target else TargetScale.none(n_targets)
            self.target_mean_, self.target_scale_ = learnt.mean, learnt.scale
        return TargetScale(self.target_mean_, self.target_scale_).scaled(table)

    @property
    def model_(self) -> keras.Model:
        """The trained network as a Keras model, in the unit of the target."""
        if not hasattr(self, "_trained_network"):
            raise AttributeError(f"{type(self).__name__} has no model_ before it is fitted.")
        return self._trained_network.model_in_units(self.target_mean_, self.target_scale_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
