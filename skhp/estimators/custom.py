"""Any Keras model as a scikit-learn estimator, with SciKeras' conventions."""

from __future__ import annotations

from skhp.estimators.custom_classifier import KerasClassifier
from skhp.estimators.custom_regressor import KerasRegressor

__all__ = ["KerasClassifier", "KerasRegressor"]
