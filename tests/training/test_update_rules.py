import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from skhp.exceptions import CannotJoinError
from skhp.training.update_rules import (
    UPDATE_RULES,
    slots_from_keras,
    slots_to_keras,
    update_of,
)

pytestmark = pytest.mark.slow

STREAMS, CANDIDATES = 2, 3
SHAPES = [(2, 3), (3,), ()]
N_WEIGHTS = sum(int(np.prod(shape)) for shape in SHAPES)

OPTIMIZERS = keras.optimizers
BETAS = st.floats(0.0, 0.9999)
EPSILONS = st.floats(1e-8, 0.1)
DECAYS = {"weight_decay": st.floats(0.0, 0.5)}
PLAIN = {
    "sgd": (OPTIMIZERS.SGD, {}),
    "momentum": (OPTIMIZERS.SGD, {"momentum": st.floats(0.01, 1.0)}),
    "nesterov": (OPTIMIZERS.SGD, {"momentum": st.floats(0.01, 1.0), "nesterov": st.just(True)}),
    "rmsprop": (OPTIMIZERS.RMSprop, {"rho": BETAS, "epsilon": EPSILONS}),
    "rmsprop_momentum": (
        OPTIMIZERS.RMSprop,
        {"rho": BETAS, "epsilon": EPSILONS, "momentum": st.floats(0.01, 1.0)},
    ),
    "adagrad": (
        OPTIMIZERS.Adagrad,
        {"initial_accumulator_value": st.floats(0.0, 1.0), "epsilon": EPSILONS},
    ),
    "adam": (OPTIMIZERS.Adam, {"beta_1": BETAS, "beta_2": BETAS, "epsilon": EPSILONS}),
    "nadam": (OPTIMIZERS.Nadam, {"beta_1": BETAS, "beta_2": BETAS, "epsilon": EPSILONS}),
}
MADE_BY = {
    **PLAIN,
    **{f"{name}_weight_decay": (made, own | DECAYS) for name, (made, own) in PLAIN.items()},
}
MADE_BY["adamw"] = (OPTIMIZERS.AdamW, MADE_BY.pop("adam_weight_decay")[1])

# What a search would try.
TYPICAL = {
    "momentum": [0.9, 0.5, 0.99, 0.1, 0.8, 1.0],
    "rho": [0.9, 0.99, 0.5, 0.0, 0.95, 0.8],
    "beta_1": [0.9, 0.8, 0.0, 0.99, 0.5, 0.95],
    "beta_2": [0.999, 0.99, 0.9999, 0.9, 0.999, 0.5],
    "epsilon": [1e-7, 1e-8, 1e-3, 1e-7, 1e-5, 1e-7],
    "initial_accumulator_value": [0.1, 0.0, 1.0, 0.1, 0.01, 0.5],
    "weight_decay": [0.004, 0.0, 0.1, 0.01, 0.5, 0.05],
    "nesterov": [True] * 6,
}
RATES = [0.001, 0.1, 0.03, 0.5, 0.01, 0.2]

each_rule = pytest.mark.parametrize("name", MADE_BY)
plain_and_xla = pytest.mark.parametrize("jit_compile", [False, True], ids=["plain", "xla"])


class KerasMember:
    """One member as Keras trains it."""

    def __init__(self, optimizer, weights):
        self.optimizer = optimizer
        self.variables = []
        for shape in SHAPES:
            size = int(np.prod(shape))
            self.variables.append(keras.Variable(weights[:size].reshape(shape)))
            weights = weights[size:]
        optimizer.build(self.variables)

    @property
    def weights(self):
        return np.concatenate([np.ravel(variable.numpy()) for variable in self.variables])

    def update(self, gradient):
        sizes = [int(np.prod(shape)) for shape in SHAPES]
        parts = np.split(gradient, np.cumsum(sizes)[:-1])
        shaped = [tf.constant(p.reshape(s)) for p, s in zip(parts, SHAPES, strict=True)]
        self.optimizer.apply(shaped, self.variables)

    def slots(self, rule):
        return slots_from_keras(self.optimizer, self.variables, rule)


@functools.cache
def compiled(name, jit_compile):
    # Numbers are arguments, so that all examples of a test share one program.
    return tf.function(UPDATE_RULES[name].apply, jit_compile=jit_compile, autograph=False)


def typical_optimizers(name):
    make, numbers = MADE_BY[name]
    return [
        make(rate, **{number: TYPICAL[number][i] for number in numbers})
        for i, rate in enumerate(RATES)
    ]


