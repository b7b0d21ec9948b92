import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, get_scorer
from sklearn.model_selection import (
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import GridSearchCV, KerasClassifier, KerasMLPClassifier, RandomizedSearchCV
from skhp.exceptions import InvalidParameterError
from skhp.search.fold_thresholds import decided, tuned_by_folds
from skhp.shared.best_threshold import TUNED_BY_FOLDS, best_threshold

X, RARE = make_classification(
    300, 5, n_informative=3, weights=[0.85], flip_y=0.1, class_sep=0.7, random_state=3
)
X = X.astype(np.float32)
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)


def network(**parameters):
    given = {"early_stopping": False, "epochs": 15, "learning_rate": 0.01, "random_state": 0}
    return KerasMLPClassifier(**{"threshold": "tune", **given, **parameters})


def search_of(estimator, grid, **more):
    return GridSearchCV(estimator, grid, **{"cv": FOLDS, "early_stopping": False, **more})


class Known(ClassifierMixin, BaseEstimator):
    """Gives row i, which is [i], the i-th of some probabilities, and awaits a threshold."""

    awaits_threshold = True

    def __init__(self, probabilities, rare=1):
        self.probabilities = probabilities
        self.rare_class_ = rare
        self.classes_ = np.array([0, 1])

    def predict_proba(self, X):
        rare = self.probabilities[np.ravel(X)]
        return np.column_stack([1 - rare, rare] if self.rare_class_ else [rare, 1 - rare])

    def labels_at(self, positions):
        return self.classes_[positions]


def of_rows(n):
    return np.arange(n)[:, None]


class TestDecisionsOnAFold:
    def test_a_threshold_chosen_on_noise_gains_nothing(self):
        """Chosen on the rows that it decides, it seems to gain much."""
        random = np.random.default_rng(0)
        own, crossed, constant = [], [], []
        for _ in range(200):
            y = (random.random(60) < 0.2).astype(int)
            probability = random.random(60)
            known = decided(Known(probability), of_rows(60), y)
            crossed.append(f1_score(y, known.predict(known.X), zero_division=0.0))
            own.append(f1_score(y, probability >= best_threshold(probability, y == 1)))
            constant.append(f1_score(y, np.ones(60)))
        assert np.mean(crossed) < np.mean(constant) < np.mean(own) - 0.03

    @pytest.mark.parametrize("rare", [0, 1])
    def test_classes_that_a_threshold_separates_are_found(self, rare):
        y = np.arange(100) % 5 == 0
        probability = np.where(y, 0.05, 0.02) + np.linspace(0, 0.01, 100)
        labels = np.where(y, rare, 1 - rare)
        known = decided(Known(probability, rare), of_rows(100), labels)
        np.testing.assert_array_equal(known.predict(known.X), labels)
        assert get_scorer("f1_macro")(known, known.X, labels) == 1
        assert get_scorer("roc_auc")(known, known.X, labels) == 1
        assert known.score(known.X, labels) == 1

    def test_a_fold_without_the_rare_class(self):
        known = decided(Known(np.full(10, 0.3)), of_rows(10), np.zeros(10, int))
        np.testing.assert_array_equal(known.predict(known.X), np.zeros(10))

    def test_a_classifier_with_a_threshold_decides_by_itself(self):
        fitted = network(threshold=0.3).fit(X, RARE)
        assert decided(fitted, X, RARE) is fitted


