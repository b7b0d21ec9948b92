"""What the twin of a model is built from, in this process or another."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import keras

from skhp.compat.keras import DefaultSeeds
from skhp.networks.whole_models.portable_model import loading_scope

# Enough rows to show whether a row is treated differently among other rows.
_FEW_ROWS = 4


@dataclass(frozen=True)
class TwinPlan:
    """What a twin is built from: its configuration, rows, and the classes that Keras has to find.

    Another process builds its own twin from it, which is quicker than to send the model.
    """

    configuration: Any
    rows: Any
    custom: dict[str, Any]

    def model(self) -> keras.Model:
        """Build the twin."""
        with quiet_seeds(), loading_scope(self.custom):
            return built_twin(self.configuration, self.rows)


def built_twin(configuration: dict[str, Any], x: Any) -> keras.Model:
    """A model of a configuration, which may need rows to be built."""
    twin = keras.saving.deserialize_keras_object(copy.deepcopy(configuration), safe_mode=False)
    if not twin.built or not getattr(twin, "inputs", None):
        twin(few_rows(x), training=False)
    return twin


def few_rows(x: Any, count: int = _FEW_ROWS) -> Any:
    """The first rows."""
    return keras.tree.map_structure(lambda array: array[:count], x)


def quiet_seeds() -> Any:
    """A context in which a model is built without using up the seeds of a fit."""
    return DefaultSeeds(0, required=False).in_use()
