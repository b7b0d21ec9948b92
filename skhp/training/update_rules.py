"""Keras' update rules as pure functions over the weights of many members at once.

All trainable weights of a member are one vector, so a rule is a few elementwise operations on
tensors of shape [streams, candidates, weights]; values that differ by member (rate, step, numbers)
have shape [streams, candidates, 1]. The order of the operations and the place of epsilon are as in
Keras, where they differ between optimizers. A weight of 0 with gradient 0 and fresh slots stays
exactly 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from skhp.exceptions import CannotJoinError
from skhp.training.powers import power

# `Any` stands for one tensor: TensorFlow's classes carry no types that mypy reads.
Tensors: TypeAlias = tuple[Any, ...]
# Takes gradient, slots, step, rate and numbers; returns the change of the weights and the new
# slots.
Change: TypeAlias = Callable[[Any, Tensors, Any, Any, Tensors], tuple[Any, Tensors]]
# The same with the squares of the gradient, which may be sums of the squares of single rows.
ChangeBySquares: TypeAlias = Callable[[Any, Any, Tensors, Any, Any, Tensors], tuple[Any, Tensors]]


@dataclass(frozen=True)
class Slot:
    """A value that a rule keeps for each weight or each member, and its initial value.

    `name` is Keras' name of the variable; `start` is a value, or the name of one of the rule's
    numbers.
    """

    name: str
    kind: Literal["weight", "member"] = "weight"
    start: float | str = 0.0


@dataclass(frozen=True)
class UpdateRule:
    """One kind of optimizer.

    ``update(weights, gradient, squares, slots, step, rate, numbers)`` returns weights and slots
    after an update. `takes_rows` says that Keras' optimizer does the same with a gradient row by
    row.
    """

    name: str
    numbers: tuple[str, ...]
    slots: tuple[Slot, ...]
    update: Callable[[Any, Any, Any, Tensors, Any, Any, Tensors], tuple[Any, Tensors]]
    takes_rows: bool

    def apply(
        self,
        weights: Any,
        gradient: Any,
        slots: Tensors,
        step: Any,
        rate: Any,
        numbers: Tensors,
        squares: Any = None,
    ) -> tuple[Any, Tensors]:
        """Weights and slots after an update; `squares` are given if they are sums over rows."""
        squares = tf.square(gradient) if squares is None else squares
        return self.update(weights, gradient, squares, slots, step, rate, numbers)

    def initial_slots(self, weights: Any, numbers: Tensors) -> Tensors:
        """Slots before the first update of these weights."""
        shape = {"weight": tf.zeros_like(weights), "member": tf.zeros_like(weights[..., :1])}
        named = dict(zip(self.numbers, numbers, strict=True))
        return tuple(
            shape[slot.kind] + (named[slot.start] if isinstance(slot.start, str) else slot.start)
            for slot in self.slots
        )


_Rules: TypeAlias = tuple[UpdateRule, UpdateRule]


@dataclass(frozen=True)
class UpdateNumbers:
    """A member's optimizer, without its learning rate: a name in UPDATE_RULES and its numbers."""

    rule: str
    numbers: tuple[float, ...]


def _momentum(gradient: Any, slots: Any, step: Any, rate: Any, numbers: Any) -> tuple[Any, Tensors]:
    velocity = slots[0] * numbers[0] - gradient * rate
    return velocity, (velocity,)


def _nesterov(gradient: Any, slots: Any, step: Any, rate: Any, numbers: Any) -> tuple[Any, Tensors]:
    descent = gradient * rate
    velocity = slots[0] * numbers[0] - descent
    return velocity * numbers[0] - descent, (velocity,)


def _rmsprop(
    gradient: Any, squares: Any, slots: Any, step: Any, rate: Any, numbers: Any
) -> tuple[Any, Tensors]:
    rho, one_minus_rho, epsilon, *momentum = numbers
    velocity = slots[0] * rho + squares * one_minus_rho
    change = gradient * -rate / tf.sqrt(velocity + epsilon)
    if not momentum:
        return change, (velocity,)
    descent = slots[1] * momentum[0] - change
    return -descent, (velocity, descent)


