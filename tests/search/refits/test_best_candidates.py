"""The best candidates of a search, trained on all rows, against fits of each alone."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skhp import (
    BayesSearchCV,
    GridSearchCV,
    HalvingGridSearchCV,
    InvalidParameterError,
    KerasMLPClassifier,
    RandomizedSearchCV,
    TPESearchCV,
)

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(160, 4))
Y = (X[:, 0] + GENERATOR.normal(size=160) / 2 > 0.3).astype(int)
FOLDS = StratifiedKFold(3)
NETWORK = KerasMLPClassifier(epochs=30, patience=4, random_state=0)
RATES = {"learning_rate": [0.0003, 0.1, 0.001, 0.03]}
TREE = DecisionTreeClassifier(random_state=0)
DEPTHS = {"max_depth": [1, 2, 3, 4]}
ALPHAS = {"ccp_alpha": (0.0, 0.1)}


def search(estimator=NETWORK, grid=RATES, **settings):
    return GridSearchCV(estimator, grid, **{"cv": FOLDS, "scoring": "roc_auc"} | settings)


@pytest.fixture(scope="module")
def found():
    return search().fit(X, Y)


def order_of(found, metric="score"):
    return np.argsort(-found.cv_results_[f"mean_test_{metric}"], kind="stable")


def rates(estimators):
    return [estimator.get_params()["learning_rate"] for estimator in estimators]


class TestNetworks:
    def test_are_those_of_clones_fitted_alone_and_train_together(self, found, trained_together):
        with trained_together() as sizes:
            best = found.best_estimators(3, X, Y)
        assert sizes == [3]
        expected = [found.cv_results_["params"][k] for k in order_of(found)[:3]]
        assert rates(best) == [values["learning_rate"] for values in expected]
        for estimator, values in zip(best, expected, strict=True):
            alone = clone(NETWORK).set_params(**values).fit(X, Y)
            assert (estimator.n_iter_, estimator.best_epoch_) == (alone.n_iter_, alone.best_epoch_)
            np.testing.assert_allclose(
                estimator.predict_proba(X), alone.predict_proba(X), atol=1e-3
            )

    def test_the_first_is_the_refitted_one_to_the_bit(self, found):
        (best,) = found.best_estimators(1, X, Y)
        assert best is not found.best_estimator_
        np.testing.assert_array_equal(best.predict_proba(X), found.best_estimator_.predict_proba(X))

    def test_so_it_is_after_pickling(self, found):
        (best,) = pickle.loads(pickle.dumps(found)).best_estimators(1, X, Y)
        np.testing.assert_array_equal(best.predict_proba(X), found.best_estimator_.predict_proba(X))

    def test_train_for_the_median_of_their_own_best_epochs(self):
        found = search(refit_epochs="median").fit(X, Y)
        best = found.best_estimators(2, X, Y)
        for estimator in best:
            values = {"learning_rate": estimator.learning_rate}
            fitted = cross_validate(
                clone(NETWORK).set_params(**values), X, Y, cv=FOLDS, return_estimator=True
            )
            epochs = [one.best_epoch_ for one in fitted["estimator"]]
            assert estimator.n_iter_ == round(np.median(epochs))
            assert not estimator.early_stopping
        assert best[0].n_iter_ == found.best_estimator_.n_iter_

    def test_stop_early_as_the_search_was_told(self):
        pipeline = make_pipeline(StandardScaler(), clone(NETWORK).set_params(early_stopping=False))
        grid = {f"kerasmlpclassifier__{name}": values for name, values in RATES.items()}
        found = search(pipeline, grid, early_stopping={"patience": 2}, refit=False).fit(X, Y)
        for fitted in found.best_estimators(2, X, Y):
            assert fitted[-1].early_stopping
            assert fitted[-1].patience == 2
            assert "val_loss" in fitted[-1].history_
        assert pipeline[-1].early_stopping is False

    def test_have_a_threshold_of_the_folds_where_they_hold_nothing_out(self):
        network = clone(NETWORK).set_params(threshold="tune", early_stopping=False, epochs=8)
        found = search(network, {"learning_rate": [0.001, 0.03]}).fit(X, Y)
        first, second = found.best_estimators(2, X, Y)
        assert first.threshold == found.best_estimator_.threshold
        other = {"learning_rate": [second.learning_rate]}
        expected = search(network, other).fit(X, Y).best_estimator_.threshold
        assert second.threshold == pytest.approx(expected, abs=1e-3)
        assert first.threshold != second.threshold
        # Other rows have folds of their own.
        (shorter,) = found.best_estimators(1, X[:90], Y[:90])
        assert 0 < shorter.threshold < 1

    def test_alone_if_the_search_trains_no_population(self, found, monkeypatch):
        def refuse(*_, **__):
            raise AssertionError("trained together")

        monkeypatch.setattr("skhp.search.refits.best_candidates.fit_together", refuse)
        alone = clone(found).set_params(population=False, refit=False).fit(X, Y)
        best = alone.best_estimators(2, X, Y)
        assert rates(best) == [RATES["learning_rate"][k] for k in order_of(alone)[:2]]

    def test_pruned_ones_are_left_out(self):
        pruned = search(prune={"rungs": (4,), "factor": 2}).fit(X, Y)
        kept = np.flatnonzero(np.isnan(pruned.cv_results_["pruned_at_epoch"]))
        assert len(kept) == 2
        best = pruned.best_estimators(2, X, Y)
        assert rates(best)[0] == pruned.best_params_["learning_rate"]
        assert set(rates(best)) == {RATES["learning_rate"][k] for k in kept}
        with pytest.raises(InvalidParameterError, match=r"k=3 is above .*pruned, 2\."):
            pruned.best_estimators(3, X, Y)

    def test_after_halving_all_have_the_resources_of_the_last_round(self):
        halving = HalvingGridSearchCV(
            clone(NETWORK),
            RATES,
            resource="epochs",
            min_resources=5,
            max_resources=10,
            factor=2,
            cv=FOLDS,
            random_state=0,
        ).fit(X, Y)
        results = halving.cv_results_
        assert results["iter"].tolist() == [0, 0, 0, 0, 1, 1]
        # Scores of different resources do not compare.
        results["mean_test_score"][:4] += 1
        best = halving.best_estimators(4, X, Y)
        assert {estimator.epochs for estimator in best} == {10}
        last = sorted(range(4, 6), key=lambda k: -results["mean_test_score"][k])
        survivors = [results["params"][k]["learning_rate"] for k in last]
        dropped = sorted(range(4), key=lambda k: -results["mean_test_score"][k])
        others = [results["params"][k]["learning_rate"] for k in dropped]
        assert rates(best) == [*survivors, *(rate for rate in others if rate not in survivors)]


class Failing(ClassifierMixin, BaseEstimator):
    """Predicts the sign of a column; fails for a column that does not exist."""

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y, sample_weight=None):
        self.classes_, self.weight_ = np.unique(y), sample_weight
        self.training_ = X[:, self.column]
        return self

    def predict(self, X):
        return self.classes_[(X[:, self.column] > 0.3).astype(int)]


class TestAnyEstimator:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: search(TREE, DEPTHS),
            lambda: RandomizedSearchCV(TREE, DEPTHS, n_iter=4, random_state=0, cv=FOLDS),
            lambda: BayesSearchCV(TREE, ALPHAS, n_iter=3, random_state=0, cv=FOLDS),
            lambda: TPESearchCV(TREE, ALPHAS, n_iter=3, random_state=0, cv=FOLDS),
        ],
        ids=["grid", "random", "bayes", "tpe"],
    )
    def test_in_each_search(self, make):
        found = make().fit(X, Y)
        first, second = found.best_estimators(2, X, Y)
        assert first.get_params() == found.best_estimator_.get_params()
        assert first.get_params() != second.get_params()
        alone = clone(second).fit(X, Y)
        np.testing.assert_array_equal(second.predict_proba(X), alone.predict_proba(X))
        expected = found.cv_results_["params"][order_of(found)[1]]
        assert expected.items() <= second.get_params().items()

    def test_equal_ones_keep_their_order_and_copies_count_once(self):
        found = search(TREE, {"max_depth": [9, 3, 3, 9], "ccp_alpha": [0.9, 0.8]}).fit(X, Y)
        assert len(set(found.cv_results_["mean_test_score"])) == 1
        best = found.best_estimators(4, X, Y)
        told = [(tree.ccp_alpha, tree.max_depth) for tree in best]
        assert told == [(0.9, 9), (0.9, 3), (0.8, 9), (0.8, 3)]
        with pytest.raises(InvalidParameterError, match=r"pruned, 4\."):
            found.best_estimators(5, X, Y)

    @pytest.mark.parametrize("error_score", [np.nan, 99.0])
    def test_failed_ones_are_left_out(self, error_score):
        grid = {"column": [7, 1, 0]}
        with warnings.catch_warnings(action="ignore"):
            found = search(Failing(), grid, error_score=error_score, refit=False, scoring="f1").fit(
                X, Y
            )
        assert [one.column for one in found.best_estimators(2, X, Y)] == [0, 1]
        with pytest.raises(InvalidParameterError, match="failed"):
            found.best_estimators(3, X, Y)

    def test_what_a_function_chose_comes_first(self):
        found = search(TREE, DEPTHS, refit=lambda results: 2).fit(X, Y)
        order = [2, *(k for k in order_of(found) if k != 2)]
        told = [tree.max_depth for tree in found.best_estimators(4, X, Y)]
        assert told == [DEPTHS["max_depth"][k] for k in order]

    def test_several_metrics_are_ranked_by_that_of_the_refit(self):
        worst = make_scorer(accuracy_score, greater_is_better=False)
        metrics = {"accuracy": "accuracy", "worst": worst}
        found = search(TREE, DEPTHS, scoring=metrics, refit="worst").fit(X, Y)
        assert order_of(found, "worst").tolist() != order_of(found, "accuracy").tolist()
        told = [tree.max_depth for tree in found.best_estimators(4, X, Y)]
        assert told == [DEPTHS["max_depth"][k] for k in order_of(found, "worst")]

    def test_arguments_of_fit_reach_it(self):
        weight = GENERATOR.uniform(size=160)
        found = search(Failing(), {"column": [0, 1]}, scoring="f1", refit=False).fit(X, Y)
        (best,) = found.best_estimators(1, X, Y, sample_weight=weight, groups=Y)
        np.testing.assert_array_equal(best.weight_, weight)
        with sklearn.config_context(enable_metadata_routing=True):
            routed = search(
                Failing().set_fit_request(sample_weight=True),
                {"column": [0, 1]},
                refit=False,
                scoring="auto",
            ).fit(X, Y, sample_weight=weight)
            (best,) = routed.best_estimators(1, X, Y, sample_weight=weight)
        np.testing.assert_array_equal(best.weight_, weight)

    def test_other_rows_may_be_given(self):
        found = search(Failing(), {"column": [0, 1]}, scoring="f1").fit(X, Y)
        (best,) = found.best_estimators(1, X[:50], Y[:50])
        np.testing.assert_array_equal(best.training_, X[:50, 0])


class TestRefused:
    @pytest.mark.parametrize("k", [0, -1, 1.5, True, "2", None])
    def test_what_is_not_a_number_of_candidates(self, k, found):
        with pytest.raises(InvalidParameterError, match="give a whole number of 1 or more"):
            found.best_estimators(k, X, Y)

    def test_more_than_there_are(self, found):
        with pytest.raises(InvalidParameterError, match=r"k=5 is above .*pruned, 4\."):
            found.best_estimators(5, X, Y)

    def test_before_the_search(self):
        with pytest.raises(NotFittedError):
            search().best_estimators(1, X, Y)

    def test_several_metrics_of_which_none_is_named(self):
        found = search(TREE, DEPTHS, scoring=["accuracy", "recall"], refit=False).fit(X, Y)
        with pytest.raises(InvalidParameterError, match="set refit to the name of a metric"):
            found.best_estimators(1, X, Y)

    def test_errors_of_a_fit_are_raised(self, found):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            found.best_estimators(1, X, Y[:9])
        with pytest.raises(ValueError, match="NaN"):
            found.best_estimators(2, np.full_like(X, np.nan), Y)
