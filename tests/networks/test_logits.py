import importlib

import keras
import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from skhp.networks.build import build_network
from skhp.networks.description import multilayer_perceptron
from skhp.networks.predictions import logits

# The package has the function under the name of the module.
logits_module = importlib.import_module("skhp.networks.predictions")


def network(output, n_outputs, **changes):
    parameters = {
        "n_inputs": 5,
        "hidden_layers": 2,
        "neurons": (17, 9),
        "activation": "tanh",
        "batch_norm": False,
        "dropout": 0.0,
        "l2": 0.0,
    }
    description = multilayer_perceptron(output=output, n_outputs=n_outputs, **parameters | changes)
    return build_network(description, 1)


def some_rows(n_rows, n_columns=5):
    generator = np.random.default_rng(0)
    return generator.normal(size=(n_rows, n_columns)).astype(np.float32)


def test_sigmoid_of_the_logits_is_the_output_of_a_binary_network():
    model, X = network("binary", 1), some_rows(40)
    values = logits(model, X)
    outputs = np.array(model(X), dtype=np.float64)
    assert values.shape == (40, 1)
    np.testing.assert_allclose(expit(values), outputs, rtol=1e-5)
    np.testing.assert_allclose(values, logit(outputs), atol=1e-5)


def test_softmax_of_the_logits_is_the_output_of_a_multiclass_network():
    model, X = network("multiclass", 4), some_rows(40)
    values = logits(model, X)
    outputs = np.array(model(X), dtype=np.float64)
    assert values.shape == (40, 4)
    np.testing.assert_allclose(softmax(values, axis=1), outputs, rtol=1e-5)
    # Unlike the probabilities, logits tell a shift of all classes apart.
    np.testing.assert_allclose(
        values - values.mean(axis=1, keepdims=True),
        np.log(outputs) - np.log(outputs).mean(axis=1, keepdims=True),
        atol=1e-5,
    )


def test_the_outputs_of_a_regression_network_are_its_logits():
    model, X = network("regression", 3), some_rows(40)
    np.testing.assert_allclose(logits(model, X), np.array(model(X)), rtol=1e-6, atol=1e-7)


def test_the_logits_of_large_outputs_are_not_flattened_as_probabilities_are():
    model = network("binary", 1, hidden_layers=0, neurons=())
    model.set_weights([np.full((5, 1), 1.0), np.zeros(1)])
    X = np.array([[30.0] * 5, [-30.0] * 5], dtype=np.float32)
    assert logits(model, X).tolist() == [[150.0], [-150.0]]


@pytest.mark.parametrize(("output", "n_outputs"), [("binary", 1), ("multiclass", 3)])
def test_logits_are_float64(output, n_outputs):
    assert logits(network(output, n_outputs), some_rows(3)).dtype == np.float64


@pytest.mark.parametrize(
    ("output", "n_outputs", "neurons", "batch_norm"),
    [
        ("binary", 1, (17, 9), False),
        ("binary", 1, (500, 64), True),
        ("multiclass", 3, (500, 64), False),
        ("multiclass", 3, (1, 5), True),
        ("regression", 1, (1, 5), False),
        ("regression", 1, (500, 64), True),
    ],
)
def test_a_row_has_the_same_bits_alone_and_among_others(output, n_outputs, neurons, batch_norm):
    model = network(output, n_outputs, neurons=neurons, batch_norm=batch_norm)
    X = some_rows(23)
    together = logits(model, X)
    for size in (1, 2, 3, 7, 22):
        apart = [logits(model, X[start : start + size]) for start in range(0, len(X), size)]
        assert np.array_equal(np.concatenate(apart), together)
    order = np.random.default_rng(1).permutation(len(X))
    assert np.array_equal(logits(model, X[order]), together[order])


@pytest.mark.parametrize("rows_at_once", [1, 3, 22, 23, 24])
@pytest.mark.parametrize(("output", "n_outputs"), [("binary", 1), ("multiclass", 3)])
def test_the_bits_do_not_depend_on_how_many_rows_go_at_once(
    monkeypatch, rows_at_once, output, n_outputs
):
    model, X = network(output, n_outputs), some_rows(23)
    together = logits(model, X)
    monkeypatch.setattr(logits_module, "ROWS_AT_ONCE", rows_at_once)
    assert np.array_equal(logits(model, X), together)


def test_no_more_rows_go_at_once_than_the_bound(monkeypatch):
    model, seen = network("binary", 1), []
    first = model.layers[0]
    monkeypatch.setattr(
        first, "call", lambda values, call=first.call: seen.append(len(values)) or call(values)
    )
    monkeypatch.setattr(logits_module, "ROWS_AT_ONCE", 64)
    assert logits(model, some_rows(150)).shape == (150, 1)
    assert seen == [64, 64, 32]


def test_logits_are_without_dropout_and_leave_its_noise_alone():
    noisy, quiet = network("binary", 1, dropout=0.5), network("binary", 1)
    X = some_rows(20)
    assert np.array_equal(logits(noisy, X), logits(quiet, X))
    untouched = network("binary", 1, dropout=0.5)
    assert np.array_equal(noisy(X, training=True), untouched(X, training=True))


def test_logits_use_the_moving_averages_of_batch_normalisation_and_leave_them_alone():
    model, X = network("regression", 2, batch_norm=True, activation="linear"), some_rows(20)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(np.full(layer.moving_mean.shape, 3.0))
            layer.moving_variance.assign(np.full(layer.moving_variance.shape, 4.0))
    before = model.get_weights()
    values = X.astype(np.float64)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    for layer in dense[:-1]:
        values = (values @ layer.kernel.numpy() - 3.0) / np.sqrt(4.0 + 1e-3)
    values = values @ dense[-1].kernel.numpy()
    np.testing.assert_allclose(logits(model, X), values, rtol=1e-4, atol=1e-5)
    after = model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
