"""The parameters of hidden layers, which make an estimator a multilayer perceptron."""

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

# The documentation that the classifier and the regressor share.
PARAMETERS = """
hidden_layers : int or "auto"
    Number of hidden layers; 0 makes a linear model. "auto" is as many as `neurons` has
    entries, and 1 where that is one number or "auto".
neurons : int, sequence of int or "auto"
    Neurons of every hidden layer, or one number a layer: ``(20, 5)`` is two layers. "auto"
    takes two thirds of the number of inputs, rounded down, but 2 at least.
activation : str
    Activation of the hidden layers, by Keras' name: "relu", "tanh", "sigmoid", "elu", "gelu",
    "selu", "silu", "linear" and others.
dropout : float
    Share of the neurons dropped after each hidden layer while training, from 0 to below 1.
l2 : float
    Weight of the squared kernels in the loss.
batch_norm : bool
    Batch normalisation before each activation.
optimizer : {"sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw", "nadam"}
    Update rule, with Keras' defaults; momentum is 0.9 where there is one. "Adam" is "adam".
learning_rate : float
    Above 0.
lr_schedule : {"step", "exponential", "cosine", "plateau"}, dict or None
    How the learning rate falls, counted in epochs: "step" multiplies it by ``factor`` (0.5)
    after each ``every`` (10) epochs; "exponential" shrinks it evenly by ``factor`` (0.95) an
    epoch; "cosine" lets it fall to ``floor`` (0) times itself over `epochs`; "plateau"
    multiplies it by ``factor`` (0.5) after ``patience`` (5) epochs without an improvement. A
    dict sets these numbers: ``{"kind": "step", "every": 30}``.
batch_size : int or "full"
    Rows in a batch; "full", or a number above the rows there are, takes all of them.
epochs : int
    The most epochs to train.
early_stopping : bool
    Hold out `validation_fraction` of the rows, stop after `patience` epochs without an
    improvement on them, and keep the best weights.
patience : int
    Epochs without an improvement before the training stops.
min_delta : float
    The least change of the monitored value that counts as an improvement.
engine : {"auto", "population", "keras"}
    What trains the network: the compiled program that trains whole populations, and a lone fit
    as a cohort of one, or Keras' own ``fit``. "auto" takes Keras where there are `callbacks`;
    "population" raises a `CannotJoinError` there. Weights agree to rounding, but for dropout,
    whose noise the two draw differently.
max_memory : int, str or None
    The most memory that training the network may take, in bytes or as "500MB" or "4GiB": 48
    bytes for each weight and some 3.5 MB for each layer. A larger one is refused before the
    training; in a population no more members train at once than it allows. None sets no limit.
callbacks : keras.callbacks.Callback, list of them or None
    Callbacks for Keras' ``fit``, as instances, of which shallow copies are used, or as classes.
    They find ``val_loss`` and the monitored metric in their logs.
warm_start : bool
    Start from the weights of the last fit, with a new optimizer.
random_state : int, RandomState instance or None
    Decides the rows held out, the initial weights, the order of the rows and the dropout
    noise. An int gives identical bits each time.
verbose : int
    As in Keras: 0 is silent, 1 a progress bar, 2 a line an epoch.
"""

ATTRIBUTES = """
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where all of them are strings.
    n_iter_ : int
        Epochs run.
    best_epoch_ : int
        Epoch, counted from 1, whose weights are kept.
    stop_reason_ : {"patience", "epochs", "non_finite_loss", "callback", "pruned"}
        Why the training ended.
    learning_rate_ : list of float
        Rate that each epoch started with; only with an `lr_schedule`.
"""


class MultilayerPerceptron(NetworkEstimator):
    """Parameters of hidden layers, and the network that they describe; not for direct use."""

    hidden_layers: int | str
    neurons: int | Sequence[int] | str
    activation: str
    dropout: float
    l2: float
    batch_norm: bool

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
