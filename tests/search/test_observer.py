"""Who observes a search is told of rounds and fits, and may part and end it."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from skhp import GridSearchCV, HalvingGridSearchCV, TPESearchCV
from skhp.search.observer import ObservedRounds, SearchEnds, SearchObserver

X, Y = np.zeros((60, 1)), np.arange(60) % 2
GRID = {"random_state": list(range(6))}


class Notes(SearchObserver):
    """Writes down what it is told."""

    def __init__(self, size=None):
        self.size = size
        self.told = []

    def largest_round(self):
        return self.size

    def round_begins(self, candidates, more_results):
        self.told.append(("begins", len(candidates)))

    def fit_finished(self, keywords, result, rung_scores):
        self.told.append(("fit", keywords["parameters"], result["test_scores"]))

    def round_ends(self, results):
        self.told.append(("ends", len(results["params"])))

    def of(self, kind):
        return [one[1] for one in self.told if one[0] == kind]


def searched(kind, space, notes, **settings):
    search = kind(DummyClassifier(strategy="uniform"), space, cv=2, scoring="accuracy", **settings)
    return search.observed_by(notes).fit(X, Y)


@pytest.mark.parametrize("population", [True, False])
def test_each_fit_is_told_between_begin_and_end(population):
    notes = Notes()
    search = searched(GridSearchCV, GRID, notes, population=population)
    assert [one[0] for one in notes.told] == ["begins", *["fit"] * 12, "ends"]
    assert notes.of("fit") == [one for one in search.cv_results_["params"] for _ in range(2)]
    scores = [one[2] for one in notes.told if one[0] == "fit"]
    means = np.reshape(scores, (6, 2)).mean(axis=1)
    np.testing.assert_allclose(means, search.cv_results_["mean_test_score"])


def test_the_smallest_of_the_rounds_that_are_wanted_counts():
    notes, others = Notes(4), Notes()
    search = GridSearchCV(DummyClassifier(strategy="uniform"), GRID, cv=2, scoring="accuracy")
    search.observed_by(others, notes).fit(X, Y)
    assert notes.of("begins") == others.of("begins") == [4, 2]
    assert notes.of("ends") == [4, 6]


def test_rounds_of_other_searchers():
    notes = Notes()
    searched(TPESearchCV, {"random_state": (0, 99)}, notes, n_iter=5, n_points=3)
    assert notes.of("begins") == [3, 2]
    notes = Notes()
    searched(HalvingGridSearchCV, GRID, notes, random_state=0)
    assert notes.of("begins")[0] == 6
    assert len(notes.of("begins")) > 1


def test_what_a_journal_answers_is_told_too(tmp_path):
    for _ in range(2):
        notes = Notes()
        searched(GridSearchCV, GRID, notes, journal=tmp_path / "journal")
        assert len(notes.of("fit")) == 12


def test_an_observer_is_of_one_fit_and_no_part_of_the_search():
    notes = Notes()
    search = searched(GridSearchCV, GRID, notes)
    told = len(notes.told)
    search.fit(X, Y)
    assert len(notes.told) == told
    assert not [name for name in vars(search) if name in ("_run", "_watching")]


def test_an_observer_may_end_the_search():
    class Impatient(Notes):
        def round_ends(self, results):
            raise SearchEnds

    search = searched(GridSearchCV, GRID, Impatient(2))
    assert len(search.cv_results_["params"]) == 2


def test_arguments_and_results_pass_through():
    passed = []

    def evaluate(*arguments, **keywords):
        passed.append((arguments, keywords))
        return {"params": [{}]}

    notes = Notes()
    results = ObservedRounds(evaluate, [notes])(iter([{"a": 1}]), "cv", {"iter": [0]})
    assert passed == [(([{"a": 1}], "cv"), {"more_results": {"iter": [0]}})]
    assert results == {"params": [{}]}
