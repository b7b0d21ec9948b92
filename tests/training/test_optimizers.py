import copy
import math
from fractions import Fraction

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhp.exceptions import InvalidParameterError
from skhp.training.rate_schedules import (
    OPTIMIZERS,
    SCHEDULES,
    CosineSchedule,
    ExponentialSchedule,
    PlateauSchedule,
    StepSchedule,
    schedule_from,
)

RATE = 0.05


class Rule:
    """A textbook update rule in float64; a step gives the new weights."""

    def __init__(self, weights):
        self.w = weights.astype(np.float64)
        self.m = np.zeros_like(self.w)
        self.v = np.zeros_like(self.w)
        self.t = 0

    def adam_moments(self, g):
        self.m = 0.9 * self.m + 0.1 * g
        self.v = 0.999 * self.v + 0.001 * g**2
        return self.m / (1 - 0.9**self.t), self.v / (1 - 0.999**self.t)

    def step(self, name, g):
        self.t += 1
        getattr(self, name)(g)
        return self.w

    def sgd(self, g):
        self.w = self.w - RATE * g

    def momentum(self, g):
        self.m = 0.9 * self.m - RATE * g
        self.w = self.w + self.m

    def nesterov(self, g):
        self.m = 0.9 * self.m - RATE * g
        self.w = self.w + 0.9 * self.m - RATE * g

    def adagrad(self, g):
        if self.t == 1:
            self.v += 0.1
        self.v = self.v + g**2
        self.w = self.w - RATE * g / np.sqrt(self.v)

    def rmsprop(self, g):
        self.v = 0.9 * self.v + 0.1 * g**2
        self.w = self.w - RATE * g / np.sqrt(self.v)

    def adam(self, g):
        mean, square = self.adam_moments(g)
        self.w = self.w - RATE * mean / np.sqrt(square)

    def adamw(self, g):
        self.w = self.w - RATE * 0.004 * self.w
        self.adam(g)

    def nadam(self, g):
        momentum = [0.9 * (1 - 0.5 * 0.96**t) for t in range(1, self.t + 2)]
        _, square = self.adam_moments(g)
        mean = momentum[-1] * self.m / (1 - math.prod(momentum)) + (1 - momentum[-2]) * g / (
            1 - math.prod(momentum[:-1])
        )
        self.w = self.w - RATE * mean / np.sqrt(square)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_follow_the_textbook(name):
    generator = np.random.default_rng(0)
    start = generator.normal(size=(3, 2))
    # Far from zero, where the small number that keeps from dividing by zero does not show.
    gradients = [
        generator.choice([-1, 1], size=start.shape) * generator.uniform(0.5, 2, size=start.shape)
        for _ in range(4)
    ]
    weights = keras.Variable(start.astype(np.float32))
    optimizer = OPTIMIZERS[name](RATE)
    optimizer.build([weights])
    rule = Rule(start)
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))], [weights])
        np.testing.assert_allclose(weights.numpy(), rule.step(name, gradient), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("sgd", keras.optimizers.SGD),
        ("momentum", keras.optimizers.SGD),
        ("nesterov", keras.optimizers.SGD),
        ("rmsprop", keras.optimizers.RMSprop),
        ("adagrad", keras.optimizers.Adagrad),
        ("adam", keras.optimizers.Adam),
        ("adamw", keras.optimizers.AdamW),
        ("nadam", keras.optimizers.Nadam),
    ],
)
def test_a_name_makes_the_optimizer_of_keras_with_its_defaults(name, made):
    flags = {"momentum": {"momentum": 0.9}, "nesterov": {"momentum": 0.9, "nesterov": True}}
    optimizer = OPTIMIZERS[name](0.25)
    assert type(optimizer) is made
    expected = made(0.25, name=optimizer.name, **flags.get(name, {})).get_config()
    assert optimizer.get_config() == expected
    assert expected["learning_rate"] == 0.25