def _adagrad(
    gradient: Any, squares: Any, slots: Any, step: Any, rate: Any, numbers: Any
) -> tuple[Any, Tensors]:
    accumulator = slots[0] + squares
    return gradient * -rate / tf.sqrt(accumulator + numbers[1]), (accumulator,)


def _adam(
    gradient: Any, squares: Any, slots: Any, step: Any, rate: Any, numbers: Any
) -> tuple[Any, Tensors]:
    beta_1, one_minus_beta_1, beta_2, one_minus_beta_2, epsilon = numbers
    corrected = rate * tf.sqrt(1 - power(beta_2, step + 1)) / (1 - power(beta_1, step + 1))
    momentum = slots[0] + (gradient - slots[0]) * one_minus_beta_1
    velocity = slots[1] + (squares - slots[1]) * one_minus_beta_2
    return momentum * -corrected / (tf.sqrt(velocity) + epsilon), (momentum, velocity)


def _nadam(
    gradient: Any, squares: Any, slots: Any, step: Any, rate: Any, numbers: Any
) -> tuple[Any, Tensors]:
    beta_1, beta_2, epsilon = numbers
    now = beta_1 * (1 - 0.5 * power(0.96, step + 1))
    following = beta_1 * (1 - 0.5 * power(0.96, step + 2))
    product = slots[2] * now
    momentum = slots[0] + (gradient - slots[0]) * (1 - beta_1)
    velocity = slots[1] + (squares - slots[1]) * (1 - beta_2)
    change = momentum * (-rate * following / (1 - product * following))
    change += gradient * (-rate * (1 - now) / (1 - product))
    spread = tf.sqrt(velocity / (1 - power(beta_2, step + 1)))
    return change / (spread + epsilon), (momentum, velocity, product)


def _rules(
    name: str,
    numbers: tuple[str, ...],
    slots: tuple[Slot, ...],
    change: ChangeBySquares,
    takes_rows: bool = True,
) -> _Rules:
    """A rule without and with Keras' decay of the weights, which shrinks them before the update."""

    def apply(weights: Any, gradient: Any, *arguments: Any) -> Any:
        added, slots = change(gradient, *arguments)
        return weights + added, slots

    def decay(
        weights: Any, gradient: Any, squares: Any, slots: Any, step: Any, rate: Any, numbers: Any
    ) -> Any:
        *own, weight_decay = numbers
        shrunk = weights * (1 - weight_decay * rate)
        return apply(shrunk, gradient, squares, slots, step, rate, tuple(own))

    with_decay = _with_weight_decay(name), (*numbers, "weight_decay"), slots, decay
    return (
        UpdateRule(name, numbers, slots, apply, takes_rows),
        UpdateRule(*with_decay, takes_rows),
    )


def _by_gradient(change: Change) -> ChangeBySquares:
    return lambda gradient, squares, *arguments: change(gradient, *arguments)


def _sgd(gradient: Any, slots: Any, step: Any, rate: Any, numbers: Any) -> tuple[Any, Tensors]:
    return gradient * -rate, ()


def _with_weight_decay(name: str) -> str:
    return "adamw" if name == "adam" else f"{name}_weight_decay"


# 1 - 0.999 in float32 is off by one part in 20,000. Where Keras subtracts in float64, the
# difference is therefore a separate number; Nadam subtracts in float32.
_RHO = ("rho", "one_minus_rho", "epsilon")
_BETAS = ("beta_1", "one_minus_beta_1", "beta_2", "one_minus_beta_2", "epsilon")
_START = "initial_accumulator_value"
_M, _V, _U = Slot("momentum"), Slot("velocity"), Slot("u_product", "member", 1.0)

