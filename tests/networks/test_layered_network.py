"""A stack of dense layers for many members at once, held to Keras' own layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone

import skhp
from skhp import CannotJoinError
from skhp.networks import layered_network as layered_network_module
from skhp.networks.layered_network import layered_network
from skhp.networks.network import flattened, network_numbers, unflattened
from skhp.population import fit_together
from skhp.training.cohort.compiled_programs import programs

LAYERS = keras.layers
ROWS = np.random.default_rng(0).normal(size=(2, 9, 4)).astype(np.float32)
# A Dense layer of two units has one gate and one value.
ACTIVATIONS = [
    name
    for name, function in sorted(vars(keras.activations).items())
    if callable(function)
    and name not in ("deserialize", "get", "glu", "serialize", "threshold", "linear")
]


def stack(*layers, width=4):
    return keras.Sequential([keras.Input((width,)), *layers])


def members(model, streams=2, candidates=3, seed=1):
    """Weights and state of as many members, different for each."""
    generator = np.random.default_rng(seed)
    network = layered_network(model)
    sizes = [
        sum(int(np.prod(shape)) for shape in shapes)
        for shapes in (network.weight_shapes, network.state_shapes)
    ]
    weights = generator.normal(0, 0.7, size=(streams, candidates, sizes[0]))
    state = generator.uniform(0.5, 2.0, size=(streams, candidates, sizes[1]))
    return network, weights.astype(np.float32), state.astype(np.float32)


def member_set(model, network, weights, state):
    """The Keras model with the weights of one member."""
    values = unflattened(weights, network.weight_shapes)
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)
    values = unflattened(state, network.state_shapes)
    for variable, value in zip(model.non_trainable_weights, values, strict=True):
        variable.assign(value)
    return model


def assert_outputs_are_those_of_keras(model, training=False):
    network, weights, state = members(model)
    present = np.ones(ROWS.shape[:2], np.float32)
    outputs, after = network.outputs(weights, state, ROWS, training=training, present=present)
    for s, c in np.ndindex(2, 3):
        own = member_set(model, network, weights[s, c], state[s, c])
        expected = own(ROWS[s], training=training)
        np.testing.assert_allclose(outputs[s, c], expected, rtol=1e-4, atol=1e-5)
        moving = flattened([variable.numpy() for variable in own.non_trainable_weights])
        np.testing.assert_allclose(after[s, c], moving, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_of_keras_works_member_by_member(activation):
    assert_outputs_are_those_of_keras(
        stack(LAYERS.Dense(5, activation=activation), LAYERS.Dense(3, activation=activation))
    )


@pytest.mark.parametrize(
    "build",
    [
        lambda: stack(LAYERS.Dense(1)),
        lambda: stack(LAYERS.Dense(5, use_bias=False), LAYERS.ReLU(), LAYERS.Dense(2)),
        lambda: stack(LAYERS.Activation("tanh"), LAYERS.Dense(3), LAYERS.Softmax()),
        lambda: stack(LAYERS.BatchNormalization(), LAYERS.Dense(3), LAYERS.BatchNormalization()),
        lambda: stack(LAYERS.Dropout(0.5), LAYERS.Dense(2), LAYERS.Dropout(0.5), LAYERS.Dense(1)),
    ],
    ids=["one layer", "no bias", "layers of activation", "normalised", "dropout"],
)
def test_outputs_are_those_of_keras(build):
    assert_outputs_are_those_of_keras(build())


def test_in_training_batch_normalisation_takes_the_moments_of_the_batch():
    model = stack(LAYERS.Dense(5), LAYERS.BatchNormalization(momentum=0.7, epsilon=0.1))
    assert_outputs_are_those_of_keras(model, training=True)


def test_padding_has_no_part_in_the_moments():
    network, weights, state = members(
        stack(LAYERS.Dense(5), LAYERS.BatchNormalization(), LAYERS.Dense(1))
    )
    padded = np.concatenate([ROWS, np.full((2, 3, 4), 7, np.float32)], axis=1)
    present = np.r_[np.ones(9), np.zeros(3)].astype(np.float32)[None].repeat(2, axis=0)
    whole = network.outputs(weights, state, ROWS, training=True, present=present[:, :9])
    outputs, after = network.outputs(weights, state, padded, training=True, present=present)
    np.testing.assert_allclose(outputs[:, :, :9], whole[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after, whole[1], rtol=1e-5, atol=1e-6)


def test_dropout_takes_the_noise_of_the_stream_and_the_rate_of_the_member():
    model = stack(LAYERS.Dense(5, activation="relu"), LAYERS.Dropout(0.3), LAYERS.Dense(1))
    network, weights, state = members(model)
    noise = np.random.default_rng(2).uniform(size=(2, 9, 5)).astype(np.float32)
    rates = np.array([[0.0, 0.3, 0.6], [0.5, 0.2, 0.9]], np.float32)
    outputs, _ = network.outputs(
        weights, state, ROWS, training=True, noise=[noise], dropout=[rates]
    )
    for s, c in np.ndindex(2, 3):
        kernel, bias, last_kernel, last_bias = unflattened(weights[s, c], network.weight_shapes)
        hidden = np.maximum(ROWS[s] @ kernel + bias, 0)
        hidden = np.where(noise[s] >= rates[s, c], hidden / (1 - rates[s, c]), 0)
        expected = hidden @ last_kernel + last_bias
        np.testing.assert_allclose(outputs[s, c], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("units", "outputs"), [(5, 2), (5, 1), (40, 1)])
def test_the_gradient_is_that_of_keras(units, outputs):
    model = stack(
        LAYERS.Dense(units, activation="tanh"), LAYERS.BatchNormalization(), LAYERS.Dense(outputs)
    )
    network, weights, state = members(model)
    y = np.random.default_rng(3).normal(size=(2, 9, outputs)).astype(np.float32)
    weight = np.random.default_rng(4).uniform(size=(2, 9)).astype(np.float32)

    def loss(y, outputs, weight):
        return tf.reduce_sum(tf.reduce_sum((outputs - y) ** 2, -1) * weight, -1)

    gradient, (losses, squares), after = network.loss_gradient(
        tf.constant(weights),
        tf.constant(state),
        (tf.constant(ROWS), tf.constant(y), tf.constant(weight)),
        loss=lambda y, outputs, weight: (
            loss(y, outputs, weight),
            tf.reduce_sum(outputs[..., 0] ** 2, -1),
        ),
        present=tf.ones((2, 9)),
        noise=(),
        dropout=(),
    )
    for s, c in np.ndindex(2, 3):
        own = member_set(model, network, weights[s, c], state[s, c])
        with tf.GradientTape() as tape:
            outputs = own(ROWS[s], training=True)
            total = loss(y[s], outputs, weight[s])
        expected = tape.gradient(total, [v.value for v in own.trainable_variables])
        np.testing.assert_allclose(
            gradient[s, c], flattened([part.numpy() for part in expected]), rtol=1e-3, atol=1e-4
        )
        np.testing.assert_allclose(losses[s, c], total, rtol=1e-4)
        np.testing.assert_allclose(squares[s, c], np.sum(outputs[:, 0] ** 2), rtol=1e-4)
        moving = flattened([variable.numpy() for variable in own.non_trainable_weights])
        np.testing.assert_allclose(after[s, c], moving, rtol=1e-4, atol=1e-5)


def test_until_logits_leaves_the_last_activation_out():
    network, weights, state = members(stack(LAYERS.Dense(3, activation="softmax")))
    logits, _ = network.outputs(weights, state, ROWS, training=False, until_logits=True)
    outputs, _ = network.outputs(weights, state, ROWS, training=False)
    np.testing.assert_allclose(tf.nn.softmax(logits), outputs, rtol=1e-5)


def test_numbers_are_read_from_the_layers():
    model = stack(
        LAYERS.Dropout(0.1),
        LAYERS.Dense(2, kernel_regularizer="l1", bias_regularizer=keras.regularizers.L2(0.5)),
        LAYERS.Dropout(0.2),
        LAYERS.Dense(1, kernel_regularizer=keras.regularizers.L1L2(0.3, 0.4)),
    )
    numbers = network_numbers(model)
    assert numbers.dropout == (0.1, 0.2)
    np.testing.assert_allclose(numbers.l1, (0.01, 0.0, 0.3, 0.0))
    np.testing.assert_allclose(numbers.l2, (0.0, 0.5, 0.4, 0.0))


def test_networks_are_equal_where_they_can_share_a_program():
    def build(units=3, rate=0.1, activation="relu"):
        return layered_network(
            stack(LAYERS.Dense(units, activation), LAYERS.Dropout(rate), LAYERS.Dense(1))
        )

    assert build() == build(rate=0.4)
    assert hash(build()) == hash(build(rate=0.4))
    assert build() != build(units=4)
    assert build() != build(activation="tanh")


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: keras.Model(i := keras.Input((4,)), LAYERS.Dense(1)(i)), "Sequential"),
        (lambda: stack(LAYERS.Activation("relu")), "no weights"),
        (lambda: stack(LAYERS.Dense(2), LAYERS.LayerNormalization()), "no batched form"),
        (lambda: stack(LAYERS.Dense(2, activation=np.tanh)), "activation"),
        (lambda: stack(LAYERS.Dense(4, activation="glu")), "activation"),
        (lambda: stack(LAYERS.Dense(2, kernel_constraint="non_neg")), "constraint"),
        (lambda: stack(LAYERS.Dense(2, activity_regularizer="l2")), "activity"),
        (lambda: stack(LAYERS.Dense(2, trainable=False)), "frozen"),
        (lambda: stack(LAYERS.Dense(2), LAYERS.BatchNormalization(renorm=True)), "no batched"),
        (lambda: stack(LAYERS.Dense(2), LAYERS.Softmax(axis=0)), "no batched form"),
        (lambda: stack(LAYERS.Dense(2), LAYERS.ReLU(max_value=1)), "no batched form"),
    ],
)
def test_what_has_no_batched_form_is_refused(build, reason):
    with pytest.raises(CannotJoinError, match=reason):
        layered_network(build())


def test_other_regularisers_are_refused():
    model = stack(LAYERS.Dense(2, kernel_regularizer="orthogonal_regularizer"))
    with pytest.raises(CannotJoinError, match="is not L1, L2"):
        network_numbers(model)


@pytest.mark.parametrize(
    ("network", "monitor"),
    [
        (skhp.KerasRNNRegressor(neurons=3, hidden_layers=2), "val_loss"),
        (skhp.KerasCNNRegressor(filters=2, neurons=3, image_shape=(4, 3)), "val_r2"),
    ],
    ids=["fused", "convolution"],
)
def test_held_out_rows_in_parts_are_evaluated_as_all_at_once(network, monitor, monkeypatch):
    X = np.random.default_rng(0).normal(size=(300, 12)).astype(np.float32)
    estimators = [
        clone(network).set_params(
            monitor=monitor,
            epochs=3,
            learning_rate=rate,
            validation_fraction=0.5,
            random_state=0,
            engine="population",
        )
        for rate in (0.01, 0.03)
    ]

    def histories():
        fitted = fit_together([(clone(one), X, X[:, -1]) for one in estimators])
        return np.array([list(one.history_.values()) for one in fitted])

    at_once = histories()
    monkeypatch.setattr(layered_network_module, "_BYTES_OF_EVALUATION", 0)
    programs.clear()
    parts = []
    in_parts = layered_network_module.in_parts
    monkeypatch.setattr(
        layered_network_module,
        "in_parts",
        lambda outputs, x, rows: parts.append(rows) or in_parts(outputs, x, rows),
    )
    np.testing.assert_allclose(histories(), at_once, rtol=1e-5)
    # Of 150 rows, the last part has 22.
    assert set(parts) == {32}
    programs.clear()
