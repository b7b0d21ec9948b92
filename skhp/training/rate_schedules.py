"""Optimizers and learning-rate schedules by name, and the learning rates of many members at once.

All schedules are one formula with different coefficients, so members with different schedules share
a program. With progress ``p = (step - warmup_steps) / decay_steps``, at most `last_progress`::

    base = base_offset + base_slope * p            or, for a cosine, sin(pi / 2 * base)
    rate = floor + span * base ** (exponent_offset + exponent_slope * p)

The cosine decay fits the formula by ``(1 + cos(pi * p)) / 2 = sin(pi / 2 * (1 - p)) ** 2``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from skhp.exceptions import CannotJoinError, InvalidParameterError
from skhp.shared.nearest_name import nearest_name
from skhp.training.powers import power, sine

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
    """The rate is multiplied by `factor` over each epoch, evenly over its steps."""

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
        """The rate itself: the training lowers it according to the monitored value."""
        return rate


Schedule = StepSchedule | ExponentialSchedule | CosineSchedule | PlateauSchedule

SCHEDULES: dict[str, type[Schedule]] = {
    schedule.kind: schedule
    for schedule in (StepSchedule, ExponentialSchedule, CosineSchedule, PlateauSchedule)
}


def schedule_from(parameter: str | Mapping[str, Any] | None) -> Schedule | None:
    """Schedule that the parameter `lr_schedule` stands for."""
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
    """The values allowed for a number of a schedule; None if the given value is allowed."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    number = float(value) if is_number else float("nan")
    if name in ("every", "patience"):
        right = isinstance(value, Integral) and number >= 1
        return None if right else "a whole number from 1 up"
    if name == "floor":
        return None if 0 <= number <= 1 else "a number from 0 to 1"
    return None if 0 < number < 1 else "a number above 0 and below 1"


_SCHEDULES = keras.optimizers.schedules


class RateNumbers(NamedTuple):
    """The coefficients of one member's learning rate; by default a constant rate of `span`.

    `is_sine` and `is_staircase` are 0 or 1.
    """

    span: float
    floor: float = 0.0
    base_offset: float = 1.0
    base_slope: float = 0.0
    exponent_offset: float = 1.0
    exponent_slope: float = 0.0
    is_sine: float = 0.0
    is_staircase: float = 0.0
    decay_steps: float = 1.0
    last_progress: float = 1.0
    warmup_steps: float = 0.0
    warmup_start: float = 0.0
    warmup_slope: float = 0.0

    @property
    def is_constant(self) -> bool:
        """Whether the rate is `span` at every step, so that no schedule has to be computed."""
        return self == RateNumbers(self.span)


def scheduled_rate(step: tf.Tensor, numbers: Sequence[tf.Tensor]) -> tf.Tensor:
    """Learning rate of each member at its own step; all shapes are (streams, candidates, 1)."""
    own = RateNumbers(*numbers)
    into_decay = step - own.warmup_steps
    # The remainder is exact. A floored quotient is not, where XLA multiplies by a reciprocal.
    whole = into_decay - own.is_staircase * tf.truncatemod(into_decay, own.decay_steps)
    progress = tf.minimum(whole / own.decay_steps, own.last_progress)
    base = own.base_offset + own.base_slope * progress
    base = tf.where(own.is_sine > 0, sine(0.5 * math.pi * base), base)
    exponent = own.exponent_offset + own.exponent_slope * progress
    decayed = own.floor + own.span * power(base, exponent)
    return tf.where(into_decay < 0, own.warmup_start + own.warmup_slope * step, decayed)


def rate_of(learning_rate: Any) -> RateNumbers:
    """Coefficients of a learning rate."""
    if isinstance(learning_rate, Real) and not isinstance(learning_rate, bool):
        return RateNumbers(_finite("learning_rate", learning_rate))
    numbers_of = _NUMBERS_OF.get(type(learning_rate))
    if numbers_of is None:
        raise CannotJoinError(
            f"a learning rate of type {type(learning_rate).__qualname__} cannot join a cohort: "
            f"expected a number or exactly one of {', '.join(_names())}. Use one of these, or let "
            "Keras train the network by itself."
        )
    return numbers_of(learning_rate)


