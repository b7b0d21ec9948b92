import keras
import numpy as np
import pytest

from skhp.training.keras_fit import as_model_inputs, fit_model
from skhp.training.training_rows import row_order

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3))
Y = X @ [1.0, -2.0, 0.5] + 0.3


def network(**compilation):
    """Without compilation by default, which would take most of the time."""
    seeds = [keras.initializers.GlorotUniform(seed) for seed in (1, 2)]
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="tanh", kernel_initializer=seeds[0]),
            keras.layers.Dense(1, kernel_initializer=seeds[1]),
        ]
    )
    compilation = {"optimizer": keras.optimizers.Adam(0.02), "loss": "mse", **compilation}
    model.compile(**{"run_eagerly": True, **compilation})
    return model


def fitted(*, weight=None, rows=slice(None), model=None, **arguments):
    model = network() if model is None else model
    arguments = {"batch_size": 6, "epochs": 3, "seed": None, "verbose": 0, **arguments}
    history = fit_model(model, X[rows], Y[rows], weight, **arguments)
    return model, history


def by_keras(*, rows=slice(None), model=None, **arguments):
    model = network() if model is None else model
    arguments = {"batch_size": 6, "epochs": 3, "shuffle": False, "verbose": 0, **arguments}
    return model, model.fit(X[rows], Y[rows], **arguments).history


def assert_same(first, second, rtol=1e-5):
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-6)


def test_without_shuffling_it_is_a_fit_of_keras():
    ours, our_history = fitted()
    keras_own, history = by_keras()
    assert_same(ours, keras_own)
    np.testing.assert_allclose(our_history["loss"], history["loss"], rtol=1e-5)


def test_the_rows_come_in_the_order_of_the_seed():
    ours, _ = fitted(seed=5)
    model = network()
    for epoch in range(3):
        by_keras(rows=row_order(5, epoch, 20), model=model, epochs=1)
    assert_same(ours, model)


def test_epochs_go_on_where_an_earlier_training_ended():
    whole, _ = fitted(seed=5)
    model, first = fitted(seed=5, epochs=1)
    model, second = fitted(seed=5, epochs=2, first_epoch=1, model=model)
    assert_same(whole, model)
    assert (len(first["loss"]), len(second["loss"])) == (1, 2)


def test_weights_are_relative():
    weight = RNG.uniform(0.5, 2, size=20)
    ours, _ = fitted(weight=weight)
    scaled, _ = fitted(weight=1e-12 * weight)
    keras_own, _ = by_keras(sample_weight=weight / weight.mean())
    assert_same(ours, keras_own)
    assert_same(scaled, keras_own)


def test_in_one_batch_a_weight_is_that_many_rows_to_the_last_bit():
    weight = RNG.integers(1, 4, size=20)
    order = RNG.permutation(20)
    weighted, _ = fitted(weight=weight[order], rows=order, batch_size=100)
    repeated, _ = fitted(rows=np.repeat(np.arange(20), weight), batch_size=100)
    for one, other in zip(weighted.get_weights(), repeated.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    keras_own, _ = by_keras(sample_weight=weight / weight.mean(), batch_size=20)
    assert_same(weighted, keras_own, rtol=1e-4)


@pytest.mark.parametrize("batch_size", [6, 100])
def test_equal_weights_are_none_to_the_last_bit(batch_size):
    plain, _ = fitted(batch_size=batch_size)
    weighted, _ = fitted(batch_size=batch_size, weight=np.full(20, 4.0))
    for one, other in zip(plain.get_weights(), weighted.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert_same(plain, by_keras(batch_size=min(batch_size, 20))[0])


def test_rows_that_repeat_are_left_alone_where_that_could_change_the_result():
    rows = np.repeat(np.arange(5), 4)
    ours, our_history = fitted(rows=rows, batch_size=20, model=network(metrics=["mae"]))
    keras_own, history = by_keras(rows=rows, batch_size=20, model=network(metrics=["mae"]))
    assert_same(ours, keras_own)
    np.testing.assert_allclose(our_history["mae"], history["mae"], rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_steps_per_epoch_go_on_through_the_rows(steps):
    ours, history = fitted(steps_per_epoch=steps, epochs=4)
    assert len(history["loss"]) == 4
    # 4 batches are all rows.
    batches = [np.arange(20)[start : start + 6] for start in range(0, 20, 6)]
    model = network()
    for step in range(4 * steps):
        rows = batches[step % 4]
        model.train_on_batch(X[rows], Y[rows])
    assert_same(ours, model)


@pytest.mark.parametrize("steps_per_execution", [2, 3, 8])
def test_several_steps_at_once_stay_within_an_epoch(steps_per_execution):
    model = network(steps_per_execution=steps_per_execution, run_eagerly=False)
    ours, history = fitted(model=model)
    keras_own, expected = by_keras()
    assert_same(ours, keras_own)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    # Another number of rows, with a training that is compiled already.
    assert len(fitted(model=model, rows=slice(0, 13))[1]["loss"]) == 3


def test_inputs_take_the_precision_of_keras_and_tuples():
    inputs = as_model_inputs([np.ones(2), {"a": np.ones(2, int)}])
    assert isinstance(inputs, tuple)
    assert inputs[0].dtype == np.float32
    assert inputs[1]["a"].dtype == int