UPDATE_RULES: dict[str, UpdateRule] = {
    rule.name: rule
    for rules in (
        _rules("sgd", (), (), _by_gradient(_sgd)),
        _rules("momentum", ("momentum",), (_M,), _by_gradient(_momentum)),
        _rules("nesterov", ("momentum",), (_M,), _by_gradient(_nesterov)),
        _rules("rmsprop", _RHO, (_V,), _rmsprop),
        _rules("rmsprop_momentum", (*_RHO, "momentum"), (_V, _M), _rmsprop),
        _rules("adagrad", (_START, "epsilon"), (Slot("accumulator", start=_START),), _adagrad),
        _rules("adam", _BETAS, (_M, _V), _adam),
        _rules("nadam", ("beta_1", "beta_2", "epsilon"), (_M, _V, _U), _nadam),
    )
    for rule in rules
}
_OWN_RULES = dict(UPDATE_RULES)


def is_own_rule(name: str) -> bool:
    """Whether the rule of this name is defined here, and not by `add_update_rule`."""
    return UPDATE_RULES[name] is _OWN_RULES.get(name)


def _sgd_name(optimizer: Any) -> str:
    with_momentum = "nesterov" if optimizer.nesterov else "momentum"
    return "sgd" if optimizer.momentum == 0 else with_momentum


_NAME_OF: dict[type, Callable[[Any], str]] = {
    keras.optimizers.SGD: _sgd_name,
    keras.optimizers.RMSprop: lambda own: "rmsprop_momentum" if own.momentum > 0 else "rmsprop",
    keras.optimizers.Adagrad: lambda own: "adagrad",
    keras.optimizers.Adam: lambda own: "adam",
    keras.optimizers.AdamW: lambda own: "adam",
    keras.optimizers.Nadam: lambda own: "nadam",
}


def add_update_rule(
    kind: type[keras.optimizers.Optimizer],
    name: str,
    numbers: tuple[str, ...],
    slots: tuple[Slot, ...],
    change: Change,
) -> None:
    """Let populations train by an optimizer of Keras, with and without a decay of its weights.

    Parameters
    ----------
    kind : type
        Class of the optimizer; subclasses are not included.
    name : str
    numbers, slots : tuple
        As in `UpdateRule`.
    change : callable
        ``change(gradient, slots, step, rate, numbers) -> (what to add to the weights, slots)``, in
        the order of operations that Keras has.
    """
    for rule in _rules(name, numbers, slots, _by_gradient(change), takes_rows=False):
        UPDATE_RULES[rule.name] = rule
    _NAME_OF[kind] = lambda own: name


_CHANGING_GRADIENTS = ("clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps")
_NOT_COVERED = (*_CHANGING_GRADIENTS, "amsgrad", "centered", "use_ema", "loss_scale_factor")


def update_of(optimizer: keras.optimizers.Optimizer) -> UpdateNumbers:
    """The rule of a Keras optimizer and its numbers."""
    name_of = _NAME_OF.get(type(optimizer))
    if name_of is None:
        covered = ", ".join(covered.__name__ for covered in _NAME_OF)
        raise _refusal(optimizer, f"expected exactly one of {covered}. Use one of these")
    settings = {name: getattr(optimizer, name, None) for name in _NOT_COVERED}
    found = [f"{n}={v!r}" for n, v in settings.items() if not (v is None or v is False)]
    if optimizer.weight_decay is not None and _exempts_weights(optimizer):
        found.append("exclude_from_weight_decay()")
    if found:
        raise _refusal(optimizer, f"no update rule covers {', '.join(found)}. Leave it out")
    name = name_of(optimizer)
    name = name if optimizer.weight_decay is None else _with_weight_decay(name)
    return UpdateNumbers(name, tuple(_number(optimizer, n) for n in UPDATE_RULES[name].numbers))


