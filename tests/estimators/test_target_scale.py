"""A regressor learns its target in deviations from the mean, and tells everything in its unit."""

import copy
import pickle

import joblib
import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error, mean_squared_error, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import KerasMLPRegressor

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(90, 3)).astype(np.float32).astype(np.float64)
PLAIN = X[:, 0] - 2 * X[:, 1] + 0.3 * np.abs(X[:, 2])
BOTH = np.column_stack([1e6 * PLAIN + 5e6, 1e-3 * X[:, 0] - 7])
HELD = slice(0, 30)
REST = slice(30, None)


def quick(**parameters):
    defaults = {"epochs": 12, "random_state": 0, "neurons": 5, "learning_rate": 0.03}
    return KerasMLPRegressor(**defaults | parameters)


@pytest.mark.parametrize(
    ("engine", "y"),
    [("population", 1e4 * PLAIN + 300), ("population", BOTH), ("keras", BOTH)],
    ids=["one", "two", "two by Keras"],
)
def test_it_is_the_fit_of_a_target_scaled_by_hand(engine, y):
    scaler = StandardScaler().fit(y[REST].reshape(60, -1))
    scaled = scaler.transform(y.reshape(90, -1)).reshape(y.shape)
    by_itself = quick(engine=engine).fit(X[REST], y[REST], X_val=X[HELD], y_val=y[HELD])
    by_hand = quick(engine=engine, scale_target=False)
    by_hand.fit(X[REST], scaled[REST], X_val=X[HELD], y_val=scaled[HELD])
    np.testing.assert_allclose(by_itself.target_mean_, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(by_itself.target_scale_, scaler.scale_, rtol=1e-12)
    for name, values in by_hand.history_.items():
        np.testing.assert_allclose(by_itself.history_[name], values, rtol=1e-4)
    expected = scaler.inverse_transform(by_hand.predict(X).reshape(90, -1)).reshape(y.shape)
    np.testing.assert_allclose(by_itself.predict(X), expected, rtol=1e-5)


def test_only_the_rows_that_are_trained_on_decide_the_scale():
    y = PLAIN.copy()
    fitted = quick(validation_fraction=0.5).fit(X, y)
    assert fitted.target_mean_[0] != pytest.approx(y.mean())
    given = quick().fit(X[REST], y[REST], X_val=X[HELD], y_val=y[HELD] + 1e6)
    np.testing.assert_allclose(given.target_mean_, y[REST].mean())
    np.testing.assert_allclose(given.target_scale_, y[REST].std())
    whole = quick(early_stopping=False).fit(X, y)
    np.testing.assert_allclose(whole.target_mean_, y.mean())


def test_a_weight_of_two_is_the_row_twice_and_of_zero_no_row():
    weight = np.arange(90) % 4
    copies = np.repeat(np.arange(90), weight)
    order = GENERATOR.permutation(len(copies))
    settings = {"early_stopping": False, "batch_size": "full"}
    weighted = quick(**settings).fit(X, BOTH, sample_weight=weight)
    repeated = quick(**settings).fit(X[copies][order], BOTH[copies][order])
    np.testing.assert_array_equal(weighted.target_mean_, repeated.target_mean_)
    np.testing.assert_array_equal(weighted.target_scale_, repeated.target_scale_)
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))
    np.testing.assert_allclose(weighted.target_mean_, np.average(BOTH, axis=0, weights=weight))


def test_off_leaves_the_target_as_it_is():
    fitted = quick(scale_target=False).fit(X, BOTH)
    assert fitted.target_mean_.tolist() == [0, 0]
    assert fitted.target_scale_.tolist() == [1, 1]
    assert fitted.model_.layers[-1].name == "logits"


METRICS = {
    "mean_absolute_error": mean_absolute_error,
    "mean_squared_error": mean_squared_error,
    "root_mean_squared_error": root_mean_squared_error,
}


