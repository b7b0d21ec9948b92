import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhp.exceptions import InvalidParameterError
from skhp.networks.build import build_network
from skhp.networks.description import (
    multilayer_perceptron,
    multilayer_perceptron_size,
    network_size,
)
from skhp.networks.layers import DenseDescription


def kernels(description):
    return [layer for layer in description.layers if isinstance(layer, DenseDescription)]


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 9),
    st.integers(1, 4),
    st.one_of(
        st.tuples(st.integers(0, 4), st.one_of(st.integers(1, 9), st.just("auto"))),
        st.tuples(st.just("auto"), st.one_of(st.integers(1, 9), st.lists(st.integers(1, 9)))),
    ),
    st.booleans(),
)
def test_the_weights_are_those_that_keras_counts(n_inputs, n_outputs, layers, batch_norm):
    hidden_layers, neurons = layers
    parameters = {"n_inputs": n_inputs, "n_outputs": n_outputs, "batch_norm": batch_norm}
    parameters |= {"hidden_layers": hidden_layers, "neurons": neurons}
    size = multilayer_perceptron_size(**parameters)
    description = multilayer_perceptron(
        **parameters, output="regression", activation="relu", dropout=0.0, l2=0.0
    )
    assert size == network_size(description)
    assert size.weights == build_network(description, 0).count_params()
    assert size.layers == len(kernels(description)) - 1


@pytest.mark.parametrize(
    ("hidden_layers", "neurons", "weights"),
    [
        (10**9, 2, 10 + 6 * (10**9 - 1) + 3),
        (1, 10**9, 6 * 10**9 + 1),
        (10**12, np.int64(10**12), 5 * 10**12 + (10**12 - 1) * (10**24 + 10**12) + 10**12 + 1),
        ("auto", range(1, 10**9), 2 * (10**9 - 1)),
    ],
)
def test_a_size_beyond_all_memory_is_told_without_making_anything(hidden_layers, neurons, weights):
    size = multilayer_perceptron_size(4, 1, hidden_layers, neurons, False)
    assert size.weights == weights
    assert size.bytes_to_train >= 48 * weights


def test_many_layers_take_memory_whatever_their_width():
    assert multilayer_perceptron_size(4, 1, 3000, 1, False).bytes_to_train > 20 * 10**9
    assert multilayer_perceptron_size(4, 1, 3, 100, False).bytes_to_train < 2 * 10**7


def test_a_wrong_pair_has_no_size():
    with pytest.raises(InvalidParameterError, match="1 entry, but hidden_layers=2"):
        multilayer_perceptron_size(4, 1, 2, (5,), False)
