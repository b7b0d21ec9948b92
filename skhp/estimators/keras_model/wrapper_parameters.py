"""The parameters that both wrappers of models have, each written once."""

from __future__ import annotations

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

# The documentation that the classifier and the regressor share.
PARAMETERS = """
build_fn : callable or keras.Model
    Former name of `model`.
warm_start : bool
    Go on with the fitted model in each further `fit`.
random_state : int, RandomState instance or None
    Decides the initial weights, the noise of layers and the order of the rows. With an integer,
    a fit gives the same bits each time, also next to others in other threads. No global random
    generator is read or changed.
optimizer : str, class or instance of keras.optimizers.Optimizer
    Its arguments are routed to it, as ``optimizer__learning_rate=0.01``.
metrics : list of str, function, class or instance of keras.metrics.Metric
    Metrics that are noted after each epoch.
batch_size : int or None
    Rows in a batch; None is 32, -1 all rows.
validation_batch_size : int or None
    Rows in a batch of the validation; None is `batch_size`.
verbose : int or "auto"
    How much is printed while the model is trained.
callbacks : callback, list or dict of callbacks
    Classes or instances of keras.callbacks.Callback; the arguments of classes are routed to
    them, as ``callbacks__patience=3``. Instances are copied before each fit. `callbacks_`
    has those that took part. Populations know what keras.callbacks.EarlyStopping does; all
    others run in Python, so that Keras trains the model.
validation_split : float
    Share of the rows, the last ones, that is not trained on but watched.
shuffle : bool
    Take the rows in another order in each epoch.
run_eagerly : bool
    Let Keras run without compiling anything, to debug a model.
epochs : int
    Passes over the rows; with early stopping the most that there are.
early_stopping : bool
    Stop when `monitor` on rows held out has not improved for `patience` epochs; the weights of
    the best epoch are kept in any case. Held out are the rows of `validation_split` where it is
    set, those of the ``validation_data`` given to `fit`, or else a share that is drawn.
patience : int
    Epochs without an improvement that early stopping waits for. Without early stopping, this
    and the next three have no effect.
min_delta : float
    A smaller change of `monitor` is not an improvement.
engine : {"auto", "population", "keras"}
    What trains the model: the compiled program that trains whole populations, and a lone fit as
    a cohort of one, or Keras' own ``fit``. "auto" takes Keras where the model cannot join a
    population (it has callbacks other than EarlyStopping, a `train_step` of its own, metrics that
    are not means over rows, ...), and logs why at level INFO of the
    logger "skhp"; "population" raises a `CannotJoinError` there.
    Weights agree to rounding, but for dropout between layers that a population knows as its own,
    whose noise the two draw differently.
input_columns : dict or None
    For a model of several inputs, the columns of a table that make each of them, by the names of
    the inputs: ``{"numbers": ["age", "height"], "kinds": ["city"]}``. Columns are names or
    positions, counted from 0. So folds, searches and pipelines cut one table. A dict or list of
    arrays can be given to `fit` as `X`, too, without this parameter.
**kwargs : dict
    Parameters of the build function, and parameters with a prefix that tells where they go:
    ``model__``, ``optimizer__``, ``loss__``, ``metrics__``, ``callbacks__``, ``compile__``,
    ``fit__``, ``predict__``, ``score__``.
"""

ATTRIBUTES = """
    model_ : keras.Model
        The trained model.
    history_ : dict
        A list of values, one an epoch, for the loss and each metric.
    n_iter_ : int
        Epochs in `history_`.
    best_epoch_ : int
        The epoch, counted from 1, whose weights were kept: with early stopping the best one, and
        the last one otherwise.
    stop_reason_ : {"epochs", "patience", "callback", "non_finite_loss", "pruned"}
        Why the training ended: "patience" by `early_stopping`, "callback" by one of `callbacks`,
        "pruned" by a search.
    callbacks_ : list of keras.callbacks.Callback
        The callbacks that took part in the last fit. They are not pickled.
    target_encoder_, feature_encoder_ : transformers
        What stands between the data and the model; see `target_encoder` and `feature_encoder`.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only if `X` had names that are all strings.
    n_outputs_, n_outputs_expected_ : int
        Columns of the target, and outputs that the model must have.
    X_shape_, X_dtype_, y_ndim_, y_dtype_
        What the data of the first fit were like.
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
        engine: str = "auto",
        input_columns: InputColumns | None = None,
        **kwargs: Any,
    ) -> None: ...
