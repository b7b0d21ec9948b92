"""Mistaken names and values of parameters."""

from typing import ClassVar

import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from skhp.compat.scikit_learn import StrOptions
from skhp.estimators.parameters import NamedParametersMixin, keeps_parameters
from skhp.exceptions import InvalidParameterError


class Example(NamedParametersMixin, BaseEstimator):
    _parameter_constraints: ClassVar = {
        "colour": [StrOptions({"red", "green"})],
        "size": ["boolean"],
    }

    @keeps_parameters
    def __init__(self, colour="red", size=True): ...


class Wider(Example):
    """A subclass of a user, whose new parameter has no constraints."""

    @keeps_parameters
    def __init__(self, colour="red", size=True, weight=None): ...


def test_every_misspelt_name_is_listed_with_the_nearest_one():
    with pytest.raises(InvalidParameterError) as raised:
        Example(color="red", sise=1)
    message = str(raised.value)
    assert "no parameter 'color'. Did you mean 'colour'?" in message
    assert "no parameter 'sise'. Did you mean 'size'?" in message


def test_set_params_sets_nothing_where_one_name_is_unknown():
    example = Example()
    with pytest.raises(InvalidParameterError, match="'colour'"):
        example.set_params(size=False, color="green")
    assert example.size is True
    assert example.set_params(size=False).size is False


def test_nested_names_are_unknown():
    with pytest.raises(InvalidParameterError, match="colour__red"):
        Example().set_params(colour__red=1)


def test_every_wrong_value_is_listed_with_the_nearest_option():
    with pytest.raises(InvalidParameterError) as raised:
        Example(colour="gren", size="big")._validate_params()
    message = str(raised.value)
    assert "Did you mean 'green'?" in message
    assert "'size'" in message


def test_right_values_and_parameters_without_constraints_pass():
    assert Wider(weight=object())._validate_params() is None


def test_the_error_is_of_the_types_that_users_catch():
    assert issubclass(InvalidParameterError, ValueError)
    assert issubclass(InvalidParameterError, TypeError)
    assert not issubclass(InvalidParameterError, NotFittedError)


def test_the_signature_stays_visible():
    assert Wider().get_params() == {"colour": "red", "size": True, "weight": None}
    with pytest.raises(TypeError):
        Example("red", True, "too many")
