"""The parameters of hidden layers, which make an estimator a multilayer perceptron."""

from __future__ import annotations

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
    Number of hidden layers; 0 makes a linear model. "auto" is the number of entries of
    `neurons`, or 1 if `neurons` is a single number or "auto".
neurons : int, sequence of int or "auto"
    Neurons of every hidden layer, or a sequence with one number per layer: ``(20, 5)`` is two
    layers. "auto" is two thirds of the number of inputs, rounded down, but at least 2.
activation : str
    Activation of the hidden layers, by Keras' name: "relu", "tanh", "sigmoid", "elu", "gelu",
    "selu", "silu", "linear" and others.
dropout : float
    Share of the neurons, from 0 to below 1, dropped after each hidden layer during training.
l2 : float
    Factor by which the sum of the squared kernel weights is added to the loss.
batch_norm : bool
    Whether to use batch normalisation before each hidden activation.
optimizer : {"sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw", "nadam"}
    Update rule, with Keras' defaults; "momentum" and "nesterov" have a momentum of 0.9. Keras'
    spelling, such as "Adam", is accepted, too.
learning_rate : float
    Learning rate at the start, above 0.
lr_schedule : {"step", "exponential", "cosine", "plateau"}, dict or None
    How the learning rate falls: "step" multiplies it by ``factor`` (0.5) once in ``every`` (10)
    epochs; "exponential" lowers it smoothly, by ``factor`` (0.95) per epoch; "cosine" lowers it
    over `epochs` to ``floor`` (0) times the first rate; "plateau" multiplies it by ``factor``
    (0.5) after ``patience`` (5) epochs without an improvement. A dict replaces the defaults in
    parentheses: ``{"kind": "step", "every": 30}``.
batch_size : int or "full"
    Rows per batch; "full", or a number above the number of rows, makes one batch of all rows.
epochs : int
    Largest number of epochs to train.
early_stopping : bool
    Whether to hold out `validation_fraction` of the rows, stop after `patience` epochs without
    an improvement on them, and keep the best weights.
validation_rows : {"random", "last"}
    Which rows early stopping holds out. "random" draws them with `random_state`; all copies of a
    row are on one side of the split. "last" takes the last ones in the order of `X`, which suits
    rows in the order of time: windows of one series overlap, so if they are drawn at random, the
    network has seen in its training what it is to predict.
patience : int
    Epochs without an improvement before the training stops.
min_delta : float
    The least change of the monitored value that counts as an improvement.
engine : {"auto", "population", "keras"}
    What trains the network: "population" is the compiled program for whole populations, which
    trains a single fit, too; "keras" is Keras' own ``fit``. "auto" uses Keras only if there are
    `callbacks`, with which "population" raises a `CannotJoinError`. Both give the same weights up
    to rounding, except with dropout, for which they draw different noise.
max_memory : int, str or None
    The most memory that the training may take, in bytes or as "500MB" or "4GiB". The estimate
    counts 48 bytes per weight, about 3.5 MB per layer, and the outputs of the layers for the rows
    of a batch or of the validation, at each step of a series and each pixel. A network that needs
    more is refused before the training, and a population trains only as many members at once as
    the limit allows. None sets no limit.
callbacks : keras.callbacks.Callback, list of them or None
    Callbacks for Keras' ``fit``: classes, or instances, of which a fit uses shallow copies. Their
    logs hold ``val_loss`` and the monitored metric.
warm_start : bool
    Whether to start from the weights of the last fit, with a new optimizer.
random_state : int, RandomState instance or None
    Determines the held-out rows, the initial weights, the order of the rows and the dropout
    noise. With an int, every fit on the same data gives the same result to the bit.
verbose : int
    As in Keras: 0 is silent, 1 a progress bar, 2 one line per epoch.
"""

ATTRIBUTES = """
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen in `fit`; only if all of them are strings.
    n_iter_ : int
        Number of epochs run.
    best_epoch_ : int
        Epoch, counted from 1, whose weights are kept.
    stop_reason_ : {"patience", "epochs", "non_finite_loss", "callback", "pruned", "time_budget"}
        Why the training ended.
    learning_rate_ : list of float
        Learning rate at the start of each epoch; only with an `lr_schedule`.
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
    _size_parameters = ("hidden_layers", "neurons")
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
        # No table makes a smaller network than one with a single input and a single output.
        self._refuse_too_many_layers(1, 1, "at least ")
        layer_sizes(self.hidden_layers, self.neurons, n_inputs=1)

    def _refuse_too_many_layers(self, n_inputs: int, n_outputs: int, least: str = "") -> None:
        """Refuse a network that is too large before making its description, which is as large."""
        if self.max_memory is None:
            return
        size = multilayer_perceptron_size(
            n_inputs, n_outputs, self.hidden_layers, self.neurons, self.batch_norm
        )
        self._refuse_too_large(size, least)
