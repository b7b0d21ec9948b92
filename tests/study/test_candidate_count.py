import pytest
from sklearn.linear_model import LogisticRegression

from skhp.study.candidate_count import CandidateCount

CANDIDATES = [{"C": 1.0, "tol": 0.1}, {"C": 2.0, "tol": 0.1}, {"C": 3.0, "tol": 0.1}]


@pytest.fixture
def told():
    return []


def counting(told, known=()):
    return CandidateCount(2, lambda *one: told.append(one), lambda: known)


def scored_as(count, scores, means):
    """An `evaluate_candidates` that scores single fits, then gives the means."""

    def evaluate(candidates, cv=None, more_results=None):
        for C, score in scores:
            count.scored(LogisticRegression(C=C, tol=0.1), score)
        return {"mean_test_score": means}

    return count.in_rounds(evaluate)


def test_a_candidate_is_done_when_all_its_folds_are_scored(told):
    count = counting(told)
    scores = [(1.0, 0.5), (2.0, 0.9), (1.0, 0.7), (3.0, 0.2), (2.0, 0.1), (3.0, 0.4)]
    scored_as(count, scores, [0.6, 0.5, 0.3])(CANDIDATES)
    done = [(0, None), (0, None), (0, None), (1, 0.6), (1, 0.6), (2, 0.6), (3, 0.6), (3, 0.6)]
    assert [one[0] for one in told] == [one[0] for one in done]
    assert [one[1] for one in told] == [
        None if best is None else pytest.approx(best) for _, best in done
    ]


def test_rounds_add_up_and_the_best_of_all_is_told(told):
    count = counting(told)
    scored_as(count, [], [0.6, 0.5])(CANDIDATES[:2])
    told.clear()
    scored_as(count, [(3.0, 0.1), (3.0, 0.2)], [0.6, 0.5, 0.15])(CANDIDATES[2:])
    assert told == [(2, 0.6), (2, 0.6), (3, 0.6), (3, 0.6)]


def test_what_a_journal_knows_of_a_round_is_done_from_its_begin_on(told):
    of_first = [(CANDIDATES[0], 0.5), (CANDIDATES[0], 0.7)]
    of_others = [({"C": 9.0, "tol": 0.1}, 0.99)] * 2
    half = [(CANDIDATES[1], 0.25)]
    count = counting(told, [*of_first, *of_others, *half])
    scored_as(count, [(2.0, 0.75)], [0.6, 0.5, 0.3])(iter(CANDIDATES))
    assert told == [(1, pytest.approx(0.6)), (2, pytest.approx(0.6)), (3, 0.6)]


def test_scores_of_other_fits_are_passed_over(told):
    count = counting(told)
    count.scored(LogisticRegression(), 0.5)
    assert told == []


def test_arguments_and_results_pass_through(told):
    passed = []

    def evaluate(*arguments, **keywords):
        passed.append((arguments, keywords))
        return {"mean_test_score": [float("nan")]}

    results = counting(told).in_rounds(evaluate)(CANDIDATES[:1], "cv", more_results={"iter": [0]})
    assert passed == [((CANDIDATES[:1], "cv"), {"more_results": {"iter": [0]}})]
    assert list(results) == ["mean_test_score"]
    assert told[-1] == (1, None)
