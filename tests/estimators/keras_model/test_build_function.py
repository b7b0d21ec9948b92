"""What is said of something that is given as a model and is none."""

import functools
import pathlib

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skhp import InvalidParameterError, KerasClassifier, KerasMLPClassifier

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
y = (X[:, 0] > 0).astype(int)


def build(units=1):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    return model


def demanding(units, epochs):
    return build(units)


class Subclassed(keras.Model):
    def __init__(self, units=1, **keywords):
        super().__init__(**keywords)
        self.dense = keras.layers.Dense(units, activation="sigmoid")

    def call(self, inputs):
        return self.dense(inputs)


class OwnBuild(KerasClassifier):
    def _keras_build_fn(self):
        return build()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (None, "model is None.* Give a function that returns a keras.Model"),
        (keras.Sequential, r"Sequential is a class of Keras.*return keras\.Sequential\(\.\.\.\)"),
        (keras.Model, "is a class of Keras"),
        (keras.layers.Dense, "Dense is a class whose instances are not Keras models"),
        (KerasMLPClassifier, "KerasMLPClassifier is a class"),
        (LogisticRegression(), "is an estimator, and not a Keras model"),
        (KerasMLPClassifier(), "is an estimator, and not a Keras model"),
        (build().fit, r"is a method of a keras.Model.*without \.fit"),
        (build().predict, r"without \.predict"),
        ("build", "without quotes"),
        ("net.keras", r"must be a callable.*load_model\('net.keras'\)"),
        (pathlib.Path("net.keras"), r"load_model\('net.keras'\)"),
        (keras.layers.Dense(1), "is a layer, and not a model"),
        ([keras.layers.Dense(1)], r"keras\.Sequential\(\[\.\.\.\]\)"),
        (3, "model=3 must be a callable or a keras.Model"),
    ],
    ids=str,
)
def test_what_is_not_a_model_is_refused(model, message):
    with pytest.raises(InvalidParameterError, match=message):
        KerasClassifier(model, loss="bce").fit(X, y)


@pytest.mark.parametrize(
    ("returned", "mend"),
    [
        (lambda: None, "got None. Does it end with `return model`?"),
        (lambda: (build(), 3), "Return the model alone"),
        (lambda: keras.callbacks.History(), "leave the training to `fit`"),
        (lambda: build, "Give the function that it returns"),
        (lambda: keras.Sequential, "Let it call the class"),
        (lambda: 3, "got 3"),
    ],
    ids=["nothing", "tuple", "history", "function", "class", "number"],
)
def test_a_function_that_returns_something_else_is_refused(returned, mend):
    with pytest.raises(TypeError, match=mend):
        KerasClassifier(returned, loss="bce").fit(X, y)


def test_arguments_that_nobody_gives_are_named_before_the_function_is_called():
    with pytest.raises(InvalidParameterError) as raised:
        KerasClassifier(demanding).fit(X, y)
    message = str(raised.value)
    assert "needs 'units', 'epochs'" in message
    # The second is the name of a parameter of the wrapper, too.
    assert "units=..., model__epochs=..." in message
    given = {"units": 1, "model__epochs": 2}
    assert KerasClassifier(demanding, **given).fit(X, y).model_.layers[0].units == 1


def test_a_part_of_the_arguments_may_be_fixed():
    fixed = functools.partial(demanding, 1, epochs=2)
    assert KerasClassifier(fixed).fit(X, y).model_.layers[0].units == 1


def test_a_class_of_models_takes_its_arguments():
    fitted = KerasClassifier(Subclassed, units=1, loss="bce", run_eagerly=True).fit(X, y)
    assert fitted.model_.dense.units == 1
    with pytest.raises(InvalidParameterError, match=r"'unit'\. Did you mean 'units'"):
        KerasClassifier(Subclassed, unit=1, loss="bce").fit(X, y)


def test_a_function_beside_a_build_method_is_refused():
    with pytest.raises(InvalidParameterError, match="has a method _keras_build_fn too"):
        OwnBuild(build).fit(X, y)
    assert OwnBuild(engine="keras").fit(X, y).stop_reason_ == "epochs"
