"""Early stopping is switched on wherever there is a parameter for it."""

import contextlib

import keras
import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier, GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import (
    GridSearchCV,
    InvalidParameterError,
    KerasClassifier,
    KerasMLPClassifier,
    KerasRegressor,
    KerasRNNRegressor,
)
from skhp.estimators.keras_model import wrapped_fit as scikeras_fit
from skhp.search.early_stopping import with_early_stopping
from tests.estimators.keras_model.build_functions import build_classifier, build_regressor

pytestmark = pytest.mark.slow

STOPPING = keras.callbacks.EarlyStopping
Y = np.arange(200) % 3 == 0


def changed(estimator, setting, y=Y):
    """Parameters that were changed, and their new values."""
    before = estimator.get_params()
    after = with_early_stopping(estimator, setting, y).get_params()
    return {name: after[name] for name in before if repr(after[name]) != repr(before[name])}


class TestAuto:
    def test_scikit_learns_own_stop(self):
        assert changed(MLPClassifier(), "auto") == {"early_stopping": True}
        assert changed(SGDClassifier(), "auto") == {"early_stopping": True}
        regressor = GradientBoostingRegressor()
        assert changed(regressor, "auto", np.arange(200.0)) == {"n_iter_no_change": 10}

    def test_skhps_own_stop_anyway(self):
        network = KerasMLPClassifier(patience=4)
        assert with_early_stopping(network, "auto", Y) is network

    def test_who_was_told_not_to_stop_does_not(self):
        told = KerasMLPClassifier(early_stopping=False)
        assert with_early_stopping(told, "auto", Y) is told
        pipeline = make_pipeline(StandardScaler(), KerasRNNRegressor(early_stopping=False))
        assert with_early_stopping(pipeline, "auto", np.arange(200.0)) is pipeline
        assert with_early_stopping(told, True, Y).early_stopping is True

    def test_wrapped_models_are_switched_on(self):
        wrapped = KerasClassifier(build_classifier)
        assert changed(wrapped, "auto") == {"early_stopping": True}
        pipeline = make_pipeline(StandardScaler(), KerasRegressor(build_regressor))
        found = with_early_stopping(pipeline, "auto", np.arange(200.0))
        assert found[-1].early_stopping is True
        assert changed(wrapped, 3) == {"early_stopping": True, "patience": 3}

    @pytest.mark.parametrize(
        "callbacks",
        [
            STOPPING,
            STOPPING(patience=2),
            [keras.callbacks.TerminateOnNaN(), STOPPING],
            {"stop": STOPPING},
            [[type("Own", (STOPPING,), {})()]],
        ],
        ids=["class", "instance", "list", "dict", "subclass"],
    )
    @pytest.mark.parametrize("name", ["callbacks", "fit__callbacks"])
    def test_a_callback_that_stops_is_enough(self, callbacks, name):
        wrapped = KerasClassifier(build_classifier, **{name: callbacks})
        assert with_early_stopping(wrapped, "auto", Y) is wrapped
        others = KerasClassifier(build_classifier, callbacks=keras.callbacks.TerminateOnNaN)
        assert with_early_stopping(others, "auto", Y).early_stopping is True

    def test_an_argument_of_a_build_function_is_no_switch(self):
        wrapped = KerasClassifier(build_classifier, model__early_stopping=False)
        assert changed(wrapped, "auto") == {"early_stopping": True}

    def test_the_last_rows_count_where_they_are_watched(self):
        y = np.arange(40.0)
        few, enough = (KerasRegressor(build_regressor, validation_split=s) for s in (0.1, 0.3))
        assert with_early_stopping(few, "auto", y) is few
        assert with_early_stopping(enough, "auto", y).early_stopping is True

    def test_they_are_found_within_others(self):
        pipeline = make_pipeline(StandardScaler(), BaggingClassifier(MLPClassifier()))
        found = with_early_stopping(pipeline, "auto", Y)
        assert found.get_params()["baggingclassifier__estimator__early_stopping"] is True
        assert pipeline.get_params()["baggingclassifier__estimator__early_stopping"] is False

    def test_what_cannot_stop_is_left_as_it_is(self):
        estimator = LogisticRegression()
        assert with_early_stopping(estimator, "auto", Y) is estimator

    @pytest.mark.parametrize(
        ("estimator", "y"),
        [
            (MLPClassifier(), np.arange(30) % 2),
            (MLPClassifier(), np.r_[np.zeros(200), 1, 1]),
            (MLPRegressor(), np.arange(40.0)),
            (MLPClassifier(), None),
        ],
        ids=["few rows", "a rare class", "regression", "no target"],
    )
    def test_too_few_rows_to_stop_by(self, estimator, y):
        assert with_early_stopping(estimator, "auto", y) is estimator


