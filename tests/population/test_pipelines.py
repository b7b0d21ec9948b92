"""The earlier steps of pipelines are fitted once, and no task sees another's."""

import warnings

import joblib
import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_imbalanced_pipeline
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import check_random_state

from tests.population.closed_form import (
    COUNTS,
    ClosedFormClassifier,
    CountingScaler,
    InPlaceScaler,
    PreparationWarning,
    population_of,
)

ALPHAS = [0.01, 1.0, 100.0]


def pipeline(scaler=None, **settings):
    steps = [("scaler", scaler or CountingScaler()), ("network", ClosedFormClassifier())]
    return Pipeline(steps, **settings)


def scores(estimator, grid, data, **settings):
    search = GridSearchCV(clone(estimator), grid, cv=3, refit=False, **settings).fit(*data)
    return search.cv_results_["mean_test_score"]


def test_a_step_is_fitted_once_for_each_setting_and_fold(data, trainer, counts):
    grid = {"network__alpha": ALPHAS, "scaler__scale": [1.0, 50.0]}
    expected = scores(pipeline(), grid, data)
    assert counts["scaler fitted"] == 3 * 2 * 3
    counts.clear()
    with population_of(trainer):
        np.testing.assert_array_equal(scores(pipeline(), grid, data), expected)
    assert counts["scaler fitted"] == 2 * 3
    assert counts["adopted"] == 3 * 2 * 3
    assert len(set(expected)) > 2


def test_steps_of_inner_pipelines_are_fitted_once(data, trainer, counts):
    estimator = make_pipeline(CountingScaler(), pipeline())
    grid = {"pipeline__network__alpha": ALPHAS, "pipeline__scaler__scale": [1.0, 50.0]}
    expected = scores(estimator, grid, data)
    counts.clear()
    with population_of(trainer):
        np.testing.assert_array_equal(scores(estimator, grid, data), expected)
    assert counts["scaler fitted"] == 3 + 2 * 3
    assert counts["adopted"] == 18


def test_steps_that_candidates_replace(data, trainer, counts):
    grid = {"scaler": [CountingScaler(), CountingScaler(scale=50.0), "passthrough"]}
    expected = scores(pipeline(), grid, data)
    counts.clear()
    with population_of(trainer):
        np.testing.assert_array_equal(scores(pipeline(), grid, data), expected)
    assert counts["scaler fitted"] == 2 * 3
    assert counts["adopted"] == 9


def test_the_output_of_a_step_is_part_of_its_setting(data, trainer, counts):
    import pandas as pd
    from sklearn.preprocessing import StandardScaler

    class OnlyOfTables(CountingScaler):
        def fit(self, X, y=None):
            assert isinstance(X, pd.DataFrame) == (self.scale == 2.0)
            return super().fit(np.asarray(X))

        def transform(self, X):
            return super().transform(np.asarray(X))

    plain, table = StandardScaler(), StandardScaler().set_output(transform="pandas")
    estimator = Pipeline(
        [("first", plain), ("second", OnlyOfTables()), ("network", ClosedFormClassifier())]
    )
    grid = [
        {"first": [plain], "second__scale": [1.0]},
        {"first": [table], "second__scale": [2.0]},
    ]
    with population_of(trainer):
        scores(estimator, grid, data, error_score="raise")
    assert counts["adopted"] == trainer.members == 6


def test_a_step_that_writes_into_its_rows_harms_no_other_candidate(data, trainer, counts):
    estimator = Pipeline(
        [
            ("first", CountingScaler()),
            ("second", InPlaceScaler()),
            ("network", ClosedFormClassifier()),
        ]
    )
    grid = {"second__scale": [0.02, 1.0, 40.0], "network__alpha": [10.0]}
    expected = scores(estimator, grid, data)
    counts.clear()
    with population_of(trainer):
        np.testing.assert_array_equal(scores(estimator, grid, data), expected)
    assert counts["adopted"] == 9
    assert counts["fitted alone"] == 0
    assert len(set(expected)) > 1


