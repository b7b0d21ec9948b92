"""scikit-learn estimators."""

import skhp.networks  # loads TensorFlow quietly, so it comes first  # noqa: F401
from skhp.estimators.mlp_classifier import KerasMLPClassifier
from skhp.estimators.mlp_regressor import KerasMLPRegressor

__all__ = ["KerasMLPClassifier", "KerasMLPRegressor"]
