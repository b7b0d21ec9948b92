"""Fits in several threads of the user's, against the same fits one by one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from sklearn.base import clone

from skhp import (
    KerasClassifier,
    KerasMLPClassifier,
    KerasMLPRegressor,
    KerasRNNRegressor,
)

pytestmark = pytest.mark.slow

THREADS, FITS = 8, 50
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(48, 6)).astype(np.float32)
CLASSES = (X[:, 0] > 0).astype(int)
SETTINGS = {"epochs": 2, "early_stopping": False, "batch_size": 24}


def build():
    hidden = keras.layers.Dense(3, activation="tanh")
    joined = keras.layers.Concatenate()
    inputs = keras.Input((6,))
    outputs = keras.layers.Dense(1, activation="sigmoid")(joined([inputs, hidden(inputs)]))
    return keras.Model(inputs, outputs)


KINDS = [
    (KerasMLPClassifier(neurons=3, **SETTINGS), CLASSES),
    (KerasMLPClassifier(neurons=3, dropout=0.2, optimizer="sgd", **SETTINGS), CLASSES),
    (KerasMLPRegressor(neurons=(3, 2), **SETTINGS), X[:, 1]),
    (KerasRNNRegressor(neurons=2, **SETTINGS), X[:, 1]),
    (
        KerasClassifier(build, loss="binary_crossentropy", epochs=2, batch_size=24, verbose=0),
        CLASSES,
    ),
]


def outputs(number):
    """What a fit predicts; each has a seed of its own, and its structure is that of others."""
    network, target = KINDS[number % len(KINDS)]
    fitted = clone(network).set_params(random_state=number).fit(X, target)
    return getattr(fitted, "predict_proba", fitted.predict)(X)


def test_they_have_the_bits_of_fits_one_by_one():
    began = threading.active_count()
    met = threading.Barrier(THREADS)

    def fit_many(thread):
        # All threads fit the same, so that they ask for the same programs while none is made, and
        # later, as each begins elsewhere, for programs and seeds that others do not use just then.
        order = np.roll(np.arange(FITS), -(FITS // THREADS + 1) * thread)
        met.wait(60)
        return {number: outputs(number) for number in order}

    with ThreadPoolExecutor(THREADS) as threads:
        of_threads = list(threads.map(fit_many, range(THREADS)))
    assert threading.active_count() == began
    for number in range(FITS):
        expected = outputs(number)
        for found in of_threads:
            np.testing.assert_array_equal(found[number], expected)
