"""Makes the fit of a custom model a member of a cohort, and writes its result into the model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from skhp.estimators.early_stopping import planned_stopping, with_metric_rows
from skhp.estimators.keras_model.arguments import refuse_model
from skhp.estimators.keras_model.wrapped_rows import HeldOutLabels, PartedRows
from skhp.exceptions import CannotJoinError
from skhp.networks.network import Network, flattened, unflattened
from skhp.networks.whole_models.called_network import CalledNetwork
from skhp.networks.whole_models.model_network import (
    network_of_model,
    numbers_of_model,
    set_state_of_model,
    state_of_model,
)
from skhp.objectives.losses import RowLoss, SumOfLosses
from skhp.population.handover import prepared_once
from skhp.training.fit_task import EpochObserver, FitTask, TrainingPlan
from skhp.training.model_objective import ModelObjective, objective_of
from skhp.training.rate_schedules import rate_of_optimizer
from skhp.training.trained_network import MemberWeights
from skhp.training.training_rows import (
    TrainingRows,
    TrainingSeeds,
    ValidationRows,
    distinct_rows,
    is_row_wise,
)
from skhp.training.update_rules import UPDATE_RULES, slots_from_keras, slots_to_keras, update_of


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """What an estimator needs to take over the result of a fit.

    `learnt` holds the fitted attributes that are known before the training, and `held_out` the
    labels to tune a threshold on.
    """

    model: keras.Model
    learnt: Mapping[str, Any]
    held_out: HeldOutLabels | None
    callbacks: Sequence[keras.callbacks.Callback]


def custom_fit_task(
    model: keras.Model,
    rows: PartedRows,
    arguments: Mapping[str, Any],
    *,
    epochs: int,
    first_epoch: int,
    seeds: TrainingSeeds,
    origin: Any = None,
) -> FitTask:
    """The training of a compiled model as a member of a cohort."""
    refuse_model(model)
    X = _as_input(model, rows.X)
    objective = objective_of(model, X, rows.y)
    y, metrics = objective.targets(rows.y), objective.metrics
    loss: RowLoss | SumOfLosses = objective.loss
    network = network_of_model(model, X)
    loss_numbers: tuple[float, ...] = ()
    if network.varies_loss:
        loss, loss_numbers = loss.parted()
    update = update_of(model.optimizer)
    _refuse_update(model, network, update.rule)
    training, batch_size = _training_rows(model, X, y, rows.weight, arguments["batch_size"])
    validation = _validation_rows(
        model, objective, network, rows, arguments["validation_batch_size"]
    )
    stopping = planned_stopping(
        arguments["callbacks"], metrics, held_out=rows.validation is not None
    )
    if stopping.get("metric") is not None:
        (callback,) = arguments["callbacks"]
        validation = with_metric_rows(validation, callback.rows, metrics)
    training, validation = prepared_once(
        ("rows of a custom model", _digest(training, validation)),
        (),
        lambda: (training, validation),
    )
    start = _start(model, network, UPDATE_RULES[update.rule])
    return FitTask(
        network=network,
        numbers=numbers_of_model(model, network),
        loss=loss,
        update=update,
        rate=rate_of_optimizer(model.optimizer),
        rows=training,
        validation=validation,
        plan=TrainingPlan(
            batch_size=batch_size,
            epochs=epochs,
            seed=seeds.order if arguments.get("shuffle", True) else None,
            first_epoch=first_epoch,
            verbose=int(bool(arguments.get("verbose", 0))),
            **stopping,
        ),
        noise_seed=seeds.network,
        start=prepared_once(("start", _digest(start)), (), lambda: start),
        origin=origin,
        row_metrics=metrics,
        loss_numbers=loss_numbers,
    )


def write_weights(model: keras.Model, network: Network, trained: MemberWeights) -> None:
    """Write the weights and the optimizer's state of a member into a Keras model."""
    values = unflattened(trained.weights, network.weight_shapes)
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)
    set_state_of_model(model, network, unflattened(trained.state, network.state_shapes))
    slots_to_keras(model.optimizer, model.trainable_variables, trained.slots, trained.step)


class WeightsInModel:
    """Writes the weights of each epoch into a model before an observer hears of the epoch's end."""

    def __init__(self, observer: EpochObserver, write: Callable[[], None]) -> None:
        self._observer = observer
        self._write = write

    def epoch_begins(self) -> None:
        """Tell the observer."""
        self._observer.epoch_begins()

    def epoch_ends(self) -> bool:
        """Write the weights, tell the observer, and return its answer."""
        self._write()
        return self._observer.epoch_ends()


def _refuse_update(model: keras.Model, network: Network, rule: str) -> None:
    """Refuse an optimizer that treats some weights in a way that a population cannot reproduce."""
    kind = type(model.optimizer).__name__
    if network.has_sparse_gradient and not UPDATE_RULES[rule].takes_rows:
        raise CannotJoinError(
            f"Keras' {kind} updates an Embedding row by row, and its result for a row that occurs "
            "twice in a batch cannot be reproduced. Use an optimizer such as Adam, or let Keras "
            "train the model."
        )
    if isinstance(network, CalledNetwork) and network.twin.idle and model.optimizer.weight_decay:
        raise CannotJoinError(
            f"the model {model.name!r} has weights that its outputs do not depend on, and Keras "
            "leaves these out of the weight_decay."
        )


def _start(model: keras.Model, network: Network, rule: Any) -> MemberWeights:
    optimizer = model.optimizer
    slots: Sequence[np.ndarray] = ()
    step = 0
    if optimizer.built and int(optimizer.iterations) > 0:
        slots, step = slots_from_keras(optimizer, model.trainable_variables, rule)
    return MemberWeights(
        weights=flattened([variable.numpy() for variable in model.trainable_variables]),
        state=state_of_model(model, network),
        slots=tuple(slots),
        step=step,
    )