@pytest.mark.parametrize(
    ("name", "y", "engine"),
    [
        ("mean_absolute_error", BOTH, "population"),
        ("mean_squared_error", BOTH, "population"),
        ("mean_squared_error", BOTH, "keras"),
        ("root_mean_squared_error", 1e4 * PLAIN + 300, "population"),
    ],
    ids=["absolute", "squared", "squared by Keras", "root"],
)
def test_metrics_are_in_the_unit_of_the_target(engine, name, y):
    fitted = quick(monitor=f"val_{name}", engine=engine, epochs=6)
    fitted.fit(X[REST], y[REST], X_val=X[HELD], y_val=y[HELD])
    values = fitted.history_[f"val_{name}"]
    assert fitted.best_epoch_ == np.argmin(values) + 1
    expected = METRICS[name](y[HELD], fitted.predict(X[HELD]))
    assert min(values) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["mean_squared_error", "root_mean_squared_error"])
def test_the_least_change_is_in_the_unit_of_the_metric(name):
    power = 2 if "squared" in name and "root" not in name else 1
    ended = {}
    for unit in (1.0, 1e3):
        fitted = quick(monitor=f"val_{name}", epochs=40, patience=2, min_delta=0.05 * unit**power)
        fitted.fit(X, unit * PLAIN)
        ended[unit] = fitted.n_iter_, fitted.best_epoch_
        assert fitted.stop_reason_ == "patience"
    assert ended[1.0] == ended[1e3]


@pytest.mark.parametrize(
    "y",
    [1e9 + PLAIN, 1e30 * PLAIN, 1e-30 * PLAIN, -5e15 + 1e3 * PLAIN, BOTH],
    ids=["offset", "huge", "tiny", "beyond float32", "two"],
)
def test_no_offset_and_no_size_costs_what_is_learnt(y):
    reference = quick(epochs=60).fit(X, PLAIN).score(X, PLAIN)
    fitted = quick(epochs=60).fit(X, y)
    if y.ndim == 1:
        assert fitted.score(X, y) == pytest.approx(reference, abs=0.01)
    else:
        assert fitted.score(X, y) > 0.9
    outputs = fitted.model_.predict(X, verbose=0).reshape(y.shape)
    np.testing.assert_allclose((outputs - fitted.predict(X)) / fitted.target_scale_, 0, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 3.3, -1e12])
def test_a_constant_target_has_a_scale_of_one(value):
    # One tenth added up is not ten times one tenth; the mean of equal numbers is that number.
    fitted = quick(epochs=80, early_stopping=False, batch_size="full").fit(X, np.full(90, value))
    assert fitted.target_scale_.tolist() == [1]
    assert fitted.target_mean_.tolist() == [value]
    np.testing.assert_allclose(fitted.predict(X) - value, 0, atol=0.5)


def test_targets_beyond_float32_are_refused():
    with pytest.raises(ValueError, match="too large for the float32"):
        quick().fit(X, 1e300 * PLAIN)
    with pytest.raises(ValueError, match="target_scale_"):
        quick().fit(X, 1e-10 * PLAIN, X_val=X, y_val=1e35 * PLAIN)


def test_the_exported_model_predicts_in_the_unit_and_shares_the_weights(tmp_path):
    y = 1e4 * PLAIN + 300
    fitted = quick().fit(X, y)
    unscaled = quick(scale_target=False).fit(X, y)
    model = fitted.model_
    assert fitted.model_ is model
    assert [w.shape for w in model.get_weights()] == [
        w.shape for w in unscaled.model_.get_weights()
    ]
    np.testing.assert_allclose(model.predict(X, verbose=0)[:, 0], fitted.predict(X), rtol=1e-4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0)[:, 0], fitted.predict(X), rtol=1e-4)
    expected = mean_squared_error(y, fitted.predict(X))
    assert model.evaluate(X, y[:, None], verbose=0) == pytest.approx(expected, rel=1e-3)
    model.set_weights([0 * w for w in model.get_weights()])
    np.testing.assert_allclose(fitted.predict(X), fitted.target_mean_[0])


