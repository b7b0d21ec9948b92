"""A search goes on from its journal, whatever ended it."""

import json
import random
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import StratifiedKFold

from skhp import (
    GridSearchCV,
    HalvingGridSearchCV,
    InvalidParameterError,
    JournalMismatchError,
    KerasMLPClassifier,
    RandomizedSearchCV,
)
from skhp.training import Cohort
from tests.search.interrupted_search import N_FITS, SECONDS_A_SCORE
from tests.search.journals import forget

# About what a search of `interrupted_search` takes until it scores.
SECONDS_OF_TRAINING = 4

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(150, 4))
Y = (X[:, 0] + GENERATOR.normal(size=150) / 2 > 0.5).astype(int)
NETWORK = KerasMLPClassifier(epochs=30, patience=5, random_state=0)
GRID = {"learning_rate": [0.1, 0.03, 0.01, 0.003], "batch_size": [10, 20]}


def searcher(journal, **settings):
    return GridSearchCV(NETWORK, GRID, **{"cv": 3, "refit": False} | settings, journal=journal)


def assert_same_results(one, other, times=False):
    assert list(one.cv_results_) == list(other.cv_results_)
    for name, column in one.cv_results_.items():
        if times or "time" not in name:
            np.testing.assert_array_equal(column, other.cv_results_[name], err_msg=name)


@pytest.fixture
def trained(monkeypatch):
    """Numbers of members that cohorts trained."""
    numbers = []

    def counted(tasks, *settings):
        numbers.append(sum(task.finished_after is None for task in tasks))
        return Cohort(tasks, *settings)

    monkeypatch.setattr("skhp.population.planned_cohort.Cohort", counted)
    return numbers


class TestTheSameCallAgain:
    @pytest.mark.parametrize(
        "settings",
        [
            {"return_train_score": True},
            {"scoring": ["f1", "accuracy"]},
            {"scoring": "roc_auc", "error_score": "raise"},
        ],
        ids=["train scores", "several scores", "a named score"],
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
    def test_what_is_missing_is_trained_to_the_same_bits(self, keep, tmp_path, trained):
        first = searcher(tmp_path / "journal").fit(X, Y)
        missing = forget(tmp_path / "journal", keep)
        trained.clear()
        again = searcher(tmp_path / "journal").fit(X, Y)
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

    def test_a_larger_grid_goes_on_from_a_smaller_one(self, tmp_path, trained):
        searcher(tmp_path / "journal").fit(X, Y)
        trained.clear()
        more = {**GRID, "batch_size": [10, 20, 40]}
        GridSearchCV(NETWORK, more, cv=3, refit=False, journal=tmp_path / "journal").fit(X, Y)
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
            ("estimator", lambda: searcher("journal", early_stopping=3).fit(X, Y)),
            ("settings", lambda: searcher("journal", return_train_score=True).fit(X, Y)),
        ],
    )
    def test_another_search(self, part, change, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        searcher("journal").fit(X, Y)
        before = (tmp_path / "journal").read_bytes()
        with pytest.raises(JournalMismatchError, match=part):
            change()
        assert (tmp_path / "journal").read_bytes() == before

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

    def test_a_path_that_is_none(self):
        with pytest.raises(ValueError, match="journal"):
            GridSearchCV(LogisticRegression(), {"C": [1.0]}, journal=3).fit(X, Y)


def test_pandas_reads_the_fits(tmp_path):
    search = searcher(tmp_path / "journal").fit(X, Y)
    connection = sqlite3.connect(tmp_path / "journal")
    joined = "SELECT * FROM finished_folds JOIN scores ON finished_folds.id = fold_id"
    fits = pd.read_sql(joined, connection)
    connection.close()
    means = fits[fits["name"] == "test_score"].groupby("parameters")["value"].mean()
    for parameters, mean in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        (found,) = (means[text] for text in means.index if json.loads(text) == parameters)
        assert found == pytest.approx(mean)


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path, pytestconfig):
    moments = random.Random(0)

    def started(journal):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.search.interrupted_search", str(journal)],
            cwd=pytestconfig.rootpath,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout.readline() == "began\n"
        return process

    def finished(journal):
        """Scores of a search that is left alone; it scores only what is not known yet."""
        known = fits_in(journal)
        with started(journal) as process:
            *scored, scores = process.stdout.read().splitlines()
        assert len(scored) == N_FITS - known
        assert fits_in(journal) == N_FITS
        return json.loads(scores)

    def killed(journal):
        """Kill a search while it trains, or after a few fits that it scores."""
        n_scored = moments.choice([0, 1, 3, 6, 10])
        with started(journal) as process:
            for _ in range(n_scored):
                assert process.stdout.readline() == "scored\n"
            time.sleep(moments.uniform(0, SECONDS_A_SCORE if n_scored else SECONDS_OF_TRAINING))
            process.kill()

    def fits_in(journal):
        if not journal.exists():
            return 0
        connection = sqlite3.connect(journal)
        (count,) = connection.execute("SELECT count(*) FROM finished_folds").fetchone()
        connection.close()
        return count

    expected = finished(tmp_path / "undisturbed")
    within = journals = 0
    for _ in range(20):
        journal = tmp_path / f"journal-{journals}"
        before = fits_in(journal)
        killed(journal)
        assert before <= fits_in(journal) <= N_FITS
        within += before < fits_in(journal) < N_FITS
        if fits_in(journal) > N_FITS - 10:
            assert finished(journal) == expected
            journals += 1
    assert finished(journal) == expected
    # Of the others, most were killed before a program was compiled.
    assert within >= 8
