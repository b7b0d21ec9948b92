"""A compiled network as plain arrays and dicts, and back.

A pickled estimator holds this record instead of a Keras model file: it is smaller, loads nothing
but numbers, and continues a training where it stood (optimizer state and dropout noise included).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from skhp.networks.build import build_network
from skhp.networks.description import NetworkDescription
from skhp.objectives.losses import NetworkLoss, keras_loss


@dataclass(frozen=True)
class SavedNetwork:
    """Everything that makes a compiled network what it is."""

    description: NetworkDescription
    loss: str | NetworkLoss
    optimizer: dict[str, Any]
    steps_per_execution: int
    variables: list[np.ndarray]
    optimizer_variables: list[np.ndarray]


def compile_network(
    model: keras.Model,
    description: NetworkDescription,
    loss: str | NetworkLoss,
    optimizer: keras.optimizers.Optimizer,
    steps_per_execution: int,
) -> None:
    """Compile a network of :func:`build_network` so that Keras can train it."""
    model.compile(
        optimizer=optimizer,
        loss=keras_loss(loss, description.output),
        steps_per_execution=steps_per_execution,
        # Measured on networks for tables: XLA compiles longer than the whole training runs.
        jit_compile=False,
    )


def save_network(
    model: keras.Model, description: NetworkDescription, loss: str | NetworkLoss
) -> SavedNetwork:
    """Record of a compiled network."""
    return SavedNetwork(
        description=description,
        loss=loss,
        optimizer=keras.optimizers.serialize(model.optimizer),
        steps_per_execution=model.steps_per_execution,
        variables=_values(model.variables),
        optimizer_variables=_values(model.optimizer.variables),
    )


def restore_network(saved: SavedNetwork) -> keras.Model:
    """Compiled network of a record."""
    model = build_network(saved.description, seed=0)
    optimizer = keras.optimizers.deserialize(saved.optimizer)
    compile_network(model, saved.description, saved.loss, optimizer, saved.steps_per_execution)
    optimizer.build(model.trainable_variables)
    for variable, value in zip(model.variables, saved.variables, strict=True):
        variable.assign(value)
    for variable, value in zip(optimizer.variables, saved.optimizer_variables, strict=True):
        variable.assign(value)
    return model


def _values(variables: list[keras.Variable]) -> list[np.ndarray]:
    return [np.array(variable.value.numpy()) for variable in variables]
