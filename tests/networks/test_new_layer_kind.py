"""A kind of layer that skhp does not know is added from outside: one file touches no other."""

import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhp import KerasMLPRegressor, KerasRegressor
from skhp.estimators.network.regressor import NetworkRegressor
from skhp.networks.build import build_network, initial_network, network_of, numbers_of
from skhp.networks.description import NetworkDescription, network_size
from skhp.networks.layered_network import LayeredNetwork, layered_network
from skhp.networks.layers import (
    ActivationDescription,
    DenseDescription,
    DropoutDescription,
    Layer,
    LayerDescription,
    layer,
    reads,
)
from skhp.networks.network import flattened, network_numbers
from skhp.population import fit_together

pytestmark = pytest.mark.slow


@keras.saving.register_keras_serializable("tests")
class Scaling(keras.layers.Layer):
    """A factor for each unit."""

    def __init__(self, first="ones", penalty=None, **keywords):
        super().__init__(**keywords)
        self.first, self.penalty = first, penalty

    def build(self, input_shape):
        self.factor = self.add_weight(
            shape=(input_shape[-1],), initializer=self.first, regularizer=self.penalty
        )

    def call(self, values):
        return values * self.factor


@dataclass(frozen=True)
class ScalingLayer(Layer):
    """The same for many members at once."""

    units: int

    @property
    def weight_shapes(self):
        return ((self.units,),)

    def apply(self, values, weights: Sequence, state, context):
        return values * weights[0][:, :, None], state


@dataclass(frozen=True)
class ScalingDescription(LayerDescription):
    """As parameters describe it: factors that begin around a middle, drawn anew for each seed."""

    middle: float = 1.0
    l2: float = 0.0

    keras_name = "scaling"
    numbers = ("l2",)

    @property
    def penalties(self):
        return ((0.0, self.l2),)

    def layers(self, input_shape):
        return (ScalingLayer(input_shape[-1]),)

    def keras_layer(self, name, seeds):
        first = keras.initializers.RandomNormal(self.middle, 0.1, seed=seeds.for_weights())
        penalty = keras.regularizers.L2(self.l2) if self.l2 else None
        return Scaling(first, penalty, name=name)


class ScalingRegressor(NetworkRegressor):
    """A network of the new kind: all that a kind of network has to say."""

    _row_parameters = ()

    def __init__(
        self,
        units=3,
        l2=0.0,
        epochs=5,
        batch_size=20,
        learning_rate=0.05,
        early_stopping=True,
        engine="auto",
        random_state=0,
    ):
        super().__init__(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            early_stopping=early_stopping,
            engine=engine,
            random_state=random_state,
        )
        self.units = units
        self.l2 = l2

    def _describe(self, table):
        layers = (
            ScalingDescription(l2=self.l2),
            DenseDescription(self.units),
            ActivationDescription("tanh"),
            DenseDescription(table.target.n_outputs),
        )
        return NetworkDescription(table.X.shape[1:], layers, table.target.output)


@pytest.fixture(autouse=True)
def known_kind(monkeypatch):
    monkeypatch.setattr(layer, "_READERS", dict(layer._READERS))
    reads(Scaling)(lambda read: (ScalingLayer(int(read.factor.shape[0])),))


def build(units=3):
    model = keras.Sequential(
        [keras.Input((4,)), Scaling(), keras.layers.Dense(units, "tanh"), keras.layers.Dense(1)]
    )
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    return model


def test_its_models_are_layered_networks():
    network = layered_network(build())
    assert network.weight_shapes == ((4,), (4, 3), (3,), (3, 1), (1,))
    assert layered_network(build()) == network != layered_network(build(units=2))