def _refusal(optimizer: Any, reason: str) -> CannotJoinError:
    return CannotJoinError(
        f"an optimizer {type(optimizer).__qualname__} cannot join a cohort: {reason}, or let Keras "
        "train the network by itself."
    )


def _exempts_weights(optimizer: Any) -> bool:
    # Neither the config nor a public attribute shows the arguments of `exclude_from_weight_decay`.
    # Only private attributes do, under names that contain its name: the exempt weights, and a
    # cache of booleans.
    left = [value for name, value in vars(optimizer).items() if "exclude_from_weight" in name]
    return any(not all(v.values()) if isinstance(v, Mapping) else bool(v) for v in left)


def _number(optimizer: Any, name: str) -> float:
    plain = name.removeprefix("one_minus_")
    value = getattr(optimizer, plain)
    if not isinstance(value, Real) or not math.isfinite(value):
        raise _refusal(optimizer, f"{plain}={value!r} is not a finite number. Change it")
    # Without epsilon, a padded weight would divide 0 by 0; float32 has no smaller normal number.
    if plain == "epsilon" and value < np.finfo(np.float32).tiny:
        raise _refusal(optimizer, f"epsilon={value!r} is not above 1.2e-38. Change it")
    return float(value) if plain == name else 1.0 - float(value)


def slots_from_keras(
    optimizer: keras.Optimizer, trainable_variables: Sequence[keras.Variable], rule: UpdateRule
) -> tuple[list[np.ndarray], int]:
    """Slots of one member, as in `rule.slots`, and its step, from a Keras optimizer.

    A slot has shape [weights], in the order of the variables, or [1] if it is kept for
    a member. An optimizer that is not built yet is built.
    """
    slots = [
        np.concatenate([np.ravel(keras.ops.convert_to_numpy(variable)) for variable in group])
        for group in _keras_slots(optimizer, trainable_variables, rule)
    ]
    return slots, int(optimizer.iterations)


def slots_to_keras(
    optimizer: Any, trainable_variables: Sequence[Any], slots: Sequence[np.ndarray], step: int
) -> None:
    """Set a Keras optimizer to the slots and the step of one member."""
    rule = UPDATE_RULES[update_of(optimizer).rule]
    groups = _keras_slots(optimizer, trainable_variables, rule)
    for group, slot, values in zip(groups, rule.slots, slots, strict=True):
        ends = np.cumsum([math.prod(variable.shape) for variable in group])
        if np.shape(values) != (ends[-1],):
            raise ValueError(
                f"Slot {slot.name!r} must have shape {(int(ends[-1]),)} as the variables have, got "
                f"{np.shape(values)}. Pass one member's slots and the variables of its network."
            )
        for variable, part in zip(group, np.split(values, ends[:-1]), strict=True):
            variable.assign(np.reshape(part, variable.shape))
    optimizer.iterations.assign(step)


def _keras_slots(optimizer: Any, trainable_variables: Any, rule: UpdateRule) -> list[list[Any]]:
    """The optimizer's own variables of each slot, in the order of the trainable variables."""
    if not optimizer.built:
        optimizer.build(list(trainable_variables))
    shapes = [tuple(variable.shape) for variable in trainable_variables]
    groups = []
    for slot in rule.slots:
        # Adam's variables alternate, RMSprop's do not, but all end in the slot's name. Nadam's
        # product has an unrelated name, but is the last variable.
        is_last = slot.kind == "member"
        expected = [()] if is_last else shapes
        named = [v for v in optimizer.variables if v.name.endswith(f"_{slot.name}")]
        group = optimizer.variables[-1:] if is_last else named
        found = [tuple(variable.shape) for variable in group]
        if found != expected:
            raise ValueError(
                f"Slot {slot.name!r} of rule {rule.name!r} needs variables of shapes {expected}, "
                f"found {found} in {type(optimizer).__name__}. Pass the rule of the optimizer and "
                "the variables it was built with."
            )
        groups.append(group)
    return groups
