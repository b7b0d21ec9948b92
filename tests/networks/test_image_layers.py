"""Layers of images and series for many members at once, held to Keras' own layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhp import CannotJoinError
from skhp.networks.layered_network import layered_network
from skhp.networks.layers.images import convolution
from skhp.networks.network import flattened, unflattened

pytestmark = pytest.mark.slow

LAYERS = keras.layers
IMAGE = (6, 7, 2)
SERIES = (9, 3)
HEAD = (LAYERS.Flatten, lambda: LAYERS.Dense(3))


def images(*layers, shape=IMAGE):
    return lambda: keras.Sequential([keras.Input(shape), *(make() for make in layers)])


def conv(filters=4, size=3, **settings):
    return lambda: LAYERS.Conv2D(filters, size, **settings)


def pool(*settings, kind=LAYERS.MaxPooling2D, **named):
    return lambda: kind(*settings, **named)


EXACT = {
    "convolution": images(conv(activation="relu"), *HEAD),
    "same": images(conv(padding="same", use_bias=False), *HEAD),
    "strides": images(conv(strides=2, padding="same"), *HEAD),
    "strides without padding": images(conv(strides=(2, 1)), *HEAD),
    "dilation": images(conv(dilation_rate=2, activation="tanh"), *HEAD),
    "oblong": images(conv(size=(1, 3)), conv(2, size=(2, 1), padding="same"), *HEAD),
    "two blocks": images(
        conv(4, padding="same", activation="relu"),
        pool(),
        conv(6, padding="same", activation="relu"),
        pool(),
        *HEAD,
    ),
    "a convolution after activations": images(
        conv(4, activation="gelu"), pool(), conv(3, size=2, activation="elu"), *HEAD
    ),
    "overlapping windows": images(conv(3, activation="relu"), pool(3, strides=1), *HEAD),
    "pooling of the same": images(conv(3), pool(2, padding="same"), *HEAD),
    "pooling of the input": images(pool(), *HEAD),
    "average": images(
        conv(3, activation="relu"),
        pool(2, kind=LAYERS.AveragePooling2D),
        pool((2, 1), padding="same", kind=LAYERS.AveragePooling2D),
        *HEAD,
    ),
    "global average": images(
        conv(3, activation="relu"), LAYERS.GlobalAveragePooling2D, lambda: LAYERS.Dense(2)
    ),
    "global maximum": images(
        conv(3, activation="relu"),
        lambda: LAYERS.GlobalMaxPooling2D(keepdims=True),
        *HEAD,
    ),
    "zero padding": images(
        lambda: LAYERS.ZeroPadding2D(((1, 2), (0, 3))), conv(3), LAYERS.ZeroPadding2D, *HEAD
    ),
    "normalised": images(
        LAYERS.BatchNormalization,
        conv(4, use_bias=False),
        lambda: LAYERS.BatchNormalization(momentum=0.7, epsilon=0.1),
        lambda: LAYERS.Activation("relu"),
        pool(),
        *HEAD,
    ),
    "series": images(
        lambda: LAYERS.Conv1D(4, 3, padding="same", activation="relu"),
        LAYERS.MaxPooling1D,
        lambda: LAYERS.Conv1D(5, 2, strides=2),
        *HEAD,
        shape=SERIES,
    ),
    "series of averages": images(
        lambda: LAYERS.ZeroPadding1D((1, 2)),
        lambda: LAYERS.Conv1D(4, 3, dilation_rate=2, activation="sigmoid"),
        lambda: LAYERS.AveragePooling1D(2, padding="same"),
        LAYERS.GlobalAveragePooling1D,
        lambda: LAYERS.Dense(1),
        shape=SERIES,
    ),
    "series with a global maximum": images(
        lambda: LAYERS.Conv1D(4, 3),
        LAYERS.BatchNormalization,
        LAYERS.GlobalMaxPooling1D,
        lambda: LAYERS.Dense(1),
        shape=SERIES,
    ),
}
STREAMS, CANDIDATES, ROWS = 2, 3, 5


def members(network):
    generator = np.random.default_rng(1)
    sizes = [
        sum(int(np.prod(shape)) for shape in shapes)
        for shapes in (network.weight_shapes, network.state_shapes)
    ]
    weights = generator.normal(0, 0.4, size=(STREAMS, CANDIDATES, sizes[0]))
    state = generator.uniform(0.5, 2.0, size=(STREAMS, CANDIDATES, sizes[1]))
    return tf.constant(weights, tf.float32), tf.constant(state, tf.float32)


def with_weights(model, network, weights, state):
    values = [
        *unflattened(weights.numpy(), network.weight_shapes),
        *unflattened(state.numpy(), network.state_shapes),
    ]
    variables = [*model.trainable_variables, *model.non_trainable_weights]
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return model


@pytest.fixture(params=[True, False], ids=["grouped", "one by one"])
def grouped(request, monkeypatch):
    """Both ways to convolve; where TensorFlow has no grouped gradient, one of them twice."""
    if not request.param:
        monkeypatch.setattr(convolution, "grouped_gradients", lambda: False)


@pytest.mark.usefixtures("grouped")
@pytest.mark.parametrize("build", EXACT.values(), ids=EXACT)
def test_outputs_gradients_and_states_are_those_of_keras(build):
    model = build()
    network = layered_network(model)
    assert network.output_shape == model.output_shape[1:]
    weights, state = members(network)
    # Constant corners make maxima that are equal.
    x = np.random.default_rng(0).normal(size=(STREAMS, ROWS, *network.input_shape))
    x[:, :, :3, :4] = 1
    x, present = x.astype(np.float32), tf.ones((STREAMS, ROWS))
    y = np.random.default_rng(3).normal(size=(STREAMS, ROWS, *network.output_shape))

    @tf.function(autograph=False)
    def step(weights, x, y):
        return network.loss_gradient(
            weights,
            state,
            (x, y),
            loss=lambda y, outputs: (tf.reduce_sum((outputs - y) ** 2, axis=(-2, -1)),),
            present=present,
            noise=(),
            dropout=(),
        )

    gradient, (losses,), after = step(weights, tf.constant(x), tf.constant(y, tf.float32))
    predicted, _ = network.outputs(weights, state, x, training=False)
    for s, c in np.ndindex(STREAMS, CANDIDATES):
        own = with_weights(model, network, weights[s, c], state[s, c])
        np.testing.assert_allclose(predicted[s, c], own(x[s]), rtol=1e-4, atol=1e-5)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((own(x[s], training=True) - y[s]) ** 2)
        expected = tape.gradient(loss, [variable.value for variable in own.trainable_variables])
        np.testing.assert_allclose(losses[s, c], loss, rtol=1e-4)
        scale = max(np.abs(part).max() for part in expected)
        np.testing.assert_allclose(
            gradient[s, c], flattened([part.numpy() for part in expected]), atol=1e-5 * scale
        )
        moved = flattened([variable.numpy() for variable in own.non_trainable_weights])
        np.testing.assert_allclose(after[s, c], moved, rtol=1e-4, atol=1e-5)


def test_padding_rows_have_no_part_in_the_moments_of_images():
    network = layered_network(images(conv(), LAYERS.BatchNormalization, conv(2, size=1), *HEAD)())
    weights, state = members(network)
    x = np.random.default_rng(0).normal(size=(STREAMS, ROWS, *IMAGE)).astype(np.float32)
    padded = np.concatenate([x, np.full((STREAMS, 2, *IMAGE), 7, np.float32)], axis=1)
    present = np.r_[np.ones(ROWS), np.zeros(2)].astype(np.float32)[None].repeat(STREAMS, axis=0)
    whole = network.outputs(weights, state, x, training=True, present=present[:, :ROWS])
    outputs, after = network.outputs(weights, state, padded, training=True, present=present)
    np.testing.assert_allclose(outputs[:, :, :ROWS], whole[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after, whole[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (images(conv(4, groups=2), *HEAD), "no batched form"),
        (images(conv(kernel_constraint="non_neg"), *HEAD), "constraint"),
        (images(conv(activation="glu"), *HEAD), "activation"),
        (images(lambda: LAYERS.Conv1D(2, 3, padding="causal"), *HEAD, shape=SERIES), "no batched"),
        (images(conv(), lambda: LAYERS.BatchNormalization(axis=1), *HEAD), "no batched form"),
        (
            images(conv(), lambda: LAYERS.MaxPooling2D(data_format="channels_first"), *HEAD),
            "no batched form",
        ),
        (
            images(conv(), lambda: LAYERS.GlobalMaxPooling2D(data_format="channels_first")),
            "no batched form",
        ),
        (images(conv(), lambda: LAYERS.Flatten("channels_first")), "no batched form"),
        (
            images(lambda: LAYERS.ZeroPadding2D(data_format="channels_first"), *HEAD),
            "no batched form",
        ),
        (images(lambda: LAYERS.DepthwiseConv2D(3), *HEAD), "no batched form"),
        (images(lambda: LAYERS.SeparableConv2D(2, 3), *HEAD), "no batched form"),
        (images(lambda: LAYERS.Conv2DTranspose(2, 3), *HEAD), "no batched form"),
        (images(conv(trainable=False), *HEAD), "frozen"),
        (
            images(conv(), LAYERS.GlobalMaxPooling2D, shape=(None, None, 1)),
            "no fixed shape",
        ),
    ],
)
def test_models_without_an_exact_form_are_refused(build, reason):
    with pytest.raises(CannotJoinError, match=reason):
        layered_network(build())


def test_a_network_of_images_costs_by_pixels_and_filters():
    small, wide, large = (
        layered_network(images(conv(filters, padding="same"), pool(), *HEAD, shape=shape)())
        for filters, shape in ((8, (8, 8, 1)), (64, (8, 8, 1)), (8, (28, 28, 1)))
    )
    costs = [network.cost(32) for network in (small, wide, large)]
    assert costs[0].seconds < costs[1].seconds < costs[2].seconds
    assert costs[0].bytes < costs[1].bytes < costs[2].bytes
    assert not small.compiles