def test_each_call_makes_a_new_optimizer():
    assert OPTIMIZERS["adam"](0.1) is not OPTIMIZERS["adam"](0.1)


def test_an_optimizer_takes_a_schedule_for_its_rate():
    for make in OPTIMIZERS.values():
        rate = StepSchedule(every=1, factor=0.5).for_keras(0.5, steps_per_epoch=1, epochs=3)
        optimizer = make(rate)
        weights = keras.Variable(np.zeros(2, dtype=np.float32))
        optimizer.build([weights])
        rates = []
        for _ in range(3):
            rates.append(float(optimizer.learning_rate))
            optimizer.apply([keras.ops.ones(2)], [weights])
        assert rates == pytest.approx([0.5, 0.25, 0.125])


STEPS = st.integers(1, 50)
EPOCHS = st.integers(1, 200)


@settings(deadline=None)
@given(st.integers(1, 30), st.floats(0.1, 0.99), STEPS, st.integers(0, 100))
def test_step_multiplies_the_rate_after_each_few_epochs(every, factor, steps_per_epoch, epoch):
    rate = StepSchedule(every, factor).for_keras(0.4, steps_per_epoch, epochs=100)
    expected = 0.4 * factor ** (epoch // every)
    for step in (0, steps_per_epoch - 1):
        at = float(rate(epoch * steps_per_epoch + step))
        assert at == pytest.approx(expected, rel=1e-3, abs=1e-30)


@settings(deadline=None)
@given(st.floats(0.5, 0.99), STEPS, st.integers(0, 100))
def test_exponential_shrinks_the_rate_by_the_factor_over_an_epoch(factor, steps_per_epoch, epoch):
    rate = ExponentialSchedule(factor).for_keras(0.4, steps_per_epoch, epochs=100)
    at = float(rate(epoch * steps_per_epoch))
    assert at == pytest.approx(0.4 * factor**epoch, rel=1e-4, abs=1e-30)
    within = float(rate(epoch * steps_per_epoch + steps_per_epoch // 2))
    share = steps_per_epoch // 2 / steps_per_epoch
    assert within == pytest.approx(0.4 * factor ** (epoch + share), rel=1e-4, abs=1e-30)


@settings(deadline=None)
@given(st.floats(0, 1), STEPS, EPOCHS, st.floats(0, 1.5))
def test_cosine_falls_to_the_floor_over_all_epochs(floor, steps_per_epoch, epochs, share):
    rate = CosineSchedule(floor).for_keras(0.4, steps_per_epoch, epochs)
    step = round(share * epochs * steps_per_epoch)
    done = min(1, step / (epochs * steps_per_epoch))
    expected = 0.4 * (floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2)
    assert float(rate(step)) == pytest.approx(expected, abs=1e-6)


def test_plateau_leaves_the_rate_to_the_trainer():
    assert PlateauSchedule().for_keras(0.4, steps_per_epoch=3, epochs=10) == 0.4


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("step", StepSchedule(every=10, factor=0.5)),
        ("exponential", ExponentialSchedule(factor=0.95)),
        ("cosine", CosineSchedule(floor=0.0)),
        ("plateau", PlateauSchedule(patience=5, factor=0.5)),
    ],
)
def test_a_name_alone_has_the_documented_numbers(kind, made):
    assert schedule_from(kind) == made
    assert schedule_from({"kind": kind}) == made


def test_the_names_are_those_documented():
    assert set(SCHEDULES) == {"step", "exponential", "cosine", "plateau"}


def test_none_is_no_schedule():
    assert schedule_from(None) is None


@pytest.mark.parametrize(
    ("given_schedule", "made"),
    [
        ({"kind": "step", "every": 3, "factor": 0.1}, StepSchedule(3, 0.1)),
        ({"every": np.int64(3), "kind": "step"}, StepSchedule(3)),
        ({"kind": "exponential", "factor": np.float32(0.5)}, ExponentialSchedule(0.5)),
        ({"kind": "exponential", "factor": Fraction(1, 2)}, ExponentialSchedule(0.5)),
        ({"kind": "cosine", "floor": 0}, CosineSchedule(0)),
        ({"kind": "cosine", "floor": 1}, CosineSchedule(1)),
        ({"kind": "plateau", "patience": 1}, PlateauSchedule(1)),
    ],
)
def test_a_dict_sets_the_numbers(given_schedule, made):
    before = copy.deepcopy(given_schedule)
    assert schedule_from(given_schedule) == made
    assert given_schedule == before
    assert list(given_schedule) == list(before)


@pytest.mark.parametrize("kind", ["stp", "Step", "", None, 3, ["step"]])
def test_an_unknown_kind_is_refused_with_the_known_ones(kind):
    parameter = {"kind": kind, "factor": 0.5}
    with pytest.raises(InvalidParameterError) as error:
        schedule_from(parameter)
    assert f"got {kind!r}" in str(error.value)
    assert all(repr(known) in str(error.value) for known in SCHEDULES)
    assert parameter == {"kind": kind, "factor": 0.5}


def test_a_dict_without_a_kind_is_refused():
    with pytest.raises(InvalidParameterError, match="the kind must be one of"):
        schedule_from({"every": 3})
    with pytest.raises(InvalidParameterError, match="the kind must be one of"):
        schedule_from({})


def test_a_misspelt_kind_or_number_is_met_with_the_nearest():
    with pytest.raises(InvalidParameterError, match="Did you mean 'cosine'"):
        schedule_from("cosin")
    with pytest.raises(InvalidParameterError, match="Did you mean 'exponential'"):
        schedule_from({"kind": "exponental"})
    with pytest.raises(InvalidParameterError, match="Did you mean 'every'"):
        schedule_from({"kind": "step", "evry": 3})


@pytest.mark.parametrize(
    ("parameter", "number"),
    [
        ({"kind": "step", "patience": 3}, "patience"),
        ({"kind": "cosine", "factor": 0.5}, "factor"),
        ({"kind": "plateau", "every": 3}, "every"),
        ({"kind": "exponential", "floor": 0.0}, "floor"),
        ({"kind": "step", "zzz": 3}, "zzz"),
        ({"kind": "step", 3: 3}, 3),
    ],
)
def test_a_number_of_another_schedule_is_refused(parameter, number):
    with pytest.raises(InvalidParameterError, match=f"has no number {number!r}, only"):
        schedule_from(parameter)


NOT_NUMBERS = [None, "3", True, False, math.nan, math.inf, -math.inf, -1, (1,), 1j]
WRONG = {
    ("step", "every"): [0, 1.0, 2.5, *NOT_NUMBERS],
    ("step", "factor"): [0, 1, 1.5, *NOT_NUMBERS],
    ("exponential", "factor"): [0, 1, 1.5, *NOT_NUMBERS],
    ("cosine", "floor"): [-0.1, 1.1, *NOT_NUMBERS],
    ("plateau", "patience"): [0, 1.0, 2.5, *NOT_NUMBERS],
    ("plateau", "factor"): [0, 1, 1.5, *NOT_NUMBERS],
}


@pytest.mark.parametrize(
    ("kind", "number", "value"),
    [(*where, value) for where, values in WRONG.items() for value in values],
)
def test_a_number_out_of_range_is_refused_by_name(kind, number, value):
    with pytest.raises(InvalidParameterError, match=f"{number!r} must be a") as error:
        schedule_from({"kind": kind, number: value})
    assert f"got {value!r}." in str(error.value)


def test_schedules_are_frozen_and_hashable():
    assert len({schedule_from("step"), schedule_from({"kind": "step", "every": 10})}) == 1
    assert schedule_from("step") != schedule_from({"kind": "step", "every": 11})
