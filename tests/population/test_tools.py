"""Tools that fit several networks through joblib: the same results, trained as populations."""

from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import RFECV, SequentialFeatureSelector
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import (
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from skhp import KerasMLPClassifier, KerasMLPRegressor
from skhp.training.cohort.cohort import LoneFit
from skhp.training.cohort.packed_members import PackedMembers

SMALL = {"neurons": 2, "epochs": 3, "learning_rate": 0.1, "batch_size": 20, "random_state": 0}
NETWORK = KerasMLPClassifier(**SMALL)
OTHER = KerasMLPClassifier(**SMALL | {"learning_rate": 0.03})
REGRESSOR = KerasMLPRegressor(**SMALL)
SCALED = make_pipeline(StandardScaler(), NETWORK)
SAMPLED = make_sampling_pipeline(SMOTE(random_state=0, k_neighbors=2), NETWORK)
VOTE = VotingClassifier([("one", NETWORK), ("other", OTHER)], voting="soft")

X, TWO = make_classification(48, 4, weights=[0.6], random_state=1)
THREE = make_classification(48, 4, n_informative=3, n_redundant=0, n_classes=3, random_state=1)[1]
NUMBERS = X @ [1.0, -2.0, 0.5, 0.0]
SEVERAL = np.column_stack([NUMBERS, NUMBERS**2])
UNKNOWN = np.where(np.arange(48) % 3 == 0, -1, TWO)


def predicting(estimator, y, method="predict_proba"):
    def fitted():
        return np.asarray(getattr(clone(estimator).fit(X, y), method)(X))

    return fitted


def scoring(estimator, y=TWO, scoring=None):
    def scored():
        return cross_validate(clone(estimator), X, y, cv=3, scoring=scoring)["test_score"]

    return scored


def search(estimator, **grid):
    return GridSearchCV(estimator, grid, cv=3, scoring="neg_log_loss")


def importance(network):
    return np.abs(network.model_.get_weights()[0]).sum(axis=1)


def eliminated():
    selector = RFECV(NETWORK, step=2, cv=3, scoring="neg_log_loss", importance_getter=importance)
    return selector.fit(X, TWO).cv_results_["mean_test_score"]


def selected():
    selector = SequentialFeatureSelector(NETWORK, n_features_to_select=2, cv=3)
    return selector.fit(X, TWO).get_support().astype(float)


def sampled_search():
    found = search(SAMPLED, kerasmlpclassifier__l2=[0.0, 0.1]).fit(X, TWO)
    return found.cv_results_["mean_test_score"]


def users_function():
    def fit(seed):
        return clone(NETWORK).set_params(random_state=seed).fit(X, TWO).predict_proba(X)

    return np.array(joblib.Parallel()(joblib.delayed(fit)(seed) for seed in range(5)))


def users_fits():
    tasks = (joblib.delayed(clone(one).fit)(X, TWO) for one in (NETWORK, OTHER))
    return np.array([fitted.predict_proba(X) for fitted in joblib.Parallel(n_jobs=2)(tasks)])


def permuted():
    fitted = clone(NETWORK).fit(X, TWO)
    return permutation_importance(fitted, X, TWO, n_repeats=3, random_state=0).importances


# A tool, the numbers of members of its populations, and of its fits that train alone.
TOOLS = {
    "voting": (predicting(VOTE, TWO), [2], 0),
    "voting for numbers": (
        predicting(VotingRegressor([("a", REGRESSOR), ("b", RidgeCV())]), NUMBERS, "predict"),
        [1],
        0,
    ),
    "stacking": (
        predicting(StackingClassifier([("a", NETWORK), ("b", OTHER)], LogisticRegression()), TWO),
        [2, 10],
        0,
    ),
    "stacking for numbers": (
        predicting(StackingRegressor([("a", REGRESSOR)], RidgeCV(), cv=3), NUMBERS, "predict"),
        [1, 3],
        0,
    ),
    "bagging": (predicting(BaggingClassifier(NETWORK, 5, random_state=0), TWO), [5], 0),
    "bagging for numbers": (
        predicting(BaggingRegressor(REGRESSOR, 4, random_state=0), NUMBERS, "predict"),
        [4],
        0,
    ),
    "bagging in two jobs": (
        predicting(BaggingClassifier(NETWORK, 4, n_jobs=2, random_state=0), TWO),
        [2, 2],
        0,
    ),
    "calibration": (predicting(CalibratedClassifierCV(NETWORK, cv=3), TWO), [3], 0),
    # Its last fit, on all rows, is not a task of joblib.
    "calibration of one": (
        predicting(CalibratedClassifierCV(NETWORK, cv=3, ensemble=False), TWO),
        [3],
        1,
    ),
    "threshold": (predicting(TunedThresholdClassifierCV(NETWORK, cv=3), TWO, "predict"), [3], 1),
    "one against the rest": (predicting(OneVsRestClassifier(NETWORK), THREE), [3], 0),
    "one against one": (
        predicting(OneVsOneClassifier(NETWORK), THREE, "decision_function"),
        [3],
        0,
    ),
    "output codes": (
        predicting(OutputCodeClassifier(NETWORK, random_state=0), THREE, "predict"),
        [3],
        0,
    ),
    "several classes": (
        predicting(MultiOutputClassifier(NETWORK), np.column_stack([TWO, THREE])[:, [0, 0]]),
        [2],
        0,
    ),
    "several numbers": (predicting(MultiOutputRegressor(REGRESSOR), SEVERAL, "predict"), [2], 0),
    # 4, 2 and 1 columns of each fold; then those of the chosen number, which are not tasks.
    "elimination": (eliminated, [3, 3, 3], None),
    # Two rounds of 4 and of 3 columns; each column is a call of its own.
    "selection": (selected, [3] * 7, 0),
    "self-training": (scoring(SelfTrainingClassifier(NETWORK, max_iter=2), UNKNOWN), None, 0),
    "nested search": (scoring(search(NETWORK, l2=[0.0, 0.1])), [18, 3], 0),
    "nested search of pipelines": (
        scoring(search(SCALED, kerasmlpclassifier__l2=[0.0, 0.1])),
        [18, 3],
        0,
    ),
    "validated votes": (scoring(VOTE, scoring="neg_log_loss"), [6], 0),
    "votes of searches": (
        predicting(
            VotingClassifier([("a", search(NETWORK, l2=[0, 1])), ("b", OTHER)]), TWO, "predict"
        ),
        [7, 1],
        0,
    ),
    "sampling in a search": (sampled_search, [6], 1),
    "validated sampling": (
        lambda: cross_val_predict(CalibratedClassifierCV(SAMPLED, cv=2), X, TWO, cv=3),
        [6],
        0,
    ),
    "a user's function": (users_function, [5], 0),
    "a user's fits": (users_fits, [2], 0),
    "a tool that fits nothing": (permuted, [], 1),
}


@pytest.fixture
def trained(monkeypatch):
    """The members of each population, and the numbers of lone fits and of programs that ran."""
    from skhp.population.cohorts import population_training as cohorts

    counts = SimpleNamespace(populations=[], alone=0, programs=0)
    train_population, train_alone = cohorts.train_population, LoneFit.trained
    build = PackedMembers.build

    def counted_population(tasks, *arguments):
        counts.populations.append(len(tasks))
        return train_population(tasks, *arguments)

    def counted_alone(fit, *arguments):
        counts.alone += 1
        return train_alone(fit, *arguments)

    def counted_program(members):
        counts.programs += 1
        return build(members)

    monkeypatch.setattr(cohorts, "train_population", counted_population)
    monkeypatch.setattr(PackedMembers, "build", counted_program)
    monkeypatch.setattr(LoneFit, "trained", counted_alone)
    return counts


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_finds_the_same_with_its_networks_trained_together(name, trained):
    tool, populations, alone = TOOLS[name]
    # No worker process, whose fits would not be counted.
    with joblib.parallel_config(backend="sequential"):
        expected = tool()
    n_fits, trained.alone, trained.programs = trained.alone, 0, 0
    with joblib.parallel_config(backend="skhp"):
        found = tool()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert sum(trained.populations) + trained.alone == n_fits
    # Each population runs one program.
    assert trained.programs == len(trained.populations) + trained.alone
    if populations is not None:
        assert trained.populations == populations
    else:
        # The first round is the first fit of each fold.
        assert trained.populations[0] == 3
    if alone is not None:
        assert trained.alone == alone
