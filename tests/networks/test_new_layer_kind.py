"""A kind of layer that skhp does not know is added by one class and one reader, from outside."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import pytest

from skhp import KerasRegressor
from skhp.networks.layered_network import LayeredNetwork, layered_network
from skhp.networks.layers import Layer, layer, reads


@keras.saving.register_keras_serializable("tests")
class Scaling(keras.layers.Layer):
    """A factor for each unit."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")

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
