import copy

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.preprocessing import StandardScaler

from skhp.estimators.keras_model.routed_parameters import RoutedParametersMixin
from skhp.exceptions import InvalidParameterError


def build(neurons=3, activation="relu", meta=None):
    """A build function that is never called."""


def build_anything(**anything):
    """Another one."""


class Routed(RoutedParametersMixin, BaseEstimator):
    _unrouted_names = frozenset({"steps"})
    _parameter_constraints = {"depth": [int]}  # noqa: RUF012

    def __init__(self, model=None, *, depth=1, scaler=None, **kwargs):
        self.model = model
        self.depth = depth
        self.scaler = scaler
        self._add_extra(kwargs)


class TestExtraParameters:
    def test_are_parameters_like_others(self):
        routed = Routed(build, neurons=5, fit__steps=2)
        assert routed.get_params() == {
            "model": build,
            "depth": 1,
            "scaler": None,
            "neurons": 5,
            "fit__steps": 2,
        }
        assert clone(routed).get_params() == routed.get_params()
        assert (routed.neurons, routed.fit__steps) == (5, 2)

    def test_can_be_set_as_attributes(self):
        routed = Routed(build, neurons=5)
        routed.neurons = 6
        routed.fit__steps = 3
        assert clone(routed).get_params()["neurons"] == 6
        assert clone(routed).get_params()["fit__steps"] == 3

    def test_are_not_shared_with_a_shallow_copy(self):
        routed = Routed(build, neurons=5)
        copied = copy.copy(routed)
        copied.set_params(neurons=6)
        assert routed.neurons == 5

    def test_leave_other_missing_attributes_missing(self):
        with pytest.raises(AttributeError, match="'Routed' object has no attribute 'neurons'"):
            _ = Routed(build).neurons

    def test_do_not_hide_attributes_that_are_no_parameters(self):
        routed = Routed(build)
        routed.n_seen = 3
        assert "n_seen" not in routed.get_params()

    def test_reach_the_build_function_if_it_takes_them(self):
        routed = Routed(build, neurons=5, steps=2, model__activation="tanh")
        assert routed._user_params == {"neurons"}
        assert Routed(build_anything, neurons=5, steps=2)._user_params == {"neurons", "steps"}


class TestSettingParameters:
    def test_new_ones(self):
        routed = Routed(build).set_params(neurons=4, optimizer__learning_rate=0.1)
        assert (routed.neurons, routed.optimizer__learning_rate) == (4, 0.1)

    def test_together_with_the_build_function_that_takes_them(self):
        assert Routed().set_params(neurons=4, model=build).neurons == 4

    def test_of_an_estimator_within(self):
        routed = Routed(build, scaler=StandardScaler()).set_params(scaler__with_mean=False)
        assert routed.scaler.with_mean is False
        assert routed.get_params()["scaler__with_mean"] is False

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("dept", "depth"),
            ("neuron", "neurons"),
            ("model__activaton", "model__activation"),
            ("optimiser__momentum", "optimizer__momentum"),
            ("step", "steps"),
        ],
    )
    def test_a_misspelt_one_sets_nothing(self, name, meant):
        routed = Routed(build)
        with pytest.raises(InvalidParameterError, match=f"'{name}'. Did you mean '{meant}'"):
            routed.set_params(depth=7, **{name: 3})
        assert routed.depth == 1

    def test_what_a_build_function_is_offered_is_no_parameter(self):
        with pytest.raises(InvalidParameterError, match="'meta'"):
            Routed(build).set_params(meta={})


class TestValidation:
    def test_right_ones_pass(self):
        named = Routed(build, neurons=1, steps=2, model__activation="tanh", fit__x=1)
        assert named._validate_params() is None
        assert Routed(build_anything, whatever=1, model__else=2)._validate_params() is None

    def test_all_mistakes_are_named(self):
        with pytest.raises(InvalidParameterError) as raised:
            Routed(build, neuron=1, model__activaton=2, depth="deep")._validate_params()
        message = str(raised.value)
        assert all(f"'{name}'" in message for name in ("neurons", "model__activation", "depth"))

    def test_a_model_that_is_built_takes_none(self):
        class Built:
            layers = ()

            def __call__(self, neurons):
                """Called on inputs."""

        with pytest.raises(InvalidParameterError, match="'neurons'"):
            Routed(Built(), neurons=3)._validate_params()


class Closed(Routed):
    def __init__(self, width=2):
        super().__init__(build, depth=5, neurons=width)
        self.width = width


class Forgetful(Routed):
    def __init__(self, speed=1, **kwargs):
        super().__init__(build, **kwargs)


def test_a_subclass_that_lets_nothing_through_has_its_own_parameters():
    closed = Closed(width=4)
    assert closed.get_params(deep=False) == {"width": 4}
    assert clone(closed).get_params() == closed.get_params()
    assert (closed.get_params()["depth"], closed.get_params()["neurons"]) == (5, 4)


def test_a_parameter_that_a_constructor_does_not_keep_is_warned_of():
    with pytest.warns(UserWarning, match=r"'speed'.* self\.speed = speed"):
        Forgetful(speed=3, depth=2)._validate_params()
    assert Forgetful(depth=np.int64(2)).get_params()["depth"] == 2
