"""Keras networks as scikit-learn estimators, and fast ways to tune them.

Public names are loaded when they are first used: ``import skhp`` itself does not import TensorFlow.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from skhp.population.registration import (
    register_backend,
    register_backend_where_joblib_is_loaded,
)

if TYPE_CHECKING:
    from skhp.estimators.custom import KerasClassifier, KerasRegressor
    from skhp.estimators.mlp_classifier import KerasMLPClassifier
    from skhp.estimators.mlp_regressor import KerasMLPRegressor
    from skhp.exceptions import CannotJoinError, InvalidParameterError, NonFiniteLossWarning
    from skhp.population.backend import population_backend

__version__ = version("skhp")

__all__ = [
    "CannotJoinError",
    "InvalidParameterError",
    "KerasClassifier",
    "KerasMLPClassifier",
    "KerasMLPRegressor",
    "KerasRegressor",
    "NonFiniteLossWarning",
    "__version__",
    "population_backend",
]

_MODULE_OF = {
    "CannotJoinError": "skhp.exceptions",
    "InvalidParameterError": "skhp.exceptions",
    "KerasClassifier": "skhp.estimators.custom",
    "KerasMLPClassifier": "skhp.estimators.mlp_classifier",
    "KerasMLPRegressor": "skhp.estimators.mlp_regressor",
    "KerasRegressor": "skhp.estimators.custom",
    "NonFiniteLossWarning": "skhp.exceptions",
    "population_backend": "skhp.population.backend",
}

register_backend_where_joblib_is_loaded()


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'skhp' has no attribute {name!r}")
    register_backend()
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
