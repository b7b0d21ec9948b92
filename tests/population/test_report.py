"""What a population could not train together is said aloud, once a call."""

import pickle

import keras
import numpy as np
import pytest
from sklearn import model_selection
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import (
    CannotJoinError,
    GridSearchCV,
    HalvingGridSearchCV,
    KerasClassifier,
    KerasMLPClassifier,
    RandomizedSearchCV,
    population,
)
from skhp.population import fit_together
from skhp.population.report import PopulationReport
from skhp.training.cohort.cohort import Cohort

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = (X[:, 0] > 0).astype(int)
# Each fit by Keras traces a model anew: one fold says as much as several.
ONCE = model_selection.ShuffleSplit(1, test_size=0.5, random_state=0)
CALLBACKS = "callbacks run in Python (ModelCheckpoint)"


@pytest.fixture
def lines(caplog):
    """What was said aloud."""
    return lambda: [
        record.getMessage()
        for record in caplog.records
        if record.name == "skhp" and record.levelname == "WARNING"
    ]


@pytest.fixture
def checkpoint(tmp_path):
    return [keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss")]


def network(**parameters):
    return KerasMLPClassifier(**{"neurons": 2, "epochs": 1, "random_state": 0} | parameters)


def test_a_search_of_ours_tells_it_once_at_the_end(lines, checkpoint):
    grid = {"callbacks": [checkpoint, checkpoint, None]}
    search = GridSearchCV(network(), grid, cv=ONCE, early_stopping=False).fit(X, Y)
    assert search.population_report_ == PopulationReport(1, {CALLBACKS: 2})
    assert lines() == [f"1 of 3 fits trained together; 2 by Keras: {CALLBACKS}"]


def test_searches_and_cross_validation_of_scikit_learn(lines, checkpoint):
    pipeline = make_pipeline(StandardScaler(), network(callbacks=checkpoint))
    with population():
        model_selection.cross_val_score(pipeline, X, Y, cv=ONCE)
        assert lines() == [f"0 of 1 fits trained together; 1 by Keras: {CALLBACKS}"]
        grid = {"callbacks": [checkpoint, checkpoint, None]}
        model_selection.GridSearchCV(network(), grid, cv=ONCE, refit=False).fit(X, Y)
    assert lines()[1:] == [f"1 of 3 fits trained together; 2 by Keras: {CALLBACKS}"]


def test_fits_of_other_threads_are_counted_here(lines, checkpoint):
    with population(n_jobs=2, backend="threading"):
        model_selection.cross_val_score(network(callbacks=checkpoint), X, Y, cv=2)
    assert lines() == [f"0 of 2 fits trained together; 2 by Keras: {CALLBACKS}"]


def test_half_is_not_more_than_half(lines, checkpoint):
    grid = {"callbacks": [checkpoint, None]}
    search = GridSearchCV(network(), grid, cv=ONCE, refit=False, early_stopping=False).fit(X, Y)
    assert search.population_report_ == PopulationReport(1, {CALLBACKS: 1})
    assert lines() == []


def test_all_together_is_nothing_to_tell(lines):
    search = GridSearchCV(network(), {"neurons": [1, 2]}, cv=2).fit(X, Y)
    assert search.population_report_ == PopulationReport(4)
    assert lines() == []


def test_several_reasons_come_by_their_numbers(lines, checkpoint):
    grid = [
        {"engine": ["keras"]},
        {"callbacks": [checkpoint], "epochs": [1, 2]},
        {"callbacks": [[*checkpoint, keras.callbacks.CSVLogger]], "engine": ["population"]},
    ]
    search = GridSearchCV(network(), grid, cv=2, refit=False, error_score=0.0, early_stopping=False)
    with pytest.warns(Warning, match="fits failed"):
        search.fit(X, Y)
    # With engine="population" Keras trains nothing: the fit fails.
    keras_engine = "engine='keras' asks for Keras' own fit"
    assert list(search.population_report_.by_keras.items()) == [(CALLBACKS, 4), (keras_engine, 2)]
    assert lines() == [
        f"0 of 6 fits trained together; 6 by Keras: {CALLBACKS}, 4 fits; {keras_engine}, 2 fits"
    ]


def test_fits_that_are_given_together(lines, checkpoint):
    fits = [network(), network(callbacks=checkpoint), network(callbacks=checkpoint)]
    fit_together([(one, X, Y) for one in [*fits, LogisticRegression()]])
    assert lines() == [f"1 of 3 fits trained together; 2 by Keras: {CALLBACKS}"]
    fit_together([(network(), X, Y), (network(callbacks=checkpoint), X, Y)])
    assert len(lines()) == 1


@pytest.fixture
def only_adam_trains(monkeypatch):
    """Cohorts of other optimizers fail; a lone fit trains by another door."""

    def failing(members, *settings):
        if members[0].update.rule != "adam":
            raise ArithmeticError("this cohort fails\nfor a long reason")
        return Cohort(members, *settings)

    monkeypatch.setattr("skhp.population.cohorts.running_cohort.Cohort", failing)


FAILED = "ArithmeticError: this cohort fails"


def test_members_whose_cohort_failed_are_counted(lines, only_adam_trains, checkpoint):
    grid = [{"optimizer": ["adam", "sgd", "rmsprop"]}, {"callbacks": [checkpoint]}]
    search = GridSearchCV(network(), grid, cv=ONCE, refit=False, early_stopping=False).fit(X, Y)
    report = search.population_report_
    assert report == PopulationReport(1, {CALLBACKS: 1}, {FAILED: 2})
    assert (report.n_alone, report.n_fits) == (2, 4)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert lines() == [
        f"1 of 4 fits trained together; 1 by Keras: {CALLBACKS}; "
        f"2 alone, as their cohort failed: {FAILED}"
    ]


def test_members_given_together_whose_cohort_failed(lines, only_adam_trains):
    fitted = fit_together([(network(optimizer=rule), X, Y) for rule in ("adam", "sgd")])
    assert [one.n_iter_ for one in fitted] == [1, 1]
    # Half is not more than half.
    assert lines() == []
    fit_together([(network(optimizer="sgd"), X, Y)])
    assert lines() == [f"0 of 1 fits trained together; 1 alone, as their cohort failed: {FAILED}"]


def test_wrapped_models_have_reasons_without_numbers_of_keras(lines):
    def build():
        layers = [
            keras.Input((3,)),
            keras.layers.Dense(1, "sigmoid", kernel_constraint=keras.constraints.NonNeg()),
        ]
        return keras.Sequential(layers)

    wrapped = KerasClassifier(build, loss="binary_crossentropy", epochs=1, random_state=0)
    with population():
        model_selection.cross_val_score(wrapped, X, Y, cv=2)
    (line,) = lines()
    # One reason, though each model has layers of another name.
    assert line.startswith("0 of 2 fits trained together; 2 by Keras: the")
    assert "constraint" in line


def test_rounds_of_a_search_are_one_report(lines, checkpoint):
    search = HalvingGridSearchCV(
        network(callbacks=checkpoint),
        {"learning_rate": [1e-3, 1e-2]},
        cv=ONCE,
        refit=False,
        resource="epochs",
        max_resources=2,
        factor=2,
        early_stopping=False,
    ).fit(X, Y)
    assert search.population_report_ == PopulationReport(0, {CALLBACKS: 3})
    assert len(lines()) == 1
    limited = RandomizedSearchCV(
        network(), {"learning_rate": (1e-3, 1e-1)}, n_iter=9, cv=2, time_budget="1h"
    ).fit(X, Y)
    assert limited.population_report_ == PopulationReport(18)


def test_fits_that_a_journal_answers_are_not_counted(tmp_path, checkpoint):
    def search(neurons):
        return GridSearchCV(
            network(callbacks=checkpoint),
            {"neurons": neurons},
            cv=ONCE,
            early_stopping=False,
            refit=False,
            journal=tmp_path / "journal",
        ).fit(X, Y)

    assert search([1]).population_report_.n_by_keras == 1
    assert search([1, 2]).population_report_ == PopulationReport(0, {CALLBACKS: 1})
    assert not hasattr(search([1, 2]), "population_report_")


@pytest.mark.parametrize("settings", [{"population": False}, {}], ids=["alone", "other kinds"])
def test_nothing_is_told_where_no_population_was_asked_for(settings, lines, checkpoint, tmp_path):
    estimator = network(callbacks=checkpoint) if settings else LogisticRegression()
    grid = {"random_state": [0, 1]}
    settings = {"refit": False, "journal": tmp_path / "journal", **settings}
    search = GridSearchCV(estimator, grid, cv=ONCE, **settings)
    assert not hasattr(search.fit(X, Y), "population_report_")
    assert lines() == []


def test_an_earlier_report_is_forgotten():
    search = GridSearchCV(network(), {"neurons": [1]}, cv=2).fit(X, Y)
    assert search.population_report_.n_together == 2
    search.set_params(estimator=LogisticRegression(), param_grid={"C": [1.0]}).fit(X, Y)
    assert not hasattr(search, "population_report_")


class Searching(ClassifierMixin, BaseEstimator):
    """Searches within its fit."""

    def __init__(self, n_networks=1):
        self.n_networks = n_networks

    def fit(self, X, y):
        grid = {"neurons": list(range(1, self.n_networks + 1))}
        self.search_ = GridSearchCV(network(), grid, cv=2).fit(X, y)
        self.classes_ = self.search_.classes_
        return self

    def predict(self, X):
        return self.search_.predict(X)


def test_a_search_within_a_context_or_a_task_reports_its_own_fits():
    with population():
        scored = model_selection.cross_validate(
            Searching(2), X, Y, cv=2, return_estimator=True, scoring="accuracy"
        )
    reports = [one.search_.population_report_ for one in scored["estimator"]]
    assert reports == [PopulationReport(4)] * 2


def test_reports_add_up_and_travel():
    one, other = PopulationReport(1, {"a": 1, "b": 1}), PopulationReport(2, {"b": 2})
    assert one + other == PopulationReport(3, {"b": 3, "a": 1})
    assert list((one + other).by_keras) == ["b", "a"]
    assert pickle.loads(pickle.dumps(one)) == one
    assert str(PopulationReport(4)) == "4 of 4 fits trained together"
    failed = PopulationReport(0, {}, {"c": 1}) + PopulationReport(1, {}, {"d": 2})
    assert failed == PopulationReport(1, {}, {"d": 2, "c": 1})
    assert str(failed).endswith("3 alone, as their cohort failed: d, 2 fits; c, 1 fits")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (CannotJoinError("the layer 'dense_3' is frozen. Thaw it."), "the layer 'dense' is frozen"),
        (CannotJoinError("epsilon=1.2e-38 is small."), "epsilon=1.2e-38 is small"),
        (CannotJoinError("<Loss object at 0x7f2a>."), "<Loss object>"),
        (CannotJoinError("at length", "in short"), "in short"),
    ],
)
def test_the_reason_of_a_refusal_is_short_and_the_same_for_each_fit(error, reason):
    assert error.reason == reason
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.reason) == (str(error), reason)