@pytest.mark.parametrize("built", [False, True])
def test_copies_predict_and_train_on_alike(built, tmp_path):
    fitted = quick().fit(X, BOTH)
    if built:
        fitted.model_.predict(X[:2], verbose=0)
    joblib.dump(fitted, tmp_path / "fitted")
    copies = [pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)]
    copies.append(joblib.load(tmp_path / "fitted"))
    expected = clone(fitted).fit(X, BOTH).partial_fit(X[:40], BOTH[:40]).predict(X)
    for one in copies:
        np.testing.assert_array_equal(one.predict(X), fitted.predict(X))
        np.testing.assert_allclose(one.model_.predict(X, verbose=0), fitted.predict(X), rtol=1e-4)
        one.partial_fit(X[:40], BOTH[:40])
        np.testing.assert_allclose(one.predict(X), expected, rtol=1e-5)


def test_the_first_call_decides_the_scale_for_later_ones():
    fitted = quick().partial_fit(X[:50], PLAIN[:50])
    mean, scale = fitted.target_mean_, fitted.target_scale_
    np.testing.assert_allclose(mean, PLAIN[:50].mean())
    fitted.partial_fit(X[50:], 100 * PLAIN[50:] + 9)
    warm = quick(warm_start=True).fit(X[:50], PLAIN[:50])
    first = warm.target_mean_
    warm.fit(X, PLAIN + 50)
    np.testing.assert_array_equal(fitted.target_mean_, mean)
    np.testing.assert_array_equal(fitted.target_scale_, scale)
    np.testing.assert_array_equal(warm.target_mean_, first)
    anew = quick().fit(X, PLAIN).fit(X, PLAIN + 50)
    assert anew.target_mean_[0] > 40


def test_a_warm_start_goes_on_in_the_unit_of_the_target():
    fitted = quick(warm_start=True, epochs=60, early_stopping=False).fit(X, 1e4 * PLAIN)
    before = fitted.score(X, 1e4 * PLAIN)
    assert fitted.fit(X, 1e4 * PLAIN).score(X, 1e4 * PLAIN) > before > 0.9


class TestPopulation:
    y = 1e4 * PLAIN + np.arange(90.0) ** 2

    def test_members_of_folds_have_scales_of_their_own(self):
        network = quick(monitor="val_mean_absolute_error")
        alone = cross_val_score(network, X, self.y, cv=KFold(3))
        with skhp.population():
            together = cross_val_score(network, X, self.y, cv=KFold(3))
        np.testing.assert_allclose(together, alone, atol=1e-4)

    def test_a_candidate_without_never_trains_on_rows_prepared_for_one_with(self):
        grid = {"scale_target": [True, False], "learning_rate": [0.03, 0.1]}
        searches = []
        for backend in (False, True):
            search = GridSearchCV(quick(), grid, cv=3, return_train_score=True)
            if backend:
                with skhp.population():
                    search.fit(X, PLAIN * 3 + 8)
            else:
                search.fit(X, PLAIN * 3 + 8)
            searches.append(search)
        alone, together = (search.cv_results_ for search in searches)
        np.testing.assert_allclose(together["mean_test_score"], alone["mean_test_score"], atol=1e-3)
        scores = dict(zip(map(str, together["params"]), together["mean_test_score"], strict=True))
        assert len(set(scores.values())) == 4

    def test_losses_of_scaled_and_plain_targets_are_ranked_apart(self):
        grid = {"scale_target": [True, False], "learning_rate": [1e-4, 0.01, 0.05]}
        search = skhp.GridSearchCV(
            quick(epochs=30), grid, cv=2, prune={"rungs": (5,), "factor": 3}, refit=False
        ).fit(X, 1e-3 * PLAIN)
        kept = np.isnan(search.cv_results_["pruned_at_epoch"])
        scaled = np.array([one["scale_target"] for one in search.cv_results_["params"]])
        # The plain loss of a target of a thousandth is a millionth; each kind keeps its own best.
        assert kept[scaled].sum() == 1
        assert kept[~scaled].sum() == 1
