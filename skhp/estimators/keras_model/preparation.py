"""Makes the fit of a custom model a member of a cohort, and writes its result into the model."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from skhp.estimators.early_stopping import planned_stopping, with_metric_rows
from skhp.estimators.keras_model.arguments import refuse_model
from skhp.estimators.keras_model.wrapped_rows import HeldOutLabels, PartedRows
from skhp.exceptions import CannotJoinError
from skhp.networks.layered_network import layered_network
from skhp.networks.network import flattened, network_numbers, unflattened
from skhp.networks.vectorizing import vectorized_model
from skhp.objectives.losses import ROW_WISE_LOSSES, RowLoss, row_loss
from skhp.objectives.numbered_loss import NumberedLoss
from skhp.objectives.row_metrics import metric_names, row_metrics
from skhp.population.handover import prepared_once
from skhp.training.fit_task import EpochObserver, FitTask, TrainingPlan
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

# With these rules, one update by a sum of two gradients equals two updates by one gradient each.
_LINEAR_RULES = frozenset({"sgd", "momentum", "nesterov", "sgd_weight_decay"})


# Losses that compare class numbers with one output per class.
_OF_CLASS_NUMBERS = (keras.losses.SparseCategoricalCrossentropy, NumberedLoss)


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """What an estimator needs to take over the result of a fit.

    `learnt` holds the attributes that preparing the fit sets on an estimator, `held_out` the labels
    to tune a threshold on, `callbacks` the callbacks of the fit.
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
    loss = _loss(model)
    X, y = _as_input(model, rows.X), _as_target(model, loss, rows.y)
    metrics = row_metrics(_compiled(model), rows.y.shape[1:], model.output_shape[1])
    network = _network(model, X, y, loss)
    loss_numbers: tuple[float, ...] = ()
    if network.varies_loss:
        loss, loss_numbers = loss.parted()
    update = update_of(model.optimizer)
    if network.has_sparse_gradient and update.rule not in _LINEAR_RULES:
        raise CannotJoinError(
            f"Keras' {type(model.optimizer).__name__} updates the rows of an Embedding one by one, "
            "even if a batch has the same row twice. Use SGD, or let Keras train the model."
        )
    training, batch_size = _training_rows(model, X, y, rows.weight, arguments["batch_size"])
    validation = _validation_rows(model, loss, rows.validation, arguments["validation_batch_size"])
    if metrics and validation is not None and np.ndim(rows.validation[1]) != rows.y.ndim:
        raise CannotJoinError("validation targets differ in shape from training targets.")
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
    start = _start(model, UPDATE_RULES[update.rule])
    return FitTask(
        network=network,
        numbers=network_numbers(model),
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


def write_weights(model: keras.Model, network: Any, trained: MemberWeights) -> None:
    """Write the weights and the optimizer's state of a member into a Keras model."""
    values = unflattened(trained.weights, network.weight_shapes)
    values += unflattened(trained.state, network.state_shapes)
    variables = [*model.trainable_variables, *model.non_trainable_weights]
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    slots_to_keras(model.optimizer, model.trainable_variables, trained.slots, trained.step)


class WeightsInModel:
    """Writes the weights of each epoch into a model before an observer is told of its end."""

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


def _loss(model: keras.Model) -> RowLoss:
    try:
        loss = keras.losses.get(model.loss)
    except (TypeError, ValueError) as error:
        raise CannotJoinError(f"the loss {model.loss!r} is not a single loss of Keras.") from error
    if not isinstance(loss, keras.losses.Loss):
        loss = next((kind() for kind in ROW_WISE_LOSSES if kind().fn is loss), loss)
    known = row_loss(loss) if isinstance(loss, keras.losses.Loss) else None
    if known is None:
        name = getattr(loss, "__name__", loss)
        raise CannotJoinError(f"the loss {name!r} is not known to be a mean over rows.")
    settings = dict(known.settings)
    if any(isinstance(value, (list, dict, np.ndarray)) for value in settings.values()):
        raise CannotJoinError(f"the settings of the loss {loss.name!r} are not single numbers.")
    if settings.get("axis", -1) != -1 or loss.dtype != "float32":
        raise CannotJoinError(f"the loss {loss.name!r} has an axis or a dtype of its own.")
    return known


def compiled_metrics(model: keras.Model) -> tuple[str, ...] | None:
    """Names of the metrics that a model is compiled with; None if they are not known."""
    try:
        return metric_names(_compiled(model))
    except CannotJoinError:
        return None


def _compiled(model: keras.Model) -> dict[str, Any]:
    """The configuration that a model is compiled with, or a `CannotJoinError`."""
    try:
        # Keras warns that functions without a name cannot be loaded, which is not done here.
        with warnings.catch_warnings(action="ignore"):
            compiled = model.get_compile_config()
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        raise CannotJoinError(
            f"Keras cannot write down what the model is compiled with: {error}"
        ) from error
    if compiled.get("loss_weights") is not None:
        raise CannotJoinError("the model is compiled with loss_weights.")
    return compiled


def _network(model: keras.Model, X: np.ndarray, y: np.ndarray, loss: RowLoss) -> Any:
    try:
        network: Any = layered_network(model, X.shape[1:])
    except CannotJoinError:
        network = None
    # The weights may differ from those of the layers, for example with LoRA, or be frozen.
    if network is None or not (
        _shapes(model.trainable_variables) == network.weight_shapes
        and _shapes(model.non_trainable_weights) == network.state_shapes
    ):
        network = vectorized_model(model, X, y, loss)
    return network


def _shapes(variables: Iterable[keras.Variable]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(variable.shape) for variable in variables)


def _start(model: keras.Model, rule: Any) -> MemberWeights:
    optimizer = model.optimizer
    slots: Sequence[np.ndarray] = ()
    step = 0
    if optimizer.built and int(optimizer.iterations) > 0:
        slots, step = slots_from_keras(optimizer, model.trainable_variables, rule)
    return MemberWeights(
        weights=flattened([variable.numpy() for variable in model.trainable_variables]),
        state=flattened([variable.numpy() for variable in model.non_trainable_weights]),
        slots=tuple(slots),
        step=step,
    )


# The rows of the fit


def _as_input(model: keras.Model, X: Any) -> np.ndarray:
    expected = model.inputs[0]
    if not isinstance(X, np.ndarray) or X.dtype.kind not in "fiub":
        raise CannotJoinError("the rows are not one array of numbers.")
    if len(expected.shape) != X.ndim or any(
        size not in (None, given)
        for size, given in zip(expected.shape[1:], X.shape[1:], strict=True)
    ):
        raise CannotJoinError(
            f"the rows have the shape {X.shape[1:]}, and the model takes rows of the shape "
            f"{tuple(expected.shape[1:])}."
        )
    return X.astype(expected.dtype, copy=False)


def _as_target(model: keras.Model, loss: RowLoss, y: Any) -> np.ndarray:
    if not isinstance(y, np.ndarray) or y.dtype.kind not in "fiub":
        raise CannotJoinError("the targets are not one array of numbers.")
    column = y[:, None] if y.ndim == 1 else y
    expected = {tuple(model.output_shape[1:])}
    if issubclass(loss.kind, _OF_CLASS_NUMBERS):
        expected = {(1,)} if not issubclass(loss.kind, NumberedLoss) else {(1,), *expected}
    if column.shape[1:] not in expected:
        raise CannotJoinError(
            f"the targets have the shape {y.shape[1:]}, and the loss takes targets of the shape "
            f"{' or '.join(map(str, sorted(expected)))}."
        )
    return column.astype(np.float32)


def _training_rows(
    model: keras.Model, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None, batch_size: int
) -> tuple[TrainingRows, int]:
    """Rows with weights of mean one, and the batch size."""
    given = np.ones(len(X)) if weight is None else weight.astype(np.float64)
    rows = TrainingRows(X, y, given)
    if batch_size >= len(X) and X.ndim == 2 and is_row_wise(model):
        # A row of weight two then gives the same bits as the row given twice.
        distinct = distinct_rows(rows)
        if len(distinct.X) < len(X) or (given != given[0]).any():
            rows = distinct
    n_rows = len(rows.X)
    mean_one = rows.weight * (n_rows / rows.weight.sum())
    return TrainingRows(rows.X, rows.y, mean_one.astype(np.float32)), min(batch_size, n_rows)


def _validation_rows(
    model: keras.Model, loss: RowLoss, rows: Any, batch_size: int
) -> ValidationRows | None:
    """Rows weighted so that their loss is the one that Keras computes batch by batch."""
    if rows is None:
        return None
    X, y = _as_input(model, rows[0]), _as_target(model, loss, rows[1])
    if not loss.shares_batches and len(X) > batch_size:
        raise CannotJoinError(
            f"the loss {loss.kind.__name__} over batches of validation rows is not the loss over "
            f"all of them: give validation_batch_size={len(X)} or more."
        )
    weight = np.ones(len(X)) if len(rows) == 2 else np.asarray(rows[2], np.float64)
    if weight.shape != (len(X),):
        raise CannotJoinError(f"the validation weights have the shape {weight.shape}.")
    given = weight
    if loss.divisor != "rows":
        weight = weight.copy()
        for start in range(0, len(X), batch_size):
            batch = weight[start : start + batch_size]
            share = len(batch) / len(X)
            batch *= share / ((batch.sum() or 1.0) if loss.divisor == "weight" else 1.0)
    return ValidationRows(X, y, weight.astype(np.float32), y, given)


def _digest(*records: Any) -> bytes:
    """A digest that is equal for records of equal arrays."""
    digest = hashlib.blake2b(digest_size=16)
    for record in records:
        for value in () if record is None else vars(record).values():
            for part in value if isinstance(value, tuple) else (value,):
                array = np.ascontiguousarray(part) if part is not None else np.zeros(0)
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(array.data)
        digest.update(b"|")
    return digest.digest()
