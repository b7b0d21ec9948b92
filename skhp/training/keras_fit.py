"""Training by Keras' own `fit`: callbacks, described networks, and any compiled model."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from skhp.exceptions import InvalidParameterError
from skhp.networks.predictions import logits
from skhp.objectives.metrics import Metric
from skhp.shared.taken_rows import as_array
from skhp.training.fit_task import EpochObserver, StopReason, TrainingOutcome, TrainingPlan
from skhp.training.rate_schedules import PlateauSchedule
from skhp.training.training_rows import (
    TrainingRows,
    ValidationRows,
    distinct_rows,
    epoch_batches,
    is_row_wise,
    steps_in_epoch,
)


class HeldOutEvaluation(keras.callbacks.Callback):
    """Adds `val_loss` and a metric over all validation rows to the logs, for later callbacks."""

    def __init__(self, rows: ValidationRows, metric: Metric | None) -> None:
        super().__init__()
        self._rows = replace(rows, X=as_array(rows.X))
        self._metric = metric

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Evaluate the weights that the epoch ended with."""
        rows = self._rows
        predicted = self.model(rows.X, training=False)
        loss = self.model.compute_loss(
            x=rows.X, y=rows.y, y_pred=predicted, sample_weight=rows.weight, training=False
        )
        logs["val_loss"] = float(loss)
        if self._metric is not None:
            outputs = logits(self.model, rows.X)
            value = np.nan
            if np.isfinite(outputs).all():
                unit = 1 if rows.metric_scale is None else rows.metric_scale
                target = rows.metric_target * unit
                value = float(
                    self._metric.score(
                        target, outputs * unit * rows.metric_sign, rows.metric_weight
                    )
                )
            logs[self._metric.key] = value


class StopAtNonFiniteLoss(keras.callbacks.Callback):
    """Ends the training at a NaN or infinite loss or weight, with the last finite weights.

    The optimizer is restored, too, so that the network can be trained further.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stopped = False
        self.finite_epochs = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Keep the state that the training starts from."""
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        self._keep(self.model.get_weights())

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Keep the state if all values are finite, else restore the last finite state and stop."""
        losses = [value for name, value in logs.items() if name in ("loss", "val_loss")]
        weights = self.model.get_weights()
        if np.isfinite(losses).all() and all(np.isfinite(array).all() for array in weights):
            self._keep(weights)
            self.finite_epochs += 1
        else:
            self.model.set_weights(self._weights)
            for variable, value in zip(
                self.model.optimizer.variables, self._optimizer_state, strict=True
            ):
                variable.assign(value)
            self.model.stop_training = True
            self.stopped = True

    def _keep(self, weights: list[np.ndarray]) -> None:
        self._weights = weights
        self._optimizer_state = [
            np.array(variable.value.numpy()) for variable in self.model.optimizer.variables
        ]


class LearningRatePath(keras.callbacks.Callback):
    """Records the learning rate that each epoch starts with."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the rate."""
        self.rates.append(float(self.model.optimizer.learning_rate))


class ObservedEpochs(keras.callbacks.Callback):
    """Tells an observer of every epoch and stops the training when it says so."""

    def __init__(self, observer: EpochObserver) -> None:
        super().__init__()
        self._observer = observer

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tell the observer."""
        self._observer.epoch_begins()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tell the observer, and stop the training if it says so."""
        if self._observer.epoch_ends():
            self.model.stop_training = True


def ready_callbacks(given: Any) -> list[keras.callbacks.Callback]:
    """Callbacks of a user, ready for one training."""
    listed = [] if given is None else given
    ready = []
    for callback in listed if isinstance(listed, list | tuple) else [listed]:
        made = callback() if inspect.isclass(callback) else copy.copy(callback)
        if not isinstance(made, keras.callbacks.Callback):
            raise InvalidParameterError(
                "callbacks must be None, a keras.callbacks.Callback or a list of them, got "
                f"{callback!r}."
            )
        ready.append(made)
    return ready


