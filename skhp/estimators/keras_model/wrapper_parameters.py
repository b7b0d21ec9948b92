"""The parameters that both wrappers of models share."""

from __future__ import annotations

import os
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, TypeAlias

import keras
import numpy as np

from skhp.compat.scikit_learn import Interval, StrOptions
from skhp.estimators.early_stopping import EARLY_STOPPING_CONSTRAINTS
from skhp.estimators.keras_model.routed_parameters import RoutedParametersMixin
from skhp.estimators.parameters import keeps_parameters
from skhp.estimators.several_inputs import InputColumns

Model: TypeAlias = keras.Model | Callable[..., keras.Model] | None
Base: TypeAlias = keras.Model | str | os.PathLike[str] | None

# The documentation that the classifier and the regressor share.
PARAMETERS = """
build_fn : callable or keras.Model
    Former name of `model`.
warm_start : bool
    Whether a further `fit` continues with the fitted model.
random_state : int, RandomState instance or None
    Determines the initial weights, the noise of layers and the order of the rows. With an int,
    every fit on the same data gives the same result to the bit, even beside fits in other
    threads. No global random generator is read or changed.
optimizer : str, class or instance of keras.optimizers.Optimizer
    Parameters with a prefix set its arguments: ``optimizer__learning_rate=0.01``.
metrics : list of str, function, class or instance of keras.metrics.Metric
    Metrics to record after each epoch.
batch_size : int or None
    Rows per batch; None is 32, -1 is all rows.
validation_batch_size : int or None
    Rows per batch in the validation; None is `batch_size`.
verbose : int or "auto"
    How much Keras prints during the training.
callbacks : callback, list or dict of callbacks
    Classes or instances of keras.callbacks.Callback. Parameters with a prefix set the arguments
    of classes: ``callbacks__patience=3``. Instances are copied before each fit; `callbacks_`
    holds the copies. A population can train with keras.callbacks.EarlyStopping; with any other
    callback, Keras trains the model.
validation_split : float
    Share of the rows, taken from the end, that is held out of the training for validation.
shuffle : bool
    Whether to take the rows in a new order in each epoch.
run_eagerly : bool
    Whether Keras runs the model without compiling it, for debugging.
epochs : int
    Number of passes over the rows; with early stopping, the largest number.
early_stopping : bool
    Whether to stop when `monitor` on held-out rows has not improved for `patience` epochs. The
    weights of the best epoch are kept, even if all epochs were run. The held-out rows are those
    of `validation_split`, or of the ``validation_data`` given to `fit`, or else a share of the
    rows by `validation_fraction` and `validation_rows`.
patience : int
    Epochs without an improvement before early stopping ends the training. Without early
    stopping, this and the next four parameters have no effect.
validation_rows : {"random", "last"}
    Which rows early stopping holds out. "random" draws them with `random_state`; all copies of a
    row are on one side of the split. "last" takes the last ones in the order of `X`, which suits
    rows in the order of time: windows of one series overlap, so if they are drawn at random, the
    network has seen in its training what it is to predict.
min_delta : float
    The least change of `monitor` that counts as an improvement.
engine : {"auto", "population", "keras"}
    What trains the model: "population" is the compiled program for whole populations, which
    trains a single fit, too; "keras" is Keras' own ``fit``. "auto" uses Keras only if the model
    cannot join a population (it has callbacks other than EarlyStopping, a `train_step` of its own,
    metrics that are not means over rows, ...), and logs the reason at level INFO of the logger
    "skhp"; "population" raises a `CannotJoinError` for such a model. Both give the same weights up
    to rounding, except with dropout between layers, for which they draw different noise.
input_columns : dict or None
    For a model with several inputs: the columns of a table that make each input, by the names of
    the inputs, as ``{"numbers": ["age", "height"], "kinds": ["city"]}``. Columns are names, or
    positions counted from 0. Folds, searches and pipelines then cut one table. Without this
    parameter, `fit` takes a dict or a list of arrays as `X`.
base_model : keras.Model, path of a .keras file, or None
    A trained network to build on, instead of `model`; it is copied and never changed. A file is
    read in Keras' safe mode. The head of a Sequential or functional model is cut off: the last
    Dense layer, and an Activation or Softmax layer after it. If the other layers return more than
    one vector for a row, a global average pooling follows. To keep a last Dense layer, let the
    base end with ``keras.layers.Identity()``. A new Dense layer for the target comes last, with a
    sigmoid for two classes or several labels, a softmax for more classes, and no activation for
    numbers, or if `loss` takes logits. With a base, `loss` may be None, which stands for the
    crossentropy of the classes, or the mean squared error.
freeze : bool or int
    Which layers of the base keep their weights: all with True, none with False, and with a number
    n the first n of ``base_model.layers``. Frozen layers run as in a prediction: statistics of
    batch normalisation stay, and dropout is off. With True, or if the first n layers hand on a
    single tensor, the frozen layers run only once for each row, and in a search once for each row
    and fold.
fine_tune_epochs : int
    Number of epochs, after `epochs`, in which the whole network trains, with no layer frozen.
    Statistics of batch normalisation stay as they are.
fine_tune_learning_rate : float or None
    Learning rate of these epochs; None is a tenth of the learning rate of `optimizer`.
**kwargs : dict
    Parameters of the build function, and parameters with a prefix that tells where they go:
    ``model__``, ``optimizer__``, ``loss__``, ``metrics__``, ``callbacks__``, ``compile__``,
    ``fit__``, ``predict__``, ``score__``.
"""

