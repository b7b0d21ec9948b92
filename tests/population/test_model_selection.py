"""Every tool of model selection gives what it gives without the backend, from a population."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp.population.planner import Planner
from tests.population.closed_form import ClosedFormClassifier, population_of

ALPHAS = [0.01, 1.0, 100.0, 1e4]


def results_of(search):
    return {
        name: values
        for name, values in search.cv_results_.items()
        if not name.endswith("_time") and not name.startswith("param")
    } | {"best": search.best_params_, "weights": last_step(search.best_estimator_).coefficients_}


def last_step(estimator):
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def name_of_alpha(estimator):
    return f"{estimator.steps[-1][0]}__alpha" if hasattr(estimator, "steps") else "alpha"


def grid_search(estimator, X, y, **settings):
    search = GridSearchCV(estimator, {name_of_alpha(estimator): ALPHAS}, **settings)
    return results_of(search.fit(X, y))


def bayes_search(estimator, X, y):
    from skopt import BayesSearchCV

    spaces = {name_of_alpha(estimator): (0.01, 100.0, "log-uniform")}
    search = BayesSearchCV(estimator, spaces, n_iter=6, n_points=3, cv=3, random_state=0)
    return results_of(search.fit(X, y))


def halving_search(kind, estimator, X, y, **settings):
    search = kind(
        estimator, {name_of_alpha(estimator): ALPHAS}, cv=3, random_state=0, **settings
    ).fit(X, y)
    return results_of(search) | {"rounds": search.n_candidates_}


# The tool, and the fits it makes through joblib, told by arithmetic.
TOOLS = {
    "GridSearchCV": (lambda e, X, y: grid_search(e, X, y, cv=3), 4 * 3),
    "GridSearchCV in four jobs": (lambda e, X, y: grid_search(e, X, y, cv=3, n_jobs=4), 4 * 3),
    "GridSearchCV in one job": (lambda e, X, y: grid_search(e, X, y, cv=3, n_jobs=1), 4 * 3),
    "GridSearchCV, train scores": (
        lambda e, X, y: grid_search(e, X, y, cv=3, return_train_score=True),
        4 * 3,
    ),
    "GridSearchCV, several metrics": (
        lambda e, X, y: grid_search(e, X, y, scoring=["roc_auc", "f1"], refit="f1"),
        4 * 5,
    ),
    "GridSearchCV, a few tasks at a time": (
        lambda e, X, y: grid_search(e, X, y, cv=3, pre_dispatch=2),
        4 * 3,
    ),
    "GridSearchCV, own splits": (
        lambda e, X, y: grid_search(e, X, y, cv=list(StratifiedKFold(3).split(X, y))),
        4 * 3,
    ),
    "RandomizedSearchCV": (
        lambda e, X, y: results_of(
            RandomizedSearchCV(e, {name_of_alpha(e): ALPHAS}, n_iter=3, cv=3, random_state=0).fit(
                X, y
            )
        ),
        3 * 3,
    ),
    "HalvingGridSearchCV": (
        lambda e, X, y: halving_search(HalvingGridSearchCV, e, X, y, factor=2),
        (4 + 2 + 1) * 3,
    ),
    "HalvingRandomSearchCV": (
        lambda e, X, y: halving_search(HalvingRandomSearchCV, e, X, y, n_candidates=4, factor=2),
        (4 + 2 + 1) * 3,
    ),
    "BayesSearchCV": (bayes_search, 6 * 3),
    "cross_validate": (
        lambda e, X, y: {
            name: values
            for name, values in cross_validate(e, X, y, return_train_score=True).items()
            if not name.endswith("_time")
        },
        5,
    ),
    "cross_val_score": (cross_val_score, 5),
    "cross_val_predict": (cross_val_predict, 5),
    "cross_val_predict, probabilities": (
        lambda e, X, y: cross_val_predict(e, X, y, method="predict_proba"),
        5,
    ),
    "learning_curve": (
        lambda e, X, y: learning_curve(e, X, y, train_sizes=[0.3, 0.6, 1.0], cv=3),
        3 * 3,
    ),
    "validation_curve": (
        lambda e, X, y: validation_curve(
            e, X, y, param_name=name_of_alpha(e), param_range=ALPHAS, cv=3
        ),
        4 * 3,
    ),
    "permutation_test_score": (
        lambda e, X, y: permutation_test_score(
            e, X, y, n_permutations=4, cv=StratifiedKFold(3), random_state=0
        ),
        4 * 3,
    ),
}

# What a tool fits by itself: a search the best candidate, the other the rows not permuted.
OUTSIDE_OF_JOBLIB = {"permutation_test_score": 3}


def assert_same(one, other):
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert_same(value, other[name])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            assert_same(first, second)
    else:
        np.testing.assert_array_equal(one, other)


ESTIMATORS = {
    "bare": ClosedFormClassifier(),
    "pipeline": make_pipeline(StandardScaler(), ClosedFormClassifier()),
    "pipeline in a pipeline": make_pipeline(
        StandardScaler(), make_pipeline(StandardScaler(), ClosedFormClassifier())
    ),
}


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("kind", ["bare", "pipeline"])
def test_the_tool_gives_what_it_gives_alone(name, kind, data, trainer, counts):
    tool, fits = TOOLS[name]
    # Processes would each load TensorFlow.
    with joblib.parallel_config(backend="threading"):
        expected = tool(clone(ESTIMATORS[kind]), *data)
    counts.clear()
    with population_of(trainer):
        found = tool(clone(ESTIMATORS[kind]), *data)
    assert_same(found, expected)
    assert trainer.members == fits
    assert counts["adopted"] == fits
    assert counts["fitted alone"] == OUTSIDE_OF_JOBLIB.get(name, 1 if "Search" in name else 0)
    assert trainer.closed == len(trainer.calls)


def test_all_fits_of_a_search_are_one_population(data, trainer):
    with population_of(trainer):
        grid_search(ClosedFormClassifier(), *data, cv=3)
    assert [len(tasks) for tasks, _ in trainer.calls] == [12]


def test_a_small_pre_dispatch_is_respected(data, trainer):
    with population_of(trainer):
        grid_search(ClosedFormClassifier(), *data, cv=3, pre_dispatch=5)
    assert max(len(tasks) for tasks, _ in trainer.calls) == 5


def test_a_fold_is_one_object_for_all_its_candidates(data, trainer):
    for estimator in ESTIMATORS.values():
        search = GridSearchCV(
            clone(estimator),
            {f"{'__'.join(path(estimator))}alpha": ALPHAS},
            cv=3,
            refit=False,
        )
        with population_of(trainer):
            search.fit(*data)
        tasks, _ = trainer.calls[-1]
        assert len(tasks) == 12
        assert len({id(task.given_rows) for task in tasks}) == 3
        assert len({id(task.given_targets) for task in tasks}) == 3


def path(estimator):
    names = []
    while hasattr(estimator, "steps"):
        name, estimator = estimator.steps[-1]
        names.append(name)
    return [*names, ""] if names else [""]


def test_permutations_of_a_shuffling_splitter_train_one_after_another(data, trainer):
    # Its folds differ each time it is asked, and asking moves its random numbers on.
    def score(seed):
        return permutation_test_score(
            ClosedFormClassifier(),
            *data,
            n_permutations=3,
            cv=ShuffleSplit(2, random_state=np.random.RandomState(seed)),
            random_state=0,
        )

    expected = score(5)
    with population_of(trainer):
        assert_same(score(5), expected)
    assert [len(tasks) for tasks, _ in trainer.calls] == [1] * 6


def test_permutations_of_a_seeded_splitter_join(data, trainer):
    with population_of(trainer):
        permutation_test_score(
            ClosedFormClassifier(), *data, n_permutations=3, cv=ShuffleSplit(2, random_state=1)
        )
    assert trainer.members == 6


def test_equal_folds_are_one_object_for_all_permutations(data, trainer):
    with population_of(trainer):
        permutation_test_score(ClosedFormClassifier(), *data, n_permutations=4, cv=KFold(3))
    tasks, _ = trainer.calls[0]
    assert len(tasks) == 12
    assert len({id(task.given_rows) for task in tasks}) == 3
    assert len({id(task.given_targets) for task in tasks}) == 12


def test_a_fit_is_planned_with_the_configuration_of_its_caller(data):
    from sklearn.model_selection._validation import _fit_and_predict
    from sklearn.utils.parallel import delayed

    asked = []

    class Asking(ClosedFormClassifier):
        def __skhp_fit_task__(self, X, y, **fit_params):
            asked.append(sklearn.get_config()["assume_finite"])

    task = delayed(_fit_and_predict)(Asking(), *data, range(9), range(9), {}, "predict")
    for wanted in (True, False):
        configuration = sklearn.get_config() | {"assume_finite": wanted}
        task[0].with_config_and_warning_filters(configuration, warnings.filters)
        assert len(Planner().plan(*task).fits) == 1
    assert asked == [True, False]


@pytest.mark.parametrize("kind", ["bare", "pipeline"])
def test_sample_weights_are_cut_with_the_rows(kind, data, trainer, counts):
    estimator = ESTIMATORS[kind]
    X, y = data
    weight = np.random.default_rng(0).uniform(0.01, 5, len(y))
    prefix = "" if kind == "bare" else "closedformclassifier__"
    grid = {f"{prefix}alpha": ALPHAS}

    def search():
        fitted = GridSearchCV(clone(estimator), grid, cv=3, refit=False)
        return fitted.fit(X, y, **{f"{prefix}sample_weight": weight}).cv_results_["mean_test_score"]

    expected = search()
    counts.clear()
    with population_of(trainer):
        np.testing.assert_array_equal(search(), expected)
    tasks, _ = trainer.calls[0]
    assert counts["adopted"] == 12
    assert {tuple(task.sample_weight) for task in tasks} == {
        tuple(weight[train]) for train, _ in StratifiedKFold(3).split(X, y)
    }
    assert len({id(task.sample_weight) for task in tasks}) == 3


def test_tables_of_pandas_join(data, trainer, counts):
    X, y = pd.DataFrame(data[0], columns=list("abcdef")), pd.Series(data[1])
    estimator = make_pipeline(StandardScaler().set_output(transform="pandas"), ESTIMATORS["bare"])
    expected = grid_search(clone(estimator), X, y, cv=3)
    counts.clear()
    with population_of(trainer):
        assert_same(grid_search(clone(estimator), X, y, cv=3), expected)
    assert counts["adopted"] == trainer.members == 12
    assert isinstance(trainer.calls[0][0][0].given_rows, pd.DataFrame)


def test_results_can_be_pickled(data, trainer):
    search = GridSearchCV(ESTIMATORS["pipeline"], {"closedformclassifier__alpha": ALPHAS})
    with population_of(trainer):
        search.fit(*data)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(data[0]), search.predict(data[0]))


def test_routed_metadata_reaches_the_last_step(data, trainer, counts):
    X, y = data
    weight = np.linspace(0.1, 3, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=True),
            WeightedClassifier()
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=True),
        )
        settings = {"cv": 3, "params": {"sample_weight": weight}}
        expected = cross_validate(estimator, X, y, **settings)["test_score"]
        counts.clear()
        with population_of(trainer):
            found = cross_validate(estimator, X, y, **settings)["test_score"]
    np.testing.assert_array_equal(found, expected)
    assert counts["adopted"] == 3
    assert not np.all(trainer.calls[0][0][0].sample_weight == 1)


class WeightedClassifier(ClosedFormClassifier):
    # Routing reads the parameters of the signature.
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, sample_weight=sample_weight)

    def score(self, X, y, sample_weight=None):
        return super().score(X, y, sample_weight=sample_weight)