class TestSettings:
    def test_false_changes_nothing(self):
        network = MLPClassifier()
        assert with_early_stopping(network, False, Y) is network

    def test_true_does_not_look_at_the_rows(self):
        assert changed(MLPClassifier(), True, np.arange(4) % 2) == {"early_stopping": True}

    def test_a_number_is_the_patience(self):
        assert changed(MLPClassifier(), 3) == {"early_stopping": True, "n_iter_no_change": 3}
        assert changed(GradientBoostingRegressor(), 3) == {"n_iter_no_change": 3}
        assert changed(KerasMLPClassifier(), 3) == {"patience": 3}

    def test_a_dict_sets_parameters(self):
        pipeline = make_pipeline(StandardScaler(), KerasMLPClassifier(early_stopping=False))
        found = with_early_stopping(pipeline, {"patience": 5, "monitor": "val_f1"}, Y)[-1]
        assert (found.early_stopping, found.patience, found.monitor) == (True, 5, "val_f1")

    @pytest.mark.parametrize("setting", [True, 5, {"patience": 5}])
    def test_an_estimator_that_cannot(self, setting):
        with pytest.raises(InvalidParameterError, match="LogisticRegression has no parameter"):
            with_early_stopping(LogisticRegression(), setting, Y)

    def test_a_misspelt_parameter(self):
        with pytest.raises(InvalidParameterError, match=r"'patienc'.*patience"):
            with_early_stopping(KerasMLPClassifier(), {"patienc": 3}, Y)


class TestSearches:
    def test_candidates_and_the_best_stop_by_the_same_rule(self):
        X = np.random.default_rng(0).normal(size=(200, 3))
        network = KerasMLPClassifier(epochs=60, early_stopping=False, random_state=0)
        grid = {"learning_rate": [0.5, 0.1]}
        search = GridSearchCV(network, grid, cv=2, early_stopping=3).fit(X, X[:, 0] > 0)
        assert (search.cv_results_["mean_n_iter"] < 60).all()
        best = search.best_estimator_
        assert (best.early_stopping, best.patience) == (True, 3)
        # What the search was given stays as it was.
        assert search.estimator is network
        assert network.early_stopping is False

    def test_a_candidate_may_say_otherwise(self):
        X = np.random.default_rng(0).normal(size=(200, 3))
        network = KerasMLPClassifier(epochs=20, patience=1, learning_rate=0.5, random_state=0)
        search = GridSearchCV(network, {"early_stopping": [True, False]}, cv=2, refit=False)
        results = search.fit(X, X[:, 0] > 0).cv_results_
        assert results["mean_n_iter"][0] < 20
        assert results["mean_n_iter"][1] == 20
        assert results["stop_reason"].tolist() == ["patience", "epochs"]

    def test_no_scoring_row_is_seen_by_training_or_stopping(self):
        # Rows that are scored hold values that explode in whoever learns from them.
        X = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
        y = X[:, 0] > 0
        folds = [(np.arange(80), np.arange(80, 100)), (np.arange(80), np.arange(100, 120))]
        network = KerasMLPClassifier(epochs=15, random_state=0)
        grid = {"learning_rate": [0.1, 0.01]}
        expected = GridSearchCV(network, grid, cv=folds, refit=False).fit(X, y)
        other = X.copy()
        other[80:] *= 1e6
        found = GridSearchCV(network, grid, cv=folds, refit=False).fit(other, y)
        for name in ("mean_n_iter", "mean_best_epoch"):
            assert found.cv_results_[name].tolist() == expected.cv_results_[name].tolist()
        assert found.cv_results_["mean_n_iter"].max() > 1


