"""Members that are called one by one: alone, together, in any order, and as long as they train."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhp.estimators.keras_model.preparation import custom_fit_task
from skhp.estimators.keras_model.wrapped_rows import PartedRows
from skhp.networks.network import unflattened
from skhp.networks.whole_models.called_network import CalledNetwork
from skhp.networks.whole_models.carried_variables import encoded, set_encoded
from skhp.networks.whole_models.model_network import network_of_model
from skhp.training.cohort.cohort import train_cohort
from skhp.training.training_rows import TrainingSeeds

pytestmark = pytest.mark.slow

LAYERS = keras.layers
random = np.random.default_rng(0)
X, Y = random.normal(size=(23, 5, 2)).astype("float32"), random.normal(size=23)


def build(seed, rate=0.01):
    """Rows that meet, statistics, and noise of several kinds."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((5, 2)),
            LAYERS.GaussianNoise(0.2),
            LAYERS.LSTM(3, dropout=0.3),
            LAYERS.BatchNormalization(),
            LAYERS.Dropout(0.4),
            LAYERS.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), "mse", metrics=["mae"])
    return model


def task(seed, rate, n_rows, epochs, **further):
    arguments = {"batch_size": 8, "validation_batch_size": 8, "callbacks": [], **further}
    rows = PartedRows(X[:n_rows], Y[:n_rows], None, (X[n_rows:], Y[n_rows:]))
    seeds = TrainingSeeds(split=1, network=2, order=3)
    return custom_fit_task(
        build(seed, rate), rows, arguments, epochs=epochs, first_epoch=0, seeds=seeds
    )


MEMBERS = [(0, 0.01, 21, 3), (1, 0.05, 21, 1), (2, 0.02, 15, 4), (3, 0.03, 12, 2)]


def test_a_member_has_the_bits_of_a_lone_training_whatever_the_order():
    tasks = [task(*member) for member in MEMBERS]
    assert all(isinstance(one.network, CalledNetwork) for one in tasks)
    assert len({one.program for one in tasks}) == 1
    together = train_cohort(tasks)
    in_another_order = train_cohort(tasks[::-1])[::-1]
    for one, result, other in zip(tasks, together, in_another_order, strict=True):
        (alone,) = train_cohort([one])
        assert result.outcome.n_epochs == one.plan.epochs
        for name in ("weights", "state"):
            kept = getattr(result.trained, name)
            np.testing.assert_array_equal(kept, getattr(other.trained, name))
            np.testing.assert_allclose(kept, getattr(alone.trained, name), rtol=1e-5, atol=1e-6)
        assert result.outcome.history == other.outcome.history


def test_early_stopping_ends_as_it_does_in_keras():
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    member = task(0, 0.2, 15, 9, callbacks=[stopping])
    quiet = task(1, 0.0001, 15, 9)
    result, _ = train_cohort([member, quiet])
    losses = result.outcome.history["val_loss"]
    assert len(losses) < 9
    assert result.outcome.stop_reason == "patience"
    assert result.outcome.best_epoch == 1 + int(np.argmin(losses))


def test_members_that_have_ended_are_not_computed():
    network = network_of_model(build(0), X)
    n_weights, n_state = (
        sum(int(np.prod(shape)) for shape in shapes)
        for shapes in (network.weight_shapes, network.state_shapes)
    )
    outputs, _ = network.outputs(
        tf.ones((1, 3, n_weights)),
        tf.ones((1, 3, n_state)),
        tf.constant(X[None, :4]),
        training=False,
        running=tf.constant([[True, False, True]]),
    )
    assert np.abs(outputs[0, 0]).min() > 0
    np.testing.assert_array_equal(outputs[0, 0], outputs[0, 2])
    np.testing.assert_array_equal(outputs[0, 1], 0.0)
    with pytest.raises(ValueError, match="logits"):
        network.outputs(None, None, None, training=False, until_logits=True)


@pytest.mark.parametrize("number", [0, 7, 2**31 - 1, 2**40 + 3])
def test_whole_numbers_are_carried_without_loss(number):
    variables = [
        keras.Variable([number, 1], dtype="int64", trainable=False),
        keras.Variable([0.1, 2.0], trainable=False),
        keras.Variable(True, dtype="bool", trainable=False),
    ]
    before = [variable.numpy() for variable in variables]
    vector = encoded(variables)
    assert vector.dtype == np.float32
    for variable in variables:
        variable.assign(keras.ops.zeros_like(variable))
    set_encoded(variables, unflattened(vector, [(2, 4), (2,), (4,)]))
    for variable, expected in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), expected)


def test_a_cost_counts_the_steps_of_a_series():
    short, long = (
        keras.Sequential([keras.Input((steps, 2)), LAYERS.GRU(8), LAYERS.Reshape((8, 1))])
        for steps in (5, 50)
    )
    costs = [
        network_of_model(model, np.zeros((4, *model.input_shape[1:]), "float32")).cost(32)
        for model in (short, long)
    ]
    assert costs[1].seconds > 5 * costs[0].seconds
    assert costs[1].bytes > costs[0].bytes


def test_targets_of_several_members_are_not_mixed():
    first = task(0, 0.01, 21, 1)
    other = replace(first, rows=replace(first.rows, y=-first.rows.y))
    results = train_cohort([first, other])
    assert results[0].outcome.history["loss"] != results[1].outcome.history["loss"]
