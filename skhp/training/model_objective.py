"""The objective of a compiled model: its losses, its metrics, and the targets that they take."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skhp.exceptions import CannotJoinError
from skhp.objectives.losses import ROW_WISE_LOSSES, RowLoss, SumOfLosses, row_loss
from skhp.objectives.numbered_loss import NumberedLoss
from skhp.objectives.row_metrics import (
    EpochMetric,
    LossOfOutput,
    metric_names,
    row_metrics,
)

# Losses that compare class numbers with one output for each class.
_OF_CLASS_NUMBERS = (keras.losses.SparseCategoricalCrossentropy, NumberedLoss)


@dataclass(frozen=True)
class _Output:
    """An output of a model: its name, the shape for one row, and its loss if it has one."""

    name: str
    shape: tuple[int | None, ...]
    loss: RowLoss | None = None
    weight: float = 1.0

    def target(self, y: Any) -> np.ndarray:
        """A target as the loss compares it with the output."""
        if not isinstance(y, np.ndarray) or y.dtype.kind not in "fiub":
            raise CannotJoinError("the targets are not arrays of numbers.")
        column = y[:, None] if y.ndim == 1 else y
        expected = {self.shape}
        if self.loss is not None and issubclass(self.loss.kind, _OF_CLASS_NUMBERS):
            numbers = {(*self.shape[:-1], 1)}
            if len(self.shape) > 1:
                numbers.add(self.shape[:-1])
            takes_both = issubclass(self.loss.kind, NumberedLoss)
            expected = numbers | expected if takes_both else numbers
        if not any(_fits(column.shape[1:], shape) for shape in expected):
            raise CannotJoinError(
                f"targets have the shape {y.shape[1:]}, and the loss takes the shape "
                f"{' or '.join(map(str, sorted(expected, key=repr)))}."
            )
        return column.astype(np.float32)


def _fits(given: Sequence[int], expected: Sequence[int | None]) -> bool:
    return len(given) == len(expected) and all(
        one in (other, None) or other is None for one, other in zip(given, expected, strict=True)
    )


@dataclass(frozen=True)
class ModelObjective:
    """The loss of a model and its metrics, as a population computes them."""

    loss: RowLoss | SumOfLosses
    metrics: tuple[EpochMetric, ...]
    outputs: tuple[_Output, ...]

    def targets(self, y: Any) -> Any:
        """Targets as the loss takes them: one array, or one for each output that has a loss."""
        pairs = zip(self.outputs, self._in_order(y), strict=True)
        parts = tuple(output.target(part) for output, part in pairs if output.loss is not None)
        return parts[0] if len(self.outputs) == 1 else parts

    def _in_order(self, y: Any) -> list[Any]:
        """A target for each output, None where there is none."""
        with_target = [output.loss is not None for output in self.outputs]
        names = [output.name for output in self.outputs]
        if isinstance(y, Mapping):
            if not {name for name, has in zip(names, with_target, strict=True) if has} <= set(y):
                raise CannotJoinError(
                    f"targets have the names {sorted(y)}, and the outputs {names}."
                )
            return [y.get(name) for name in names]
        given = keras.tree.flatten(y)
        if len(given) == len(names):
            return given
        if len(given) != sum(with_target):
            raise CannotJoinError(
                f"{len(given)} targets are given to a model of {len(names)} outputs."
            )
        parts = iter(given)
        return [next(parts) if has else None for has in with_target]


def objective_of(model: keras.Model, X: Any, y: Any) -> ModelObjective:
    """The objective of a compiled model; `X` and `y` are rows and targets that the model takes."""
    compiled = _compiled(model)
    outputs = _with_losses(model, _outputs(model, X))
    if len(outputs) > 1:
        return _of_several(compiled, outputs)
    (output,) = outputs
    if output.loss is None:
        raise CannotJoinError("the model is compiled without a loss.")
    loss: RowLoss | SumOfLosses = output.loss
    if output.weight != 1.0:
        loss = SumOfLosses((output.loss,), (output.weight,))
    metrics: tuple[EpochMetric, ...] = ()
    if compiled.get("metrics") or compiled.get("weighted_metrics"):
        if len(output.shape) != 1:
            raise CannotJoinError(
                f"the model has metrics, and its outputs have the shape {output.shape}, not rows "
                "of units."
            )
        metrics = row_metrics(compiled, np.shape(y)[1:], int(output.shape[0] or 0))
    return ModelObjective(loss, metrics, outputs)


def _of_several(compiled: Mapping[str, Any], outputs: tuple[_Output, ...]) -> ModelObjective:
    if compiled.get("metrics") or compiled.get("weighted_metrics"):
        raise CannotJoinError("the model has metrics of several outputs.")
    losses = [output.loss for output in outputs if output.loss is not None]
    if not losses:
        raise CannotJoinError("the model is compiled without a loss.")
    if len({loss.divisor for loss in losses}) > 1 or not all(
        loss.shares_batches for loss in losses
    ):
        raise CannotJoinError("the losses of the outputs are divided in different ways.")
    metrics: tuple[EpochMetric, ...] = ()
    if len(losses) > 1:
        places = [k for k, output in enumerate(outputs) if output.loss is not None]
        metrics = tuple(
            LossOfOutput(f"{outputs[place].name}_loss", number, place, loss)
            for number, (place, loss) in enumerate(zip(places, losses, strict=True))
        )
    whole = SumOfLosses(
        tuple(output.loss for output in outputs), tuple(output.weight for output in outputs)
    )
    return ModelObjective(whole, metrics, outputs)


def compiled_metrics(model: keras.Model) -> tuple[str, ...] | None:
    """Names of the metrics that a model is compiled with; None where they are not known."""
    try:
        return metric_names(_compiled(model))
    except CannotJoinError:
        return None


def _compiled(model: keras.Model) -> dict[str, Any]:
    """The compile configuration of a model, as Keras serialises it."""
    try:
        # Keras warns of functions without a name, which matter only when they are loaded.
        with warnings.catch_warnings(action="ignore"):
            compiled = model.get_compile_config()
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        raise CannotJoinError(
            f"Keras cannot write down what the model is compiled with: {error}"
        ) from error
    return compiled


def _outputs(model: keras.Model, X: Any) -> tuple[_Output, ...]:
    """The outputs of a model in order, without their losses."""
    outputs = getattr(model, "outputs", None) or ()
    names = [model.name]
    if len(outputs) != 1:
        # The names come from the dict that the model returns, or else from its layers.
        made = model(keras.tree.map_structure(lambda array: array[:1], X), training=False)
        outputs = outputs or keras.tree.flatten(made)
        numbered = [f"output_{number}" for number in range(len(outputs))]
        names = sorted(made) if isinstance(made, dict) else getattr(model, "output_names", numbered)
    for output in outputs:
        if isinstance(output, tf.SparseTensor) or getattr(output, "sparse", False):
            raise CannotJoinError("the model has sparse outputs.")
        if len(output.shape) < 2:
            raise CannotJoinError(
                f"the outputs of the model have the shape {tuple(output.shape)}, not rows of units."
            )
    return tuple(
        _Output(name, tuple(output.shape[1:])) for name, output in zip(names, outputs, strict=True)
    )


def _with_losses(model: keras.Model, outputs: tuple[_Output, ...]) -> tuple[_Output, ...]:
    names = [output.name for output in outputs]
    losses = _for_each(model.loss, names, "loss")
    weights = _for_each(_compiled(model).get("loss_weights"), names, "loss_weights")
    return tuple(
        replace(
            output,
            loss=None if loss is None else _known_loss(loss),
            weight=1.0 if weight is None else float(weight),
        )
        for output, loss, weight in zip(outputs, losses, weights, strict=True)
    )


def _for_each(given: Any, names: Sequence[str], argument: str) -> list[Any]:
    """The value of an argument of `compile` for each output."""
    if isinstance(given, Mapping):
        if not set(given) <= set(names):
            raise CannotJoinError(
                f"{argument} has the names {sorted(given)}, and the outputs {list(names)}."
            )
        return [given.get(name) for name in names]
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise CannotJoinError(
                f"{argument} has {len(given)} entries for a model of {len(names)} outputs."
            )
        return list(given)
    return [given] * len(names)


def _known_loss(given: Any) -> RowLoss:
    try:
        loss = keras.losses.get(given)
    except (TypeError, ValueError) as error:
        raise CannotJoinError(f"the loss {given!r} is not a loss of Keras.") from error
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
