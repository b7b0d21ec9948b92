"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, ClassVar, TypeAlias

import keras

from skhp.exceptions import InvalidParameterError
from skhp.shared.nearest_name import nearest_name

# A number, or a keras.optimizers.schedules.LearningRateSchedule.
LearningRate: TypeAlias = Any

_MOMENTUM = 0.9

OPTIMIZERS: dict[str, Callable[[LearningRate], keras.optimizers.Optimizer]] = {
    "sgd": lambda rate: keras.optimizers.SGD(rate),
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=_MOMENTUM),
    "nesterov": lambda rate: keras.optimizers.SGD(rate, momentum=_MOMENTUM, nesterov=True),
    "rmsprop": lambda rate: keras.optimizers.RMSprop(rate),
    "adagrad": lambda rate: keras.optimizers.Adagrad(rate),
    "adam": lambda rate: keras.optimizers.Adam(rate),
    "adamw": lambda rate: keras.optimizers.AdamW(rate),
    "nadam": lambda rate: keras.optimizers.Nadam(rate),
}


@dataclass(frozen=True)
class StepSchedule:
    """The rate is multiplied by `factor` after each `every` epochs."""

    kind: ClassVar[str] = "step"
    every: int = 10
    factor: float = 0.5

    def for_keras(self, rate: float, steps_per_epoch: int, epochs: int) -> LearningRate:
        """Keras' schedule over the optimizer's steps."""
        return keras.optimizers.schedules.ExponentialDecay(
            rate, self.every * steps_per_epoch, self.factor, staircase=True
        )


@dataclass(frozen=True)
class ExponentialSchedule:
    """The rate shrinks evenly, by `factor` over one epoch."""

    kind: ClassVar[str] = "exponential"
    factor: float = 0.95

    def for_keras(self, rate: float, steps_per_epoch: int, epochs: int) -> LearningRate:
        """Keras' schedule over the optimizer's steps."""
        return keras.optimizers.schedules.ExponentialDecay(rate, steps_per_epoch, self.factor)


@dataclass(frozen=True)
class CosineSchedule:
    """Half a cosine from the rate down to `floor` times the rate, over all `epochs`."""

    kind: ClassVar[str] = "cosine"
    floor: float = 0.0

    def for_keras(self, rate: float, steps_per_epoch: int, epochs: int) -> LearningRate:
        """Keras' schedule over the optimizer's steps."""
        return keras.optimizers.schedules.CosineDecay(
            rate, epochs * steps_per_epoch, alpha=self.floor
        )


@dataclass(frozen=True)
class PlateauSchedule:
    """The rate is multiplied by `factor` after `patience` epochs without an improvement."""

    kind: ClassVar[str] = "plateau"
    patience: int = 5
    factor: float = 0.5

    def for_keras(self, rate: float, steps_per_epoch: int, epochs: int) -> LearningRate:
        """The rate itself: the trainer lowers it as the monitored value comes in."""
        return rate


Schedule = StepSchedule | ExponentialSchedule | CosineSchedule | PlateauSchedule

SCHEDULES: dict[str, type[Schedule]] = {
    schedule.kind: schedule
    for schedule in (StepSchedule, ExponentialSchedule, CosineSchedule, PlateauSchedule)
}


def schedule_from(parameter: str | Mapping[str, Any] | None) -> Schedule | None:
    """Schedule that the parameter `lr_schedule` stands for.

    Parameters
    ----------
    parameter : {"step", "exponential", "cosine", "plateau"}, dict or None
        A dict has the name under ``"kind"`` and any of that schedule's numbers.

    Raises
    ------
    InvalidParameterError
        For an unknown name, an unknown number or a number out of range.

    Examples
    --------
    >>> schedule_from({"kind": "step", "every": 30})
    StepSchedule(every=30, factor=0.5)
    """
    if parameter is None:
        return None
    numbers = {} if isinstance(parameter, str) else dict(parameter)
    kind = parameter if isinstance(parameter, str) else numbers.pop("kind", None)
    if not isinstance(kind, str) or kind not in SCHEDULES:
        raise InvalidParameterError(
            f"lr_schedule={parameter!r}: the kind must be one of {sorted(SCHEDULES)}, "
            f"got {kind!r}.{nearest_name(kind, SCHEDULES)}"
        )
    known = [field.name for field in fields(SCHEDULES[kind])]
    for name, value in numbers.items():
        if name not in known:
            raise InvalidParameterError(
                f"lr_schedule={parameter!r}: {kind!r} has no number {name!r}, only {known}."
                f"{nearest_name(name, known)}"
            )
        expected = _expected(name, value)
        if expected is not None:
            raise InvalidParameterError(
                f"lr_schedule={parameter!r}: {name!r} must be {expected}, got {value!r}."
            )
    return SCHEDULES[kind](**numbers)


def _expected(name: str, value: Any) -> str | None:
    """What a number of a schedule should have been, or None where it is right."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    number = float(value) if is_number else float("nan")
    if name in ("every", "patience"):
        right = isinstance(value, Integral) and number >= 1
        return None if right else "a whole number from 1 up"
    if name == "floor":
        return None if 0 <= number <= 1 else "a number from 0 to 1"
    return None if 0 < number < 1 else "a number above 0 and below 1"