# The rows of the fit


def _as_input(model: keras.Model, X: Any) -> Any:
    """Inputs as the model takes them: one array, or a dict or tuple of them."""
    arrays = keras.tree.flatten(X)
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in "fiub" for array in arrays):
        raise CannotJoinError("the rows are not arrays of numbers.")
    if not getattr(model, "inputs", None):
        # A subclassed model declares no inputs to compare the rows with.
        return keras.tree.map_structure(_single_precision, X)
    expected = model.inputs
    if isinstance(X, dict):
        names = [given.name for given in expected]
        if set(names) != set(X):
            raise CannotJoinError(
                f"the rows have the inputs {sorted(X)}, and the model {sorted(names)}."
            )
        return {
            name: _as_one_input(one, X[name]) for name, one in zip(names, expected, strict=True)
        }
    if len(arrays) != len(expected):
        raise CannotJoinError(f"{len(arrays)} inputs are given to a model of {len(expected)}.")
    made = [_as_one_input(*pair) for pair in zip(expected, arrays, strict=True)]
    return keras.tree.pack_sequence_as(X, made)


def _single_precision(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array


def _as_one_input(expected: Any, X: np.ndarray) -> np.ndarray:
    if len(expected.shape) == X.ndim + 1 and expected.shape[-1] == 1:
        # Keras' own fit adds this axis, too.
        X = X[..., None]
    if len(expected.shape) != X.ndim or any(
        size not in (None, given)
        for size, given in zip(expected.shape[1:], X.shape[1:], strict=True)
    ):
        raise CannotJoinError(
            f"the rows have the shape {X.shape[1:]}, and the model takes rows of the shape "
            f"{tuple(expected.shape[1:])}."
        )
    return X.astype(expected.dtype, copy=False)


def _training_rows(
    model: keras.Model, X: Any, y: Any, weight: np.ndarray | None, batch_size: int
) -> tuple[TrainingRows, int]:
    """Rows with weights of mean one, and the batch size."""
    n_rows = len(keras.tree.flatten(X)[0])
    given = np.ones(n_rows) if weight is None else weight.astype(np.float64)
    rows = TrainingRows(X, y, given)
    is_table = isinstance(X, np.ndarray) and X.ndim == 2 and isinstance(y, np.ndarray)
    if batch_size >= n_rows and is_table and is_row_wise(model):
        # A row of weight two then gives the same result, to the bit, as the row given twice.
        distinct = distinct_rows(rows)
        if distinct.n_rows < n_rows or (given != given[0]).any():
            rows = distinct
    mean_one = rows.weight * (rows.n_rows / rows.weight.sum())
    rows = TrainingRows(rows.X, rows.y, mean_one.astype(np.float32))
    return rows, min(batch_size, rows.n_rows)


def _validation_rows(
    model: keras.Model,
    objective: ModelObjective,
    network: Network,
    parted: PartedRows,
    batch_size: int,
) -> ValidationRows | None:
    """Validation rows, weighted such that their loss is the one Keras computes batch by batch."""
    rows, loss = parted.validation, objective.loss
    if rows is None:
        return None
    if objective.metrics and _dimensions(rows[1]) != _dimensions(parted.y):
        raise CannotJoinError("validation targets differ in shape from training targets.")
    X, y = _as_input(model, rows[0]), objective.targets(rows[1])
    n_rows = len(keras.tree.flatten(X)[0])
    if n_rows > batch_size:
        _refuse_batches(loss, network, n_rows)
    weight = np.ones(n_rows) if len(rows) == 2 else np.asarray(rows[2], np.float64)
    if weight.shape != (n_rows,):
        raise CannotJoinError(f"the validation weights have the shape {weight.shape}.")
    given = weight
    if loss.divisor != "rows":
        weight = weight.copy()
        for start in range(0, n_rows, batch_size):
            batch = weight[start : start + batch_size]
            share = len(batch) / n_rows
            batch *= share / ((batch.sum() or 1.0) if loss.divisor == "weight" else 1.0)
    # Metrics over all rows exist for a single output only; several outputs get zeros as a target.
    metric_target = y if isinstance(y, np.ndarray) else np.zeros((n_rows, 1), np.float32)
    return ValidationRows(X, y, weight.astype(np.float32), metric_target, given)


def _refuse_batches(loss: Any, network: Network, n_rows: int) -> None:
    """Refuse validation in batches if it differs from validation on all rows at once."""
    mend = f"give validation_batch_size={n_rows} or more."
    if isinstance(loss, RowLoss) and not loss.shares_batches:
        raise CannotJoinError(
            f"the loss {loss.kind.__name__} of batches of validation rows differs from the loss of "
            f"all these rows at once: {mend}"
        )
    if isinstance(network, CalledNetwork) and network.twin.rows_meet:
        raise CannotJoinError(
            f"the outputs of the model for a row depend on the other rows, so that a validation in "
            f"batches differs from a validation on all rows at once: {mend}"
        )


def _dimensions(y: Any) -> list[int]:
    return [np.ndim(part) for part in keras.tree.flatten(y)]


def _digest(*records: Any) -> bytes:
    """A digest of the arrays in records; records with equal arrays have equal digests."""
    digest = hashlib.blake2b(digest_size=16)
    for record in records:
        for value in () if record is None else vars(record).values():
            digest.update(repr(sorted(value)).encode() if isinstance(value, dict) else b"")
            for part in keras.tree.flatten(value):
                array = np.ascontiguousarray(part) if part is not None else np.zeros(0)
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(array.data)
        digest.update(b"|")
    return digest.digest()
