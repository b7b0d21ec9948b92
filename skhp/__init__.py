"""Keras networks as scikit-learn estimators, and fast ways to tune them.

Public names are loaded when they are first used: ``import skhp`` itself does not import TensorFlow.
"""

from __future__ import annotations

from skhp.shared.interruption import end_command_on_signals

# Called before the slow imports, of which joblib's is the slowest.
end_command_on_signals()

import importlib  # noqa: E402
from importlib.metadata import version  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

from skhp import population  # noqa: E402
from skhp.population.registration import register_backend  # noqa: E402

if TYPE_CHECKING:
    from skhp.comparison.compare import compare
    from skhp.comparison.result import Comparison, ComparisonDisplay
    from skhp.comparison.seeds.display import RepeatsDisplay
    from skhp.comparison.seeds.repeat import repeat
    from skhp.comparison.seeds.repeats import Repeats
    from skhp.estimators.convolutional.classifier import KerasCNNClassifier
    from skhp.estimators.convolutional.regressor import KerasCNNRegressor
    from skhp.estimators.keras_model.classifier import KerasClassifier
    from skhp.estimators.keras_model.regressor import KerasRegressor
    from skhp.estimators.mlp.classifier import KerasMLPClassifier
    from skhp.estimators.mlp.regressor import KerasMLPRegressor
    from skhp.estimators.recurrent.classifier import KerasRNNClassifier
    from skhp.estimators.recurrent.regressor import KerasRNNRegressor
    from skhp.exceptions import (
        CannotJoinError,
        CannotSaveError,
        FileRefusedError,
        InvalidParameterError,
        JournalDamagedError,
        JournalError,
        JournalMismatchError,
        JournalWarning,
        NonFiniteLossError,
        NonFiniteLossWarning,
        RareClassWarning,
        WorkersError,
    )
    from skhp.inspection.diagnose import diagnose
    from skhp.inspection.displays.history_display import HistoryDisplay
    from skhp.inspection.displays.search_display import SearchDisplay
    from skhp.inspection.displays.search_history_display import SearchHistoryDisplay
    from skhp.inspection.displays.threshold_display import ThresholdDisplay
    from skhp.inspection.examined_fit import Diagnosis, Finding
    from skhp.saving.export import export
    from skhp.saving.save import load, save
    from skhp.search.bayes import BayesSearchCV
    from skhp.search.grid import GridSearchCV
    from skhp.search.halving import HalvingGridSearchCV, HalvingRandomSearchCV
    from skhp.search.randomized import RandomizedSearchCV
    from skhp.search.space.layer_sizes import LayerSizes
    from skhp.search.space.suggested_space import suggest_search_space
    from skhp.search.tpe import TPESearchCV

__version__ = version("skhp")

__all__ = [
    "BayesSearchCV",
    "CannotJoinError",
    "CannotSaveError",
    "Comparison",
    "ComparisonDisplay",
    "Diagnosis",
    "FileRefusedError",
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
    "KerasCNNClassifier",
    "KerasCNNRegressor",
    "KerasClassifier",
    "KerasMLPClassifier",
    "KerasMLPRegressor",
    "KerasRNNClassifier",
    "KerasRNNRegressor",
    "KerasRegressor",
    "LayerSizes",
    "NonFiniteLossError",
    "NonFiniteLossWarning",
    "RandomizedSearchCV",
    "RareClassWarning",
    "Repeats",
    "RepeatsDisplay",
    "SearchDisplay",
    "SearchHistoryDisplay",
    "TPESearchCV",
    "ThresholdDisplay",
    "WorkersError",
    "__version__",
    "compare",
    "diagnose",
    "export",
    "load",
    "population",
    "repeat",
    "save",
    "suggest_search_space",
]

_MODULE_OF = {
    "BayesSearchCV": "skhp.search.bayes",
    "CannotJoinError": "skhp.exceptions",
    "CannotSaveError": "skhp.exceptions",
    "Comparison": "skhp.comparison.result",
    "ComparisonDisplay": "skhp.comparison.result",
    "Diagnosis": "skhp.inspection.examined_fit",
    "FileRefusedError": "skhp.exceptions",
    "Finding": "skhp.inspection.examined_fit",
    "GridSearchCV": "skhp.search.grid",
    "HalvingGridSearchCV": "skhp.search.halving",
    "HalvingRandomSearchCV": "skhp.search.halving",
    "HistoryDisplay": "skhp.inspection.displays.history_display",
    "InvalidParameterError": "skhp.exceptions",
    "JournalDamagedError": "skhp.exceptions",
    "JournalError": "skhp.exceptions",
    "JournalMismatchError": "skhp.exceptions",
    "JournalWarning": "skhp.exceptions",
    "KerasCNNClassifier": "skhp.estimators.convolutional.classifier",
    "KerasCNNRegressor": "skhp.estimators.convolutional.regressor",
    "KerasClassifier": "skhp.estimators.keras_model.classifier",
    "KerasMLPClassifier": "skhp.estimators.mlp.classifier",
    "KerasMLPRegressor": "skhp.estimators.mlp.regressor",
    "KerasRNNClassifier": "skhp.estimators.recurrent.classifier",
    "KerasRNNRegressor": "skhp.estimators.recurrent.regressor",
    "KerasRegressor": "skhp.estimators.keras_model.regressor",
    "LayerSizes": "skhp.search.space.layer_sizes",
    "NonFiniteLossError": "skhp.exceptions",
    "NonFiniteLossWarning": "skhp.exceptions",
    "RandomizedSearchCV": "skhp.search.randomized",
    "RareClassWarning": "skhp.exceptions",
    "Repeats": "skhp.comparison.seeds.repeats",
    "RepeatsDisplay": "skhp.comparison.seeds.display",
    "SearchDisplay": "skhp.inspection.displays.search_display",
    "SearchHistoryDisplay": "skhp.inspection.displays.search_history_display",
    "TPESearchCV": "skhp.search.tpe",
    "ThresholdDisplay": "skhp.inspection.displays.threshold_display",
    "WorkersError": "skhp.exceptions",
    "compare": "skhp.comparison.compare",
    "diagnose": "skhp.inspection.diagnose",
    "export": "skhp.saving.export",
    "load": "skhp.saving.save",
    "repeat": "skhp.comparison.seeds.repeat",
    "save": "skhp.saving.save",
    "suggest_search_space": "skhp.search.space.suggested_space",
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
