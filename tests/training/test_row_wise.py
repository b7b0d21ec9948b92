import re

import keras
import numpy as np
import pytest

from skhp.training.training_rows import is_row_wise


def compiled(*layers, loss="mse", **arguments):
    model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(2)])
    model.compile("sgd", loss, **arguments)
    return model


@pytest.mark.parametrize(
    "loss",
    [
        "mse",
        "MeanSquaredError",
        "binary_crossentropy",
        keras.losses.huber,
        keras.losses.Huber(),
        keras.losses.Huber(reduction="mean_with_sample_weight"),
    ],
    # The address of a function differs between the workers of a parallel run.
    ids=lambda loss: re.sub(" at 0x[0-9a-f]+", "", str(loss)),
)
def test_means_over_rows(loss):
    assert is_row_wise(compiled(keras.layers.Dense(2, activation="relu"), loss=loss))


@pytest.mark.parametrize(
    "loss",
    [
        "dice",
        keras.losses.Tversky(),
        keras.losses.MeanSquaredError(reduction="sum"),
        keras.losses.MeanSquaredError(reduction=None),
        lambda y_true, y_pred: keras.ops.max(y_pred),
        ["mse"],
    ],
    ids=["over the batch", "instance over the batch", "sum", "no reduction", "unknown", "list"],
)
def test_losses_that_are_none_or_unknown(loss):
    assert not is_row_wise(compiled(loss=loss))


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.1),
        keras.layers.Lambda(lambda inputs: inputs - keras.ops.mean(inputs)),
        keras.layers.Dense(2, activity_regularizer="l2"),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_that_mix_rows_or_add_noise(layer):
    assert not is_row_wise(compiled(layer))


def test_metrics_count_rows():
    assert not is_row_wise(compiled(metrics=["mae"]))


def test_a_model_of_the_users_own_is_unknown():
    class Own(keras.Sequential):
        def train_step(self, data):
            raise NotImplementedError

    model = Own([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert not is_row_wise(model)


@pytest.mark.parametrize(
    "layer",
    [keras.layers.LayerNormalization(), keras.layers.PReLU(), keras.layers.Softmax()],
    ids=lambda layer: layer.name,
)
def test_a_row_of_weight_two_has_the_gradient_of_two_rows(layer):
    # What the list of layers promises, by Keras itself.
    X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    Y = X[:, :2]
    weighted = compiled(layer)
    assert is_row_wise(weighted)
    repeated = keras.models.clone_model(weighted)
    repeated.set_weights(weighted.get_weights())
    repeated.compile("sgd", "mse")
    # Weights of mean one: Keras divides by the number of rows.
    weight = np.array([2, 1, 1, 1]) * 4 / 5
    weighted.fit(X, Y, sample_weight=weight, verbose=0)
    repeated.fit(X[[0, 0, 1, 2, 3]], Y[[0, 0, 1, 2, 3]], verbose=0)
    for one, other in zip(weighted.get_weights(), repeated.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
