"""What a model is made of counts, where it is the user's code as well."""

import keras
import numpy as np
import pytest

from skhp import KerasClassifier
from skhp.search.identity.descriptions import digest
from tests.search.identity.test_code_descriptions import value_of

EDITED = {
    "the code of a layer": (
        "class Own(keras.layers.Layer):\n    def call(self, x): return 2 * x\n"
        "searched = keras.Sequential([keras.Input((3,)), Own()])",
        "2",
        "64",
    ),
    "a class attribute of a layer within another": (
        "class Own(keras.layers.Layer):\n    units = 2\n    def call(self, x): return x\n"
        "class Outer(keras.layers.Layer):\n"
        "    def __init__(self):\n        super().__init__()\n        self.inner = Own()\n"
        "    def call(self, x): return self.inner(x)\n"
        "searched = keras.Sequential([keras.Input((3,)), Outer()])",
        "2",
        "64",
    ),
    "an argument of a model": (
        "class Own(keras.Model):\n"
        "    def __init__(self, rate=1):\n        super().__init__()\n        self._rate = rate\n"
        "    def call(self, x): return self._rate * x\nsearched = Own(rate=2)",
        "rate=2",
        "rate=64",
    ),
    "a global of a lambda layer": (
        "U = 2\nsearched = keras.Sequential([keras.Input((3,)), keras.layers.Lambda("
        "lambda x: U * x, output_shape=(3,))])",
        "U = 2",
        "U = 64",
    ),
    "the code of a lambda layer": (
        "searched = keras.Sequential([keras.Input((3,)), keras.layers.Lambda("
        "lambda x: 2 * x, output_shape=(3,))])",
        "2 *",
        "64 *",
    ),
    "a global of a loss": (
        "U = 2\ndef loss(t, p): return U * keras.losses.mean_squared_error(t, p)\n"
        "searched = keras.Sequential([keras.Input((3,))])\nsearched.compile('sgd', loss)",
        "U = 2",
        "U = 64",
    ),
    "the rate of an optimizer beside a lambda function": (
        "searched = keras.Sequential([keras.Input((3,))])\n"
        "searched.compile(keras.optimizers.SGD(2.0), lambda t, p: 1)",
        "2.0",
        "64.0",
    ),
    "a layer beside a lambda layer": (
        "searched = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x), "
        "keras.layers.Activation('relu')])",
        "relu",
        "tanh",
    ),
    "a metric": (
        "def metric(t, p): return 2\n"
        "searched = keras.Sequential([keras.Input((3,))])\n"
        "searched.compile('sgd', 'mse', metrics=[metric])",
        "return 2",
        "return 64",
    ),
    "an activation": (
        "def own(x): return 2 * x\n"
        "searched = keras.Sequential([keras.Input((3,)), keras.layers.Activation(own)])",
        "2 *",
        "64 *",
    ),
    "a class of a loss": (
        "class Own(keras.losses.Loss):\n    def call(self, t, p): return 2\nsearched = Own()",
        "return 2",
        "return 64",
    ),
    "a callback": (
        "U = 2\nclass Own(keras.callbacks.Callback):\n"
        "    def on_epoch_end(self, epoch, logs=None): self.model.stop_training = epoch > U\n"
        "searched = Own()",
        "U = 2",
        "U = 64",
    ),
    "a function of a callback": (
        "U = 2\nsearched = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: U)",
        "U = 2",
        "U = 64",
    ),
    "a schedule": (
        "def rate(epoch): return 2\nsearched = keras.callbacks.LearningRateScheduler(rate)",
        "return 2",
        "return 64",
    ),
    "a model in a global": (
        "import numpy\nmodel = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])\n"
        "model.set_weights([numpy.full((1, 1), 2), numpy.zeros(1)])\n"
        "def searched(X): return model(X)",
        "2",
        "64",
    ),
    "a variable in a global": (
        "U = keras.Variable(2.0)\ndef searched(X): return U * X",
        "2.0",
        "64.0",
    ),
    "a tensor in a global": (
        "U = keras.ops.convert_to_tensor([2.0])\ndef searched(X): return U * X",
        "2.0",
        "64.0",
    ),
}


@pytest.fixture(params=EDITED)
def case(request):
    source, before, after = EDITED[request.param]
    assert before in source
    return f"import keras\n{source}", before, after


def test_an_edit_is_another_search(case):
    source, before, after = case
    assert digest(value_of(source)) != digest(value_of(source.replace(before, after)))


def test_places_do_not_count(case):
    source, *_ = case
    # Keras makes up other names for a second model; files, lines and modules are others, too.
    assert digest(value_of(source)) == digest(value_of(f"\n\n\n{source}", "elsewhere"))


def test_a_model_in_use_stays_the_same():
    model = value_of(
        "import keras, numpy\nclass Own(keras.layers.Layer):\n    def call(self, x): return x\n"
        "def loss(t, p): return keras.losses.mean_squared_error(t, p)\n"
        "searched = keras.Sequential([keras.Input((3,)), Own(), keras.layers.Dense(1)])\n"
        "searched.compile('sgd', loss)"
    )
    wrapped = KerasClassifier(model, epochs=1)
    before = digest(model), digest(wrapped)
    wrapped.fit(np.eye(3), [0, 1, 0])
    model.predict(np.eye(3), verbose=0)
    assert (digest(model), digest(wrapped)) == before


def test_what_a_wrapped_network_in_a_global_has_learnt_counts():
    def learnt(labels):
        network = KerasClassifier(
            lambda: keras.Sequential(
                [keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")]
            ),
            loss="binary_crossentropy",
            epochs=2,
            random_state=0,
        ).fit(np.eye(3), labels)
        return lambda X: network.predict(X)

    assert digest(learnt([0, 1, 0])) != digest(learnt([1, 0, 0]))