def test_returned_pipelines_share_no_step(data, trainer):
    with population_of(trainer):
        results = cross_validate(
            pipeline(), *data, cv=[(range(60), range(60, 120))] * 2, return_estimator=True
        )
    one, other = results["estimator"]
    assert one[0] is not other[0]
    assert one[0].mean_ is not other[0].mean_
    np.testing.assert_array_equal(one[0].mean_, data[0][:60].mean(axis=0))
    np.testing.assert_array_equal(other[0].mean_, data[0][:60].mean(axis=0))


def test_a_returned_pipeline_has_the_memory_of_its_user(data, trainer, tmp_path):
    memory = joblib.Memory(tmp_path, verbose=0)
    with population_of(trainer):
        own = cross_validate(pipeline(memory=memory), *data, return_estimator=True)["estimator"]
        none = cross_validate(pipeline(), *data, return_estimator=True)["estimator"]
    assert {one.memory.location for one in own} == {memory.location}
    assert {one.memory for one in none} == {None}


def test_the_memory_of_the_user_is_used(data, trainer, counts, tmp_path):
    def predict():
        return cross_val_predict(pipeline(memory=str(tmp_path)), *data, cv=3)

    with population_of(trainer):
        first = predict()
        assert counts["scaler fitted"] == 3
        np.testing.assert_array_equal(predict(), first)
    assert counts["scaler fitted"] == 3
    assert counts["adopted"] == 6
    # What the population has stored, a search without it finds.
    np.testing.assert_array_equal(predict(), first)
    assert counts["scaler fitted"] == 3


def test_warnings_of_steps_come_once_for_each_task(data, trainer):
    def caught(estimator):
        with pytest.warns(PreparationWarning) as recorded:
            scores(estimator, {"network__alpha": ALPHAS}, data)
        return [(str(one.message), one.category, one.lineno) for one in recorded]

    both = pipeline(CountingScaler(warns=True)).set_params(network__warns=True)
    expected = caught(both)
    assert len(expected) == 2 * 9
    with population_of(trainer):
        found = caught(both)
    assert sorted(map(str, found)) == sorted(map(str, expected))
    assert trainer.members == 9


@pytest.mark.parametrize("where", ["scaler", "network"])
def test_a_warning_that_is_an_error_fails_its_task_only(where, data, trainer):
    from sklearn.exceptions import FitFailedWarning

    def found():
        with warnings.catch_warnings(record=True) as recorded:
            warnings.simplefilter("error", PreparationWarning)
            warnings.simplefilter("always", FitFailedWarning)
            warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
            means = scores(pipeline(), {f"{where}__warns": [False, True]}, data)
        (failed,) = recorded
        assert "3 fits failed out of a total of 6" in str(failed.message)
        return means

    expected = found()
    with population_of(trainer):
        np.testing.assert_array_equal(found(), expected)
    np.testing.assert_array_equal(np.isnan(expected), [False, True])


def test_what_the_user_prints_is_printed_for_each_task(data, trainer, capsys):
    estimator = pipeline(verbose=True)
    cross_validate(estimator, *data, cv=3)
    expected = capsys.readouterr().out
    with population_of(trainer):
        cross_validate(estimator, *data, cv=3)
    assert capsys.readouterr().out.count("Processing scaler") == 3
    assert expected.count("Processing scaler") == 3


class OwnPipeline(Pipeline):
    def fit(self, X, y=None, **params):
        return super().fit(X * 2, y, **params)


class OwnSteps(ClassifierMixin, BaseEstimator):
    """Of no class of scikit-learn's, and without a memory."""

    def __init__(self, steps):
        self.steps = steps

    def get_params(self, deep=True):
        own = {"steps": self.steps}
        if deep:
            for name, step in self.steps:
                own |= {name: step}
                own |= {f"{name}__{key}": value for key, value in step.get_params().items()}
        return own

    def set_params(self, **params):
        for name, value in params.items():
            step, _, rest = name.partition("__")
            dict(self.steps)[step].set_params(**{rest: value})
        return self

    def __sklearn_clone__(self):
        return OwnSteps([(name, clone(step)) for name, step in self.steps])

    def __sklearn_tags__(self):
        return self.steps[-1][1].__sklearn_tags__()

    def fit(self, X, y):
        for _, step in self.steps[:-1]:
            X = step.fit_transform(X, y)
        self.steps[-1][1].fit(X, y)
        self.classes_ = self.steps[-1][1].classes_
        return self

    def predict(self, X):
        for _, step in self.steps[:-1]:
            X = step.transform(X)
        return self.steps[-1][1].predict(X)


