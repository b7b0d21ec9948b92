import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from skhp.exceptions import CannotJoinError
from skhp.training.rate_schedules import (
    SCHEDULES,
    RateNumbers,
    rate_of,
    rate_of_optimizer,
    schedule_from,
    scheduled_rate,
)

ALL = keras.optimizers.schedules
Exponential, Cosine = ALL.ExponentialDecay, ALL.CosineDecay
InverseTime, Polynomial = ALL.InverseTimeDecay, ALL.PolynomialDecay

TYPICAL = [
    0.03,
    Exponential(0.1, 100, 0.5),
    Exponential(0.1, 100, 0.5, staircase=True),
    Exponential(0.01, 7, 0.0),
    Exponential(1e-3, 1_000_000, 0.96, staircase=True),
    Cosine(0.1, 1000),
    Cosine(0.5, 1_000_000, alpha=0.1),
    Cosine(0.001, 200, alpha=0.25, warmup_target=0.1, warmup_steps=50),
    Cosine(0.1, 200, warmup_target=0.02, warmup_steps=0),
    Cosine(0.0, 1_000_000, warmup_target=0.1, warmup_steps=100_000),
    InverseTime(0.1, 10, 0.5),
    InverseTime(0.1, 37, 2.0, staircase=True),
    Polynomial(0.1, 1000, end_learning_rate=0.01),
    Polynomial(0.1, 1000, end_learning_rate=0.0, power=0.5),
    Polynomial(0.2, 500_000, end_learning_rate=0.3, power=3.0),
    Polynomial(0.1, 10, power=0.0),
]
STEPS = sorted(
    {0, 1, 2, 6, 7, 9, 10, 11, 36, 37, 38, 49, 50, 51, 99, 100, 101, 199, 200, 249, 250, 251}
    | {499, 500, 999, 1000, 1001, 10**5 - 1, 10**5, 10**6 - 1, 10**6, 10**6 + 1, 5 * 10**6, 10**7}
)


@functools.cache
def compiled(jit_compile):
    return tf.function(scheduled_rate, jit_compile=jit_compile, autograph=False)


def rates(learning_rates, steps, jit_compile=False):
    """Rates as [streams, candidates]: one stream for each step, one candidate for each rate."""
    numbers = np.array([rate_of(rate) for rate in learning_rates], np.float32)
    numbers = np.broadcast_to(numbers, (len(steps), *numbers.shape))
    step = np.broadcast_to(np.array(steps, np.float32)[:, None, None], (*numbers.shape[:2], 1))
    columns = tuple(tf.constant(numbers[..., i : i + 1]) for i in range(numbers.shape[-1]))
    rate = compiled(jit_compile)(tf.constant(step), columns)
    assert rate.shape == step.shape
    return rate.numpy()[..., 0]


def keras_rate(learning_rate, step):
    if isinstance(learning_rate, float):
        return learning_rate
    # The dtype of an optimizer's count.
    return float(learning_rate(tf.constant(step, tf.int64)))


def assert_as_in_keras(learning_rates, steps, jit_compile=False):
    found = rates(learning_rates, steps, jit_compile)
    for i, learning_rate in enumerate(learning_rates):
        expected = [keras_rate(learning_rate, step) for step in steps]
        rounding = 3e-7 * largest_difference(learning_rate)
        np.testing.assert_allclose(found[:, i], expected, rtol=2e-6, atol=rounding)


def largest_difference(learning_rate):
    """Largest number of which Keras computes a rate as a difference; 0 where it does not."""
    if isinstance(learning_rate, Exponential | InverseTime | float):
        return 0.0
    config = learning_rate.get_config()
    names = ("initial_learning_rate", "end_learning_rate", "warmup_target")
    return max(config.get(name) or 0.0 for name in names)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["plain", "xla"])
def test_members_follow_their_keras_schedules(jit_compile):
    assert_as_in_keras(TYPICAL, STEPS, jit_compile)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_the_schedules_of_skhp_join(kind):
    learning_rate = schedule_from(kind).for_keras(0.1, steps_per_epoch=13, epochs=40)
    assert_as_in_keras([learning_rate], range(0, 13 * 45, 13))


RATES = st.floats(1e-6, 1.0)
DECAY_STEPS = st.integers(1, 10**6)
ANY = st.one_of(
    RATES,
    st.builds(Exponential, RATES, DECAY_STEPS, st.floats(0.01, 1.0), st.booleans()),
    st.builds(InverseTime, RATES, DECAY_STEPS, st.floats(0.0, 10.0), st.booleans()),
    st.builds(Polynomial, RATES, DECAY_STEPS, RATES, st.floats(0.5, 4.0)),
    st.builds(Cosine, RATES, DECAY_STEPS, st.floats(0.0, 1.0)),
    st.builds(
        Cosine,
        RATES,
        DECAY_STEPS,
        st.floats(0.0, 1.0),
        warmup_target=RATES,
        warmup_steps=st.integers(0, 10**6),
    ),
)


@settings(max_examples=60)
@given(
    st.lists(ANY, min_size=4, max_size=4),
    st.lists(st.integers(0, 10**7) | st.integers(0, 500), min_size=3, max_size=3),
)
def test_any_numbers_do_as_in_keras(learning_rates, steps):
    assert_as_in_keras(learning_rates, steps)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["plain", "xla"])