def test_its_members_are_trained_as_by_keras(regression, monkeypatch):
    X, y = regression
    trained_as = []
    loss_gradient = LayeredNetwork.loss_gradient

    def noted(network, *arguments, **keywords):
        trained_as.append(network)
        return loss_gradient(network, *arguments, **keywords)

    monkeypatch.setattr(LayeredNetwork, "loss_gradient", noted)
    weights = {
        engine: KerasRegressor(build, epochs=5, batch_size=20, engine=engine, random_state=0)
        .fit(X, y)
        .model_.get_weights()
        for engine in ("population", "keras")
    }
    assert any(isinstance(one, ScalingLayer) for one in trained_as[0].layers)
    assert not np.allclose(weights["population"][0], 1.0)
    for ours, theirs in zip(*weights.values(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def described(l2=0.0):
    layers = (ScalingDescription(l2=l2), DenseDescription(3), ScalingDescription())
    return NetworkDescription((4,), layers, "multiclass")


def test_a_description_with_it_is_the_keras_model_that_is_built_of_it():
    model = build_network(described(l2=0.1), 7)
    names = ["scaling_1", "hidden_1", "logits", "probabilities"]
    assert [one.name for one in model.layers] == names
    assert network_of(described(l2=0.1)) == layered_network(model)
    assert numbers_of(described(l2=0.1)) == network_numbers(model)
    assert network_size(described()).weights == model.count_params() == 4 + 4 * 3 + 3 + 3
    initial = initial_network(described(), 7)
    assert np.array_equal(initial.weights, flattened(model.get_weights()))
    # Each random part has a seed of its own, and another one for another network.
    first, last = (model.get_layer(name).factor.numpy() for name in ("scaling_1", "logits"))
    assert not np.array_equal(first[:3], last)
    assert not np.array_equal(initial.weights, initial_network(described(), 8).weights)


def test_its_numbers_are_no_part_of_its_structure():
    assert described(l2=0.1) != described()
    assert described(l2=0.1).structure == described()
    assert initial_network(described(l2=0.1), 7) is initial_network(described(), 7)


@pytest.fixture
def members(regression):
    """Estimators of the new kind that a population trained."""
    X, y = regression
    grid = [(2, 0.0), (3, 0.0), (3, 0.1)]
    estimators = [ScalingRegressor(units, l2, engine="population") for units, l2 in grid]
    return fit_together([(estimator, X, y) for estimator in estimators])


def weights_of(fitted):
    return fitted._trained_network.member.weights


def test_a_population_trains_estimators_of_it_as_keras_does(members, regression):
    X, y = regression
    for member in members[::2]:
        by_keras = ScalingRegressor(member.units, member.l2, engine="keras").fit(X, y)
        np.testing.assert_allclose(weights_of(member), weights_of(by_keras), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(member.predict(X), by_keras.predict(X), rtol=1e-3, atol=1e-3)
        assert member.history_["val_loss"] == pytest.approx(by_keras.history_["val_loss"], rel=1e-3)
    assert not np.allclose(weights_of(members[1]), weights_of(members[2]), atol=1e-3)


@pytest.mark.parametrize("built", [False, True])
def test_estimators_of_it_are_saved_and_exported(built, members, regression, tmp_path):
    X, _ = regression
    member = members[2]
    if built:
        assert member.model_.get_layer("scaling_1").penalty is not None
    read = pickle.loads(pickle.dumps(member))
    assert np.array_equal(read.predict(X), member.predict(X))
    np.testing.assert_allclose(read.model_(X).numpy()[:, 0], member.predict(X), rtol=1e-4)
    member.model_.export(tmp_path / "model", verbose=False)
    exported = keras.layers.TFSMLayer(tmp_path / "model", call_endpoint="serve")(
        X.astype(np.float32)
    )
    np.testing.assert_allclose(np.ravel(exported), member.predict(X), rtol=1e-4)


@dataclass(frozen=True)
class FlatLayer(Layer):
    """Makes a vector of each row."""

    def apply(self, values, weights, state, context):
        return tf.reshape(values, (*values.shape[:2], -1, math.prod(values.shape[3:]))), state

    def output_shape(self, input_shape):
        return (math.prod(input_shape),)


@dataclass(frozen=True)
class FlatDescription(LayerDescription):
    """The same as parameters describe it."""

    keras_name = "flat"

    def layers(self, input_shape):
        return (FlatLayer(),)

    def keras_layer(self, name, seeds):
        return keras.layers.Flatten(name=name)


class FoldedRegressor(NetworkRegressor):
    """A linear model of rows that it folds into two axes."""

    _row_parameters = ("height",)

    def __init__(self, height=2, epochs=5, engine="auto", random_state=0):
        super().__init__(epochs=epochs, engine=engine, random_state=random_state)
        self.height = height

    def _read_rows(self, X, *, first=False):
        rows = super()._read_rows(X, first=first)
        return rows.reshape(len(rows), self.height, -1)

    def _describe(self, table):
        layers = (FlatDescription(), DenseDescription(1))
        return NetworkDescription(table.X.shape[1:], layers, table.target.output)


@pytest.mark.parametrize("engine", ["population", "keras"])
def test_rows_may_have_any_number_of_axes(engine, regression):
    X, y = regression
    assert X.shape[1] == 4
    plain = KerasMLPRegressor(hidden_layers=0, epochs=5, random_state=0).fit(X, y)
    heights = [FoldedRegressor(height, engine=engine) for height in (2, 4)]
    for folded in fit_together([(estimator, X, y) for estimator in heights]):
        np.testing.assert_allclose(folded.predict(X), plain.predict(X), rtol=1e-3, atol=1e-4)
        assert folded.model_.input_shape == (None, folded.height, 4 // folded.height)


def test_dense_layers_and_dropout_take_each_step_of_a_series():
    layers = (DropoutDescription(0.5), DenseDescription(4), DenseDescription(1))
    network = network_of(NetworkDescription((2, 3), layers, "regression"))
    assert network.weight_shapes == ((3, 4), (4,), (4, 1), (1,))
    assert network.noise_shapes == ((2, 3),)
    assert network.output_shape == (2, 1)
