import copy
import pickle
import random

import keras
import numpy as np
import pytest

from skhp.networks.whole_models.portable_model import PortableModel, custom_objects

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
Y = X.sum(axis=1)


class Scale(keras.layers.Layer):
    """Not registered with Keras, and without the arguments that Keras adds."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return {"factor": self.factor}


def bent(inputs):
    return keras.ops.tanh(inputs) * 2


def own_loss(y_true, y_pred):
    return keras.ops.mean((y_true - y_pred) ** 2, axis=-1)


class TwoLayers(keras.Model):
    def call(self, inputs):
        return self.second(self.first(inputs))


class Fixed(TwoLayers):
    """A model whose constructor has no arguments."""

    def __init__(self):
        super().__init__()
        self.first = keras.layers.Dense(4, activation=bent)
        self.second = keras.layers.Dense(1)


class Silent(TwoLayers):
    """A model that does not tell what it was made with."""

    def __init__(self, units, activation="relu"):
        super().__init__()
        self.first = keras.layers.Dense(units, activation=activation)
        self.second = keras.layers.Dense(1)


class Telling(Silent):
    """A model that does."""

    def __init__(self, units, activation="relu"):
        super().__init__(units, activation)
        self.made_with = {"units": units, "activation": activation}

    def get_config(self):
        return self.made_with


def sequential(*layers):
    return keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])


MODELS = {
    "keras' own": lambda: sequential(keras.layers.Dense(4, "relu"), keras.layers.Dropout(0.5)),
    "custom layer": lambda: sequential(Scale(3.0)),
    "custom activation": lambda: sequential(keras.layers.Dense(4, activation=bent)),
    "statistics": lambda: sequential(keras.layers.BatchNormalization()),
    "lambda": lambda: sequential(keras.layers.Lambda(lambda inputs: inputs * 2)),
    "nested": lambda: sequential(keras.Sequential([keras.Input((3,)), Scale(2.0)])),
    "subclass": Fixed,
    "subclass with arguments": lambda: Telling(5, activation="tanh"),
}

COPIES = {
    "copy": lambda model: PortableModel(model).restored(),
    "deepcopy": lambda model: copy.deepcopy(PortableModel(model)).restored(),
    "pickle": lambda model: pickle.loads(pickle.dumps(PortableModel(model))).restored(),
}


def trained(make):
    model = make()
    model.compile(keras.optimizers.Adam(0.01), own_loss, metrics=["mae"], run_eagerly=True)
    model.fit(X, Y, epochs=2, verbose=0)
    return model


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_predicts_the_same_bits_and_is_on_its_own(make, copied):
    model = trained(make)
    before = random.getstate()
    twin = copied(model)
    assert random.getstate() == before
    expected = np.asarray(model(X))
    np.testing.assert_array_equal(np.asarray(twin(X)), expected)
    assert twin.loss is own_loss
    assert int(twin.optimizer.iterations) == 2
    twin.set_weights([0 * weight for weight in twin.get_weights()])
    np.testing.assert_array_equal(np.asarray(model(X)), expected)


def test_a_copy_trains_on_as_the_original():
    model = trained(lambda: sequential(Scale(2.0)))
    twin = PortableModel(model).restored()
    for one in (model, twin):
        one.fit(X, Y, shuffle=False, verbose=0)
    for weight, other in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_local_classes_can_be_copied_but_not_pickled():
    class Local(Scale):
        pass

    portable = PortableModel(trained(lambda: sequential(Local(2.0))))
    model = pickle.loads(pickle.dumps(portable)).restored()
    assert isinstance(model.layers[0], Local)
    elsewhere = pickle.loads(pickle.dumps(portable).replace(b"Local at ", b"Other at "))
    with pytest.raises(TypeError, match="Could not locate class 'Local'"):
        elsewhere.restored()


def test_local_classes_of_one_name_are_told_apart():
    def make(number):
        class Local(Scale):
            def call(self, inputs):
                return inputs + number

        # The class has to live as long as it is to be found, as it does beside a fitted estimator.
        return Local, PortableModel(sequential(Local(1.0)))

    (_one, first), (_other, second) = make(1.0), make(2.0)
    difference = second.restored().layers[0](X) - first.restored().layers[0](X)
    np.testing.assert_allclose(difference, 1.0, rtol=1e-6)


def test_a_model_that_keras_would_restore_with_its_defaults_is_refused():
    with pytest.raises(
        TypeError, match=r"Silent cannot be copied .* activation, units .* get_config"
    ):
        PortableModel(trained(lambda: Silent(5, activation="tanh")))


def test_keras_still_restores_a_model_with_its_defaults():
    # When this fails, the refusal above is no longer needed.
    @keras.saving.register_keras_serializable()
    class Forgetful(Silent):
        def __init__(self, units=4, activation="relu", **kwargs):
            super().__init__(units, activation)

    model = Forgetful(units=4, activation="tanh")
    assert model.get_config()["activation"] == "relu"


def test_custom_objects_are_those_that_are_not_keras_own():
    model = sequential(Scale(2.0), keras.layers.Dense(2, activation=bent))
    model.compile(keras.optimizers.SGD(), own_loss, metrics=["mae", keras.metrics.AUC()])
    assert custom_objects(model) == {"Scale": Scale, "bent": bent, "own_loss": own_loss}
