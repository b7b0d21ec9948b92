"""Real fits: healthy ones, and ones with a fault that was put there."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_moons, make_regression
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skhp import GridSearchCV, KerasMLPClassifier, KerasMLPRegressor, diagnose

SEEDS = range(10)


def classes(seed, n_rows=600):
    return make_classification(n_rows, 10, n_informative=5, random_state=seed)


def noisy_rows(seed, n_rows):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n_rows, 10))
    return X, (X[:, 0] + random.normal(size=n_rows) > 0).astype(int)


def regression(seed):
    X, y = make_regression(500, 8, noise=20, random_state=seed)
    return X, scale(y)


HEALTHY = {
    "almost default": (KerasMLPClassifier(learning_rate=0.003), classes),
    "moons": (
        KerasMLPClassifier(neurons=20, learning_rate=0.01),
        lambda seed: make_moons(500, noise=0.25, random_state=seed),
    ),
    "dropout in small batches": (
        KerasMLPClassifier(
            neurons=30, learning_rate=0.003, dropout=0.3, l2=1e-4, batch_size=8, epochs=60
        ),
        classes,
    ),
    "regression": (KerasMLPRegressor(neurons=20, learning_rate=0.01), regression),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_fits_have_no_finding(name):
    network, make_rows = HEALTHY[name]
    false = []
    for seed in SEEDS:
        X, y = make_rows(seed)
        if found := diagnose(network.set_params(random_state=seed).fit(X, y), y):
            false.append(str(found))
    assert len(false) <= 1, false


FAULTY = {
    "learning_rate_too_high": {"learning_rate": 10.0, "epochs": 60},
    "non_finite_loss": {"learning_rate": 10.0, "optimizer": "sgd"},
    "learning_rate_too_low": {"learning_rate": 1e-6, "epochs": 60},
    "too_few_epochs": {"epochs": 5},
    "underfitting": {"l2": 1.0, "learning_rate": 0.01},
    "stopped_too_early": {"patience": 1, "batch_size": 8, "learning_rate": 0.01, "neurons": 20},
}


@pytest.mark.parametrize("kind", FAULTY)
@pytest.mark.parametrize("with_target", [False, True])
def test_the_fault_is_found_for_most_seeds(kind, with_target):
    found = []
    for seed in SEEDS:
        X, y = classes(seed, 300)
        network = KerasMLPClassifier(random_state=seed, **FAULTY[kind])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network.fit(X, y)
        found += [finding.kind for finding in diagnose(network, y if with_target else None)]
    assert found.count(kind) >= 7
    assert len(found) - found.count(kind) <= 3, found


def test_a_wide_network_on_few_noisy_rows_overfits():
    found = []
    for seed in SEEDS:
        network = KerasMLPClassifier(
            neurons=200, early_stopping=False, epochs=100, learning_rate=0.01, random_state=seed
        )
        X_val, y_val = noisy_rows(100 + seed, 200)
        network.fit(*noisy_rows(seed, 40), X_val=X_val, y_val=y_val)
        found += [(finding.kind, finding.parameter) for finding in diagnose(network)]
    assert found.count(("overfitting", "early_stopping")) >= 9


def test_what_cannot_be_examined_is_told():
    X, y = noisy_rows(0, 40)
    alone = KerasMLPClassifier(early_stopping=False, random_state=0).fit(X, y)
    assert "overfitting, as no loss of rows held out" in str(diagnose(alone, y))
    assert "Not looked at: the number of rows" in str(diagnose(alone))
    stopped = KerasMLPClassifier(epochs=100, learning_rate=0.01, random_state=0).fit(*classes(0))
    assert diagnose(stopped, classes(0)[1]).unexamined == ()


def test_few_rows_are_counted():
    X, y = noisy_rows(0, 60)
    network = KerasMLPClassifier(epochs=3, random_state=0).fit(X, y)
    (finding,) = [f for f in diagnose(network, y) if f.kind == "few_validation_rows"]
    assert finding.figure == 12
    assert finding.parameter == "validation_fraction"


def test_a_search_and_its_best_estimator():
    X, y = classes(0, 300)
    network = make_pipeline(StandardScaler(), KerasMLPClassifier(epochs=5, random_state=0))
    grid = {"kerasmlpclassifier__learning_rate": [1e-5, 1e-4, 1e-3]}
    search = GridSearchCV(network, grid, cv=5, scoring="neg_log_loss").fit(X, y)
    diagnosis = diagnose(search, y)
    assert [finding.kind for finding in diagnosis] == ["edge_of_the_grid", "too_few_epochs"]
    assert diagnosis[0].parameter == "kerasmlpclassifier__learning_rate"
    unfitted = GridSearchCV(network, grid, cv=5, refit=False).fit(X, y)
    assert "the training of the best candidate" in diagnose(unfitted).unexamined[0]


def test_it_prints_as_sentences():
    X, y = classes(0)
    network = KerasMLPClassifier(epochs=5, random_state=0).fit(X, y)
    diagnosis = diagnose(network, y)
    assert diagnosis
    assert str(diagnosis) == repr(diagnosis) == f"- {diagnosis[0].message}"
    assert str(diagnosis[0]).endswith("(now 0.001).")
    healthy = diagnose(KerasMLPClassifier(random_state=0).fit(X, y), y)
    assert not healthy
    assert list(healthy) == []
    assert str(healthy) == "Nothing found that is likely to be wrong."


def test_networks_of_scikit_learn():
    X, y = classes(0)
    network = MLPClassifier(max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.fit(X, y)
    assert [finding.kind for finding in diagnose(network)] == ["too_few_epochs"]


def test_what_has_no_curves_is_told():
    with pytest.raises(NotFittedError, match="RandomForestClassifier has no history_"):
        diagnose(RandomForestClassifier().fit(*classes(0, 50)))