def by_member(values):
    """Six members' values as [streams, candidates, values]."""
    values = np.asarray(values, np.float32)
    return tf.constant(values.reshape(STREAMS, CANDIDATES, -1))


def random_gradients(random, updates):
    """Gradients of many sizes, some of them 0."""
    shape = (updates, STREAMS * CANDIDATES, N_WEIGHTS)
    sizes = 10.0 ** random.uniform(-4, 1, (1, 1, N_WEIGHTS))
    return (random.normal(size=shape) * sizes * (random.random(shape) < 0.9)).astype(np.float32)


def run(name, optimizers, gradients, *, updates_before, modes=(False,)):
    """The same updates by Keras, member for member, and by the rule, all members at once.

    The rule runs in each of the modes, and Keras, which takes longest, once.
    """
    rule = UPDATE_RULES[name]
    random = np.random.default_rng(len(name))
    members = [
        KerasMember(optimizer, random.normal(size=N_WEIGHTS).astype(np.float32))
        for optimizer in optimizers
    ]
    for i, member in enumerate(members):
        for gradient in random_gradients(random, updates_before[i])[:, i]:
            member.update(gradient)
    numbers = np.array([update_of(optimizer).numbers for optimizer in optimizers], np.float32)
    numbers = tuple(by_member(column) for column in numbers.T)
    slots, steps = zip(*(member.slots(rule) for member in members), strict=True)
    slots = tuple(by_member(slot) for slot in zip(*slots, strict=True))
    step, rate = by_member(steps), by_member([float(one.learning_rate) for one in optimizers])
    weights = by_member([member.weights for member in members])
    found = []
    for jit_compile in modes:
        state = weights, slots, step
        for gradient in gradients:
            state = (
                *compiled(name, jit_compile)(
                    state[0], by_member(gradient), *state[1:], rate, numbers
                ),
                state[2] + 1,
            )
        found.append(state)
    for gradient in gradients:
        for member, own in zip(members, gradient, strict=True):
            member.update(own)
    return members, found


def assert_equal(members, weights, slots, rule, tolerance):
    """Equal but for rounding, measured by the largest of the members where terms cancel."""
    kept = [[member.weights, *member.slots(rule)[0]] for member in members]
    for found, own in zip((weights, *slots), zip(*kept, strict=True), strict=True):
        expected = by_member(own).numpy()
        largest = np.abs(expected).max(axis=(0, 1))
        assert np.all(np.abs(found - expected) <= tolerance * (np.abs(expected) + largest))


def test_every_rule_is_tested():
    assert set(UPDATE_RULES) == set(MADE_BY)


@each_rule
def test_members_follow_their_keras_optimizers(name):
    before = [0, 1, 2, 5, 3, 4]
    gradients = random_gradients(np.random.default_rng(1), 12)
    members, found = run(
        name, typical_optimizers(name), gradients, updates_before=before, modes=(False, True)
    )
    for weights, slots, step in found:
        assert_equal(members, weights, slots, UPDATE_RULES[name], 2e-6)
        assert np.array_equal(np.ravel(step), [12 + updates for updates in before])


@each_rule
@settings(max_examples=3)
@given(data=st.data())
def test_any_numbers_do_as_in_keras(name, data):
    make, numbers = MADE_BY[name]
    rates = st.floats(1e-5, 1.0)
    optimizers = [
        make(data.draw(rates), **{key: data.draw(value) for key, value in numbers.items()})
        for _ in range(STREAMS * CANDIDATES)
    ]
    assert {update_of(optimizer).rule for optimizer in optimizers} == {name}
    gradients = random_gradients(np.random.default_rng(data.draw(st.integers(0, 1000))), 3)
    members, ((weights, slots, _),) = run(name, optimizers, gradients, updates_before=[0] * 6)
    # With little memory and a large rate the weights move far, and so does what rounding they see.
    assert_equal(members, weights, slots, UPDATE_RULES[name], 1e-5)


@each_rule
def test_fresh_slots_are_those_of_keras(name):
    rule, optimizers = UPDATE_RULES[name], typical_optimizers(name)
    weights = np.random.default_rng(0).normal(size=(6, N_WEIGHTS)).astype(np.float32)
    numbers = np.array([update_of(optimizer).numbers for optimizer in optimizers]).T
    made = rule.initial_slots(by_member(weights), tuple(by_member(row) for row in numbers))
    members = [KerasMember(*pair) for pair in zip(optimizers, weights, strict=True)]
    own = [member.slots(rule)[0] for member in members]
    assert len(made) == len(rule.slots)
    for slot, expected in zip(made, zip(*own, strict=True), strict=True):
        assert np.array_equal(slot, by_member(expected))


