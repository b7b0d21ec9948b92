"""Recurrent Keras models of the user's own, wrapped, as members of populations."""

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import ShuffleSplit

import skhp
from skhp import KerasRegressor
from skhp.networks.layered_network import LayeredNetwork
from skhp.networks.whole_models.called_network import CalledNetwork
from skhp.population import fit_together

pytestmark = pytest.mark.slow

L = keras.layers
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 20, 2)).astype(np.float32)
Y = X[:, -3:].sum(axis=(1, 2))
TOKENS = RANDOM.integers(0, 6, size=(40, 8))


def build(kind="lstm", units=3, dropout=0.0, inner=0.0, any_length=False):
    """A stack of 20 steps, which is more than can be unrolled."""
    layer = {"lstm": L.LSTM, "gru": L.GRU, "simple": L.SimpleRNN}[kind]
    model = keras.Sequential(
        [
            keras.Input((None if any_length else 20, 2)),
            layer(units, return_sequences=True, dropout=inner, recurrent_dropout=inner),
            layer(units),
            L.Dropout(dropout),
            L.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


def tokens(optimizer="sgd"):
    model = keras.Sequential(
        [
            keras.Input((8,), dtype="int32"),
            L.Embedding(6, 3, mask_zero=True),
            L.Bidirectional(L.SimpleRNN(2)),
            L.Dense(1),
        ]
    )
    model.compile(optimizer, "mse")
    return model


def wrapped(function=build, **parameters):
    given = {"epochs": 2, "batch_size": 16, "random_state": 0, "verbose": 0}
    return KerasRegressor(function, **{**given, **parameters})


@pytest.mark.parametrize(
    ("estimator", "rows"),
    [
        (wrapped(kind="lstm"), X),
        (wrapped(kind="simple", any_length=True), X),
        (wrapped(tokens), TOKENS),
    ],
)
def test_they_train_as_with_keras(estimator, rows):
    ours = clone(estimator).set_params(engine="population").fit(rows, Y)
    by_keras = clone(estimator).set_params(engine="keras").fit(rows, Y)
    for one, other in zip(ours.model_.get_weights(), by_keras.model_.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ours.predict(rows), by_keras.predict(rows), rtol=1e-3, atol=1e-4)


def test_dropout_of_any_rate_joins_a_search(trained_together):
    search = skhp.GridSearchCV(
        wrapped(kind="simple", epochs=1),
        [{"dropout": [0.1, 0.5], "inner": [0.1]}, {"dropout": [0.1], "inner": [0.3]}],
        cv=ShuffleSplit(1, random_state=0),
        scoring="neg_mean_squared_error",
        refit=False,
    )
    with trained_together() as sizes:
        search.fit(X, Y)
    assert sizes == [3]
    assert len(set(search.cv_results_["mean_test_score"])) == 3


def test_models_of_one_structure_share_a_program():
    estimators = [wrapped(dropout=rate) for rate in (0.1, 0.4)]
    tasks = [estimator.__skhp_fit_task__(X, Y) for estimator in estimators]
    assert all(isinstance(task.network, LayeredNetwork) for task in tasks)
    assert tasks[0].program == tasks[1].program
    assert tasks[0].numbers.dropout == (0.1,)
    fits = fit_together([(estimator, X, Y) for estimator in estimators])
    assert not np.allclose(fits[0].predict(X), fits[1].predict(X), atol=1e-4)


def test_a_model_with_noise_within_its_layers_is_called():
    # Keras draws such noise by the seeds of the model, and a called model draws the same.
    task = wrapped(inner=0.3).__skhp_fit_task__(X, Y)
    assert isinstance(task.network, CalledNetwork)