class TestSearch:
    def test_the_threshold_is_the_best_on_the_rows_of_all_folds(self):
        search = search_of(network(), {"neurons": [4, 8]}).fit(X, RARE)
        assert type(search.best_params_["neurons"]) is int
        plain = network(threshold=0.5, **search.best_params_)
        probability = cross_val_predict(plain, X, RARE, cv=FOLDS, method="predict_proba")[:, 1]
        found = f1_score(RARE, probability >= search.best_estimator_.threshold_)
        cuts = np.unique(probability)
        best = max(f1_score(RARE, probability >= cut) for cut in cuts)
        assert found == pytest.approx(best, abs=0.01)
        # All rows train the network, and its copies keep the threshold.
        whole = clone(plain).fit(X, RARE)
        np.testing.assert_allclose(
            whole.predict_proba(X), search.best_estimator_.predict_proba(X), atol=1e-4
        )
        again = clone(search.best_estimator_).fit(X, RARE)
        assert again.threshold_ == search.best_estimator_.threshold_ != 0.5

    def test_scores_are_those_of_a_tuned_threshold(self):
        candidates = {"threshold": ["tune", 0.5]}
        tuned, half = search_of(network(), candidates).fit(X, RARE).cv_results_["mean_test_score"]
        lone = cross_val_score(network(threshold=0.5), X, RARE, cv=FOLDS, scoring="f1").mean()
        assert half == pytest.approx(lone, abs=0.01)
        assert tuned > half + 0.05

    def test_scores_of_probabilities_are_what_they_were(self):
        search = search_of(
            network(), {"threshold": ["tune", 0.5]}, scoring="average_precision", refit=False
        ).fit(X, RARE)
        tuned, half = search.cv_results_["mean_test_score"]
        assert tuned == half

    def test_some_candidates_hold_rows_out(self):
        search = search_of(network(), {"early_stopping": [True, False]}, scoring=["f1", "accuracy"])
        results = search.set_params(refit="f1").fit(X, RARE).cv_results_
        lone = cross_val_score(network(early_stopping=True), X, RARE, cv=FOLDS, scoring="f1").mean()
        assert results["mean_test_f1"][0] == pytest.approx(lone, abs=0.02)
        for held_out in (True, False):
            refitted = search_of(network(), {"early_stopping": [held_out]}).fit(X, RARE)
            threshold = refitted.best_estimator_.threshold
            assert threshold == "tune" if held_out else isinstance(threshold, float)
            assert type(refitted.best_estimator_.threshold) in (str, float)

    def test_what_the_user_wrote_is_in_the_results(self):
        search = search_of(network(threshold=0.5), {"threshold": ["tune"]}).fit(X, RARE)
        assert type(search.best_params_["threshold"]) is str
        assert type(search.cv_results_["params"][0]["threshold"]) is str
        assert search.estimator.threshold == 0.5
        assert isinstance(search.best_estimator_.threshold, float)

    def test_rows_held_out_by_a_parameter_of_fit(self):
        search = search_of(network(), {"neurons": [4]})
        search.fit(X[:200], RARE[:200], X_val=X[200:], y_val=RARE[200:])
        assert search.best_estimator_.threshold == "tune"

    def test_epochs_of_the_folds(self):
        search = search_of(
            network(early_stopping=True), {"neurons": [4]}, refit_epochs="median"
        ).fit(X, RARE)
        assert isinstance(search.best_estimator_.threshold, float)
        assert not search.best_estimator_.early_stopping

    @pytest.mark.parametrize("cv", [KFold(3), ShuffleSplit(1, random_state=0)])
    def test_folds_of_other_kinds(self, cv):
        search = search_of(network(), {"neurons": [4]}, cv=cv).fit(X, RARE)
        assert 0 < search.best_estimator_.threshold_ < 1

    def test_labels_of_a_pipeline(self):
        labels = np.where(RARE == 1, "a rare one", "often")
        pipeline = make_pipeline(StandardScaler(), network())
        search = RandomizedSearchCV(
            pipeline,
            {"kerasmlpclassifier__neurons": [4, 8]},
            n_iter=2,
            cv=FOLDS,
            early_stopping=False,
        ).fit(X, labels)
        last = search.best_estimator_[-1]
        assert last.rare_class_ == "a rare one"
        assert isinstance(last.threshold, float)
        rare = search.predict_proba(X)[:, 0]
        np.testing.assert_array_equal(search.predict(X) == "a rare one", rare >= last.threshold_)

    def test_the_classifier_itself_is_a_parameter(self):
        pipeline = Pipeline([("scale", StandardScaler()), ("classify", LogisticRegression())])
        steps = [network(neurons=4), LogisticRegression()]
        search = search_of(pipeline, {"classify": steps}).fit(X, RARE)
        tuned, _ = search.cv_results_["mean_test_score"]
        alone = search_of(network(neurons=4), {"neurons": [4]}, refit=False)
        scaled = StandardScaler().fit_transform(X)
        assert tuned == pytest.approx(alone.fit(scaled, RARE).best_score_, abs=0.03)
        assert search.cv_results_["params"][0]["classify"] is steps[0]
        assert type(steps[0].threshold) is str
        refitted = search_of(pipeline, {"classify": steps[:1]}).fit(X, RARE).best_estimator_[-1]
        assert isinstance(refitted.threshold, float)

    def test_routed_weights(self):
        weight = np.where(RARE == 1, 5.0, 1.0)
        plain = search_of(network(), {"neurons": [4]}).fit(X, RARE, sample_weight=weight)
        with config_context(enable_metadata_routing=True):
            weighted = network().set_fit_request(sample_weight=True)
            routed = search_of(weighted, {"neurons": [4]}).fit(X, RARE, sample_weight=weight)
        assert routed.best_estimator_.threshold_ == plain.best_estimator_.threshold_

    def test_nearly_equal_classes_have_the_threshold_of_the_rarer_one(self):
        """The training rows of most folds have as many rows of both classes, where 1 counts."""
        random = np.random.default_rng(0)
        y = np.r_[np.zeros(40, int), np.ones(41, int)]
        table = random.normal(size=(81, 5)).astype(np.float32) + 0.4 * y[:, None]
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        search = search_of(network(), {"neurons": [4]}, cv=folds).fit(table, y)
        best = search.best_estimator_
        assert best.rare_class_ == 0
        plain = network(threshold=0.5, neurons=4)
        rare = cross_val_predict(plain, table, y, cv=folds, method="predict_proba")[:, 0]
        found = f1_score(y == 0, rare >= best.threshold_)
        cuts = np.unique(rare)
        assert found == pytest.approx(max(f1_score(y == 0, rare >= c) for c in cuts), abs=0.02)

    def test_the_best_few(self):
        search = search_of(network(), {"neurons": [4, 8]}).fit(X, RARE)
        best, other = search.best_estimators(2, X, RARE)
        assert best.threshold == search.best_estimator_.threshold
        assert best.neurons != other.neurons
        for rows in (slice(0, 200), slice(0, 300)):
            (fewer,) = search.best_estimators(1, X[rows], RARE[rows])
            assert isinstance(fewer.threshold, float)

    def test_one_hot_rows(self):
        one_hot = np.column_stack([1 - RARE, RARE])
        of_rows = search_of(network(), {"neurons": [4]}).fit(X, one_hot)
        of_labels = search_of(network(), {"neurons": [4]}).fit(X, RARE)
        assert of_rows.best_score_ == of_labels.best_score_
        assert of_rows.best_estimator_.threshold_ == of_labels.best_estimator_.threshold_

    def test_a_wrapped_model(self):
        import keras

        def build():
            model = keras.Sequential(
                [keras.Input((5,)), keras.layers.Dense(1, activation="sigmoid")]
            )
            model.compile("adam", "binary_crossentropy")
            return model

        wrapped = KerasClassifier(build, threshold="tune", epochs=10, random_state=0)
        search = search_of(wrapped, {"batch_size": [16, 64]}).fit(X, RARE)
        assert isinstance(search.best_estimator_.threshold, float)
        rare = search.predict_proba(X)[:, 1]
        np.testing.assert_array_equal(search.predict(X), rare >= search.best_estimator_.threshold_)

    def test_a_journal_gives_the_same_results(self, tmp_path):
        searches = [
            search_of(network(), {"neurons": [4, 8]}, journal=tmp_path / "j.sqlite").fit(X, RARE)
            for _ in range(2)
        ]
        one, other = (search.cv_results_["mean_test_score"] for search in searches)
        np.testing.assert_array_equal(one, other)
        thresholds = {search.best_estimator_.threshold_ for search in searches}
        assert len(thresholds) == 1

    def test_weights_reach_the_fits(self):
        weight = np.where(RARE == 1, 5.0, 1.0)
        weighted = search_of(network(), {"neurons": [4]}).fit(X, RARE, sample_weight=weight)
        plain = search_of(network(), {"neurons": [4]}).fit(X, RARE)
        # A class that weighs five times as much has higher probabilities.
        assert weighted.best_estimator_.threshold_ > plain.best_estimator_.threshold_


def test_other_estimators_stay():
    logistic = LogisticRegression()
    assert tuned_by_folds(logistic) is logistic
    fixed = network(threshold=0.4)
    assert tuned_by_folds(fixed) is fixed
    assert tuned_by_folds(network()).threshold is TUNED_BY_FOLDS


def test_a_lone_fit_still_needs_rows():
    with pytest.raises(InvalidParameterError, match="search with one of skhp's searchers"):
        network().fit(X, RARE)
