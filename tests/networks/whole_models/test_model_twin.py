"""The twin of a model, and what is refused before one is made."""

import logging
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhp import CannotJoinError
from skhp.compat.joblib import cloudpickle
from skhp.networks.program_cache import ProgramCache
from skhp.networks.whole_models.model_network import network_of_model
from skhp.networks.whole_models.model_twin import model_twin, twins

LAYERS = keras.layers
ROWS = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


class Unseeded(keras.layers.Layer):
    def call(self, x, training=False):
        return x + keras.random.normal(keras.ops.shape(x)) if training else x


class OfTensorFlow(keras.layers.Layer):
    """A layer whose numbers are so small that a comparison does not show them."""

    def call(self, x, training=False):
        return x + 1e-9 * tf.random.uniform(tf.shape(x)) if training else x


class Forgetful(keras.layers.Layer):
    def __init__(self, factor=1.0, **keywords):
        super().__init__(**keywords)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return super().get_config()


HIDDEN = keras.Variable(1.0, trainable=False)


class Hiding(keras.layers.Layer):
    def call(self, x):
        return x * HIDDEN.value


class InPython(keras.layers.Layer):
    def call(self, x):
        made = tf.numpy_function(lambda a: a, [x], tf.float32)
        made.set_shape(x.shape)
        return made


def stack(*layers):
    return keras.Sequential([keras.Input((4,)), *layers])


def with_a_mask():
    return keras.Sequential(
        [
            keras.Input((4,)),
            LAYERS.Reshape((4, 1)),
            LAYERS.Masking(),
            LAYERS.SimpleRNN(2, return_sequences=True),
        ]
    )


REFUSED = {
    "noise without a seed": (lambda: stack(Unseeded(), LAYERS.Dense(1)), "reads variables"),
    "noise of TensorFlow": (lambda: stack(OfTensorFlow(), LAYERS.Dense(1)), "RandomUniform"),
    "outputs with a mask": (with_a_mask, "outputs with a mask"),
    "another configuration": (lambda: stack(Forgetful(3.0), LAYERS.Dense(1)), "configuration"),
    "python within": (
        lambda: stack(InPython(), LAYERS.Dense(1)),
        "PyFunc, which a cohort cannot run",
    ),
    "a variable of others": (lambda: stack(Hiding(), LAYERS.Dense(1)), "reads variables"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_models_that_cannot_join_are_refused_quietly_and_remembered(kind, caplog):
    build, reason = REFUSED[kind]
    model = build()
    with caplog.at_level(logging.DEBUG, logger="tensorflow"):
        tf.get_logger().addHandler(caplog.handler)
        try:
            with pytest.raises(CannotJoinError, match=reason):
                network_of_model(model, ROWS)
        finally:
            tf.get_logger().removeHandler(caplog.handler)
    assert caplog.records == []
    built = twins.counts.built
    with pytest.raises(CannotJoinError, match=reason):
        network_of_model(model, ROWS)
    assert twins.counts.built == built


def of_factor(factor):
    class Times(keras.layers.Layer):
        def call(self, x):
            return x * factor

    return stack(Times(), LAYERS.Dense(1))


def test_equal_names_of_different_layers_of_users_are_told_apart():
    twins_of = [model_twin(of_factor(factor), ROWS) for factor in (2.0, 3.0)]
    assert twins_of[0] != twins_of[1]
    outputs = [
        twin.model.stateless_call([tf.ones((4, 1)), tf.zeros(1)], [], tf.ones((1, 4)))[0].numpy()
        for twin in twins_of
    ]
    np.testing.assert_allclose(outputs[0], 8.0)
    np.testing.assert_allclose(outputs[1], 12.0)


@pytest.mark.parametrize(("rate", "equals"), [(0.6, True), (0.0, False)])
def test_models_that_differ_in_their_rates_are_equal(rate, equals):
    def twin(rate):
        model = stack(LAYERS.Dense(2), LAYERS.Dropout(rate), LAYERS.Reshape((2, 1)))
        return model_twin(model, ROWS)

    # At a rate of 0 Keras' layer has no seed.
    assert (twin(0.2) == twin(rate)) is equals


class Doubling(keras.layers.Layer):
    """A layer of the user's that Keras finds by its class alone."""

    def call(self, x):
        return 2.0 * x


class TestATwinInAnotherProcess:
    """Another process has no twin with its key, as is the case here once it is forgotten."""

    @pytest.mark.parametrize("custom", [Doubling, type("Local", (Doubling,), {})])
    def test_it_is_built_anew_and_computes_the_same(self, custom, monkeypatch):
        inputs = keras.Input((4,))
        both = [LAYERS.Dense(3)(inputs), custom()(LAYERS.Dense(3)(inputs))]
        model = keras.Model(inputs, LAYERS.Add()(both))
        twin = model_twin(model, ROWS)
        sent = cloudpickle.dumps(twin)
        assert len(sent) < 20_000
        assert pickle.loads(sent) is twin
        monkeypatch.setattr("skhp.networks.whole_models.model_twin.twins", ProgramCache())
        again = pickle.loads(sent)
        assert again is not twin
        assert again == twin
        weights = [variable.value for variable in model.trainable_variables]
        outputs = [one.called(weights, [], ROWS, training=False)[0] for one in (twin, again)]
        np.testing.assert_array_equal(*outputs)
        np.testing.assert_array_equal(outputs[0], model(ROWS))
