"""What `cv_results_` says of the training of each candidate."""

import pickle

import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import GridSearchCV, KerasMLPClassifier
from skhp.search.scores import RecordingScorer, ScoredFit, Training

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(150, 4))
Y = (X[:, 0] + GENERATOR.normal(size=150) / 2 > 0.5).astype(int)
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
NETWORK = KerasMLPClassifier(epochs=30, patience=3, monitor="val_f1", random_state=0)
RATES = [0.1, 0.01]


@pytest.fixture(scope="module")
def expected():
    """The fitted estimators and scores of each candidate, by scikit-learn's cross_validate."""
    of_rates = []
    for rate in RATES:
        pipeline = make_pipeline(StandardScaler(), NETWORK).set_params(
            kerasmlpclassifier__learning_rate=rate
        )
        done = cross_validate(pipeline, X, Y, cv=FOLDS, scoring="f1", return_estimator=True)
        of_rates.append((done["test_score"], [fitted[-1] for fitted in done["estimator"]]))
    return of_rates


@pytest.mark.parametrize(
    "settings",
    [{}, {"population": False}, {"scoring": ["f1", "accuracy"], "refit": "f1"}],
    ids=["population", "one by one", "several scores"],
)
def test_columns_are_those_of_the_fits(settings, expected):
    pipeline = make_pipeline(StandardScaler(), NETWORK)
    grid = {"kerasmlpclassifier__learning_rate": RATES}
    results = GridSearchCV(pipeline, grid, cv=FOLDS, **settings).fit(X, Y).cv_results_
    for k, (scores, networks) in enumerate(expected):
        assert results["mean_n_iter"][k] == np.mean([one.n_iter_ for one in networks])
        assert results["mean_best_epoch"][k] == np.mean([one.best_epoch_ for one in networks])
        assert results["stop_reason"][k] in {one.stop_reason_ for one in networks}
        watched = [one.history_["val_f1"][one.best_epoch_ - 1] for one in networks]
        gap = np.mean(watched - scores)
        assert results["mean_stopping_gap"][k] == pytest.approx(gap, abs=1e-3)


def test_from_other_processes():
    network = SGDClassifier(random_state=0)
    grid = {"alpha": [1e-3, 1e-2]}
    alone = GridSearchCV(network, grid, cv=FOLDS, population=False).fit(X, Y)
    apart = GridSearchCV(network, grid, cv=FOLDS, population=False, n_jobs=2).fit(X, Y)
    assert alone.cv_results_["mean_n_iter"].tolist() == apart.cv_results_["mean_n_iter"].tolist()
    assert "mean_best_epoch" not in alone.cv_results_


def test_estimators_that_never_stop_early_have_no_columns():
    results = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=FOLDS).fit(X, Y).cv_results_
    assert not [name for name in results if "iter" in name or "stop" in name]


def test_a_failed_fold_has_no_number():
    grid = {"learning_rate": [0.1, 1e30]}
    with pytest.warns(FitFailedWarning), pytest.warns(UserWarning, match="non-finite"):
        search = GridSearchCV(NETWORK, grid, cv=FOLDS, refit=False).fit(X, Y)
    found = search.cv_results_["mean_n_iter"]
    assert np.isfinite(found[0])
    assert np.isnan(found[1])
    assert search.cv_results_["stop_reason"][1] == ""


def test_the_scorer_is_the_users_own():
    scorer = make_scorer(f1_score)
    search = GridSearchCV(NETWORK, {"epochs": [2]}, cv=2, scoring=scorer).fit(X, Y)
    assert search.scorer_ is scorer
    assert search.scoring is scorer
    assert type(search.best_score_) is not ScoredFit
    several = GridSearchCV(
        NETWORK, {"epochs": [2]}, cv=2, scoring={"own": scorer}, refit="own"
    ).fit(X, Y)
    assert several.scorer_["own"] is scorer


def test_a_scored_fit_is_a_number_that_survives_pickling():
    scored = pickle.loads(pickle.dumps(ScoredFit(0.25, Training(3.0, 2.0, "patience", None))))
    assert scored == 0.25
    assert scored.training == (3.0, 2.0, "patience", None)


def test_what_is_no_number_is_handed_on():
    scorer = RecordingScorer(lambda estimator, X, y: "good")
    assert scorer(LogisticRegression(), X, Y) == "good"
