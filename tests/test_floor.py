"""The constraints that the tests run with on the lowest versions of all requirements."""

import re

import pytest

from tests.floor import SETUP, lowest_versions

CONFIGURATION = """
[options]
install_requires =
    scikit-learn >= 1.7
    numpy >= 2
[options.extras_require]
plot =
    matplotlib >= 3.8.4
tpe =
    optuna >= 4
images =
    pillow >= 11
"""


def test_each_requirement_is_at_its_lowest_version():
    assert lowest_versions(CONFIGURATION) == [
        "scikit-learn == 1.7",
        "numpy == 2",
        "matplotlib == 3.8.4",
        "optuna == 4",
        "pillow == 11",
    ]


@pytest.mark.parametrize("requirement", ["numpy", "numpy >= 2, < 3", "numpy ~= 2.0"])
def test_a_requirement_without_a_lowest_version_is_refused(requirement):
    with pytest.raises(ValueError, match=re.escape(repr(requirement))):
        lowest_versions(CONFIGURATION.replace("numpy >= 2", requirement))


def test_setup_has_a_lowest_version_for_each():
    assert len(lowest_versions(SETUP.read_text(encoding="utf-8"))) >= 9
