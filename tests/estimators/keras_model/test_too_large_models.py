"""A build function whose model does not fit into memory: nobody knows that before it runs."""

import keras
import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

import skhp
from skhp import KerasClassifier

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
# Weights that no address space has room for.
UNITS = 10**14


def build(units=3):
    hidden = keras.layers.Dense(units, activation="relu")
    return keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(1, "sigmoid")])


def test_only_the_candidate_fails_and_the_error_is_that_of_tensorflow():
    network = KerasClassifier(
        build, loss="binary_crossentropy", epochs=1, random_state=0, model__units=3
    )
    # TensorFlow 2.21 waits for 10 seconds before it gives an allocation up, so this is one fold.
    fold = [(np.arange(20), np.arange(20, 40))]
    search = GridSearchCV(network, {"model__units": [3, UNITS, 4]}, cv=fold, refit=False)
    with (
        skhp.population(),
        pytest.warns(UserWarning, match="non-finite"),
        pytest.warns(FitFailedWarning, match=rf"ResourceExhaustedError: .*shape\[4,{UNITS}\]"),
    ):
        search.fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True, False]


def test_a_model_that_python_has_no_memory_for_is_a_failed_candidate_of_our_searchers():
    def build_or_fail(units=3):
        np.empty((units, 2**20))
        return build(min(units, 3))

    network = KerasClassifier(
        build_or_fail, loss="binary_crossentropy", epochs=1, random_state=0, model__units=3
    )
    search = skhp.GridSearchCV(network, {"model__units": [3, 10**12]}, cv=2, refit=False)
    with (
        pytest.warns(UserWarning, match="non-finite"),
        pytest.warns(FitFailedWarning, match="Unable to allocate"),
    ):
        search.fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
    with pytest.raises(MemoryError, match="Unable to allocate"):
        search.set_params(error_score="raise").fit(X, Y)
