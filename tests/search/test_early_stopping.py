"""Early stopping is switched on wherever there is a parameter for it."""

import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier, GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import GridSearchCV, InvalidParameterError, KerasMLPClassifier
from skhp.search.early_stopping import with_early_stopping

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
        found = with_early_stopping(KerasMLPClassifier(early_stopping=False), "auto", Y)
        assert found.early_stopping is True

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
