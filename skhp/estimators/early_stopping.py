"""Early stopping, by the parameters of an estimator or by Keras' own callback."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import keras
import numpy as np

from skhp.compat.keras import metric_direction
from skhp.compat.scikit_learn import Interval, StrOptions
from skhp.exceptions import CannotJoinError
from skhp.objectives.metrics import Metric, OutputForm
from skhp.objectives.row_metrics import EpochMetric, LossOfOutput
from skhp.training.fit_task import TrainingOutcome, TrainingPlan
from skhp.training.training_rows import ValidationRows

# Perceptrons and wrappers of models share these; `monitor` depends on the kind of estimator.
EARLY_STOPPING_CONSTRAINTS: dict[str, Any] = {
    "early_stopping": ["boolean"],
    "patience": [Interval(Integral, 1, None, closed="left")],
    "min_delta": [Interval(Real, 0, None, closed="left")],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "validation_rows": [StrOptions({"random", "last"})],
}

# A callback to which the user added attributes, such as an `on_epoch_end`, does something that only
# Keras can run.
_EARLY_STOPPING_ATTRIBUTES = frozenset({*vars(keras.callbacks.EarlyStopping()), "best_epoch"})


def monitors(metrics: Iterable[str], familiar: Iterable[str]) -> set[str]:
    """The names that can be monitored: the loss, our metrics, and Keras' names for these."""
    return {"val_loss", *(f"val_{name}" for name in metrics), *familiar}


def monitored_metric(
    monitor: str, metrics: Mapping[str, Metric], familiar: Mapping[str, str]
) -> Metric | None:
    """The monitored metric, logged under the user's name for it; None for the loss."""
    given = monitor.removeprefix("val_")
    metric = metrics.get(familiar.get(monitor, given))
    return None if metric is None else replace(metric, logged_as=given)


class Monitors(StrOptions):
    """A constraint on `monitor` that can be checked before a wrapped model is built."""

    def __init__(self, options: set[str]) -> None:
        super().__init__(options)

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether `val` is an option, or may be a metric that the model is compiled with."""
        return isinstance(val, str) and (val in self.options or val.startswith("val_"))

    def __str__(self) -> str:
        return f"{super().__str__()}, or 'val_' with the name of a metric of the compiled model"


@dataclass(frozen=True, eq=False)
class WatchedRows:
    """Held-out rows on which a metric of ours is computed after each epoch.

    `weight` holds the user's sample weights. `outputs` returns predictions for the rows, numbers or
    probabilities; `own_form` is the form of the model's own outputs, or None if only Keras knows
    it. For two classes, `target` is 1 for the rarer class, and `sign` is -1 if the model's log-odds
    are for the other class.
    """

    target: np.ndarray
    weight: np.ndarray | None
    outputs: Callable[[], np.ndarray]
    own_form: OutputForm | None
    sign: float = 1.0


class EarlyStoppingByParameters(keras.callbacks.EarlyStopping):
    """The early stopping that the parameters of an estimator ask for.

    `metric` and the `rows` to compute it on are given if the monitor is neither the loss nor a
    metric of the compiled model.
    """

    def __init__(
        self,
        monitor: str,
        patience: int,
        min_delta: float,
        metric: Metric | None = None,
        rows: WatchedRows | None = None,
    ) -> None:
        mode = "auto" if metric is None else "max" if metric.greater_is_better else "min"
        super().__init__(
            monitor=monitor,
            mode=mode,
            patience=patience,
            min_delta=min_delta,
            restore_best_weights=True,
        )
        self.metric = metric
        self.rows = rows

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the metric to the logs, where later callbacks find it, too, and watch it."""
        logs = {} if logs is None else logs
        if self.metric is not None and self.rows is not None:
            outputs = np.asarray(self.rows.outputs())
            value = np.nan
            if np.isfinite(outputs).all():
                outputs = self.metric.outputs(outputs.reshape(len(outputs), -1)) * self.rows.sign
                value = float(self.metric.score(self.rows.target, outputs, self.rows.weight))
            logs[self.metric.key] = value
        super().on_epoch_end(epoch, logs)


def unread_callbacks(callbacks: Sequence[keras.callbacks.Callback]) -> list[str]:
    """Class names of the callbacks that Keras must run in Python, since their effect is unknown."""
    return [type(callback).__name__ for callback in callbacks if not _is_understood(callback)]


def _is_understood(callback: keras.callbacks.Callback) -> bool:
    if type(callback) is EarlyStoppingByParameters:
        return True
    return type(callback) is keras.callbacks.EarlyStopping and vars(callback).keys() <= (
        _EARLY_STOPPING_ATTRIBUTES
    )


