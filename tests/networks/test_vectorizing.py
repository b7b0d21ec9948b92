"""Any model of Keras for many members at once, held to the model itself."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhp import CannotJoinError
from skhp.networks.network import flattened, unflattened
from skhp.networks.vectorizing import models, vectorized_model
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


class LessItsMean(keras.layers.Layer):
    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)


class Unseeded(keras.layers.Layer):
    def call(self, x, training=False):
        return x + keras.random.normal(keras.ops.shape(x)) if training else x


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


JOINING = {
    "flattened": lambda: stack(LAYERS.Flatten(), LAYERS.Dense(1), shape=(2, 2)),
    "normalised rows": lambda: stack(
        LAYERS.Dense(3), LAYERS.LayerNormalization(), LAYERS.PReLU(), LAYERS.Dense(1)
    ),
    "recurrent": lambda: stack(
        LAYERS.GRU(2, return_sequences=True), LAYERS.LSTM(2), LAYERS.Dense(1), shape=(3, 2)
    ),
    "recurrent after a crop": lambda: stack(
        LAYERS.Cropping1D((18, 0)), LAYERS.SimpleRNN(2), LAYERS.Dense(1), shape=(20, 2)
    ),
    "nested with another input": lambda: stack(
        LAYERS.Reshape((4, 1)),
        keras.Sequential([keras.Input((4, 1)), LAYERS.AveragePooling1D(2), LAYERS.SimpleRNN(2)]),
        LAYERS.Dense(1),
    ),
    "both ways": lambda: stack(
        LAYERS.Bidirectional(LAYERS.SimpleRNN(2)), LAYERS.Dense(1), shape=(3, 2)
    ),
    "embedded": lambda: stack(
        LAYERS.Embedding(5, 2, mask_zero=True),
        LAYERS.SimpleRNN(2),
        LAYERS.Dense(1),
        shape=(3,),
        dtype="int32",
    ),
    "nested": lambda: stack(keras.Sequential([LAYERS.Dense(3)]), LAYERS.Dense(1)),
    "of the user's": lambda: stack(Scaled(3), LAYERS.Dense(1)),
    "lambda": lambda: stack(LAYERS.Lambda(lambda x: x * 3), LAYERS.Dense(1)),
}


def rows_for(model, seed=0):
    generator = np.random.default_rng(seed)
    shape = (STREAMS, N_ROWS, *model.input_shape[1:])
    if model.inputs[0].dtype == "int32":
        return generator.integers(0, 5, size=shape).astype(np.int32)
    return generator.normal(size=shape).astype(np.float32)


def vectorized(model, loss=LOSS):
    x = rows_for(model)[0]
    return vectorized_model(model, x, np.zeros((len(x), 1), np.float32), loss)


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
    built = models.counts.built
    second = vectorized(skipping(rate=0.7, penalty=0.5))
    assert models.counts.built == built
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.parametrize("other", [{"units": 2}, {"activation": "tanh"}])
def test_other_structures_are_not_equal(other):
    assert vectorized(skipping()) != vectorized(skipping(**other))


def test_equal_names_of_different_layers_of_users_are_told_apart():
    def build(factor):
        class Times(keras.layers.Layer):
            def call(self, x):
                return x * factor

        return stack(Times(), LAYERS.Dense(1))

    networks = [vectorized(build(factor)) for factor in (2.0, 3.0)]
    assert networks[0] != networks[1]
    outputs = [
        network.outputs(
            tf.ones((1, 1, 5)), tf.zeros((1, 1, 0)), tf.ones((1, 2, 4)), training=False
        )[0].numpy()
        for network in networks
    ]
    np.testing.assert_allclose(outputs[0], 9.0)
    np.testing.assert_allclose(outputs[1], 13.0)


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


REFUSED = {
    "convolution": (
        lambda: stack(LAYERS.Conv1D(2, 2), LAYERS.Flatten(), LAYERS.Dense(1), shape=(4, 2)),
        "cannot be vectorised: .*Conv2D",
    ),
    # TensorFlow's softmax takes five axes.
    "attention": (attending, "cannot be vectorised: .*dims"),
    "noise": (lambda: stack(LAYERS.GaussianNoise(0.1), LAYERS.Dense(1)), "random numbers"),
    "dropout within a layer": (
        lambda: stack(LAYERS.LSTM(2, dropout=0.2), LAYERS.Dense(1), shape=(3, 2)),
        "random numbers",
    ),
    "dropout within a model": (
        lambda: stack(keras.Sequential([LAYERS.Dense(3), LAYERS.Dropout(0.2)]), LAYERS.Dense(1)),
        "random numbers",
    ),
    "noise without a seed": (lambda: stack(Unseeded(), LAYERS.Dense(1)), "among other rows"),
    "noise of one shape": (
        lambda: stack(LAYERS.Dropout(0.2, noise_shape=(None, 1)), LAYERS.Dense(1)),
        "noise_shape",
    ),
    "mean over rows": (lambda: stack(LessItsMean(), LAYERS.Dense(1)), "among other rows"),
    "norm over rows": (
        lambda: stack(LAYERS.UnitNormalization(axis=0), LAYERS.Dense(1)),
        "among other rows",
    ),
    "batch normalisation": (
        lambda: stack(LAYERS.Flatten(), LAYERS.BatchNormalization(), LAYERS.Dense(1)),
        "not trained by the gradient",
    ),
    "frozen": (
        lambda: stack(LAYERS.Dense(2, trainable=False), LAYERS.Dense(1)),
        "not trained by the gradient",
    ),
    "penalty on outputs": (
        lambda: stack(LAYERS.Dense(2, activity_regularizer="l2"), LAYERS.Dense(1)),
        "losses of its own",
    ),
    "many steps": (
        lambda: stack(LAYERS.LSTM(2), LAYERS.Dense(1), shape=(17, 2)),
        "over 17 steps",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_vectorised_is_refused_quietly_and_remembered(kind, caplog):
    build, reason = REFUSED[kind]
    with caplog.at_level(logging.DEBUG, logger="tensorflow"):
        tf.get_logger().addHandler(caplog.handler)
        try:
            with pytest.raises(CannotJoinError, match=reason):
                vectorized(build())
        finally:
            tf.get_logger().removeHandler(caplog.handler)
    assert caplog.records == []
    built = models.counts.built
    with pytest.raises(CannotJoinError, match=reason):
        vectorized(build())
    assert models.counts.built == built


def test_logits_are_not_known():
    network = vectorized(skipping())
    with pytest.raises(ValueError, match="logits"):
        network.outputs(None, None, None, training=False, until_logits=True)


def sliced():
    inputs = keras.Input((30, 2))
    return keras.Model(inputs, LAYERS.Dense(1)(LAYERS.GRU(2)(inputs[:, -18:])))


def called_twice():
    inputs, layer = keras.Input((30, 2)), LAYERS.GRU(2)
    both = LAYERS.Concatenate()([layer(inputs[:, -3:]), layer(inputs[:, -18:])])
    return keras.Model(inputs, LAYERS.Dense(1)(both))


def over_18_steps(*before, recurrent=LAYERS.SimpleRNN, shape=(30, 2)):
    return stack(*before, recurrent(2), LAYERS.Flatten(), LAYERS.Dense(1), shape=shape)


# Each of them walks over 18 steps, and over another number before.
WALKED = {
    "cropped": lambda: over_18_steps(LAYERS.Cropping1D((12, 0))),
    "pooled": lambda: over_18_steps(LAYERS.MaxPooling1D(2), shape=(36, 2)),
    "strided": lambda: over_18_steps(LAYERS.Conv1D(2, 2, strides=2), shape=(36, 2)),
    "padded": lambda: over_18_steps(LAYERS.ZeroPadding1D(5), shape=(8, 2)),
    "upsampled": lambda: over_18_steps(LAYERS.UpSampling1D(2), shape=(9, 2)),
    "reshaped": lambda: over_18_steps(LAYERS.Reshape((18, 1)), shape=(18,)),
    "turned": lambda: over_18_steps(LAYERS.Permute((2, 1)), shape=(3, 18)),
    "repeated": lambda: over_18_steps(LAYERS.RepeatVector(18), shape=(4,)),
    "by a lambda": lambda: over_18_steps(LAYERS.Lambda(lambda x: x[:, :18])),
    "both ways": lambda: over_18_steps(
        LAYERS.Cropping1D(6), recurrent=lambda units: LAYERS.Bidirectional(LAYERS.GRU(units))
    ),
    "within each step": lambda: over_18_steps(
        LAYERS.Reshape((2, 18, 1)),
        recurrent=lambda units: LAYERS.TimeDistributed(LAYERS.LSTM(units)),
        shape=(36,),
    ),
    "nested": lambda: over_18_steps(
        keras.Sequential([keras.Input((30, 2)), LAYERS.Cropping1D((12, 0)), LAYERS.Dense(2)])
    ),
    "sliced": sliced,
    "called twice": called_twice,
    "of any length": lambda: over_18_steps(LAYERS.Cropping1D((12, 0)), shape=(None, 2)),
}


@pytest.mark.parametrize("kind", WALKED)
def test_the_steps_are_those_that_the_recurrent_layer_walks_over(kind):
    model = WALKED[kind]()
    x = np.zeros((4, *(30 if size is None else size for size in model.input_shape[1:])), "float32")
    with pytest.raises(CannotJoinError, match="over 18 steps"):
        vectorized_model(model, x, np.zeros((4, 1), np.float32), LOSS)
