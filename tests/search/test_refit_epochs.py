"""The best candidate trained on all rows, for as long as its folds took."""

import pickle
import statistics

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import GridSearchCV, InvalidParameterError, KerasMLPClassifier

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(160, 4))
Y = (X[:, 0] + GENERATOR.normal(size=160) / 2 > 0.3).astype(int)
FOLDS = StratifiedKFold(5)
NETWORK = KerasMLPClassifier(epochs=60, patience=4, random_state=0)
GRID = {"learning_rate": [0.003, 0.03]}


def median_of_folds(estimator, best_epoch):
    fitted = cross_validate(estimator, X, Y, cv=FOLDS, return_estimator=True)["estimator"]
    return round(statistics.median(best_epoch(one) for one in fitted))


def test_it_is_the_network_without_held_out_rows():
    search = GridSearchCV(NETWORK, GRID, cv=FOLDS, refit_epochs="median").fit(X, Y)
    epochs = median_of_folds(
        clone(NETWORK).set_params(**search.best_params_), lambda one: one.best_epoch_
    )
    assert search.best_params_.keys() == GRID.keys()
    expected = clone(NETWORK).set_params(**search.best_params_, epochs=epochs, early_stopping=False)
    assert 1 < epochs < 60
    assert search.best_estimator_.n_iter_ == epochs
    assert "val_loss" not in search.best_estimator_.history_
    np.testing.assert_array_equal(search.predict_proba(X), expected.fit(X, Y).predict_proba(X))
    restored = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(restored.predict_proba(X), search.predict_proba(X))


def test_without_it_the_rule_is_that_of_the_candidates():
    search = GridSearchCV(NETWORK, GRID, cv=FOLDS).fit(X, Y)
    assert search.best_estimator_.get_params()["patience"] == 4
    assert "val_loss" in search.best_estimator_.history_


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_network_of_scikit_learn_in_a_pipeline():
    network = MLPClassifier((4,), max_iter=80, random_state=0, early_stopping=True)
    pipeline = make_pipeline(StandardScaler(), network)
    grid = {"mlpclassifier__learning_rate_init": [0.03]}
    search = GridSearchCV(pipeline, grid, cv=FOLDS, refit_epochs="median").fit(X, Y)
    best = clone(pipeline).set_params(**search.best_params_)
    epochs = median_of_folds(best, lambda one: np.argmax(one[-1].validation_scores_) + 1)
    assert search.best_estimator_[-1].max_iter == epochs
    assert search.best_estimator_[-1].early_stopping is False


def test_before_it_is_refitted_there_is_none():
    search = GridSearchCV(NETWORK, GRID, refit=False, cv=FOLDS)
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search.fit(X, Y), "best_estimator_")


def test_an_estimator_without_epochs():
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, refit_epochs="median")
    with pytest.raises(InvalidParameterError, match="LogisticRegression"):
        search.fit(X, Y)
    search.set_params(refit=False).fit(X, Y)


def test_another_word():
    with pytest.raises(ValueError, match="refit_epochs"):
        GridSearchCV(NETWORK, GRID, refit_epochs="mean").fit(X, Y)