def planned_stopping(
    callbacks: Sequence[keras.callbacks.Callback],
    metrics: Sequence[EpochMetric],
    *,
    held_out: bool,
) -> dict[str, Any]:
    """Fields of a `TrainingPlan` that act like a callback; `CannotJoinError` if none can."""
    if not callbacks:
        return {}
    if len(callbacks) > 1:
        raise CannotJoinError("there are several callbacks that end the training.")
    (callback,) = callbacks
    for name, kind in (
        ("patience", Real),
        ("min_delta", Real),
        ("start_from_epoch", Real),
        ("baseline", (Real, type(None))),
    ):
        value = getattr(callback, name)
        if not isinstance(value, kind) or value != value:
            raise CannotJoinError(f"EarlyStopping has {name}={value!r}, which only Keras reads.")
    fields = {
        "patience": _whole(callback.patience),
        "min_delta": abs(float(callback.min_delta)),
        "keeps_best": bool(callback.restore_best_weights),
        "baseline": None if callback.baseline is None else float(callback.baseline),
        "start_from_epoch": _whole(callback.start_from_epoch),
    }
    metric = getattr(callback, "metric", None)
    if metric is not None:
        if callback.rows.own_form is None:
            raise CannotJoinError(
                f"monitor={callback.monitor!r} needs probabilities, and only Keras knows how the "
                "loss of the model computes them from the outputs."
            )
        return {**fields, "metric": replace(metric, takes=callback.rows.own_form)}
    name = str(callback.monitor)
    named = {"loss": None, **{metric.name: metric for metric in metrics}}
    if name.removeprefix("val_") not in named or (name.startswith("val_") and not held_out):
        names = [*named, *(f"val_{name}" for name in named if held_out)]
        raise CannotJoinError(
            f"EarlyStopping watches {name!r}, which the training does not log: it logs "
            f"{', '.join(names)}."
        )
    greater = _greater_is_better(callback, named[name.removeprefix("val_")])
    if callback.monitor_op is None and callback.min_delta < 0:
        raise CannotJoinError("EarlyStopping has a min_delta below 0.")
    return {**fields, "watched": name, "greater_is_better": greater}


def with_metric_rows(
    validation: ValidationRows | None, watched: WatchedRows, metrics: Sequence[EpochMetric]
) -> ValidationRows:
    """Held-out rows with the target and weights for our metric, or a `CannotJoinError`."""
    if validation is None:
        raise CannotJoinError("the held-out rows have a form that only Keras reads.")
    weight = np.ones(validation.n_rows) if watched.weight is None else watched.weight
    given = validation.metric_weight
    if any(metric.weighted for metric in metrics) and not (
        given is not None and np.allclose(given * weight.sum(), weight * given.sum())
    ):
        raise CannotJoinError("weighted_metrics use class weights, and the monitor does not.")
    return replace(
        validation,
        metric_target=watched.target,
        metric_weight=weight,
        metric_sign=watched.sign,
    )


def _whole(count: float) -> int:
    return np.iinfo(np.int32).max if count == math.inf else max(0, math.ceil(count))


def _greater_is_better(callback: keras.callbacks.EarlyStopping, metric: EpochMetric | None) -> bool:
    if callback.monitor_op is not None:
        # The callback was used in an earlier fit, and Keras keeps its direction from then.
        if callback.monitor_op not in (keras.ops.less, keras.ops.greater):
            raise CannotJoinError("EarlyStopping has a monitor_op that only Keras calls.")
        return callback.monitor_op == keras.ops.greater
    if callback.mode in ("min", "max"):
        return callback.mode == "max"
    direction = "down" if metric is None else _direction(metric)
    if direction is None:
        raise CannotJoinError(
            f"Keras does not say whether a greater {callback.monitor!r} is better or worse; set "
            "the mode of EarlyStopping."
        )
    return direction == "up"


@functools.lru_cache
def _direction(metric: EpochMetric) -> str | None:
    if isinstance(metric, LossOfOutput):
        return "down"
    return metric_direction(metric.kind(**dict(metric.settings)))


def replayed(
    callbacks: Sequence[keras.callbacks.Callback],
    model: keras.Model,
    plan: TrainingPlan,
    outcome: TrainingOutcome,
) -> None:
    """Bring callbacks into the state that a fit by Keras would leave, and let them print."""
    for callback in callbacks:
        if isinstance(callback, EarlyStoppingByParameters):
            continue
        callback.set_model(model)
        callback.set_params({"verbose": plan.verbose, "epochs": plan.first_epoch + plan.epochs})
        callback.on_train_begin()
        if callback.monitor_op is None:
            # Keras reads the direction from a model's metrics, which exist only after its own fit.
            greater = plan.greater_is_better
            callback.monitor_op = keras.ops.greater if greater else keras.ops.less
            callback.min_delta *= 1 if greater else -1
        restores, callback.restore_best_weights = callback.restore_best_weights, False
        for number in range(outcome.n_epochs):
            logs = {name: values[number] for name, values in outcome.history.items()}
            callback.on_epoch_end(plan.first_epoch + number, logs)
        callback.restore_best_weights = restores
        if restores and callback.best is not None:
            callback.best_weights = model.get_weights()
        callback.on_train_end()


def kept_epoch(callbacks: Collection[keras.callbacks.Callback], first_epoch: int, last: int) -> int:
    """The epoch whose weights a fit by Keras kept, counted from 1; `last` by default."""
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.EarlyStopping) and callback.best_weights:
            return min(int(callback.best_epoch) + 1 - first_epoch, last)
    return last
