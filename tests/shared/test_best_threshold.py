import pickle
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.base import clone

from skhp.shared.best_threshold import TUNED_BY_FOLDS, TunedByFolds, best_threshold


@given(
    st.lists(
        st.tuples(st.integers(-6, 6), st.booleans(), st.sampled_from([0.5, 1.0, 3.0])), min_size=1
    )
)
def test_no_other_threshold_has_a_greater_f1(rows):
    log_odds, is_rare, weight = (np.array(values) for values in zip(*rows, strict=True))
    log_odds = log_odds / 2

    def f1(threshold):
        predicted = expit(log_odds) >= threshold
        both = weight[predicted].sum() + weight[is_rare].sum()
        return 2 * weight[predicted & is_rare].sum() / both if both else 0.0

    found = best_threshold(expit(log_odds), is_rare, weight)
    others = expit(np.arange(-3.75, 4, 0.5))
    assert 0 < found < 1
    assert f1(found) >= max(map(f1, others)) - 1e-9
    if not is_rare.any():
        assert found == 0.5


def test_of_equal_thresholds_it_is_the_one_nearest_to_a_half():
    probability = expit(np.array([3.0, 1.0, 1.0, -5.0]))
    assert best_threshold(probability, np.array([1, 0, 0, 1]) > 0) == pytest.approx(expit(2.0))


@pytest.mark.parametrize("shift", [50.0, 1e4, -1e4, np.inf])
def test_certain_rows_leave_it_a_probability(shift):
    probability = expit(np.array([shift, shift, shift, -2.0]))
    found = best_threshold(probability, np.array([1, 0, 1, 1 if shift < 0 else 0]) > 0)
    assert 0 < found < 1
    if shift > 0:
        assert expit(-2.0) < found


def test_without_a_rare_row_of_any_weight_it_is_a_half():
    assert best_threshold(np.full(2, 0.5), np.array([1, 0]) > 0, np.zeros(2)) == 0.5


@pytest.mark.parametrize("copied", [deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_are_still_left_to_the_search(copied):
    assert TUNED_BY_FOLDS == "tune"
    for value in (copied(TUNED_BY_FOLDS), clone(TUNED_BY_FOLDS, safe=False)):
        assert type(value) is TunedByFolds
        assert value == "tune"
