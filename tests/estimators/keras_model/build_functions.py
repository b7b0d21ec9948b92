"""Build functions for tests, in a module of their own so that estimators can be pickled."""

from __future__ import annotations

from typing import Any

import keras


def build_classifier(
    meta: dict[str, Any],
    compile_kwargs: dict[str, Any],
    neurons: int = 8,
    activation: str = "relu",
    dropout: float = 0.0,
) -> keras.Model:
    """A network for two classes, for more, and for several labels at once."""
    units, last, loss = {
        "binary": (1, "sigmoid", "binary_crossentropy"),
        "multilabel-indicator": (meta["n_classes_"], "sigmoid", "binary_crossentropy"),
        "multiclass": (meta["n_classes_"], "softmax", "sparse_categorical_crossentropy"),
    }[meta["target_type_"]]
    model = _hidden(meta, neurons, activation, dropout)
    model.add(keras.layers.Dense(units, activation=last))
    model.compile(**{**compile_kwargs, "loss": compile_kwargs["loss"] or loss})
    return model


def build_regressor(
    meta: dict[str, Any],
    compile_kwargs: dict[str, Any],
    neurons: int = 8,
    activation: str = "relu",
    dropout: float = 0.0,
) -> keras.Model:
    """A network for one target or more."""
    model = _hidden(meta, neurons, activation, dropout)
    model.add(keras.layers.Dense(meta["n_outputs_"]))
    model.compile(**{**compile_kwargs, "loss": compile_kwargs["loss"] or "mean_squared_error"})
    return model


def _hidden(
    meta: dict[str, Any], neurons: int, activation: str, dropout: float
) -> keras.Sequential:
    model = keras.Sequential([keras.Input((meta["n_features_in_"],))])
    model.add(keras.layers.Dense(neurons, activation=activation))
    if dropout:
        model.add(keras.layers.Dropout(dropout))
    return model
