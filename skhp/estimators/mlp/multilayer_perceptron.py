"""What makes an estimator a multilayer perceptron: the parameters of its hidden layers."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

from skhp.compat.scikit_learn import Interval, StrOptions
from skhp.estimators.network.estimator import NetworkEstimator
from skhp.estimators.tables import WeightedTable
from skhp.networks.description import (
    NetworkDescription,
    layer_sizes,
    multilayer_perceptron,
    multilayer_perceptron_size,
)
from skhp.networks.layers.activation import ACTIVATIONS


class MultilayerPerceptron(NetworkEstimator):
    """Parameters of hidden layers, and the network that they describe; not for direct use."""

    _row_parameters: ClassVar[tuple[str, ...]] = ()
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layers": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "neurons": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            "array-like",
        ],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "l2": [Interval(Real, 0, None, closed="left")],
        "batch_norm": ["boolean"],
        **NetworkEstimator._parameter_constraints,
    }

    def __init__(
        self,
        hidden_layers: int | str = "auto",
        neurons: int | Sequence[int] | str = "auto",
        activation: str = "relu",
        dropout: float = 0.0,
        l2: float = 0.0,
        batch_norm: bool = False,
        **others: Any,
    ) -> None:
        super().__init__(**others)
        self.hidden_layers = hidden_layers
        self.neurons = neurons
        self.activation = activation
        self.dropout = dropout
        self.l2 = l2
        self.batch_norm = batch_norm

    def _describe(self, table: WeightedTable) -> NetworkDescription:
        n_inputs, n_outputs = table.X.shape[1], table.target.n_outputs
        self._refuse_too_many_layers(n_inputs, n_outputs)
        return multilayer_perceptron(
            n_inputs=n_inputs,
            n_outputs=n_outputs,
            output=table.target.output,
            hidden_layers=self.hidden_layers,
            neurons=self.neurons,
            activation=self.activation,
            batch_norm=self.batch_norm,
            dropout=self.dropout,
            l2=self.l2,
        )

    def _check_combination(self) -> None:
        super()._check_combination()
        # The least that any table could ask for.
        self._refuse_too_many_layers(1, 1, "at least ")
        layer_sizes(self.hidden_layers, self.neurons, n_inputs=1)

    def _refuse_too_many_layers(self, n_inputs: int, n_outputs: int, least: str = "") -> None:
        """Refuse a network that is too large, before a description as long as it is made."""
        if self.max_memory is None:
            return
        size = multilayer_perceptron_size(
            n_inputs, n_outputs, self.hidden_layers, self.neurons, self.batch_norm
        )
        neurons = reprlib.repr(self.neurons)
        parameters = f" with hidden_layers={self.hidden_layers!r} and neurons={neurons}"
        self._refuse_too_large(size, parameters, least)
