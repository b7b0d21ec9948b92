import itertools
import math
import random
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from skhp.networks.build import build_network
from skhp.networks.description import LOGITS_LAYER, multilayer_perceptron


def description(**changes):
    parameters = {
        "n_inputs": 4,
        "n_outputs": 3,
        "output": "multiclass",
        "hidden_layers": 2,
        "neurons": (6, 6),
        "activation": "tanh",
        "batch_norm": False,
        "dropout": 0.0,
        "l2": 0.0,
    }
    return multilayer_perceptron(**parameters | changes)


def kernels(model):
    return [layer.kernel.numpy() for layer in model.layers if isinstance(layer, keras.layers.Dense)]


def same_arrays(one, other):
    return len(one) == len(other) and all(
        np.array_equal(a, b) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 - 1])
def test_equal_seeds_give_equal_bits(seed):
    everything = description(batch_norm=True, dropout=0.5, l2=0.1)
    one, other = build_network(everything, seed), build_network(everything, seed)
    assert same_arrays(one.get_weights(), other.get_weights())
    rows = np.ones((50, 4), dtype=np.float32)
    assert np.array_equal(one(rows, training=True), other(rows, training=True))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=3, unique=True))
def test_another_seed_gives_another_network(seeds):
    for one, other in itertools.combinations(seeds, 2):
        for a, b in zip(
            kernels(build_network(description(), one)),
            kernels(build_network(description(), other)),
            strict=True,
        ):
            assert not np.array_equal(a, b)


def test_another_seed_gives_other_dropout_noise():
    noisy = description(dropout=0.5, hidden_layers=1, neurons=100, output="regression")
    one, other = build_network(noisy, 0), build_network(noisy, 1)
    other.set_weights(one.get_weights())
    rows = np.ones((20, 4), dtype=np.float32)
    assert not np.array_equal(one(rows, training=True), other(rows, training=True))


def test_no_two_layers_start_from_the_same_weights():
    # Square layers of one shape: with a shared seed they would be equal.
    square = description(n_inputs=6, n_outputs=6, hidden_layers=4, neurons=6)
    made = kernels(build_network(square, 0))
    assert len(made) == 5
    for one, other in itertools.combinations(made, 2):
        assert not np.array_equal(one, other)


def test_no_two_layers_share_their_dropout_noise():
    deep = description(hidden_layers=4, neurons=500, dropout=0.5, activation="linear")
    layers = [
        layer for layer in build_network(deep, 0).layers if isinstance(layer, keras.layers.Dropout)
    ]
    ones = np.ones((1, 500), dtype=np.float32)
    dropped = [np.array(layer(ones, training=True)) == 0 for layer in layers]
    assert len(dropped) == 4
    for one, other in itertools.combinations(dropped, 2):
        assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    "change", [{"dropout": 0.5}, {"l2": 0.1}, {"activation": "relu"}, {"batch_norm": True}]
)
def test_the_initial_kernels_depend_on_the_seed_and_the_sizes_alone(change):
    plain = kernels(build_network(description(), 3))
    assert same_arrays(plain, kernels(build_network(description(**change), 3)))


@pytest.mark.parametrize(("n_inputs", "neurons"), [(4, (6, 6)), (200, (100, 50)), (1, (1, 1))])
def test_initial_kernels_lie_within_the_bound_of_glorot(n_inputs, neurons):
    for kernel in kernels(build_network(description(n_inputs=n_inputs, neurons=neurons), 0)):
        bound = math.sqrt(6 / sum(kernel.shape))
        assert np.abs(kernel).max() <= bound
        if kernel.size > 1000:
            # Uniform up to the bound: mean 0, standard deviation bound / sqrt(3).
            assert np.abs(kernel).max() > 0.98 * bound
            assert abs(kernel.mean()) < 0.1 * bound
            assert kernel.std() == pytest.approx(bound / math.sqrt(3), rel=0.1)


def test_initial_biases_are_zero():
    model = build_network(description(), 0)
    biases = [layer.bias.numpy() for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert len(biases) == 3
    assert not np.concatenate(biases).any()


def layer_types(model):
    return [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"hidden_layers": 0, "neurons": "auto"}, ["Dense", "Activation"]),
        ({"hidden_layers": 0, "neurons": "auto", "output": "regression"}, ["Dense"]),
        ({}, ["Dense", "Activation"] * 2 + ["Dense", "Activation"]),
        ({"output": "regression"}, ["Dense", "Activation"] * 2 + ["Dense"]),
        (
            {"dropout": 0.1},
            ["Dense", "Activation", "Dropout"] * 2 + ["Dense", "Activation"],
        ),
        (
            {"batch_norm": True},
            ["Dense", "BatchNormalization", "Activation"] * 2 + ["Dense", "Activation"],
        ),
        (
            {"batch_norm": True, "dropout": 0.1},
            ["Dense", "BatchNormalization", "Activation", "Dropout"] * 2 + ["Dense", "Activation"],
        ),
    ],
)
def test_layers_come_in_their_order(change, expected):
    assert layer_types(build_network(description(**change), 0)) == expected


