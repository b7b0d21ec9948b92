import numpy as np
import pytest

from skhp.inspection.search_results import search_results
from skhp.inspection.search_rules import findings_of_search
from tests.inspection.displays.finished_searches import finished_search

NAN = [np.nan] * 5


def findings(parameters, scores, **columns):
    return findings_of_search(search_results(finished_search(parameters, scores, **columns)))


def scores(means, seed=0, deviation=0.01):
    """Folds that differ, in which the candidates differ as their means."""
    random = np.random.default_rng(seed)
    folds = random.normal(0, 0.05, 5)
    return np.array(means)[:, None] + folds + random.normal(0, deviation, (len(means), 5))


@pytest.mark.parametrize("seed", range(10))
def test_the_best_at_the_end_of_the_grid(seed):
    grid = {"learning_rate": [0.001, 0.01, 0.1]}
    (finding,) = findings(grid, scores([0.6, 0.7, 0.8], seed))
    assert (finding.kind, finding.parameter) == ("edge_of_the_grid", "learning_rate")
    assert finding.figure == 0.1
    assert finding.message.startswith("0.1 is the largest learning_rate tried")
    (finding,) = findings(grid, scores([0.8, 0.7, 0.6], seed))
    assert finding.message.startswith("0.001 is the smallest learning_rate tried")
    assert findings(grid, scores([0.6, 0.8, 0.7], seed)) == []


def test_an_edge_that_may_be_chance_is_none():
    grid = {"rate": [1, 2, 3, 4]}
    found = [findings(grid, scores([0.5, 0.8, 0.8, 0.8], seed, 0.03)) for seed in range(60)]
    assert sum(map(bool, found)) <= 9


@pytest.mark.parametrize("name", ["hidden_layers", "l2"])
def test_zero_is_no_edge(name):
    assert findings({name: [0, 1, 2]}, scores([0.8, 0.7, 0.6])) == []
    assert findings({name: [1, 2, 3]}, scores([0.8, 0.7, 0.6])) == []
    assert len(findings({name: [0, 1, 2]}, scores([0.6, 0.7, 0.8]))) == 1


def test_two_values_and_categories_have_no_edge():
    assert findings({"rate": [0.1, 0.2]}, scores([0.6, 0.8])) == []
    assert findings({"activation": ["elu", "relu", "tanh"]}, scores([0.6, 0.7, 0.8])) == []


def test_in_a_grid_of_two_the_best_of_the_next_value_is_the_rival():
    grid = {"a": [1, 1, 2, 2, 3, 3], "b": [1, 2, 1, 2, 1, 2]}
    assert findings(grid, scores([0.5, 0.5, 0.8, 0.5, 0.5, 0.8], deviation=1e-4)) == []
    (finding,) = findings(grid, scores([0.5, 0.5, 0.7, 0.6, 0.5, 0.8], deviation=1e-4))
    assert finding.parameter == "a"


@pytest.mark.parametrize("seed", range(10))
def test_the_best_at_the_end_of_a_range(seed):
    rates = 10 ** np.random.default_rng(seed).uniform(-6, -3, 25)
    (finding,) = findings({"rate": rates}, scores(np.log10(rates) / 10, seed))
    assert finding.figure == rates.max()
    assert "largest rate tried: widen the range" in finding.message


def test_draws_that_do_not_matter_have_no_end():
    counts = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        drawn = {"a": random.random(20), "b": random.random(20)}
        found = findings(drawn, scores(drawn["a"] * (1 - drawn["a"]), seed))
        counts += any(finding.kind == "edge_of_the_grid" for finding in found)
    assert counts <= 6


def test_candidates_that_do_not_differ():
    kinds = []
    for seed in range(20):
        found = findings({"a": ["x", "y", "z", "w"]}, scores([0.8] * 4, seed))
        kinds += [finding.kind for finding in found]
    assert kinds.count("undecided") == len(kinds) >= 14
    # Scores that are all the same, such as 1 for an easy problem, are nothing to decide.
    assert findings({"a": ["x", "y", "z"]}, np.ones((3, 5))) == []


def test_candidates_that_failed():
    rates = {"rate": [0.1, 0.2, 1.0, 2.0]}
    found = findings(rates, [[0.7] * 5, [0.8] * 5, NAN, NAN])
    (finding,) = [one for one in found if one.kind == "failed_candidates"]
    assert (finding.figure, finding.parameter) == (0.5, "rate")
    assert "all those with rate of 1 or more" in finding.message
    (finding,) = findings(rates, [[0.7] * 5, NAN, [0.8] * 5, NAN])
    assert finding.parameter == "error_score"
    assert "2 of 4" in finding.message
    (finding,) = findings(rates, [NAN] * 4)
    assert finding.figure == 1
    assert findings({"a": [*"uvwxyz"]}, [*scores([0.1, 0.2, 0.3, 0.4, 0.5]), NAN]) == []


def test_pruned_candidates_are_no_rivals():
    pruned = [np.nan, 3.0, np.nan]
    assert findings({"a": [1, 2, 3]}, scores([0.5, 0.6, 0.9]), pruned_at_epoch=pruned) == []
