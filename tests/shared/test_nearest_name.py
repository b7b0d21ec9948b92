import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhp.shared.nearest_name import nearest_name

KNOWN = ["hidden_layers", "neurons", "learning_rate", "lr_schedule"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("hiden_layers", "hidden_layers"),
        ("hidden_layer", "hidden_layers"),
        ("Neurons", "neurons"),
        ("learning_rates", "learning_rate"),
        ("lr_scheduler", "lr_schedule"),
    ],
)
def test_a_slip_is_met_with_the_name_that_was_meant(name, meant):
    assert nearest_name(name, KNOWN) == f" Did you mean {meant!r}?"


@pytest.mark.parametrize(
    "name", ["colour", "", "x", None, 3, 1.5, ["neurons"], {"a": 1}, b"neuron"]
)
def test_without_a_near_name_nothing_is_suggested(name):
    assert nearest_name(name, KNOWN) == ""


def test_nothing_is_suggested_of_nothing():
    assert nearest_name("neurons", []) == ""


def test_any_iterable_of_names_will_do():
    for known in (tuple(KNOWN), set(KNOWN), dict.fromkeys(KNOWN), iter(KNOWN)):
        assert nearest_name("neuron", known) == " Did you mean 'neurons'?"


@settings(deadline=None)
@given(st.sampled_from(KNOWN), st.data())
def test_one_letter_too_few_is_always_understood(name, data):
    place = data.draw(st.integers(0, len(name) - 1))
    slip = name[:place] + name[place + 1 :]
    assert nearest_name(slip, KNOWN) == f" Did you mean {name!r}?"


@settings(deadline=None)
@given(st.text())
def test_only_known_names_are_suggested(name):
    allowed = {"", *(f" Did you mean {known!r}?" for known in KNOWN)}
    assert nearest_name(name, KNOWN) in allowed