def train_with_keras(
    model: keras.Model,
    rows: TrainingRows,
    validation: ValidationRows | None,
    plan: TrainingPlan,
    observer: EpochObserver,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainingOutcome:
    """Train a compiled model; if the plan has a patience, its best weights are kept."""
    monitored, mode = _monitored(plan, validation)
    finite = StopAtNonFiniteLoss()
    rates = LearningRatePath()
    watching: list[keras.callbacks.Callback] = [rates, finite]
    if validation is not None:
        # This is the first callback, so that all others find the validation values in the logs.
        watching.insert(0, HeldOutEvaluation(validation, plan.metric))
    early_stopping = None
    if plan.patience is not None:
        early_stopping = keras.callbacks.EarlyStopping(
            monitor=monitored,
            mode=mode,
            min_delta=plan.min_delta,
            patience=plan.patience,
            restore_best_weights=True,
        )
        watching.append(early_stopping)
    if isinstance(plan.schedule, PlateauSchedule):
        watching.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=monitored,
                mode=mode,
                min_delta=plan.min_delta,
                factor=plan.schedule.factor,
                patience=plan.schedule.patience,
            )
        )
    n_rows = len(rows.X)
    batches = epoch_batches(
        (as_array(rows.X), rows.y, rows.weight),
        n_rows=n_rows,
        batch_size=plan.batch_size,
        epochs=plan.epochs,
        seed=plan.seed if plan.batch_size < n_rows else None,
        first_epoch=plan.first_epoch,
    )
    logged = model.fit(
        batches,
        epochs=plan.epochs,
        # A single epoch ends with its data, for any `steps_per_execution`; partial_fit may bring
        # another number of rows each time.
        steps_per_epoch=steps_in_epoch(n_rows, plan.batch_size) if plan.epochs > 1 else None,
        shuffle=False,
        verbose=plan.verbose,
        callbacks=[*watching, *callbacks, ObservedEpochs(observer)],
    ).history
    history = {
        name: [float(value) for value in values]
        for name, values in logged.items()
        if name != "learning_rate"
    }
    n_epochs = len(history["loss"])
    best_epoch = finite.finite_epochs
    if early_stopping is not None and finite.finite_epochs:
        best_epoch = early_stopping.best_epoch + 1
    return TrainingOutcome(
        history=history,
        learning_rates=rates.rates,
        n_epochs=n_epochs,
        best_epoch=best_epoch,
        stop_reason=_stop_reason(plan, n_epochs, finite, early_stopping),
    )


def _monitored(plan: TrainingPlan, validation: ValidationRows | None) -> tuple[str, str]:
    if validation is None:
        return "loss", "min"
    if plan.metric is None:
        return "val_loss", "min"
    return plan.metric.key, "max" if plan.metric.greater_is_better else "min"


def _stop_reason(
    plan: TrainingPlan,
    n_epochs: int,
    finite: StopAtNonFiniteLoss,
    early_stopping: keras.callbacks.EarlyStopping | None,
) -> StopReason:
    if finite.stopped:
        return "non_finite_loss"
    if early_stopping is not None and early_stopping.stopped_epoch > 0:
        return "patience"
    return "epochs" if n_epochs == plan.epochs else "callback"


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

    The rows are shuffled here, because Keras would shuffle them by TensorFlow's global seed.
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
    """Arrays as Keras takes them: floats in Keras' precision, and tuples instead of lists."""
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
    # Keras divides the loss of a batch by its number of rows, so a mean other than 1 would change
    # the learning rate.
    return (weight * (len(weight) / weight.sum())).astype(keras.config.floatx())


def _set_steps_per_execution(model: keras.Model, steps: int) -> None:
    # The batches of all epochs are one sequence, so one execution must not mix batches of two
    # epochs. The number of batches in an execution changes nothing else.
    fitting = math.gcd(model.steps_per_execution, steps)
    if fitting != model.steps_per_execution:
        model.steps_per_execution = fitting
        model.make_train_function(force=True)
