"""Keras networks as scikit-learn estimators, and fast ways to tune them.

Public names are loaded when they are first used: ``import skhp`` itself does not import TensorFlow.
"""

from __future__ import annotations

from skhp.interruption import end_command_on_ctrl_c

# Before the imports that take time; that of joblib takes most of it.
end_command_on_ctrl_c()

import importlib  # noqa: E402
from importlib.metadata import version  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

from skhp import population  # noqa: E402
from skhp.population.registration import register_backend  # noqa: E402

if TYPE_CHECKING:
    from skhp.comparison.compare import compare
    from skhp.comparison.comparison_display import ComparisonDisplay
    from skhp.comparison.comparison_result import Comparison
    from skhp.diagnosis import Diagnosis, Finding, diagnose
    from skhp.displays import (
        HistoryDisplay,
        SearchDisplay,
        SearchHistoryDisplay,
        ThresholdDisplay,
    )
    from skhp.estimators.custom import KerasClassifier, KerasRegressor
    from skhp.estimators.mlp_classifier import KerasMLPClassifier
    from skhp.estimators.mlp_regressor import KerasMLPRegressor
    from skhp.exceptions import (
        CannotJoinError,
        InvalidParameterError,
        JournalDamagedError,
        JournalError,
        JournalMismatchError,
        JournalWarning,
        NonFiniteLossError,
        NonFiniteLossWarning,
        RareClassWarning,
    )
    from skhp.search import (
        BayesSearchCV,
        GridSearchCV,
        HalvingGridSearchCV,
        HalvingRandomSearchCV,
        LayerSizes,
        RandomizedSearchCV,
        TPESearchCV,
        suggest_search_space,
    )

__version__ = version("skhp")

__all__ = [
    "BayesSearchCV",
    "CannotJoinError",
    "Comparison",
    "ComparisonDisplay",
    "Diagnosis",
    "Finding",
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "HistoryDisplay",
    "InvalidParameterError",
    "JournalDamagedError",
    "JournalError",
    "JournalMismatchError",
    "JournalWarning",
    "KerasClassifier",
    "KerasMLPClassifier",
    "KerasMLPRegressor",
    "KerasRegressor",
    "LayerSizes",
    "NonFiniteLossError",
    "NonFiniteLossWarning",
    "RandomizedSearchCV",
    "RareClassWarning",
    "SearchDisplay",
    "SearchHistoryDisplay",
    "TPESearchCV",
    "ThresholdDisplay",
    "__version__",
    "compare",
    "diagnose",
    "population",
    "suggest_search_space",
]

_MODULE_OF = {
    "BayesSearchCV": "skhp.search",
    "CannotJoinError": "skhp.exceptions",
    "Comparison": "skhp.comparison.comparison_result",
    "ComparisonDisplay": "skhp.comparison.comparison_display",
    "Diagnosis": "skhp.diagnosis",
    "Finding": "skhp.diagnosis",
    "GridSearchCV": "skhp.search",
    "HalvingGridSearchCV": "skhp.search",
    "HalvingRandomSearchCV": "skhp.search",
    "HistoryDisplay": "skhp.displays",
    "InvalidParameterError": "skhp.exceptions",
    "JournalDamagedError": "skhp.exceptions",
    "JournalError": "skhp.exceptions",
    "JournalMismatchError": "skhp.exceptions",
    "JournalWarning": "skhp.exceptions",
    "KerasClassifier": "skhp.estimators.custom",
    "KerasMLPClassifier": "skhp.estimators.mlp_classifier",
    "KerasMLPRegressor": "skhp.estimators.mlp_regressor",
    "KerasRegressor": "skhp.estimators.custom",
    "LayerSizes": "skhp.search",
    "NonFiniteLossError": "skhp.exceptions",
    "NonFiniteLossWarning": "skhp.exceptions",
    "RandomizedSearchCV": "skhp.search",
    "RareClassWarning": "skhp.exceptions",
    "SearchDisplay": "skhp.displays",
    "SearchHistoryDisplay": "skhp.displays",
    "TPESearchCV": "skhp.search",
    "ThresholdDisplay": "skhp.displays",
    "compare": "skhp.comparison.compare",
    "diagnose": "skhp.diagnosis",
    "suggest_search_space": "skhp.search",
}

register_backend()


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'skhp' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
