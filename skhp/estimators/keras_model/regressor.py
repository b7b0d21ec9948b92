"""Any Keras model as a regressor."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.multiclass import type_of_target

from skhp.compat.scikit_learn import fit_context
from skhp.estimators.early_stopping import Monitors, monitors
from skhp.estimators.familiar_names import REGRESSION_MONITORS
from skhp.estimators.keras_model.arguments import refuse_output_units
from skhp.estimators.keras_model.model_wrapper import RegressorTargetEncoder
from skhp.estimators.keras_model.wrapped_fit import KerasWrapper
from skhp.estimators.keras_model.wrapper_parameters import ATTRIBUTES, PARAMETERS
from skhp.estimators.tables import numeric_target
from skhp.exceptions import InvalidParameterError
from skhp.objectives.metrics import REGRESSION_METRICS, Metric
from skhp.shared.documented_parameters import documented


@documented(PARAMETERS, ATTRIBUTES)
class KerasRegressor(RegressorMixin, KerasWrapper):
    """Any Keras model as a regressor, with the conventions of SciKeras.

    Parameters
    ----------
    model : callable or keras.Model, default=None
        Build function that returns a Keras model, compiled or not, or a built model, which is
        copied before each fit. The parameters of the function become parameters of the estimator:
        `neurons` is set by ``model__neurons=10`` or ``neurons=10``. Three names are reserved: `fit`
        passes its knowledge of the data as `meta`, such as ``meta["n_features_in_"]`` and
        ``meta["n_outputs_"]``, the arguments for ``model.compile`` as `compile_kwargs`, and all
        parameters of the estimator as `params`.
    loss : str, function, class or instance of keras.losses.Loss, default=None
        Needed unless the build function compiles its model.
    monitor : str, default="val_loss"
        The value that early stopping watches: "val_loss", a metric that the model is compiled with,
        such as "val_mae", or a metric of the multilayer perceptrons, such as "val_r2", which is
        computed over all held-out rows.
    validation_fraction : float, default=0.2
        Share of the rows that early stopping holds out.

    Attributes
    ----------
    target_type_ : str
        Kind of the target, as returned by ``sklearn.utils.multiclass.type_of_target``.
    {attributes}

    See Also
    --------
    KerasClassifier : The same for classes; its notes are valid here, too.
    skhp.KerasMLPRegressor : Multilayer perceptron with the layers as parameters.

    Examples
    --------
    >>> import keras
    >>> from skhp import KerasRegressor
    >>> def build(meta):
    ...     return keras.Sequential([keras.Input((meta["n_features_in_"],)), keras.layers.Dense(1)])
    >>> regressor = KerasRegressor(
    ...     build,
    ...     loss="mean_squared_error",
    ...     optimizer="adam",
    ...     optimizer__learning_rate=0.1,
    ...     epochs=50,
    ...     random_state=0,
    ... )
    >>> regressor.fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]).predict([[1.5]]).round().tolist()
    [4.0]
    """

    _metrics: ClassVar[dict[str, Metric]] = REGRESSION_METRICS
    _monitors: ClassVar[dict[str, str]] = REGRESSION_MONITORS

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **KerasWrapper._parameter_constraints,
        "monitor": [Monitors(monitors(REGRESSION_METRICS, REGRESSION_MONITORS))],
    }

    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, **kwargs: Any
    ) -> Self:
        """Train for one more epoch.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or of more dimensions
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
        **kwargs : dict
            Arguments of ``model.fit`` for this call.

        Returns
        -------
        self : object
        """
        return super().partial_fit(X, y, sample_weight=sample_weight, **kwargs)

    def predict(self, X: ArrayLike, **kwargs: Any) -> np.ndarray:
        """The predicted target of each row.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or of more dimensions
        **kwargs : dict
            Arguments of ``model.predict`` for this call.

        Returns
        -------
        y : ndarray of float64, of the shape of the target in `fit`
        """
        outputs = self._predict_raw(X, **kwargs)
        if isinstance(self.target_encoder_, RegressorTargetEncoder):
            refuse_output_units(outputs[0].size, (self.n_outputs_,))
        return self.target_encoder_.inverse_transform(outputs)

    # Without this line, RegressorMixin.score would come first.
    score = KerasWrapper.score

    @staticmethod
    def scorer(y_true: ArrayLike, y_pred: ArrayLike, **kwargs: Any) -> float:
        """Coefficient of determination; a subclass may score by another function.

        Parameters
        ----------
        y_true, y_pred : array-like
        **kwargs : dict
            `sample_weight`, and the parameters given with the prefix ``score__``.

        Returns
        -------
        score : float
        """
        return r2_score(y_true, y_pred, **kwargs)

    @property
    def target_encoder(self) -> Any:
        """Unfitted transformer between targets and the model; a subclass may return its own.

        Its `inverse_transform` is given the outputs of the model.
        """
        return RegressorTargetEncoder()

    def _type_of_target(self, y: np.ndarray) -> str:
        return type_of_target(numeric_target(self, y))

    def _validate_data(
        self, X: Any = None, y: Any = None, reset: bool = False, y_numeric: bool = True
    ) -> tuple[np.ndarray, Any]:
        X, y = super()._validate_data(X, y, reset, y_numeric)
        return X, None if y is None else numeric_target(self, y)

    def _encoded_target(self, y: np.ndarray) -> Any:
        if isinstance(self.target_encoder_, RegressorTargetEncoder):
            refuse_output_units(self._output_units, (self.n_outputs_,))
        return super()._encoded_target(y)

    def _refuse_encoded_target(self) -> None:
        if not isinstance(self.target_encoder_, RegressorTargetEncoder):
            raise InvalidParameterError(
                f"monitor={self.monitor!r} is computed in the unit of the target, and "
                f"{type(self).__name__} has a target_encoder of its own: set monitor='val_loss', "
                "or name a metric that the model is compiled with."
            )