class TestWrappedModels:
    """Searches over models of the user's: they stop early, and together."""

    @pytest.fixture
    def rows(self):
        generator = np.random.default_rng(0)
        X = generator.normal(size=(160, 4)).astype(np.float32)
        return X, (X[:, 0] + generator.normal(size=160) > 0.5).astype(int)

    @staticmethod
    def wrapped(**parameters):
        return KerasClassifier(
            build_classifier,
            **{
                "optimizer": "adam",
                "optimizer__learning_rate": 0.03,
                "batch_size": 20,
                "epochs": 40,
                "random_state": 0,
                "patience": 3,
                **parameters,
            },
        )

    @contextlib.contextmanager
    def trained_together(self):
        def refuse(*_):
            raise AssertionError("a fit was trained by itself")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scikeras_fit, "LoneFit", refuse)
            patch.setattr(scikeras_fit, "fit_model", refuse)
            yield

    def test_candidates_are_those_that_keras_stops(self, rows):
        def searched(estimator, prefix=""):
            grid = {f"{prefix}optimizer__learning_rate": [0.01, 0.1]}
            search = GridSearchCV(estimator, grid, cv=2, scoring="roc_auc", refit=False)
            return search.fit(*rows).cv_results_

        # A scaler that leaves the columns as they are: within a pipeline, the fits are the same.
        pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), self.wrapped())
        with self.trained_together():
            results = [searched(self.wrapped()), searched(pipeline, "kerasclassifier__")]
        expected = searched(self.wrapped(engine="keras"))
        for found in results:
            for name in ("mean_n_iter", "mean_best_epoch", "stop_reason"):
                assert found[name].tolist() == expected[name].tolist()
            np.testing.assert_allclose(
                found["mean_test_score"], expected["mean_test_score"], atol=1e-6
            )
        assert expected["mean_n_iter"].min() < 40
        assert "patience" in expected["stop_reason"]

    def test_the_monitor_tells_its_gap_to_the_score(self, rows):
        setting = {"monitor": "val_roc_auc", "patience": 3}
        search = GridSearchCV(
            self.wrapped(), {"batch_size": [20]}, cv=2, early_stopping=setting, scoring="roc_auc"
        )
        with self.trained_together():
            search.set_params(refit=False).fit(*rows)
        assert np.isfinite(search.cv_results_["mean_stopping_gap"]).all()

    def test_the_callback_trains_together_too(self, rows):
        estimator = self.wrapped(
            callbacks=STOPPING, callbacks__patience=3, validation_split=0.25, epochs=20
        )
        grid = {"callbacks__patience": [1, 4], "callbacks__restore_best_weights": [True, False]}
        with self.trained_together():
            search = GridSearchCV(estimator, grid, cv=2, refit=False).fit(*rows)
        iterations = search.cv_results_["mean_n_iter"]
        # Which weights are kept changes nothing in how long it trains.
        assert iterations[0] == iterations[1] < iterations[2] == iterations[3]
        best = search.cv_results_["mean_best_epoch"]
        assert best[0] < iterations[0]
        assert best[1] == iterations[1]

    def test_the_best_is_refitted_for_as_long_as_its_folds_took(self, rows):
        grid = {"optimizer__learning_rate": [0.01, 0.1]}
        search = GridSearchCV(self.wrapped(), grid, cv=3, refit_epochs="median").fit(*rows)
        best = search.best_estimator_
        assert best.early_stopping is False
        assert best.n_iter_ == best.epochs < 40
        assert "val_loss" not in best.history_

    def test_the_last_rows_are_trained_on_in_the_end(self, rows):
        estimator = self.wrapped(validation_split=0.25)
        search = GridSearchCV(estimator, {"batch_size": [20]}, cv=2, refit_epochs="median")
        assert search.fit(*rows).best_estimator_.validation_split == 0.0

    def test_a_callback_would_end_the_refit(self, rows):
        estimator = self.wrapped(callbacks=STOPPING("loss"))
        search = GridSearchCV(estimator, {"batch_size": [20]}, refit_epochs="median")
        with pytest.raises(
            InvalidParameterError, match="set early_stopping=True in place of the callback"
        ):
            search.fit(*rows)

    def test_candidates_are_pruned_by_what_is_watched(self, rows):
        grid = {"optimizer__learning_rate": [1e-6, 0.1, 1e-5]}
        search = GridSearchCV(
            self.wrapped(patience=40), grid, cv=2, prune={"rungs": (4,), "factor": 3}, refit=False
        )
        with self.trained_together():
            results = search.fit(*rows).cv_results_
        np.testing.assert_array_equal(results["pruned_at_epoch"], [4, np.nan, 4])