def test_layers_have_the_described_sizes():
    model = build_network(description(n_inputs=7, neurons=(5, 2), n_outputs=4), 0)
    assert [kernel.shape for kernel in kernels(model)] == [(7, 5), (5, 2), (2, 4)]
    assert model.input_shape == (None, 7)
    assert model.output_shape == (None, 4)
    assert model.get_layer(LOGITS_LAYER).units == 4


def test_a_layer_before_batch_normalisation_has_no_bias():
    with_norm = build_network(description(batch_norm=True), 0)
    dense = [layer for layer in with_norm.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.use_bias for layer in dense] == [False, False, True]
    without = build_network(description(), 0)
    dense = [layer for layer in without.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.use_bias for layer in dense] == [True, True, True]


def numpy_forward(model, X, activation):
    """The network in NumPy: the values before the last activation."""
    values = X.astype(np.float64)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    for layer in dense[:-1]:
        values = activation(values @ layer.kernel.numpy() + layer.bias.numpy())
    return values @ dense[-1].kernel.numpy() + dense[-1].bias.numpy()


@pytest.mark.parametrize(
    ("output", "n_outputs", "last"),
    [
        ("binary", 1, expit),
        ("multiclass", 3, lambda values: softmax(values, axis=1)),
        ("regression", 2, lambda values: values),
    ],
)
def test_the_output_is_that_of_the_network_in_numpy(output, n_outputs, last):
    model = build_network(description(output=output, n_outputs=n_outputs), 5)
    X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    expected = last(numpy_forward(model, X, np.tanh))
    np.testing.assert_allclose(np.array(model(X)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", lambda x: np.maximum(x, 0)),
        ("linear", lambda x: x),
        ("sigmoid", expit),
        ("softplus", lambda x: np.logaddexp(x, 0)),
        ("elu", lambda x: np.where(x > 0, x, np.expm1(x))),
        ("swish", lambda x: x * expit(x)),
    ],
)
def test_the_hidden_layers_have_the_described_activation(activation, function):
    model = build_network(description(activation=activation, output="regression"), 5)
    X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    expected = numpy_forward(model, X, function)
    np.testing.assert_allclose(np.array(model(X)), expected, rtol=1e-5, atol=1e-6)


def test_l2_adds_the_weighted_squares_of_all_kernels_and_of_no_bias():
    model = build_network(description(l2=0.25), 0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            layer.bias.assign(np.full(layer.bias.shape, 100.0))
    expected = 0.25 * sum(np.square(kernel.astype(np.float64)).sum() for kernel in kernels(model))
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)
    assert build_network(description(l2=0.0), 0).losses == []


def test_dropout_drops_the_described_share_while_training_only():
    noisy = description(
        dropout=0.3, hidden_layers=1, neurons=10_000, activation="linear", output="regression"
    )
    model = build_network(noisy, 0)
    dropout = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dropout))
    ones = np.ones((1, 10_000), dtype=np.float32)
    kept = np.array(dropout(ones, training=True))
    assert (kept == 0).mean() == pytest.approx(0.3, abs=0.03)
    assert np.unique(kept[kept != 0]) == pytest.approx(1 / 0.7)
    assert np.array_equal(dropout(ones, training=False), ones)


def test_a_build_leaves_the_global_random_states_alone():
    everything = description(dropout=0.5, l2=0.1, batch_norm=True)
    keras.utils.set_random_seed(7)
    expected_draws = [tf.random.uniform((3,)).numpy(), np.array(keras.random.uniform((3,)))]

    keras.utils.set_random_seed(7)
    python_before = random.getstate()
    numpy_before = np.random.get_state()
    generator_before = tf.random.get_global_generator().state.numpy()
    model = build_network(everything, 0)
    model(np.ones((5, 4), dtype=np.float32), training=True)
    assert random.getstate() == python_before
    assert all(
        np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy_before, strict=True)
    )
    assert np.array_equal(tf.random.get_global_generator().state.numpy(), generator_before)
    draws = [tf.random.uniform((3,)).numpy(), np.array(keras.random.uniform((3,)))]
    assert same_arrays(draws, expected_draws)


def test_global_seeds_do_not_reach_a_build():
    keras.utils.set_random_seed(1)
    one = build_network(description(dropout=0.5), 0).get_weights()
    keras.utils.set_random_seed(2)
    assert same_arrays(one, build_network(description(dropout=0.5), 0).get_weights())


def test_threads_build_the_same_bits():
    everything = description(dropout=0.5, batch_norm=True)
    rows = np.ones((10, 4), dtype=np.float32)

    def weights_and_noise(seed):
        model = build_network(everything, seed)
        return [*model.get_weights(), np.array(model(rows, training=True))]

    seeds = list(range(4)) * 3
    alone = {seed: weights_and_noise(seed) for seed in set(seeds)}
    with ThreadPoolExecutor(4) as threads:
        for seed, made in zip(seeds, threads.map(weights_and_noise, seeds), strict=True):
            assert same_arrays(made, alone[seed])


@pytest.mark.parametrize("seed", [-1, 1.5, "1"])
def test_a_seed_is_a_whole_number_from_zero(seed):
    with pytest.raises((ValueError, TypeError)):
        build_network(description(), seed)
