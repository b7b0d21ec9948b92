"""Real fits: healthy ones, and ones with a fault that was put there."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_classification, make_moons, make_regression
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skhp import (
    GridSearchCV,
    KerasClassifier,
    KerasMLPClassifier,
    KerasMLPRegressor,
    KerasRegressor,
    diagnose,
)
from skhp.inspection.examined_fit import examined_fit
from skhp.inspection.value_text import number_text
from skhp.shared.class_targets import target_summary

pytestmark = pytest.mark.slow

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


# ---------------------------------------------------------------- the target


def far_target(seed=0):
    X, y = make_regression(120, 4, noise=5, random_state=seed)
    return X, 50 * y + 1000


def unit(meta):
    import keras

    inputs = keras.Input((meta["n_features_in_"],))
    return keras.Model(inputs, keras.layers.Dense(meta["n_outputs_expected_"] or 1)(inputs))


def unscaled(**parameters):
    """A network that learns its target as it is, also where it could scale it."""
    network = KerasMLPRegressor(**parameters)
    switch = {"scale_target": False} if "scale_target" in network.get_params() else {}
    return network.set_params(**switch)


@pytest.mark.parametrize(
    "network",
    [
        unscaled(epochs=3, random_state=0),
        KerasRegressor(unit, loss="mse", epochs=3, random_state=0),
        MLPRegressor(max_iter=5, random_state=0),
        make_pipeline(StandardScaler(), unscaled(epochs=3, random_state=0)),
    ],
    ids=["off", "wrapped", "scikit-learn", "pipeline"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_target_that_nothing_scales(network):
    X, y = far_target()
    finding = diagnose(clone(network).fit(X, y), y)[0]
    assert finding.kind == "target_not_scaled"
    assert finding.figure == pytest.approx(np.std(y))
    assert f"the mean {number_text(np.mean(y))}" in finding.message
    # What wraps the network scales it, or it is near unit scale as it is.
    near = clone(network).fit(X, scale(y))
    wrapped = TransformedTargetRegressor(network, transformer=StandardScaler()).fit(X, y)
    for fitted, target in ((near, scale(y)), (wrapped, y)):
        assert "target_not_scaled" not in [f.kind for f in diagnose(fitted, target)]
    assert "the scale of the target" in str(diagnose(near))


def test_a_network_that_scales_its_target_itself():
    X, y = far_target()
    fitted = unscaled(epochs=3, random_state=0).fit(X, y)
    fitted.scale_target, fitted.target_scale_ = True, np.array([np.std(y)])
    assert "target_not_scaled" not in [f.kind for f in diagnose(fitted, y)]
    # Its losses are of what it learnt.
    assert examined_fit(fitted, y).constant_loss == pytest.approx(1)


def test_a_search_knows_its_target():
    X, y = far_target()
    search = GridSearchCV(unscaled(epochs=3, random_state=0), {"neurons": [2, 3]}, cv=2).fit(X, y)
    diagnosis = diagnose(search)
    assert "target_not_scaled" in [finding.kind for finding in diagnosis]
    assert "Give diagnose the y" not in str(diagnosis)
    assert str(diagnosis) == str(diagnose(search, y))
    loaded = pickle.loads(pickle.dumps(search))
    assert str(diagnose(loaded)) == str(diagnosis)


def test_a_summary_of_a_target_says_what_the_target_says():
    X, y = classes(0, 200)
    network = KerasMLPClassifier(epochs=3, random_state=0).fit(X, y)
    assert examined_fit(network, target_summary(y)).constant_loss == pytest.approx(
        log_loss(y, np.tile(np.bincount(y) / len(y), (len(y), 1)))
    )
    one_hot = np.eye(2)[y]
    assert target_summary(one_hot).entropy == target_summary(y).entropy
    assert target_summary(None) is None
    assert target_summary([[1, 2], [3]]) is None
    assert target_summary({"a": [1, 2]}) is None
    assert target_summary(np.array(["a", 1], dtype=object)).rarest is None


# ---------------------------------------------------------------- what is still improving


def test_a_fit_whose_best_epoch_is_its_last_one():
    X, y = classes(2)
    network = KerasMLPClassifier(random_state=2).fit(X, y)
    assert (network.n_iter_, network.best_epoch_) == (200, 200)
    assert "still improving at the last epoch" in str(diagnose(network, y))
    watched = KerasMLPClassifier(random_state=0, epochs=200, patience=200, monitor="val_accuracy")
    watched.fit(X, y)
    watched.best_epoch_ = 200
    assert "val_accuracy was still improving at the last epoch" in str(diagnose(watched, y))


def test_a_refit_for_the_median_of_the_folds_is_not_told_to_train_on():
    X, y = classes(0, 300)
    network = KerasMLPClassifier(epochs=5, random_state=0)
    search = GridSearchCV(network, {"neurons": [4, 5]}, cv=3, refit_epochs="median").fit(X, y)
    diagnosis = diagnose(search)
    assert "too_few_epochs" not in [finding.kind for finding in diagnosis]
    assert "Set early_stopping=True" not in str(diagnosis)
    assert "refit_epochs='median' trains on all rows" in str(diagnosis)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_nothing_is_asked_for_that_is_there_or_cannot_be():
    X, y = classes(0, 200)
    stopped = MLPClassifier(early_stopping=True, max_iter=5, random_state=0).fit(X, y)
    assert "Set early_stopping" not in str(diagnose(stopped, y))
    wrapped = KerasClassifier(unit_of_classes, loss="binary_crossentropy", epochs=3).fit(X, y)
    assert "Set validation_split=0.2" in str(diagnose(wrapped, y))
    forest = GridSearchCV(RandomForestClassifier(5), {"max_depth": [1, 2]}, cv=2).fit(X, y)
    assert "as RandomForestClassifier keeps no curves of it" in str(diagnose(forest))


def unit_of_classes(meta):
    import keras

    inputs = keras.Input((meta["n_features_in_"],))
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(inputs))


@pytest.mark.parametrize(("rows", "rarest"), [("random", 4), ("last", None)])
def test_last_rows_may_hold_any_number_of_the_rarest_class(rows, rarest):
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.tile([0, 1, 1], 20)
    fitted = KerasMLPClassifier(epochs=2, validation_rows=rows, random_state=0).fit(X, y)
    examined = examined_fit(fitted, y)
    assert (examined.held_out_rows, examined.rarest_held_out) == (12, rarest)
