"""Time budgets as people write them."""

from datetime import timedelta

import pytest

from skhp import InvalidParameterError
from skhp.shared.amounts import seconds_of_budget


@pytest.mark.parametrize(
    ("budget", "seconds"),
    [
        (None, None),
        (90, 90.0),
        (0.5, 0.5),
        ("90s", 90.0),
        ("10min", 600.0),
        (" 1.5 h ", 5400.0),
        ("1h 30min", 5400.0),
        ("2d", 172800.0),
        (timedelta(minutes=2), 120.0),
    ],
)
def test_seconds(budget, seconds):
    assert seconds_of_budget(budget) == seconds


@pytest.mark.parametrize(
    "budget", [0, -1, "90", True, "", "min", "10 parsecs", "5min later", "-3s", [60], float("nan")]
)
def test_no_time(budget):
    with pytest.raises(InvalidParameterError, match="is not a time"):
        seconds_of_budget(budget)