def test_a_stair_ends_at_its_step(jit_compile):
    random = np.random.default_rng(0)
    decay_steps = random.integers(2, 10**6, 5000)
    stairs = 1 + np.floor(random.random(5000) * np.minimum(10**7 // decay_steps, 20))
    steps = (stairs * decay_steps + random.integers(-1, 2, 5000)).astype(int)
    own = np.array([rate_of(Exponential(1.0, int(n), 0.5, True)) for n in decay_steps], np.float32)

    # Numbers that the compiler knows are divided by otherwise than numbers it is given.
    @tf.function(jit_compile=jit_compile, autograph=False)
    def known(step):
        return scheduled_rate(step, [tf.constant(column) for column in own.T])

    given_numbers = compiled(jit_compile)(
        tf.constant(steps, tf.float32), tuple(tf.constant(column) for column in own.T)
    )
    expected = 0.5 ** (steps // decay_steps)
    np.testing.assert_allclose(given_numbers, expected, rtol=1e-5)
    np.testing.assert_allclose(known(tf.constant(steps, tf.float32)), expected, rtol=1e-5)


def test_numbers_are_hashable_floats():
    for learning_rate in TYPICAL:
        numbers = rate_of(learning_rate)
        assert all(type(number) is float for number in numbers)
        assert {rate_of(learning_rate): 1}[numbers] == 1


@pytest.mark.parametrize("number", [0.25, 1, np.float32(0.5), np.float64(0.5)])
def test_a_number_is_constant(number):
    assert rate_of(number) == RateNumbers(float(number))
    assert np.all(rates([number], [0, 10, 10**7]) == np.float32(number))


def test_only_a_number_is_known_to_be_constant():
    assert [rate_of(learning_rate).is_constant for learning_rate in TYPICAL] == [
        isinstance(learning_rate, float) for learning_rate in TYPICAL
    ]


# ---------------------------------------------------------------- refusals


class UsersDecay(Exponential):
    pass


class UsersSchedule(ALL.LearningRateSchedule):
    def __call__(self, step):
        return 0.1


REFUSED = [
    (ALL.PiecewiseConstantDecay([10], [0.1, 0.01]), "PiecewiseConstantDecay.*exactly one of"),
    (ALL.CosineDecayRestarts(0.1, 10), "CosineDecayRestarts.*exactly one of"),
    (UsersDecay(0.1, 10, 0.5), "UsersDecay.*exactly one of"),
]
NOT_READABLE = [
    (UsersSchedule(), "UsersSchedule", "without a config"),
    (lambda: 0.1, "function", "__lambda__"),
]


@pytest.mark.parametrize(
    ("learning_rate", "reason"),
    [
        *REFUSED,
        *((learning_rate, reason) for learning_rate, reason, _ in NOT_READABLE),
        (Polynomial(0.1, 10, cycle=True), "cycle=True"),
        (Exponential(0.1, 10, -0.5), "decay_rate=-0.5"),
        (InverseTime(0.1, 10, -0.5), "decay_rate=-0.5"),
        (Exponential(1, 10, 0.5), "initial_learning_rate=1 .*decimal point"),
        (Exponential(np.int64(1), 10, 0.5), "initial_learning_rate=.*decimal point"),
        (Cosine(0, 10, warmup_target=0.1, warmup_steps=5), "initial_learning_rate=0 "),
        (Exponential(0.1, 33.3, 0.5, staircase=True), "decay_steps=33.3.*whole number"),
        (InverseTime(0.1, 33.3, 0.5, staircase=True), "decay_steps=33.3.*whole number"),
        (Exponential(0.1, 10, np.array([0.5, 0.6])), "decay_rate of ExponentialDecay.*array"),
        (Cosine(0.1, 10, alpha=math.nan), "alpha of CosineDecay.*nan"),
        (math.inf, "learning_rate.*finite.*inf"),
        (True, "bool"),
        ("fast", "str"),
    ],
)
def test_what_is_not_covered_is_refused(learning_rate, reason):
    with pytest.raises(CannotJoinError, match=reason):
        rate_of(learning_rate)


def test_steps_between_whole_ones_join_without_stairs():
    assert_as_in_keras([Exponential(0.1, 33.3, 0.5)], [0, 1, 33, 34, 100])


# ---------------------------------------------------------------- out of an optimizer


@pytest.mark.parametrize("learning_rate", TYPICAL)
def test_an_optimizer_tells_its_rate(learning_rate):
    optimizer = keras.optimizers.Adam(learning_rate)
    found = rate_of_optimizer(optimizer)
    assert np.array_equal(np.float32(found), np.float32(rate_of(learning_rate)))


def test_a_rate_set_later_counts():
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.learning_rate = 0.25
    assert rate_of_optimizer(optimizer) == RateNumbers(0.25)


@pytest.mark.parametrize(
    ("learning_rate", "reason"),
    [*REFUSED, *((learning_rate, reason) for learning_rate, _, reason in NOT_READABLE)],
)
def test_an_optimizer_with_another_rate_is_refused(learning_rate, reason):
    with pytest.raises(CannotJoinError, match=reason.replace(".*exactly one of", "")):
        rate_of_optimizer(keras.optimizers.SGD(learning_rate))
