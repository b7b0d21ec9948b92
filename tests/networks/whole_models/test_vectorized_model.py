"""Models of known layers for many members at once, held to the models themselves."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhp.networks.network import flattened, unflattened
from skhp.networks.whole_models.called_network import CalledNetwork
from skhp.networks.whole_models.model_network import network_of_model
from skhp.networks.whole_models.model_twin import twins
from skhp.networks.whole_models.vectorized_model import VectorizedModel
from skhp.objectives.losses import row_loss

LAYERS = keras.layers
LOSS = row_loss(keras.losses.MeanSquaredError())
STREAMS, CANDIDATES, N_ROWS = 2, 3, 5


class Scaled(keras.layers.Layer):
    """A layer of a user's."""

    def __init__(self, units, **keywords):
        super().__init__(**keywords)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units), initializer="glorot_uniform")

    def call(self, x):
        return keras.ops.tanh(x @ self.kernel)


def stack(*layers, shape=(4,), dtype="float32"):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def skipping(units=3, rate=0.3, penalty=0.01, activation="relu"):
    """A functional model with a connection that skips a layer, and an operation."""
    inputs = keras.Input((4,))
    hidden = LAYERS.Dense(
        units, activation=activation, kernel_regularizer=keras.regularizers.L2(penalty)
    )(inputs)
    joined = LAYERS.Concatenate()([inputs, LAYERS.Dropout(rate)(hidden)])
    return keras.Model(inputs, LAYERS.Dense(1)(joined + 1.0))


def attending():
    inputs = keras.Input((3, 4))
    attended = LAYERS.MultiHeadAttention(2, 3)(inputs, inputs)
    return keras.Model(inputs, LAYERS.Dense(1)(LAYERS.Flatten()(attended)))


def functional(*layers, shape):
    """Layers that follow one another, in a model that is not read as a stack of known layers."""
    values = inputs = keras.Input(shape)
    for layer in layers:
        values = layer(values)
    return keras.Model(inputs, values)


JOINING = {
    "flattened": lambda: functional(LAYERS.Flatten(), LAYERS.Dense(1), shape=(2, 2)),
    "normalised rows": lambda: stack(
        LAYERS.Reshape((2, 2)),
        LAYERS.Dense(3),
        LAYERS.LayerNormalization(),
        LAYERS.PReLU(),
        LAYERS.Flatten(),
        LAYERS.Dense(1),
    ),
}

# Each of them is called, as measured: see benchmarks/network_kinds.py.
CALLED = {
    "recurrent": lambda: functional(LAYERS.GRU(2), LAYERS.Dense(1), shape=(3, 2)),
    "embedded": lambda: stack(
        LAYERS.Embedding(5, 2), LAYERS.Flatten(), LAYERS.Dense(1), shape=(3,), dtype="int32"
    ),
    "attention": lambda: attending(),
    "convolution": lambda: functional(
        LAYERS.Conv1D(2, 2), LAYERS.Flatten(), LAYERS.Dense(1), shape=(4, 2)
    ),
    "nested": lambda: stack(
        keras.Sequential([LAYERS.Dense(3)]), LAYERS.Reshape((3,)), LAYERS.Dense(1)
    ),
    "of the user's": lambda: stack(Scaled(3), LAYERS.Dense(1)),
    "lambda": lambda: stack(LAYERS.Lambda(lambda x: x * 3), LAYERS.Dense(1)),
    "several inputs": lambda: several_inputs(),
    "dropout of one shape": lambda: stack(
        LAYERS.Reshape((2, 2)),
        LAYERS.Dropout(0.2, noise_shape=(None, 1, 2)),
        LAYERS.Flatten(),
        LAYERS.Dense(1),
    ),
    "dropout used twice": lambda: dropout_used_twice(),
    "frozen": lambda: stack(
        LAYERS.Reshape((4,)), LAYERS.Dense(2, trainable=False), LAYERS.Dense(1)
    ),
}


def several_inputs():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    return keras.Model(inputs, LAYERS.Dense(1)(LAYERS.Concatenate()(inputs)))


def dropout_used_twice():
    inputs, dropout = keras.Input((4,)), LAYERS.Dropout(0.3)
    joined = LAYERS.Concatenate()([dropout(inputs), dropout(inputs)])
    return keras.Model(inputs, LAYERS.Dense(1)(joined))


def rows_for(model, seed=0):
    generator = np.random.default_rng(seed)
    shape = (STREAMS, N_ROWS, *model.input_shape[1:])
    if model.inputs[0].dtype == "int32":
        return generator.integers(0, 5, size=shape).astype(np.int32)
    return generator.normal(size=shape).astype(np.float32)


def vectorized(model):
    network = network_of_model(model, rows_for(model)[0])
    assert isinstance(network, VectorizedModel)
    return network


@pytest.mark.parametrize("kind", CALLED)
def test_models_that_would_cost_more_are_called(kind):
    model = CALLED[kind]()
    x = tuple(rows_for(one)[0] for one in (skipping(), skipping()))
    x = x if kind == "several inputs" else rows_for(model)[0]
    assert isinstance(network_of_model(model, x), CalledNetwork)


