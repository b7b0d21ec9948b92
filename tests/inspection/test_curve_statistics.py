import numpy as np
import pytest

from skhp.inspection.examined_fit import falling_share, noise, share_of_late_fall

EPOCHS = np.arange(200)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("deviation", [0.01, 0.3])
def test_noise_is_the_scatter_around_a_bent_curve(seed, deviation):
    scatter = np.random.default_rng(seed).normal(0, deviation, 200)
    assert noise(np.exp(-EPOCHS / 50) + scatter) == pytest.approx(deviation, rel=0.3)


def test_a_few_jumps_are_no_noise():
    curve = np.exp(-EPOCHS / 50)
    curve[100] = 50
    assert noise(curve) < 1e-3
    assert noise(curve[:3]) == 0


def test_late_fall_of_known_curves():
    assert share_of_late_fall(1 - EPOCHS / 1000) == pytest.approx(0.25, abs=0.02)
    two = np.exp(-2 * EPOCHS / 200)
    expected = (np.exp(-1.5) - np.exp(-2)) / (1 - np.exp(-2))
    assert share_of_late_fall(two) == pytest.approx(expected, abs=0.01)
    assert share_of_late_fall(np.exp(-EPOCHS / 10)) < 1e-3
    assert share_of_late_fall(np.ones(200)) == 0
    assert share_of_late_fall(np.linspace(1, 2, 50)) == 0
    assert share_of_late_fall(np.array([1.0])) == 0
    assert share_of_late_fall(np.array([2.0, 1.0])) == 1


@pytest.mark.parametrize("seed", range(20))
def test_noise_does_not_fall(seed):
    curve = np.random.default_rng(seed).normal(1, 0.1, 60)
    curve[0] = 1.2
    assert share_of_late_fall(curve) < 0.6
    rested = np.exp(-np.arange(60) / 5) + curve / 10
    assert share_of_late_fall(rested) < 0.1


def test_falling_share():
    assert falling_share(np.array([3, 2, 2.5, 1])) == pytest.approx(2 / 3)
    assert falling_share(np.array([3.0])) == 0
