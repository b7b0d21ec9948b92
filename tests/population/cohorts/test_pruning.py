"""Who goes on at a rung."""

import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhp.exceptions import InvalidParameterError
from skhp.population.cohorts.pruning import Contest, Entry, Pruning, contest_of

SCORES = st.floats(-10, 10, width=16) | st.just(-math.inf)


def contest(candidates, kinds, factor=3.0):
    return Contest(Pruning(factor=factor), 100, candidates, kinds, {})


class TestRungs:
    @pytest.mark.parametrize(
        ("epochs", "factor", "rungs"),
        [(200, 3, (7, 22, 66)), (100, 2, (6, 12, 25, 50)), (15, 3, (5,)), (14, 3, ())],
    )
    def test_of_most_epochs(self, epochs, factor, rungs):
        assert Pruning(factor=factor).rungs_of(epochs) == rungs

    def test_that_are_given_count_as_far_as_there_are_epochs(self):
        assert Pruning(rungs=(5, 20, 50)).rungs_of(20) == (5,)


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1), SCORES), min_size=1),
    st.floats(1.1, 10),
)
def test_the_best_of_each_kind_go_on(fits, factor):
    kinds = {}
    fits = [
        (candidate, kinds.setdefault(candidate, kind), score) for candidate, kind, score in fits
    ]
    scores = {2 * number: score for number, (_, _, score) in enumerate(fits)}
    candidates, of_kind = ([one[k] for one in fits for _ in range(2)] for k in (0, 1))
    pruned = contest(candidates, of_kind, factor).pruned(scores)
    assert pruned <= scores.keys()
    means = defaultdict(list)
    for candidate, _, score in fits:
        means[candidate].append(score)
    means = {candidate: sum(scores) / len(scores) for candidate, scores in means.items()}
    gone = {candidates[number] for number in pruned}
    # All fits of a candidate end, or none.
    assert pruned == {number for number in scores if candidates[number] in gone}
    for kind in (0, 1):
        of_this = {candidate for candidate in means if kinds[candidate] == kind}
        on, off = of_this - gone, of_this & gone
        assert len(on) == math.ceil(len(of_this) / factor)
        assert not on or not off or min(means[c] for c in on) >= max(means[c] for c in off)


def test_of_equals_the_first_goes_on():
    assert contest([0, 1, 2, 3], "aaaa", 2).pruned(dict.fromkeys(range(4), 0.5)) == {2, 3}


def test_what_is_no_part_is_never_pruned():
    scores = {0: 1.0, 1: -9.0, 2: 0.5}
    assert contest([0, None, 1], "aaa").pruned(scores) == {2}


def test_parameters_whose_scores_do_not_compare_make_kinds():
    pruning = Pruning(apart=("loss",))
    kinds = [
        pruning.kind(parameters)
        for parameters in (
            {"a__loss": "x", "a__rate": 1},
            {"a__loss": "x", "a__rate": 2},
            {"a__loss": "y", "a__rate": 1},
            {},
        )
    ]
    assert kinds[0] == kinds[1]
    assert len(set(kinds)) == 3


def test_nothing_to_rank_by():
    class Plan:
        epochs = 100

    class Task:
        plan, validation = Plan, None

    with pytest.raises(InvalidParameterError, match="early_stopping=True"):
        contest_of([Task], [Entry({})], Pruning())


def test_a_round_of_candidates_that_a_search_told_not_to_stop_is_not_ranked():
    class Plan:
        epochs = 100

    class Task:
        plan, validation = Plan, None
        monitored = "val_loss"

    told = Entry({"parameters": {"network__early_stopping": False}, "candidate_progress": (0, 2)})
    found = contest_of([Task, Task], [told, told], Pruning())
    assert found.pruned({0: 1.0, 1: 0.5}) == set()
    with pytest.raises(InvalidParameterError, match="early_stopping=True"):
        contest_of([Task, Task], [told, Entry({"parameters": {"network__l2": 0.1}})], Pruning())
