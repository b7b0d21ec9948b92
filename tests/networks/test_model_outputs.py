import keras
import numpy as np
import pytest

from skhp.networks.predictions import model_outputs, model_programs

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)


def dense(width, hidden, units):
    return keras.Sequential(
        [
            keras.Input((width,)),
            keras.layers.Dense(hidden, activation="relu"),
            keras.layers.Dense(units, activation="sigmoid"),
        ]
    )


def convolution():
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )


def recurrent():
    return keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(4), keras.layers.Dense(1)])


MODELS = {
    "one output": (lambda: dense(3, 8, 1), (3,)),
    "three outputs": (lambda: dense(10, 64, 3), (10,)),
    "wide": (lambda: dense(300, 100, 1), (300,)),
    "convolution": (convolution, (6, 6, 1)),
    "recurrent": (recurrent, (5, 3)),
}


@pytest.mark.parametrize(("make", "shape"), MODELS.values(), ids=MODELS)
def test_the_bits_of_a_row_do_not_depend_on_its_neighbours(make, shape):
    model = make()
    X = RNG.normal(size=(100, *shape)).astype(np.float32)
    outputs = model_outputs(model, X, 32)
    np.testing.assert_allclose(outputs, model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
    order = RNG.permutation(100)
    np.testing.assert_array_equal(model_outputs(model, X[order], 32), outputs[order])
    for rows in (slice(0, 1), slice(7, 14), slice(0, 97)):
        np.testing.assert_array_equal(model_outputs(model, X[rows], 32), outputs[rows])


def test_without_padding_the_bits_do_depend_on_the_neighbours():
    # When this fails, the padding is no longer needed.
    differences = 0
    for _ in range(10):
        model = dense(3, 8, 1)
        X = RNG.normal(size=(100, 3)).astype(np.float32)
        alone = np.concatenate([np.asarray(model(X[i : i + 1])) for i in range(100)])
        differences += (alone != np.asarray(model(X))).any()
    assert differences > 0


def test_large_inputs_go_through_in_blocks():
    seen = []

    class Noting(keras.layers.Layer):
        def call(self, inputs):
            seen.append(inputs.shape[0])
            return inputs

    model = keras.Sequential([keras.Input((2**14,)), Noting()])
    seen.clear()
    X = np.zeros((40, 2**14), np.float32)
    assert model_outputs(model, X, 1).shape == X.shape
    assert seen == [32, 32]
    seen.clear()
    model_outputs(model, X, 64)
    assert seen == [64]


def test_structures_of_inputs_and_outputs():
    left, right = keras.Input((1,), name="left"), keras.Input((2,), name="right")
    joined = keras.layers.Concatenate()([left, right])
    model = keras.Model({"left": left, "right": right}, {"sum": joined, "left": left})
    inputs = {"left": np.ones((3, 1), np.float32), "right": np.zeros((3, 2), np.float32)}
    outputs = model_outputs(model, inputs, 32)
    np.testing.assert_array_equal(outputs["sum"], np.eye(3)[[0, 0, 0]])
    assert outputs["left"].shape == (3, 1)


def test_noise_and_statistics_are_those_of_prediction():
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dropout(0.9), keras.layers.BatchNormalization(epsilon=0)]
    )
    X = RNG.normal(size=(5, 2)).astype(np.float32)
    np.testing.assert_allclose(model_outputs(model, X, 32), X, rtol=1e-6)


class TestTheProgram:
    """Models of one configuration share it; what it does not tell of goes past it."""

    @pytest.fixture(autouse=True)
    def fresh(self):
        model_programs.clear()

    def assert_predicted(self, model, X, n_built):
        before = model_programs.counts.built
        outputs = model_outputs(model, X, 32)
        np.testing.assert_allclose(outputs, model.predict(X, verbose=0), rtol=1e-4, atol=1e-6)
        assert model_programs.counts.built - before == n_built

    @pytest.mark.parametrize(("make", "shape"), MODELS.values(), ids=MODELS)
    def test_is_traced_once_for_many_models(self, make, shape):
        X = RNG.normal(size=(10, *shape)).astype(np.float32)
        for n_built in (1, 0, 0):
            self.assert_predicted(make(), X, n_built)

    def test_takes_the_weights_that_a_model_has_now(self):
        model = dense(3, 8, 1)
        X = RNG.normal(size=(10, 3)).astype(np.float32)
        self.assert_predicted(model, X, 1)
        model.set_weights([RNG.normal(size=w.shape) for w in model.get_weights()])
        self.assert_predicted(model, X, 0)

    def test_statistics_of_a_batch_normalization_are_the_models_own(self):
        X = RNG.normal(size=(40, 3)).astype(np.float32)
        for n_built in (1, 0):
            model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization()])
            model.compile("sgd", "mse")
            model.fit(X * RNG.uniform(1, 9), X, verbose=0)
            self.assert_predicted(model, X, n_built)

    def test_a_changed_activation_is_another_model(self):
        X = RNG.normal(size=(10, 3)).astype(np.float32)
        model = dense(3, 8, 1)
        self.assert_predicted(model, X, 1)
        model.layers[-1].activation = keras.activations.tanh
        model.predict_function = None
        self.assert_predicted(model, X, 1)

    def test_what_a_layer_adapted_to_is_its_own(self):
        X = RNG.normal(size=(10, 3)).astype(np.float32)
        for scale in (1, 5):
            adapted = keras.layers.Normalization()
            adapted.adapt(X * scale)
            model = keras.Sequential([keras.Input((3,)), adapted])
            self.assert_predicted(model, X, 0)

    def test_code_of_the_users_is_called_as_it_stands(self):
        class Shifted(keras.layers.Layer):
            shift = 1.0

            def call(self, inputs):
                return inputs + self.shift

        X = RNG.normal(size=(10, 3)).astype(np.float32)
        shift = 2.0
        layers = [Shifted(), keras.layers.Lambda(lambda x: x + shift)]
        for layer in layers:
            self.assert_predicted(keras.Sequential([keras.Input((3,)), layer]), X, 0)

    def test_a_model_that_cannot_be_written_down(self):
        class Own(keras.Model):
            def __init__(self, layer):
                super().__init__()
                self.layer = layer

            def call(self, inputs):
                return self.layer(inputs)

        X = RNG.normal(size=(10, 3)).astype(np.float32)
        self.assert_predicted(Own(keras.layers.Dense(2)), X, 0)
