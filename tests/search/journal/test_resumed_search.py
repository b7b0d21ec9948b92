"""A search goes on from its journal, whatever ended it."""

import json
import shutil
import sqlite3
import sys
import threading

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks import chaos
from skhp import (
    GridSearchCV,
    HalvingGridSearchCV,
    InvalidParameterError,
    JournalError,
    JournalMismatchError,
    KerasMLPClassifier,
    RandomizedSearchCV,
)
from skhp.training.cohort.cohort import Cohort
from tests.search.journals import forget

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(150, 4))
Y = (X[:, 0] + GENERATOR.normal(size=150) / 2 > 0.5).astype(int)
NETWORK = KerasMLPClassifier(epochs=12, patience=3, random_state=0)
GRID = {"learning_rate": [0.1, 0.03, 0.01, 0.003], "batch_size": [10, 20]}


def searcher(journal, **settings):
    return GridSearchCV(NETWORK, GRID, **{"cv": 3, "refit": False} | settings, journal=journal)


def assert_same_results(one, other, times=False):
    assert list(one.cv_results_) == list(other.cv_results_)
    for name, column in one.cv_results_.items():
        if times or "time" not in name:
            np.testing.assert_array_equal(column, other.cv_results_[name], err_msg=name)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A search, and the journal that it has left, which no test changes."""
    journal = tmp_path_factory.mktemp("recorded") / "journal"
    return searcher(journal).fit(X, Y), journal


@pytest.fixture
def copied(recorded, tmp_path):
    """The same search, and a copy of its journal."""
    search, journal = recorded
    return search, shutil.copyfile(journal, tmp_path / "journal")


@pytest.fixture
def trained(monkeypatch):
    """Numbers of members that cohorts trained."""
    numbers = []

    def counted(tasks, *settings):
        numbers.append(sum(task.finished_after is None for task in tasks))
        return Cohort(tasks, *settings)

    monkeypatch.setattr("skhp.population.cohorts.running_cohort.Cohort", counted)
    return numbers


class TestTheSameCallAgain:
    @pytest.mark.parametrize(
        "settings",
        [
            {"scoring": ["f1", "accuracy"], "return_train_score": True},
            {"scoring": "roc_auc", "error_score": "raise"},
        ],
        ids=["several scores", "a named score"],
    )
    def test_everything_is_answered(self, settings, tmp_path, trained):
        plain = searcher(None, **settings).fit(X, Y)
        first = searcher(tmp_path / "journal", **settings).fit(X, Y)
        assert_same_results(first, plain)
        trained.clear()
        again = searcher(str(tmp_path / "journal"), **settings).fit(X, Y)
        assert trained == []
        assert_same_results(again, first, times=True)

    @pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
    def test_what_is_missing_is_trained_to_the_same_bits(self, keep, copied, trained):
        first, journal = copied
        missing = forget(journal, keep)
        again = searcher(journal).fit(X, Y)
        assert sum(trained) == missing
        assert_same_results(again, first)

    def test_failed_fits_are_finished(self, tmp_path):
        class Failing(ClassifierMixin, BaseEstimator):
            fits = 0

            def __init__(self, bad=False):
                self.bad = bad

            def fit(self, X, y):
                type(self).fits += 1
                if self.bad:
                    raise ValueError("a bad candidate")
                self.classes_ = np.unique(y)
                return self

            def predict(self, X):
                return np.ones(len(X), int)

        def fit():
            search = GridSearchCV(
                Failing(), {"bad": [False, True]}, cv=2, refit=False, journal=tmp_path / "journal"
            )
            with (
                pytest.warns(Warning, match="a bad candidate"),
                pytest.warns(UserWarning, match="non-finite"),
            ):
                return search.fit(X, Y)

        first = fit()
        assert Failing.fits == 4
        assert_same_results(fit(), first, times=True)
        assert Failing.fits == 4

    @pytest.mark.parametrize(
        "search",
        [
            lambda journal: RandomizedSearchCV(
                SGDClassifier(random_state=0),
                {"alpha": loguniform(1e-5, 1)},
                random_state=0,
                journal=journal,
            ),
            lambda journal: HalvingGridSearchCV(
                SGDClassifier(random_state=0),
                {"alpha": [1e-4, 1e-3, 1e-2, 1e-1]},
                random_state=0,
                journal=journal,
            ),
            lambda journal: GridSearchCV(
                SGDClassifier(random_state=0),
                {"alpha": [1e-4, 1e-2]},
                population=False,
                n_jobs=2,
                journal=journal,
            ),
        ],
        ids=["random", "halving", "in processes"],
    )
    def test_other_searches(self, search, tmp_path):
        first = search(tmp_path / "journal").fit(X, Y)
        assert_same_results(search(tmp_path / "journal").fit(X, Y), first, times=True)
        forget(tmp_path / "journal", 0.5)
        assert_same_results(search(tmp_path / "journal").fit(X, Y), first)
        assert_same_results(search(None).fit(X, Y), first)

    def test_a_larger_grid_goes_on_from_a_smaller_one(self, copied, trained):
        _, journal = copied
        more = {**GRID, "batch_size": [10, 20, 40]}
        GridSearchCV(NETWORK, more, cv=3, refit=False, journal=journal).fit(X, Y)
        assert sum(trained) == 4 * 3


class TestRefused:
    @pytest.mark.parametrize(
        ("part", "change"),
        [
            ("data", lambda: searcher("journal").fit(X + 1, Y)),
            ("data", lambda: searcher("journal").fit(X, 1 - Y)),
            ("data", lambda: searcher("journal").fit(X, Y, sample_weight=np.ones(150))),
            ("folds", lambda: searcher("journal", cv=4).fit(X, Y)),
            ("folds", lambda: searcher("journal", cv=StratifiedKFold(3, shuffle=True)).fit(X, Y)),
            ("scoring", lambda: searcher("journal", scoring="recall").fit(X, Y)),
            ("estimator", lambda: searcher("journal", early_stopping=4).fit(X, Y)),
            ("settings", lambda: searcher("journal", return_train_score=True).fit(X, Y)),
        ],
    )
    def test_another_search(self, part, change, copied, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        _, journal = copied
        before = journal.read_bytes()
        with pytest.raises(JournalMismatchError, match=part):
            change()
        assert journal.read_bytes() == before

    def test_a_backend_of_somebody_else(self, tmp_path):
        import joblib

        class Foreign(joblib.parallel.SequentialBackend):
            pass

        search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, journal=tmp_path / "journal")
        with (
            joblib.parallel_config(backend=Foreign()),
            pytest.raises(InvalidParameterError, match="backend Foreign"),
        ):
            search.fit(X, Y)

    @pytest.mark.parametrize("settings", [{}, {"aggressive_elimination": True}])
    def test_candidates_that_change_the_rows_of_the_rounds(self, settings, tmp_path):
        # Each of the rounds has other rows, with nothing else edited.
        if settings:
            settings = settings | {"min_resources": 20}

        def search(alphas):
            return HalvingGridSearchCV(
                SGDClassifier(random_state=0),
                {"alpha": alphas},
                factor=2,
                cv=2,
                early_stopping=False,
                random_state=0,
                journal=tmp_path / "journal",
                **settings,
            ).fit(X, Y)

        alphas = list(np.logspace(-4, 1, 16))
        search(alphas[:4])
        with pytest.raises(JournalMismatchError, match=r"settings \({'n_samples': "):
            search(alphas)

    def test_candidates_that_leave_the_rows_of_the_rounds(self, tmp_path):
        def search(alphas, journal):
            return HalvingGridSearchCV(
                SGDClassifier(random_state=0),
                {"alpha": alphas},
                min_resources=50,
                cv=2,
                early_stopping=False,
                random_state=0,
                journal=journal,
            ).fit(X, Y)

        search([1e-3, 1e-1], tmp_path / "journal")
        again = search([1e-3, 1e-1, 1e-2], tmp_path / "journal")
        assert_same_results(again, search([1e-3, 1e-1, 1e-2], None))

    def test_a_path_that_is_none(self):
        with pytest.raises(ValueError, match="journal"):
            GridSearchCV(LogisticRegression(), {"C": [1.0]}, journal=3).fit(X, Y)


# What the scorers and the transformer below read; tests edit it.
FACTOR = 1.0
CALLS = [0]
LOG = None


def factor():
    return FACTOR


def scored_by_a_global(estimator, X, y):
    return factor() * estimator.score(X, y)


def scored_and_counted(estimator, X, y):
    CALLS[0] += 1
    return estimator.score(X, y)


def scored_and_logged(estimator, X, y):
    print("scored", file=LOG)
    return estimator.score(X, y)


def scaled(X):
    return FACTOR * X


class Thresholded(ClassifierMixin, BaseEstimator):
    threshold = 0.0

    def __init__(self, sign=1):
        self.sign = sign

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return (self.sign * X[:, 0] > self.threshold).astype(int)


class TestCodeOfTheUsers:
    def search(self, journal, estimator=None, scoring=None, grid=None):
        estimator = LogisticRegression() if estimator is None else estimator
        grid = {"C": [0.1, 1.0]} if grid is None else grid
        search = GridSearchCV(estimator, grid, scoring=scoring, cv=3, refit=False, journal=journal)
        return search.fit(X, Y)

    @pytest.mark.parametrize(
        ("edited", "part", "reached", "settings"),
        [
            (
                "FACTOR",
                "scoring",
                "FACTOR, factor",
                {"scoring": scored_by_a_global},
            ),
            (
                "FACTOR",
                "scoring",
                "FACTOR, factor",
                {"scoring": {"a": "f1", "b": scored_by_a_global}},
            ),
            (
                "FACTOR",
                "estimator",
                "FACTOR, scaled",
                {
                    "estimator": make_pipeline(FunctionTransformer(scaled), LogisticRegression()),
                    "grid": {"logisticregression__C": [1.0]},
                },
            ),
            (
                "threshold",
                "estimator",
                "Thresholded, threshold",
                {"estimator": Thresholded(), "grid": {"sign": [1, -1]}},
            ),
        ],
        ids=["a scorer", "several scorers", "a transformer", "a class attribute"],
    )
    def test_an_edit_is_another_search(
        self, edited, part, reached, settings, tmp_path, monkeypatch
    ):
        first = self.search(tmp_path / "journal", **settings)
        place = Thresholded if hasattr(Thresholded, edited) else sys.modules[__name__]
        monkeypatch.setattr(place, edited, 0.7)
        with pytest.raises(JournalMismatchError, match=rf"What differs: {part} \(") as refusal:
            self.search(tmp_path / "journal", **settings)
        assert f"; what their code reaches ({reached}). Give" in str(refusal.value)
        monkeypatch.undo()
        assert_same_results(self.search(tmp_path / "journal", **settings), first, times=True)

    def test_a_function_among_the_candidates_is_another_one_when_edited(
        self, tmp_path, monkeypatch
    ):
        pipeline = make_pipeline(FunctionTransformer(), Thresholded())
        grid = {"functiontransformer__func": [None, scaled]}
        self.search(tmp_path / "journal", pipeline, grid=grid)
        monkeypatch.setattr(sys.modules[__name__], "FACTOR", -1.0)
        again = self.search(tmp_path / "journal", pipeline, grid=grid).cv_results_
        plain = self.search(None, pipeline, grid=grid).cv_results_
        np.testing.assert_array_equal(again["mean_test_score"], plain["mean_test_score"])
        assert again["mean_test_score"][0] != again["mean_test_score"][1]

    def test_what_the_search_itself_counts_up_is_no_edit(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sys.modules[__name__], "CALLS", [0])
        first = self.search(tmp_path / "journal", scoring=scored_and_counted)
        for _ in range(2):
            assert CALLS == [6]
            again = self.search(tmp_path / "journal", scoring=scored_and_counted)
            assert_same_results(again, first, times=True)
        forget(tmp_path / "journal", 0.5)
        self.search(tmp_path / "journal", scoring=scored_and_counted)
        assert CALLS == [9]
        # As a new process begins.
        CALLS[0] = 0
        again = self.search(tmp_path / "journal", scoring=scored_and_counted)
        np.testing.assert_array_equal(
            again.cv_results_["mean_test_score"], first.cv_results_["mean_test_score"]
        )
        assert CALLS == [0]
        CALLS[0] = 70
        with pytest.raises(JournalMismatchError, match=r"scoring \("):
            self.search(tmp_path / "journal", scoring=scored_and_counted)

    def test_candidates_that_count_are_found_again(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sys.modules[__name__], "CALLS", [0])

        def counted(X):
            CALLS[0] += 1
            return X

        pipeline = make_pipeline(FunctionTransformer(), Thresholded())
        grid = {"functiontransformer__func": [counted]}
        first = self.search(tmp_path / "journal", pipeline, grid=grid)
        n_calls, CALLS[0] = CALLS[0], 0
        assert n_calls
        again = self.search(tmp_path / "journal", pipeline, grid=grid)
        assert CALLS == [0]
        assert_same_results(again, first, times=True)

    @pytest.mark.parametrize(
        ("settings", "path"),
        [
            (
                {"scoring": scored_and_logged},
                "scoring -> scored_and_logged -> LOG is a _io.TextIOWrapper",
            ),
            (
                {
                    "estimator": Pipeline(
                        [("first", FunctionTransformer()), ("last", Thresholded())]
                    ),
                    "grid": {"first__kw_args": [{"a": threading.Lock()}]},
                },
                "parameters -> first__kw_args -> a is a _thread.lock",
            ),
        ],
    )
    def test_what_cannot_be_described_is_refused_by_name(
        self, settings, path, tmp_path, monkeypatch
    ):
        with (tmp_path / "log").open("w") as log:
            monkeypatch.setattr(sys.modules[__name__], "LOG", log)
            with pytest.raises(JournalError, match=path) as refusal:
                self.search(tmp_path / "journal", **settings)
        assert "or search without a journal" in str(refusal.value)
        assert (tmp_path / "log").read_text() == ""


def test_pandas_reads_the_fits(recorded):
    search, journal = recorded
    connection = sqlite3.connect(journal)
    joined = "SELECT * FROM finished_folds JOIN scores ON finished_folds.id = fold_id"
    fits = pd.read_sql(joined, connection)
    connection.close()
    means = fits[fits["name"] == "test_score"].groupby("parameters")["value"].mean()
    for parameters, mean in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        (found,) = (means[text] for text in means.index if json.loads(text) == parameters)
        assert found == pytest.approx(mean)


def test_killed_again_and_again(tmp_path, pytestconfig, monkeypatch, capsys):
    """The short form of `benchmarks/chaos.py`."""
    monkeypatch.chdir(pytestconfig.rootpath)
    undisturbed, place = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    place.mkdir()
    chaos.search_in(undisturbed)
    expected = json.loads((undisturbed / chaos.RESULTS).read_text())
    assert expected["trained"] == chaos.N_FITS
    searched = chaos.KilledSearch(place, {"refit": 0.0}, expected["results"])
    searched.run_to_the_end([chaos.Moment("scoring", 0.3), chaos.Moment("refit", 0.0)])
    assert searched.faults == []
    assert searched.n_kills == 2
    printed = capsys.readouterr().out.splitlines()
    first, second = (int(line.split()[3]) for line in printed if line.startswith("killed"))
    assert 0 < first < chaos.N_FITS == second


def test_a_journal_that_is_lost_between_two_kills_is_a_fault(tmp_path, monkeypatch):
    """The benchmark has to find what it looks for."""
    searched = chaos.KilledSearch(tmp_path, {}, {"expected": 1})
    line = json.dumps([1, {"dropout": 0.0}, 0.5])
    fit = json.dumps([{"dropout": 0.0}, 0.5])

    def runs_twice(place, moment, *_):
        with (place / chaos.SCORED).open("a") as file:
            file.write(f"{line}\n")
        monkeypatch.setattr(chaos, "fits_in_journal", lambda _: {fit} if moment else set())
        stage = "scoring" if moment else "done"
        return chaos.Run(stage, killed=moment is not None, seconds={}, complaint="")

    monkeypatch.setattr(chaos, "run", runs_twice)
    searched.run_to_the_end([chaos.Moment("scoring", 0.5)])
    assert searched.faults == [
        "1 finished fits were trained and scored again",
        "the journal has lost fits",
        "the results are not those expected",
        "the journal has 0 fits",
        "None fits were trained, and 35 were missing",
        "files are left: ['scored.txt']",
    ]
