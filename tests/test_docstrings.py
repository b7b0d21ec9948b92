"""The documentation of public classes says what the code says."""

import inspect
import re

import numpy as np
import pytest

import skhp

ESTIMATORS = [name for name in skhp.__all__ if name.startswith("Keras") or name.endswith("CV")]


def _documented(docstring):
    """Names and stated defaults of the section Parameters."""
    section = re.search(r"Parameters\n-+\n(.*?)\n\n?[A-Z][A-Za-z ]+\n-+\n", docstring, re.S)[1]
    entries = re.findall(r"^(\*{0,2}\w+)(?: : ((?:.|\n(?=        ))*))?$", section, re.M)
    return {
        name.lstrip("*"): (
            re.search(r"default=(.+)$", text.replace("\n", " ").strip()) or [None] * 2
        )[1]
        for name, text in entries
    }


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_parameter_is_documented_with_its_default(name):
    estimator = getattr(skhp, name)
    documented = _documented(inspect.getdoc(estimator))
    signature = inspect.signature(estimator).parameters
    assert list(documented) == list(signature)
    for parameter in signature.values():
        if parameter.default is not inspect.Parameter.empty:
            stated = documented[parameter.name]
            assert stated is not None, parameter.name
            # As text, since NaN is not equal to itself.
            assert str(eval(stated, {"np": np})) == str(parameter.default), parameter.name


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_public_method_is_documented(name):
    for method, function in inspect.getmembers(getattr(skhp, name), inspect.isfunction):
        if not method.startswith("_"):
            assert inspect.getdoc(function), method
