"""A network that needs no TensorFlow, small tables, and a look at the population trainer."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
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


@pytest.fixture
def network():
    return QuickNetwork()


@pytest.fixture
def patients():
    return make_patients()


@pytest.fixture(scope="session")
def study():
    """A study of the patients that no test changes."""
    settings = Settings(folds=2, repeats=3, verdict_repeats=1)
    return run_study(make_table(make_patients()), settings, network=QuickNetwork())


@pytest.fixture(scope="session")
def study_of_known_states():
    """The same with another seed, where the state of the first patient is not known."""
    patients = make_patients()
    patients.loc[0, "state"] = np.nan
    settings = Settings(folds=2, repeats=3, verdict_repeats=1, seed=4)
    return run_study(make_table(patients), settings, network=QuickNetwork())


@pytest.fixture
def trained_together(monkeypatch):
    """A context that gives the sizes of the populations trained in it, and allows no lone fit."""

    @contextlib.contextmanager
    def watching():
        from skhp.population.cohorts import population_training as cohorts
        from skhp.training.cohort.cohort import LoneFit

        sizes = []
        train_population = cohorts.train_population

        def noting(tasks, *arguments):
            sizes.append(len(tasks))
            return train_population(tasks, *arguments)

        def refuse(*_):
            raise AssertionError("a network was trained by itself")

        with monkeypatch.context() as patched:
            patched.setattr(cohorts, "train_population", noting)
            patched.setattr(LoneFit, "trained", refuse)
            yield sizes

    return watching


def make_patients():
    """80 rows, 20 of them "sick"; numbers, text and truth values with missing cells."""
    random = np.random.default_rng(0)
    age = random.normal(50, 10, 80).round(1)
    frame = pd.DataFrame(
        {
            "age": age,
            "ward": random.choice(["north", "south", "east"], 80),
            "smoker": random.choice([True, False], 80).astype(object),
            "state": np.where(age.argsort().argsort() >= 60, "sick", "well"),
        }
    )
    frame.loc[[3, 40], "age"] = np.nan
    frame.loc[7, "ward"] = np.nan
    frame.loc[[9, 10, 11], "smoker"] = np.nan
    return frame
