"""Networks in `compare` train as populations."""

import joblib
import pytest
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import GridSearchCV as PopulationGridSearchCV
from skhp import KerasMLPClassifier
from skhp.comparison.compare import compare
from skhp.population.backend import PopulationBackend

QUICK = {"n_repeats": 2, "n_seeds": 1, "cv": 3, "baseline": "dummy"}
X, Y = make_classification(90, weights=[0.7], class_sep=0.6, random_state=0)


def test_networks_of_all_repeats_folds_and_seeds_are_one_population(trained_together):
    network = make_pipeline(StandardScaler(), KerasMLPClassifier(epochs=3))
    with trained_together() as sizes:
        compare({"network": network}, X, Y, **QUICK | {"n_seeds": 3})
    assert sizes == [2 * 3 + 2 * 3]


def test_a_search_of_networks_trains_populations_within_the_folds(trained_together):
    grid = {"learning_rate": [1e-3, 1e-2]}
    for kind in (PopulationGridSearchCV, GridSearchCV):
        search = kind(KerasMLPClassifier(epochs=2), grid, cv=2)
        # The refit, which ends the first fold here, is the first to be trained by itself.
        with trained_together() as sizes, pytest.raises(AssertionError, match="by itself"):
            compare({"search": search}, X, Y, **QUICK | {"n_repeats": 1})
        assert sizes == [2 * 2]


def test_a_population_that_is_switched_on_is_taken():
    asked = []

    def train(tasks, *settings):
        asked.append(len(tasks))
        return iter(())

    network = KerasMLPClassifier(epochs=1)
    with joblib.parallel_config(backend=PopulationBackend(train_population=train)):
        compare({"network": network}, X, Y, **QUICK | {"n_repeats": 1})
    assert asked == [3]