@each_rule
@plain_and_xla
def test_padding_stays_zero(name, jit_compile):
    random = np.random.default_rng(2)
    is_padding = np.arange(N_WEIGHTS) % 3 == 0
    numbers = np.array([update_of(one).numbers for one in typical_optimizers(name)]).T
    numbers = tuple(by_member(row) for row in numbers)
    weights = by_member(np.where(is_padding, 0.0, random.normal(size=(6, N_WEIGHTS))))
    slots = UPDATE_RULES[name].initial_slots(weights, numbers)
    for step, gradient in enumerate(random_gradients(random, 10)):
        weights, slots = compiled(name, jit_compile)(
            weights,
            by_member(np.where(is_padding, 0.0, gradient)),
            slots,
            by_member([step] * 6),
            by_member(RATES),
            numbers,
        )
    assert np.all(weights.numpy()[..., is_padding] == 0)
    assert np.all(weights.numpy()[..., ~is_padding] != 0)


# ---------------------------------------------------------------- to Keras and back


@each_rule
def test_keras_goes_on_where_a_member_stopped(name):
    rule = UPDATE_RULES[name]
    random = np.random.default_rng(3)
    for original, twin in zip(typical_optimizers(name), typical_optimizers(name), strict=True):
        member = KerasMember(original, random.normal(size=N_WEIGHTS).astype(np.float32))
        *gradients, last = random_gradients(random, 4)[:, 0]
        for gradient in gradients:
            member.update(gradient)
        slots, step = member.slots(rule)
        assert step == 3
        assert [slot.shape for slot in slots] == [
            (N_WEIGHTS,) if slot.kind == "weight" else (1,) for slot in rule.slots
        ]
        follower = KerasMember(twin, member.weights)
        slots_to_keras(twin, follower.variables, slots, step)
        member.update(last)
        follower.update(last)
        assert np.array_equal(member.weights, follower.weights)
        for ours, theirs in zip(follower.slots(rule)[0], member.slots(rule)[0], strict=True):
            assert np.array_equal(ours, theirs)
        assert follower.slots(rule)[1] == 4


def variables():
    return [keras.Variable(np.ones(shape, np.float32)) for shape in SHAPES]


def test_an_optimizer_is_built_where_it_was_not():
    own, optimizer = variables(), OPTIMIZERS.Adam()
    slots, step = slots_from_keras(optimizer, own, UPDATE_RULES["adam"])
    assert (len(slots), step, optimizer.built) == (2, 0, True)
    optimizer = OPTIMIZERS.Adam()
    slots_to_keras(optimizer, own, [slot + 1 for slot in slots], 7)
    assert int(optimizer.iterations) == 7
    assert all(
        np.all(slot == 1) for slot in slots_from_keras(optimizer, own, UPDATE_RULES["adam"])[0]
    )


def test_a_schedule_is_no_slot():
    optimizer = OPTIMIZERS.Nadam(OPTIMIZERS.schedules.ExponentialDecay(0.1, 10, 0.5))
    slots, _ = slots_from_keras(optimizer, variables(), UPDATE_RULES["nadam"])
    assert [float(slot.sum()) for slot in slots] == [0.0, 0.0, 1.0]


def test_slots_that_do_not_fit_are_named():
    own = variables()
    with pytest.raises(ValueError, match=r"'velocity'.*'adam' needs variables.*SGD"):
        slots_from_keras(OPTIMIZERS.SGD(momentum=0.9), own, UPDATE_RULES["adam"])
    with pytest.raises(ValueError, match=r"'momentum' must have shape \(10,\).*got \(5,\)"):
        slots_to_keras(OPTIMIZERS.SGD(momentum=0.9), own, [np.zeros(5)], 0)
    optimizer = OPTIMIZERS.SGD(momentum=0.9)
    optimizer.build(own)
    with pytest.raises(ValueError, match="it was built with"):
        slots_from_keras(optimizer, own[:2], UPDATE_RULES["momentum"])


# ---------------------------------------------------------------- what is read of an optimizer