def rate_of_optimizer(optimizer: keras.optimizers.Optimizer) -> RateNumbers:
    """Coefficients of the learning rate an optimizer was given; see :func:`rate_of`."""
    if isinstance(optimizer.learning_rate, keras.Variable):
        return rate_of(float(optimizer.learning_rate))
    # Only the optimizer's config tells its schedule. A schedule of the user may have no config, or
    # a config that warns that a function cannot be reloaded, which is not done here.
    try:
        with warnings.catch_warnings(action="ignore"):
            config = optimizer.get_config()["learning_rate"]
    except NotImplementedError:
        config = None
    named = config if isinstance(config, dict) else {}
    is_covered = named.get("module") == "keras.optimizers.schedules"
    if not is_covered or named["class_name"] not in _names():
        raise CannotJoinError(
            f"the learning rate of {type(optimizer).__name__} cannot join a cohort: expected a "
            f"number or exactly one of {', '.join(_names())}, got "
            f"{named.get('class_name', 'an object without a config')}. Use one of these, or let "
            "Keras train the network by itself."
        )
    return rate_of(getattr(_SCHEDULES, named["class_name"]).from_config(named["config"]))


def _exponential(schedule: Any) -> RateNumbers:
    return RateNumbers(
        span=_initial(schedule),
        base_offset=_decay_rate(schedule),
        exponent_offset=0.0,
        exponent_slope=1.0,
        last_progress=math.inf,
        **_steps_and_stairs(schedule),
    )


def _inverse_time(schedule: Any) -> RateNumbers:
    return RateNumbers(
        span=_initial(schedule),
        base_slope=_decay_rate(schedule),
        exponent_offset=-1.0,
        last_progress=math.inf,
        **_steps_and_stairs(schedule),
    )


def _polynomial(schedule: Any) -> RateNumbers:
    if schedule.cycle:
        raise CannotJoinError(
            "PolynomialDecay with cycle=True cannot join a cohort. Set cycle=False, or let Keras "
            "train the network by itself."
        )
    floor = _field(schedule, "end_learning_rate")
    return RateNumbers(
        span=_initial(schedule) - floor,
        floor=floor,
        base_slope=-1.0,
        exponent_offset=_field(schedule, "power"),
        decay_steps=_field(schedule, "decay_steps"),
    )


def _cosine(schedule: Any) -> RateNumbers:
    initial = highest = _initial(schedule)
    warmup_steps = slope = 0.0
    if schedule.warmup_target is not None:
        highest = _field(schedule, "warmup_target")
        warmup_steps = _field(schedule, "warmup_steps")
        slope = (highest - initial) / warmup_steps if warmup_steps > 0 else 0.0
    alpha = _field(schedule, "alpha")
    return RateNumbers(
        span=(1.0 - alpha) * highest,
        floor=alpha * highest,
        base_slope=-1.0,
        exponent_offset=2.0,
        is_sine=1.0,
        decay_steps=_field(schedule, "decay_steps"),
        warmup_steps=warmup_steps,
        warmup_start=initial,
        warmup_slope=slope,
    )


_NUMBERS_OF: dict[type, Callable[[Any], RateNumbers]] = {
    _SCHEDULES.ExponentialDecay: _exponential,
    _SCHEDULES.InverseTimeDecay: _inverse_time,
    _SCHEDULES.PolynomialDecay: _polynomial,
    _SCHEDULES.CosineDecay: _cosine,
}


def _names() -> list[str]:
    return [schedule.__name__ for schedule in _NUMBERS_OF]


def _steps_and_stairs(schedule: Any) -> dict[str, float]:
    steps = _field(schedule, "decay_steps")
    if schedule.staircase and not steps.is_integer():
        raise CannotJoinError(
            f"{type(schedule).__name__} with staircase=True and decay_steps={steps} cannot join a "
            "cohort: where a step ends would depend on rounding. Make decay_steps a whole number."
        )
    return {"decay_steps": steps, "is_staircase": float(bool(schedule.staircase))}


def _decay_rate(schedule: Any) -> float:
    rate = _field(schedule, "decay_rate")
    if rate < 0:
        raise CannotJoinError(
            f"{type(schedule).__name__} with decay_rate={rate} cannot join a cohort: expected a "
            "number from 0 up. Change it, or let Keras train the network by itself."
        )
    return rate


def _initial(schedule: Any) -> float:
    if isinstance(schedule.initial_learning_rate, Integral):
        raise CannotJoinError(
            f"{type(schedule).__name__} with initial_learning_rate="
            f"{schedule.initial_learning_rate!r} cannot join a cohort: Keras computes such a "
            "schedule in whole numbers. Write it with a decimal point."
        )
    return _field(schedule, "initial_learning_rate")


def _field(schedule: Any, name: str) -> float:
    return _finite(f"{name} of {type(schedule).__name__}", getattr(schedule, name))


def _finite(name: str, value: Any) -> float:
    if not isinstance(value, Real) or not math.isfinite(value):
        raise CannotJoinError(
            f"{name} cannot join a cohort: expected a finite number, got {value!r}. Give a number, "
            "or let Keras train the network by itself."
        )
    return float(value)
