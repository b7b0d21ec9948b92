"""What a member leaves, from where it stands and how it came there."""

from __future__ import annotations

import numpy as np

from skhp.networks.network import unflattened
from skhp.training.cohort_state import (
    ALL_EPOCHS,
    NON_FINITE,
    OUT_OF_PATIENCE,
    PRUNED,
    RUNNING,
    CohortState,
    History,
)
from skhp.training.fit_task import FitResult, FitTask
from skhp.training.packed_members import member_weights
from skhp.training.penalties import penalty_of_member
from skhp.training.records import StopReason, TrainingOutcome

_STOP_REASONS: dict[int, StopReason] = {
    OUT_OF_PATIENCE: "patience",
    ALL_EPOCHS: "epochs",
    NON_FINITE: "non_finite_loss",
    PRUNED: "pruned",
}


def member_result(
    task: FitTask, state: CohortState, history: History, ended_by: int = RUNNING
) -> FitResult:
    """The result of a fit.

    Parameters
    ----------
    task : FitTask
    state : CohortState
        Of this member, on the host.
    history : History
        Of its epochs, and of later ones that do not count.
    ended_by : int, default=RUNNING
        What ended it, where its state does not tell.
    """
    epochs, stop = int(state.epochs), int(state.stop) or ended_by
    finite_epochs = epochs - (stop == NON_FINITE)
    keeps_best = task.plan.patience is not None
    best_epoch = int(state.best_epoch) if keeps_best and finite_epochs else finite_epochs
    return FitResult(
        outcome=TrainingOutcome(
            history={
                name: values[:epochs].tolist() for name, values in _logged(task, history).items()
            },
            learning_rates=history.rate[:epochs].tolist(),
            n_epochs=epochs,
            best_epoch=best_epoch,
            # A member that others outlive ends with its own last epoch.
            stop_reason=_STOP_REASONS.get(stop, "epochs"),
        ),
        trained=member_weights(state, best=keeps_best),
        seconds=0.0,
        held_out_score=held_out_score(task, state),
    )


def held_out_score(task: FitTask, state: CohortState) -> float | None:
    """What a member was watched by at its best, without penalties; greater is better.

    None where nothing was watched, or its loss was lost.
    """
    if task.validation is None or int(state.stop) == NON_FINITE or not int(state.best_epoch):
        return None
    best, metric = float(state.best), task.plan.metric
    if metric is not None:
        best *= task.validation.metric_unit(metric)
        return best if metric.greater_is_better else -best
    weights = unflattened(state.best_weights, task.network.weight_shapes)
    return penalty_of_member(task.numbers, weights) - best


def _logged(task: FitTask, history: History) -> dict[str, np.ndarray]:
    """Values of all epochs by their names, in the order of Keras' history."""
    names = [metric.name for metric in task.row_metrics]
    columns = {"loss": history.loss, **dict(zip(names, history.row_metrics, strict=True))}
    if task.validation is not None:
        columns["val_loss"] = history.val_loss
        watched = zip(names, history.val_row_metrics, strict=True)
        columns.update({f"val_{name}": values for name, values in watched})
    logged = dict(sorted(columns.items()))
    if task.validation is not None and task.plan.metric is not None:
        unit = task.validation.metric_unit(task.plan.metric)
        logged[task.plan.metric.key] = np.asarray(history.metric, np.float64) * unit
    return logged
