"""Training by Keras' own ``fit``."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from skhp.networks.optimizers import PlateauSchedule
from skhp.training.epoch_callbacks import (
    HeldOutEvaluation,
    LearningRatePath,
    ObservedEpochs,
    StopAtNonFiniteLoss,
)
from skhp.training.records import (
    EpochObserver,
    StopReason,
    TrainingOutcome,
    TrainingPlan,
    TrainingRows,
    ValidationRows,
)
from skhp.training.streams import epoch_batches, steps_in_epoch


def train_with_keras(
    model: keras.Model,
    rows: TrainingRows,
    validation: ValidationRows | None,
    plan: TrainingPlan,
    observer: EpochObserver,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainingOutcome:
    """Train a compiled model; its weights are the best ones seen where the plan has a patience.

    Parameters
    ----------
    model : keras.Model
        Compiled; trained in place.
    rows : TrainingRows
    validation : ValidationRows or None
        Needed where the plan has a patience.
    plan : TrainingPlan
    observer : EpochObserver
    callbacks : sequence of keras.callbacks.Callback, default=()
        Further callbacks; they see `val_loss` and the metric in their logs.

    Returns
    -------
    TrainingOutcome
    """
    monitored, mode = _monitored(plan, validation)
    finite = StopAtNonFiniteLoss()
    rates = LearningRatePath()
    watching: list[keras.callbacks.Callback] = [rates, finite]
    if validation is not None:
        # First of all, so that every other callback finds the validation values in the logs.
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
        (rows.X, rows.y, rows.weight),
        n_rows=n_rows,
        batch_size=plan.batch_size,
        epochs=plan.epochs,
        seed=plan.seed if plan.batch_size < n_rows else None,
        first_epoch=plan.first_epoch,
    )
    logged = model.fit(
        batches,
        epochs=plan.epochs,
        # A single epoch ends with its data, however many steps the model was compiled to run at
        # once; partial_fit may bring another number of rows each time.
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