def member_weights(network, seed=1):
    n_weights = sum(int(np.prod(shape)) for shape in network.weight_shapes)
    size = (STREAMS, CANDIDATES, n_weights)
    return np.random.default_rng(seed).normal(0, 0.7, size=size).astype(np.float32)


def set_weights(model, network, weights):
    for variable, value in zip(
        model.trainable_variables, unflattened(weights, network.weight_shapes), strict=True
    ):
        variable.assign(value)


@pytest.mark.parametrize("kind", JOINING)
def test_outputs_and_gradients_are_those_of_keras(kind):
    model = JOINING[kind]()
    network = vectorized(model)
    weights, x = member_weights(network), rows_for(model)
    generator = np.random.default_rng(2)
    y = generator.normal(size=(STREAMS, N_ROWS, 1)).astype(np.float32)
    weight = generator.uniform(size=(STREAMS, N_ROWS)).astype(np.float32)
    none = tf.zeros((STREAMS, CANDIDATES, 0))

    def loss(y, outputs, weight):
        return tf.reduce_sum(LOSS.of_rows(y, outputs) * weight, -1)

    outputs, _ = network.outputs(tf.constant(weights), none, tf.constant(x), training=False)
    gradient, (losses, squares), _ = network.loss_gradient(
        tf.constant(weights),
        none,
        (tf.constant(x), tf.constant(y), tf.constant(weight), tf.constant(weight**2)),
        loss=lambda y, outputs, weight, factor: (
            loss(y, outputs, weight),
            tf.reduce_sum(outputs[..., 0] ** 2 * factor, -1),
        ),
        present=tf.ones((STREAMS, N_ROWS)),
        noise=(),
        dropout=(),
    )
    for s, c in np.ndindex(STREAMS, CANDIDATES):
        set_weights(model, network, weights[s, c])
        with tf.GradientTape() as tape:
            predicted = model(x[s])
            total = loss(y[s], predicted, weight[s])
        expected = tape.gradient(total, [v.value for v in model.trainable_variables])
        expected = flattened([tf.convert_to_tensor(part).numpy() for part in expected])
        np.testing.assert_allclose(outputs[s, c], predicted, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(losses[s, c], total, rtol=1e-4)
        counted = np.sum(predicted[:, 0] ** 2 * weight[s] ** 2)
        np.testing.assert_allclose(squares[s, c], counted, rtol=1e-4)
        np.testing.assert_allclose(gradient[s, c], expected, rtol=1e-3, atol=1e-4)


def test_dropout_takes_the_noise_of_the_stream_and_the_rate_of_the_member():
    model = skipping()
    network = vectorized(model)
    assert network.noise_shapes == ((3,),)
    weights, x = member_weights(network), rows_for(model)
    noise = np.random.default_rng(2).uniform(size=(STREAMS, N_ROWS, 3)).astype(np.float32)
    rates = np.array([[0.0, 0.3, 0.6], [0.5, 0.2, 0.9]], np.float32)
    outputs, _ = network.outputs(
        tf.constant(weights),
        tf.zeros((STREAMS, CANDIDATES, 0)),
        tf.constant(x),
        training=True,
        noise=[tf.constant(noise)],
        dropout=[tf.constant(rates)],
    )
    for s, c in np.ndindex(STREAMS, CANDIDATES):
        kernel, bias, last, last_bias = unflattened(weights[s, c], network.weight_shapes)
        hidden = np.maximum(x[s] @ kernel + bias, 0)
        hidden = np.where(noise[s] >= rates[s, c], hidden / (1 - rates[s, c]), 0)
        expected = (np.hstack([x[s], hidden]) + 1.0) @ last + last_bias
        np.testing.assert_allclose(outputs[s, c], expected, rtol=1e-4, atol=1e-5)


def test_models_of_one_build_function_are_equal_and_built_once():
    first = vectorized(skipping())
    built = twins.counts.built
    second = vectorized(skipping(rate=0.7, penalty=0.5))
    assert twins.counts.built == built
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.parametrize("other", [{"units": 2}, {"activation": "tanh"}])
def test_other_structures_are_not_equal(other):
    assert vectorized(skipping()) != vectorized(skipping(**other))


def test_the_order_of_layers_with_equal_configurations_counts():
    def build(swapped):
        inputs = keras.Input((4,))
        one, other = LAYERS.Dense(2)(inputs), LAYERS.Dense(2)(inputs)
        parts = [other, one] if swapped else [one, other]
        return keras.Model(inputs, LAYERS.Dense(1)(LAYERS.Subtract()(parts)))

    x, none = tf.constant(rows_for(build(False))), tf.zeros((STREAMS, CANDIDATES, 0))
    for swapped in (False, True):
        model = build(swapped)
        network = vectorized(model)
        weights = member_weights(network)
        outputs, _ = network.outputs(tf.constant(weights), none, x, training=False)
        set_weights(model, network, weights[0, 0])
        np.testing.assert_allclose(outputs[0, 0], model(x[0]), rtol=1e-4, atol=1e-5)


def test_logits_are_not_known():
    network = vectorized(skipping())
    with pytest.raises(ValueError, match="logits"):
        network.outputs(None, None, None, training=False, until_logits=True)
