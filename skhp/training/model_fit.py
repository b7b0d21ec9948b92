"""Training of any compiled Keras model, with rows in an order of our own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from skhp.objectives.row_loss import is_row_wise
from skhp.training.distinct_rows import distinct_rows
from skhp.training.fit_task import TrainingRows
from skhp.training.row_order import epoch_batches, steps_in_epoch


def fit_model(
    model: keras.Model,
    X: Any,
    y: Any,
    weight: np.ndarray | None,
    *,
    batch_size: int,
    epochs: int,
    seed: int | None,
    first_epoch: int = 0,
    steps_per_epoch: int | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **keras_arguments: Any,
) -> dict[str, list[Any]]:
    """Train a compiled model in place.

    Keras itself would shuffle by TensorFlow's global seed.

    Parameters
    ----------
    model : keras.Model
    X, y : ndarray or nested structure of ndarrays
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows; only their ratios matter.
    batch_size : int
        Rows in a batch; a number above the rows there are takes all of them.
    epochs : int
        Number of epochs to train.
    seed : int or None
        Decides the order of the rows; None leaves them as they are.
    first_epoch : int, default=0
        Number of epochs that an earlier training has run.
    steps_per_epoch : int, default=None
        Batches that Keras is to call an epoch; None for all there are.
    callbacks : sequence of keras.callbacks.Callback, default=()
    **keras_arguments
        Passed on to ``model.fit``.

    Returns
    -------
    dict
        A list of values, one an epoch, for the loss and each metric.
    """
    X, y = as_model_inputs(X), as_model_inputs(y)
    n_rows = len(keras.tree.flatten(X)[0])
    batch_size = min(batch_size, n_rows)
    if batch_size == n_rows:
        seed = None
        X, y, weight = _distinct(model, X, y, weight)
        n_rows = batch_size = len(keras.tree.flatten(X)[0])
    steps = steps_in_epoch(n_rows, batch_size)
    _set_steps_per_execution(model, steps if steps_per_epoch is None else steps_per_epoch)
    passes = epochs if steps_per_epoch is None else math.ceil(epochs * steps_per_epoch / steps)
    batches = epoch_batches(
        (X, y) if weight is None else (X, y, _with_mean_one(weight)),
        n_rows=n_rows,
        batch_size=batch_size,
        epochs=passes,
        seed=seed,
        first_epoch=first_epoch,
    )
    logged = model.fit(
        batches,
        epochs=first_epoch + epochs,
        initial_epoch=first_epoch,
        steps_per_epoch=steps if steps_per_epoch is None else steps_per_epoch,
        shuffle=False,
        callbacks=list(callbacks),
        **keras_arguments,
    ).history
    return {name: list(values) for name, values in logged.items()}


def as_model_inputs(arrays: Any) -> Any:
    """Arrays as Keras takes them: floats in its own precision, and tuples for lists."""
    precision = keras.config.floatx()

    def converted(array: Any) -> np.ndarray:
        array = np.asarray(array)
        return array.astype(precision, copy=False) if array.dtype.kind == "f" else array

    return keras.tree.lists_to_tuples(keras.tree.map_structure(converted, arrays))


def _distinct(
    model: keras.Model, X: Any, y: Any, weight: np.ndarray | None
) -> tuple[Any, Any, np.ndarray | None]:
    tables = isinstance(X, np.ndarray) and isinstance(y, np.ndarray) and X.ndim == 2 and y.ndim <= 2
    if not (tables and X.dtype.kind in "fiu" and y.dtype.kind in "fiub" and is_row_wise(model)):
        return X, y, weight
    given = np.ones(len(X)) if weight is None else weight.astype(np.float64)
    rows = distinct_rows(TrainingRows(X, y, given))
    if len(rows.X) == len(X) and (given == given[0]).all():
        return X, y, None
    return rows.X, rows.y, rows.weight


def _with_mean_one(weight: np.ndarray) -> np.ndarray:
    # Keras divides the loss of a batch by its number of rows, so weights of another mean would act
    # as another learning rate.
    return (weight * (len(weight) / weight.sum())).astype(keras.config.floatx())


def _set_steps_per_execution(model: keras.Model, steps: int) -> None:
    # The batches of all epochs follow one another, so Keras must not take some of the next epoch's
    # with the last ones of this. How many it takes at once changes nothing else.
    fitting = math.gcd(model.steps_per_execution, steps)
    if fitting != model.steps_per_execution:
        model.steps_per_execution = fitting
        model.make_train_function(force=True)
