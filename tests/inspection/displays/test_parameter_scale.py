import numpy as np
import pytest

from skhp.inspection.displays.axes import NOT_SET, scale_of


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.001, 0.01, 0.1], "log"),
        ([2, 4, 8, 16, 32, 64], "log"),
        ([1e-4, 1e-1], "log"),
        ([10, 20], "linear"),
        (range(1, 51), "linear"),
        ([0.1, 0.2, 0.3], "linear"),
        ([-1, 10, 1000], "linear"),
        ([0, 0.001, 0.01, 0.1], "levels"),
        ([0, 0.1, 0.2], "linear"),
        ([True, False], "levels"),
        (["relu", "tanh"], "levels"),
        ([1, "auto"], "levels"),
        ([(10,), (10, 5)], "levels"),
        ([NOT_SET, 5, 10], "levels"),
        ([NOT_SET, *range(20)], "linear"),
    ],
)
def test_the_axis_suits_the_values(values, kind):
    assert scale_of(values).kind == kind


@pytest.mark.parametrize("seed", range(20))
def test_draws_are_told_apart(seed):
    random = np.random.default_rng(seed)
    assert scale_of(list(10 ** random.uniform(-5, -1, 30))).kind == "log"
    assert scale_of(list(random.uniform(1, 100, 30))).kind == "linear"


def test_levels_are_in_order():
    assert scale_of([10, NOT_SET, 9, "auto"]).labels == ("not set", "9", "10", "auto")
    assert scale_of(["b", "a"]).positions(["a", "b", "a"]).tolist() == [0, 1, 0]


def test_shares_are_of_the_axis():
    np.testing.assert_allclose(scale_of([1, 10, 100]).shares([1, 10, 100]), [0, 0.5, 1])
    shares = scale_of([NOT_SET, *range(21)]).shares([NOT_SET, 5])
    assert np.isnan(shares[0])
    assert shares[1] == 0.25
    assert scale_of([3]).shares([3]).tolist() == [0]


@pytest.mark.parametrize("kind", ["linear", "log", "levels", "not set"])
def test_ticks_are_at_values_that_were_tried(kind):
    random = np.random.default_rng(0)
    values = {
        "linear": list(random.uniform(0, 1, 40)),
        "log": list(10 ** random.uniform(-4, 0, 40)),
        "levels": [f"kind {k}" for k in range(40)],
        "not set": [NOT_SET, *random.uniform(0, 1, 40)],
    }[kind]
    scale = scale_of(values)
    ticks = scale.ticks(0.1)
    positions, shares, labels = zip(*ticks, strict=True)
    assert set(positions) <= set(scale.positions(values))
    assert shares[0] == 0
    assert shares[-1] == 1
    assert min(np.diff(shares)) >= 0.1 - 1e-9
    assert len(set(labels)) == len(labels) >= 5


def test_all_values_of_a_small_grid_have_ticks():
    labels = [label for *_, label in scale_of([2, 5, 10, 20]).ticks(0.05)]
    assert labels == ["2", "5", "10", "20"]


def test_values_that_print_alike_have_places_of_their_own():
    close = scale_of([0.123451, 0.123452, 0.2], levels=True)
    assert close.positions([0.123452, 0.123451]).tolist() == [1, 0]
    whole = scale_of([10_000_001, 10_000_002, "auto"])
    assert whole.labels == ("10000001", "10000002", "auto")


@pytest.mark.parametrize("odd", [np.nan, np.inf, None, (1, 2), {0: 1.0}, [1], np.array([1, 2])])
def test_what_has_no_place_among_numbers_is_a_level(odd):
    scale = scale_of([0.1, odd, 1.0])
    assert scale.kind == "levels"
    assert sorted(scale.positions([0.1, odd, 1.0])) == [0, 1, 2]
