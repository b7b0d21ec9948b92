"""A network that needs no TensorFlow, and studies that several tests share."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neural_network import MLPClassifier

from skhp.study.study import Settings, run_study
from skhp.tables.table import make_table


class QuickNetwork(ClassifierMixin, BaseEstimator):
    """scikit-learn's network behind the parameters and attributes of skhp's."""

    def __init__(self, learning_rate=1e-3, batch_size=32, epochs=15, random_state=None):
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.network_ = MLPClassifier(
            hidden_layer_sizes=(5,),
            learning_rate_init=self.learning_rate,
            batch_size=min(self.batch_size, len(X)),
            random_state=self.random_state,
        )
        for _ in range(self.epochs):
            self.network_.partial_fit(X, y, classes=self.classes_)
        self.history_ = {"loss": list(self.network_.loss_curve_)}
        self.best_epoch_ = self.epochs
        return self

    def predict(self, X):
        return self.network_.predict(X)

    def predict_proba(self, X):
        return self.network_.predict_proba(X)


@pytest.fixture(scope="session")
def make_network():
    """Makes such a network."""
    return QuickNetwork


@pytest.fixture
def network(make_network):
    """A network that the test may change."""
    return make_network()


@pytest.fixture(scope="session")
def study(make_patients):
    """A study of the patients that no test changes."""
    settings = Settings(folds=2, repeats=3, verdict_repeats=1)
    return run_study(make_table(make_patients()), settings, network=QuickNetwork())


@pytest.fixture(scope="session")
def study_of_known_states(make_patients):
    """The same with another seed, where the state of the first patient is not known."""
    patients = make_patients()
    patients.loc[0, "state"] = np.nan
    settings = Settings(folds=2, repeats=3, verdict_repeats=1, seed=4)
    return run_study(make_table(patients), settings, network=QuickNetwork())
