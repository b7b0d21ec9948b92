"""The parameters that the classifier and the regressor share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from skhp.estimators.parameters import NamedParametersMixin, suggest_misspelt
from skhp.estimators.scikit_learn_private import Interval, StrOptions
from skhp.networks import ACTIVATIONS, OPTIMIZERS, SCHEDULES


class MLPParameters(NamedParametersMixin, BaseEstimator):
    """Constructor of a multilayer perceptron and the values that its parameters may have."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layers": [Interval(Integral, 0, None, closed="left")],
        "neurons": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            "array-like",
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "l2": [Interval(Real, 0, None, closed="left")],
        "batch_norm": ["boolean"],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions(set(SCHEDULES)), dict, None],
        "batch_size": [StrOptions({"full"}), Interval(Integral, 1, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "min_delta": [Interval(Real, 0, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "engine": [StrOptions({"auto", "population", "keras"})],
        "callbacks": "no_validation",
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters for this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether to name the parameters of a loss that has some, as in ``loss__gamma``.

        Returns
        -------
        params : dict
            Values by name.
        """
        # A search asks several times for each of hundreds of members, and scikit-learn reads the
        # signature anew each time.
        params = {name: getattr(self, name) for name in _parameter_names(type(self).__init__)}
        if deep and hasattr(self.loss, "get_params") and not isinstance(self.loss, type):
            of_loss = self.loss.get_params()
            params |= {f"loss__{name}": value for name, value in of_loss.items()}
        return params

    @suggest_misspelt
    def __init__(
        self,
        hidden_layers: int = 1,
        neurons: int | Sequence[int] | str = "auto",
        activation: str = "relu",
        dropout: float = 0.0,
        l2: float = 0.0,
        batch_norm: bool = False,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        lr_schedule: str | Mapping[str, Any] | None = None,
        batch_size: int | str = 32,
        epochs: int = 200,
        early_stopping: bool = True,
        patience: int = 10,
        min_delta: float = 0.0,
        monitor: str = "val_loss",
        validation_fraction: float = 0.2,
        loss: Any = "auto",
        engine: str = "auto",
        callbacks: Any = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layers = hidden_layers
        self.neurons = neurons
        self.activation = activation
        self.dropout = dropout
        self.l2 = l2
        self.batch_norm = batch_norm
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.patience = patience
        self.min_delta = min_delta
        self.monitor = monitor
        self.validation_fraction = validation_fraction
        self.loss = loss
        self.engine = engine
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose


@functools.lru_cache
def _parameter_names(constructor: Callable[..., None]) -> tuple[str, ...]:
    return tuple(
        sorted(name for name in inspect.signature(constructor).parameters if name != "self")
    )
