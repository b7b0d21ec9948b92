"""A member that has ended is handed over while its cohort trains on."""

import threading

import numpy as np
import pytest
from sklearn.base import clone

from skhp import GridSearchCV, KerasMLPClassifier
from skhp.population.cohorts import early_results
from skhp.population.cohorts.early_results import EarlyResults
from skhp.population.cohorts.population_training import train_population
from skhp.population.options import PopulationOptions
from skhp.population.report import SilentProgress
from skhp.search.journal.reading import read_journal_file
from skhp.search.observer import SearchObserver
from skhp.training.cohort.cohort import Cohort
from tests.training.fits import example, training_rows, validation_rows

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(90, 4))
Y = (X[:, 0] + GENERATOR.normal(size=90) / 2 > 0.3).astype(int)
LONG = 400
NETWORK = KerasMLPClassifier(neurons=2, random_state=0)


@pytest.fixture
def at_once(monkeypatch):
    """Cohorts hand over after each chunk."""
    monkeypatch.setattr(early_results, "SECONDS_APART", 0.0)


@pytest.fixture
def patient(monkeypatch):
    """The short members of a cohort have ended, and the others wait until somebody says so."""
    scored = threading.Event()
    advance = Cohort.advance

    def waiting(cohort, most):
        # The chunks before the last epoch of a long member wait for the score of a short one.
        if cohort.epochs >= LONG - 100:
            assert scored.wait(120)
        return advance(cohort, most)

    monkeypatch.setattr(Cohort, "advance", waiting)
    return scored


def search(**settings):
    grid = {"epochs": [3, LONG], "learning_rate": [1e-2, 1e-3]}
    network = clone(NETWORK).set_params(early_stopping=False)
    return GridSearchCV(network, grid, cv=2, refit=False, **settings)


class Watching(SearchObserver):
    """Lets the long members end when the short ones are finished."""

    def __init__(self, scored, journal):
        self.scored, self.journal = scored, journal
        self.told = []

    def fit_finished(self, keywords, result, rung_scores):
        self.told.append(keywords["parameters"]["epochs"])
        if self.told == [3] * 4:
            finished = read_journal_file(self.journal).finished.values()
            assert [fold.epochs for fold in finished] == [3] * 4
            self.scored.set()


def test_it_is_scored_and_in_the_journal_while_the_others_train(at_once, patient, tmp_path):
    journal = tmp_path / "journal"
    watching = Watching(patient, journal)
    # The long members cannot end before the short ones are scored: without that, this waits.
    results = search(journal=journal).observed_by(watching).fit(X, Y).cv_results_
    assert watching.told == [3] * 4 + [LONG] * 4
    np.testing.assert_array_equal(results["mean_n_iter"], [3, 3, LONG, LONG])


def test_scores_have_the_bits_of_members_that_end_together(at_once, monkeypatch):
    early = search().fit(X, Y).cv_results_
    monkeypatch.setattr(early_results, "SECONDS_APART", 1e9)
    late = search().fit(X, Y).cv_results_
    for name in ("mean_test_score", "std_test_score", "mean_n_iter", "stop_reason"):
        np.testing.assert_array_equal(early[name], late[name])


def test_each_member_is_there_once_with_its_bits(at_once):
    rows = {"training": training_rows(60), "validation": validation_rows(20)}
    settings = [{"epochs": n, "rate": rate} for rate in (0.1, 0.01) for n in (2, 9, 9, 30)]
    settings += [{"epochs": 40, "patience": 2, "rate": 1.0}]
    tasks = [example(**rows, **one).task for one in settings]
    found = list(train_population(tasks, PopulationOptions(), SilentProgress()))
    assert sorted(number for number, _ in found) == list(range(len(tasks)))
    expected = Cohort(tasks).trained()
    for number, result in found:
        np.testing.assert_array_equal(result.trained.weights, expected[number].trained.weights)
        assert result.outcome == expected[number].outcome


def test_pruned_and_early_members_have_all_scores_that_rank_them(at_once, tmp_path, monkeypatch):
    """A resumed search ranks a member that ended before a rung as the first run did."""
    grid = {"learning_rate": [0.3, 0.03, 0.01, 1e-3], "epochs": [8, 40]}
    settings = {"prune": {"rungs": (6, 15), "factor": 2}, "cv": 2, "refit": False}
    settings |= {"early_stopping": True}
    monkeypatch.setattr(early_results, "SECONDS_APART", 1e9)
    expected = GridSearchCV(NETWORK, grid, **settings).fit(X, Y).cv_results_
    monkeypatch.setattr(early_results, "SECONDS_APART", 0.0)
    first = GridSearchCV(NETWORK, grid, journal=tmp_path / "journal", **settings).fit(X, Y)
    again = GridSearchCV(NETWORK, grid, journal=tmp_path / "journal", **settings).fit(X, Y)
    for results in (first.cv_results_, again.cv_results_):
        for name in ("mean_test_score", "pruned_at_epoch", "stop_reason"):
            np.testing.assert_array_equal(results[name], expected[name])


def test_a_cohort_hands_over_rarely_and_only_to_a_caller_that_waits():
    now = [0.0]
    early = EarlyResults(1.0, lambda: now[0])
    assert not early.are_wanted(since=-5.0)
    with early.awaited():
        assert not early.are_wanted(since=0.0)
        now[0] = 1.0
        assert early.are_wanted(since=0.0)
    assert not early.are_wanted(since=0.0)
    early.put([(3, "result")])
    assert list(early.taken()) == [[(3, "result")]]
    assert list(early.taken()) == []