def test_numbers_are_exact_and_hashable():
    update = update_of(OPTIMIZERS.AdamW(beta_2=0.999, weight_decay=0.1))
    named = dict(zip(UPDATE_RULES[update.rule].numbers, update.numbers, strict=True))
    assert named["one_minus_beta_2"] == 1 - 0.999
    assert named["weight_decay"] == 0.1
    assert len({update, update_of(OPTIMIZERS.AdamW(0.5, weight_decay=0.1))}) == 1


def test_a_class_decides_and_then_its_numbers():
    assert update_of(OPTIMIZERS.Adam(weight_decay=0.1)).rule == "adamw"
    assert update_of(OPTIMIZERS.AdamW(weight_decay=0.0)).rule == "adamw"
    assert update_of(OPTIMIZERS.SGD(nesterov=True)).rule == "sgd"
    assert update_of(OPTIMIZERS.RMSprop(momentum=0.0)).rule == "rmsprop"


class UsersAdam(OPTIMIZERS.Adam):
    pass


@pytest.mark.parametrize(
    "optimizer",
    [
        *(
            getattr(OPTIMIZERS, name)()
            for name in ("Adadelta", "Adafactor", "Adamax", "Ftrl", "Lamb", "Lion")
        ),
        OPTIMIZERS.Muon(),
        OPTIMIZERS.LossScaleOptimizer(OPTIMIZERS.Adam()),
        UsersAdam(),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_other_classes_are_refused_by_name(optimizer):
    with pytest.raises(CannotJoinError, match=f"{type(optimizer).__name__} cannot.*exactly one of"):
        update_of(optimizer)


@pytest.mark.parametrize(
    ("make", "setting"),
    [
        (OPTIMIZERS.Adam, {"amsgrad": True}),
        (OPTIMIZERS.AdamW, {"amsgrad": True}),
        (OPTIMIZERS.RMSprop, {"centered": True}),
        (OPTIMIZERS.SGD, {"clipnorm": 1.0}),
        (OPTIMIZERS.Adagrad, {"clipvalue": 0.5}),
        (OPTIMIZERS.Nadam, {"global_clipnorm": 2.0}),
        (OPTIMIZERS.Adam, {"use_ema": True}),
        (OPTIMIZERS.SGD, {"loss_scale_factor": 8.0}),
        (OPTIMIZERS.SGD, {"loss_scale_factor": 0.0}),
        (OPTIMIZERS.Adam, {"gradient_accumulation_steps": 4}),
    ],
)
def test_settings_without_a_rule_are_refused_by_name(make, setting):
    [(name, value)] = setting.items()
    update_of(make())
    with pytest.raises(CannotJoinError, match=f"no update rule covers {name}={value!r}"):
        update_of(make(**setting))


def test_every_setting_without_a_rule_is_named():
    with pytest.raises(CannotJoinError, match=r"clipnorm=1\.0, amsgrad=True"):
        update_of(OPTIMIZERS.Adam(clipnorm=1.0, amsgrad=True))


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"epsilon": 0.0}, "epsilon=0.0 is not above"),
        ({"epsilon": 1e-39}, "epsilon=1e-39 is not above"),
        ({"epsilon": None}, "epsilon=None is not a finite"),
        ({"beta_1": float("nan")}, "beta_1=nan is not a finite"),
        ({"beta_2": np.array([0.9, 0.99])}, "beta_2=array"),
        ({"weight_decay": float("inf")}, "weight_decay=inf is not a finite"),
    ],
)
def test_numbers_that_are_none_are_refused(setting, reason):
    with pytest.raises(CannotJoinError, match=reason):
        update_of(OPTIMIZERS.Adam(**setting))


def test_weights_exempt_from_decay_are_refused():
    own = variables()
    by_name, by_variable, no_decay, nothing = (
        OPTIMIZERS.AdamW(),
        OPTIMIZERS.AdamW(),
        OPTIMIZERS.Adam(),
        OPTIMIZERS.AdamW(),
    )
    by_name.exclude_from_weight_decay(var_names=["bias"])
    by_variable.exclude_from_weight_decay(var_list=own[:1])
    for optimizer in (by_name, by_variable):
        with pytest.raises(CannotJoinError, match="exclude_from_weight_decay"):
            update_of(optimizer)
    no_decay.exclude_from_weight_decay(var_names=["bias"])
    assert update_of(no_decay).rule == "adam"
    nothing.exclude_from_weight_decay()
    nothing.apply([tf.ones(shape) for shape in SHAPES], own)
    assert update_of(nothing).rule == "adamw"
