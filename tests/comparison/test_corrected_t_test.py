from math import atan, isnan, pi, sqrt

import numpy as np
import pytest

from skhp.comparison.statistics import corrected_t_test


def test_four_values_worked_out_by_hand():
    # Mean 0.2, s2 = 0.02 / 3, error = sqrt(s2 * (1/4 + 1/4)), so t = 2 * sqrt(3). The 97.5% point
    # of Student's t of 3 degrees is 3.182446 in every table; its distribution has a closed form.
    result = corrected_t_test([0.1, 0.2, 0.3, 0.2], test_per_train=0.25)
    reach = 3.182446 * sqrt(0.02 / 3 * 0.5)
    assert result.mean == pytest.approx(0.2)
    assert (result.low, result.high) == pytest.approx((0.2 - reach, 0.2 + reach), abs=1e-6)
    assert result.p_value == pytest.approx(1 - 2 / pi * (2 / 5 + atan(2)))


def test_the_other_sign_mirrors_the_result():
    mean, low, high, p_value = corrected_t_test([0.1, 0.2, 0.3, 0.2], 0.25)
    mirrored = corrected_t_test([-0.1, -0.2, -0.3, -0.2], 0.25)
    assert mirrored == pytest.approx((-mean, -high, -low, p_value))


def test_a_single_value_has_no_interval():
    mean, *others = corrected_t_test([0.3], 0.25)
    assert mean == 0.3
    assert all(map(isnan, others))


@pytest.mark.parametrize(("value", "p_value"), [(0.0, 1.0), (0.1, 0.0)])
def test_equal_values_have_an_interval_of_no_width(value, p_value):
    result = corrected_t_test([value] * 7, 0.25)
    assert result == pytest.approx((value, value, value, p_value))


def differences_of_equals(random, n_rows=60, n_repeats=8, n_folds=5):
    """Two learners of a mean, each of a column of its own, so neither is better."""
    columns = random.normal(size=(n_rows, 2))
    differences = []
    for _ in range(n_repeats):
        for test in np.array_split(random.permutation(n_rows), n_folds):
            learnt = np.delete(columns, test, axis=0).mean(axis=0)
            errors = ((columns[test] - learnt) ** 2).mean(axis=0)
            differences.append(errors[0] - errors[1])
    return differences


def test_equals_are_told_apart_in_no_more_than_five_percent():
    random = np.random.default_rng(0)
    corrected = uncorrected = 0
    n_trials = 300
    for _ in range(n_trials):
        differences = differences_of_equals(random)
        corrected += corrected_t_test(differences, 1 / 4).p_value < 0.05
        uncorrected += corrected_t_test(differences, 0.0).p_value < 0.05
    # About 2% and 50%: the factor 1/n + n_test/n_train is a little too careful here.
    assert 0 < corrected / n_trials < 0.08
    assert uncorrected / n_trials > 0.3
