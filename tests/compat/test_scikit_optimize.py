"""The undocumented names of scikit-optimize do what they are used for; its faults remain."""

import pytest
import skopt
from skopt.space import Categorical, Integer

from skhp.compat import scikit_optimize as compat


def test_points_are_forgotten():
    optimizer = skopt.Optimizer([Integer(0, 1000)], random_state=0, n_initial_points=9)
    first = optimizer.ask(n_points=2)
    # No longer needed where an optimizer that was told nothing asks for other points by itself.
    assert optimizer.ask(n_points=2) == first
    compat.forget_asked_points(optimizer)
    assert optimizer.ask(n_points=2) != first


def test_a_point_that_is_asked_for_again_is_warned_of():
    optimizer = skopt.Optimizer([Integer(0, 1)], "RF", random_state=0, n_initial_points=1)
    for value in (0, 1):
        optimizer.tell([value], 0.0)
    with pytest.warns(UserWarning, match=compat.ASKED_AGAIN):
        optimizer.ask()


def test_tuples_come_back_as_tuples():
    pairs = [(1, 2), (3, 4)]
    dimension = Categorical(pairs)
    transformed = dimension.transform(pairs)
    assert compat.categories_at(dimension, transformed) == pairs
    # No longer needed where Categorical itself keeps them.
    assert not all(isinstance(pair, tuple) for pair in dimension.inverse_transform(transformed))


def test_a_callback_that_returns_true_ends_a_search():
    assert compat.eval_callbacks([lambda result: result == 1], 1)
    assert not compat.eval_callbacks([lambda result: result == 1], 2)
