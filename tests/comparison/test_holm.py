"""Holm's adjustment, worked by hand."""

import numpy as np
import pytest

from skhp.comparison.statistics import holm

nan = float("nan")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # 4 x 0.005, 3 x 0.01, 2 x 0.03, then 1 x 0.04, which is less than the one before it.
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        # Equal ones stay equal: 2 x 0.02, and not 0.02 for the second of them.
        ([0.02, 0.02], [0.04, 0.04]),
        ([0.4, 0.6, 0.9], [1.0, 1.0, 1.0]),
        ([0.03], [0.03]),
        # What was not tested does not count: there are two.
        ([nan, 0.01, nan, 0.5], [nan, 0.02, nan, 0.5]),
        ([nan, nan], [nan, nan]),
        ([], []),
        ([0.0, 0.02], [0.0, 0.02]),
    ],
)
def test_by_hand(given, expected):
    np.testing.assert_allclose(holm(given), expected)


def test_what_is_given_stays_as_it_is():
    given = np.array([0.04, 0.01])
    holm(given)
    assert given.tolist() == [0.04, 0.01]