ATTRIBUTES = """
    model_ : keras.Model
        The trained model.
    history_ : dict
        For the loss and for each metric, a list with one value per epoch.
    n_iter_ : int
        Number of epochs in `history_`.
    best_epoch_ : int
        The epoch, counted from 1, whose weights were kept: with early stopping the best one, and
        the last one otherwise.
    stop_reason_ : {"epochs", "patience", "callback", "non_finite_loss", "pruned", "time_budget"}
        Why the training ended: "patience" by `early_stopping`, "callback" by one of `callbacks`,
        "pruned" and "time_budget" by a search.
    callbacks_ : list of keras.callbacks.Callback
        The callbacks that took part in the last fit. They are not pickled.
    target_encoder_, feature_encoder_ : transformers
        Transformers between the data and the model; see `target_encoder` and `feature_encoder`.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen in `fit`; only if all of them are strings.
    n_outputs_, n_outputs_expected_ : int
        Columns of the target, and outputs that the model must have.
    X_shape_, X_dtype_, y_ndim_, y_dtype_
        Shape, dtype and number of dimensions of the data of the first fit.
"""

_ROWS: list[Any] = [
    Interval(Integral, 1, None, closed="left"),
    Interval(Integral, -1, 0, closed="left"),
    None,
]
_UNROUTED: dict[str, list[Any]] = {
    "batch_size": _ROWS,
    "epochs": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "steps_per_epoch": [Interval(Integral, 1, None, closed="left"), None],
    "validation_batch_size": _ROWS,
    "validation_split": [Interval(Real, 0, 1, closed="left")],
    "verbose": ["verbose", StrOptions({"auto"})],
}

_CONSTRAINTS: dict[str, Any] = {
    **_UNROUTED,
    **{f"fit__{name}": constraints for name, constraints in _UNROUTED.items()},
    **EARLY_STOPPING_CONSTRAINTS,
    "predict__batch_size": _ROWS,
    "engine": [StrOptions({"auto", "population", "keras"})],
    "class_weight": [dict, list, StrOptions({"balanced"}), None],
    "random_state": ["random_state"],
    "run_eagerly": ["boolean"],
    "input_columns": [dict, None],
    "base_model": [keras.Model, str, os.PathLike, None],
    "freeze": ["boolean", Interval(Integral, 0, None, closed="left")],
    "fine_tune_epochs": [Interval(Integral, 0, None, closed="left")],
    "fine_tune_learning_rate": [Interval(Real, 0, None, closed="neither"), None],
    "warm_start": ["boolean"],
}


class WrapperParameters(RoutedParametersMixin):
    """The constructor of a wrapper, and the values that its parameters may have."""

    _parameter_constraints: ClassVar[dict[str, Any]] = _CONSTRAINTS

    @keeps_parameters
    def __init__(
        self,
        model: Model = None,
        *,
        build_fn: Model = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        batch_size: int | None = None,
        validation_batch_size: int | None = None,
        verbose: int = 0,
        callbacks: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        run_eagerly: bool = False,
        epochs: int = 1,
        early_stopping: bool = False,
        patience: int = 10,
        min_delta: float = 0.0,
        monitor: str = "val_loss",
        validation_fraction: float = 0.2,
        validation_rows: str = "random",
        engine: str = "auto",
        input_columns: InputColumns | None = None,
        base_model: Base = None,
        freeze: bool | int = True,
        fine_tune_epochs: int = 0,
        fine_tune_learning_rate: float | None = None,
        **kwargs: Any,
    ) -> None: ...
