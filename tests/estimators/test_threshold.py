"""The threshold of a rare class: what it is, what it is tuned on, what goes by it."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import (
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import GridSearchCV, InvalidParameterError, KerasMLPClassifier

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(400, 5))
SCORE = X[:, 0] + X[:, 1] * X[:, 2] + GENERATOR.normal(size=400) / 2
RARE = (np.quantile(SCORE, 0.85) < SCORE).astype(int)
LABELS = np.where(RARE == 1, "hit", "miss")


def network(**parameters):
    settings = {"epochs": 30, "learning_rate": 0.01, "random_state": 0, "threshold": "tune"}
    return KerasMLPClassifier(**settings | parameters)


@pytest.mark.parametrize(
    ("y", "engine"),
    [(RARE, "population"), (1 - RARE, "population"), (LABELS, "population"), (LABELS, "keras")],
    ids=["one", "zero", "labels", "labels by Keras"],
)
def test_it_is_tuned_on_the_rows_that_are_held_out(y, engine):
    rare = np.unique(y)[np.argmin(np.unique(y, return_counts=True)[1])]
    held_out = np.arange(400) % 4 == 0
    fitted = network(engine=engine).fit(
        X[~held_out], y[~held_out], X_val=X[held_out], y_val=y[held_out]
    )
    (column,) = np.flatnonzero(fitted.classes_ == rare)
    probability = fitted.predict_proba(X)[:, column]
    np.testing.assert_array_equal(fitted.predict(X) == rare, probability >= fitted.threshold_)
    expected = max(
        f1_score(y[held_out] == rare, probability[held_out] >= threshold)
        for threshold in np.unique(probability)
    )
    assert f1_score(y[held_out] == rare, fitted.predict(X[held_out]) == rare) == expected
    plain = network(engine=engine, threshold=0.5).fit(
        X[~held_out], y[~held_out], X_val=X[held_out], y_val=y[held_out]
    )
    np.testing.assert_array_equal(plain.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(plain.predict(X) == rare, probability >= 0.5)


def test_a_number_is_the_probability_of_the_rarest():
    shares = []
    for y in (RARE, 1 - RARE):
        rare = int(y.mean() < 0.5)
        for threshold in (0.05, 0.15, 0.3):
            fitted = network(threshold=threshold).fit(X, y)
            assert fitted.threshold_ == threshold
            predicted = fitted.predict(X) == rare
            np.testing.assert_array_equal(predicted, fitted.predict_proba(X)[:, rare] >= threshold)
            shares.append(predicted.mean())
    assert shares[0] > shares[1] > shares[2]


def test_a_population_tunes_as_a_lone_fit_does():
    folds = StratifiedKFold(2)
    grid = {"threshold": ["tune", 0.3], "learning_rate": [0.01, 0.003]}
    search = GridSearchCV(network(), grid, cv=folds, refit=False, return_train_score=True)
    results = search.fit(X, LABELS).cv_results_
    for parameters, score in zip(results["params"], results["mean_test_score"], strict=True):
        lone = cross_validate(network(**parameters), X, LABELS, cv=folds, scoring=search.scorer_)
        assert score == pytest.approx(lone["test_score"].mean(), abs=0.03)


def test_scoring_rows_are_never_seen():
    """What is scored has other labels in each of two runs; the thresholds are the same."""
    fold = np.arange(400) % 4 == 0
    thresholds = []
    for change in (False, True):
        y = RARE.copy()
        y[fold] = 1 - y[fold] if change else y[fold]
        (estimator,) = cross_validate(
            network(),
            X,
            y,
            cv=[(np.flatnonzero(~fold), np.flatnonzero(fold))],
            return_estimator=True,
        )["estimator"]
        thresholds.append(estimator.threshold_)
    assert thresholds[0] == thresholds[1] != 0.5


def test_it_finds_more_of_a_rare_class():
    with skhp.population():
        scores = {
            threshold: np.mean(
                [
                    cross_val_score(
                        network(threshold=threshold, random_state=seed, epochs=60),
                        X,
                        RARE,
                        cv=StratifiedKFold(5, shuffle=True, random_state=seed),
                        scoring="f1",
                    ).mean()
                    for seed in range(3)
                ]
            )
            for threshold in (0.5, "tune")
        }
    assert scores["tune"] > scores[0.5] + 0.05


def test_it_is_pickled_and_fitted_anew():
    fitted = network().fit(X, RARE)
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict(X), fitted.predict(X))
    assert fitted.set_params(threshold=0.2).fit(X, RARE).threshold_ == 0.2
    assert not hasattr(clone(fitted), "threshold_")


class TestWithTunedThresholdClassifierCV:
    def test_around_a_search(self):
        search = GridSearchCV(network(threshold=0.5), {"learning_rate": [0.01, 0.003]}, cv=2)
        tuned = TunedThresholdClassifierCV(search, scoring="f1", cv=2).fit(X, RARE)
        assert tuned.estimator_.best_params_
        assert f1_score(RARE, tuned.predict(X)) > f1_score(RARE, tuned.estimator_.predict(X))

    def test_inside_a_search(self):
        tuned = TunedThresholdClassifierCV(
            make_pipeline(StandardScaler(), network(threshold=0.5)), scoring="f1", cv=2
        )
        name = "estimator__kerasmlpclassifier__learning_rate"
        search = GridSearchCV(tuned, {name: [0.01, 0.003]}, cv=2).fit(X, RARE)
        assert search.best_params_[name] in (0.01, 0.003)
        assert 0 < search.best_estimator_.best_threshold_ < 1
        assert search.score(X, RARE) > 0.5


class TestRefused:
    @pytest.mark.parametrize("threshold", [0.0, 1.0, "tuned", -1])
    def test_values(self, threshold):
        with pytest.raises(InvalidParameterError, match="threshold"):
            network(threshold=threshold).fit(X, RARE)

    def test_more_than_two_classes(self):
        with pytest.raises(InvalidParameterError, match=r"3: leave it at 0\.5"):
            network().fit(X, np.arange(400) % 3)

    def test_no_rows_held_out(self):
        with pytest.raises(InvalidParameterError, match="early_stopping=True"):
            network(early_stopping=False).fit(X, RARE)

    def test_in_parts(self):
        with pytest.raises(InvalidParameterError, match="begin with fit"):
            network().partial_fit(X, RARE, classes=[0, 1])
        fitted = network().fit(X, RARE)
        threshold = fitted.threshold_
        assert fitted.partial_fit(X, RARE).threshold_ == threshold