@pytest.mark.parametrize("kind", [OwnPipeline, OwnSteps])
def test_a_pipeline_of_ones_own_joins(data, trainer, counts, kind):
    estimator = kind(pipeline().steps)
    expected = scores(estimator, {"network__alpha": ALPHAS}, data)
    counts.clear()
    with population_of(trainer):
        np.testing.assert_array_equal(scores(estimator, {"network__alpha": ALPHAS}, data), expected)
    assert counts["adopted"] == 3 * 3
    assert counts["fitted alone"] == 0


class CountingSampler(BaseEstimator):
    """Draws rows with replacement, and warns where it is told to."""

    def __init__(self, random_state=None, warns=False):
        self.random_state = random_state
        self.warns = warns

    def fit_resample(self, X, y):
        COUNTS["sampled"] += 1
        if self.warns:
            warnings.warn("a warning of the sampler", PreparationWarning, stacklevel=2)
        drawn = check_random_state(self.random_state).randint(len(X), size=2 * len(X))
        return X[drawn], y[drawn]


class TestSamplers:
    def test_rows_are_drawn_once_for_each_fold(self, data, trainer, counts):
        estimator = make_imbalanced_pipeline(
            CountingScaler(), CountingSampler(random_state=0), ClosedFormClassifier()
        )
        grid = {"closedformclassifier__alpha": ALPHAS}
        expected = scores(estimator, grid, data)
        assert counts["sampled"] == 9
        counts.clear()
        with population_of(trainer):
            np.testing.assert_array_equal(scores(estimator, grid, data), expected)
        assert counts["adopted"] == 9
        assert counts["sampled"] == counts["scaler fitted"] == 3

    def test_rows_of_no_seed_are_those_that_were_trained_on(self, data, trainer, counts):
        estimator = make_imbalanced_pipeline(CountingSampler(), ClosedFormClassifier())
        with population_of(trainer):
            cross_validate(estimator, *data, cv=3)
        assert counts["adopted"] == counts["sampled"] == 3

    def test_a_pipeline_within(self, data, trainer, counts):
        estimator = make_imbalanced_pipeline(CountingSampler(random_state=0), pipeline())
        grid = {"pipeline__network__alpha": ALPHAS, "pipeline__scaler__scale": [1.0, 50.0]}
        expected = scores(estimator, grid, data)
        counts.clear()
        with population_of(trainer):
            np.testing.assert_array_equal(scores(estimator, grid, data), expected)
        assert counts["adopted"] == 18
        assert counts["sampled"] == 3

    def test_a_sampler_that_candidates_replace(self, data, trainer, counts):
        estimator = make_imbalanced_pipeline(CountingSampler(0), ClosedFormClassifier())
        grid = {"countingsampler": [CountingSampler(0), CountingSampler(1), "passthrough"]}
        expected = scores(estimator, grid, data)
        counts.clear()
        with population_of(trainer):
            np.testing.assert_array_equal(scores(estimator, grid, data), expected)
        assert counts["adopted"] == 9
        assert len(set(expected)) > 1

    def test_warnings_reach_the_user_once_a_fit(self, data, trainer):
        estimator = make_imbalanced_pipeline(CountingSampler(0, True), ClosedFormClassifier())
        with population_of(trainer), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cross_validate(estimator, *data, cv=3)
        assert [one.category for one in caught] == [PreparationWarning] * 3

    def test_of_imbalanced_learn(self, data, trainer, counts):
        estimator = make_imbalanced_pipeline(SMOTE(random_state=0), ClosedFormClassifier())
        grid = {"closedformclassifier__alpha": ALPHAS, "smote__k_neighbors": [2, 5]}
        X, y = data
        rare = np.flatnonzero((y == 0) | (np.arange(len(y)) % 4 == 0))
        expected = scores(estimator, grid, (X[rare], y[rare]))
        counts.clear()
        with population_of(trainer):
            np.testing.assert_array_equal(scores(estimator, grid, (X[rare], y[rare])), expected)
        assert counts["adopted"] == 18
