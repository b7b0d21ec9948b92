import pytest

from skhp.study.candidate_count import CandidateCount

CANDIDATES = [{"C": 1.0, "tol": 0.1}, {"C": 2.0, "tol": 0.1}, {"C": 3.0, "tol": 0.1}]


@pytest.fixture
def told():
    return []


def counting(told):
    return CandidateCount(2, lambda *one: told.append(one))


def round_of(count, candidates, scores, means):
    """A round in which single fits are scored, and which ends with these means."""
    count.round_begins(candidates, {})
    for number, score in scores:
        keywords = {"candidate_progress": (number, len(candidates))}
        count.fit_finished(keywords, {"test_scores": score}, ())
    count.round_ends({"mean_test_score": means})


def test_a_candidate_is_done_when_all_its_folds_are_scored(told):
    scores = [(0, 0.5), (1, 0.9), (0, 0.7), (2, 0.2), (1, 0.1), (2, 0.4)]
    round_of(counting(told), CANDIDATES, scores, [0.6, 0.5, 0.3])
    done = [(0, None), (0, None), (0, None), (1, 0.6), (1, 0.6), (2, 0.6), (3, 0.6), (3, 0.6)]
    assert [one[0] for one in told] == [one[0] for one in done]
    assert [one[1] for one in told] == [
        None if best is None else pytest.approx(best) for _, best in done
    ]


def test_rounds_add_up_and_the_best_of_all_is_told(told):
    count = counting(told)
    round_of(count, CANDIDATES[:2], [], [0.6, 0.5])
    told.clear()
    round_of(count, CANDIDATES[2:], [(0, 0.1), (0, 0.2)], [0.6, 0.5, 0.15])
    assert told == [(2, 0.6), (2, 0.6), (3, 0.6), (3, 0.6)]


def test_a_round_in_which_all_failed_has_no_best(told):
    round_of(counting(told), CANDIDATES[:1], [], [float("nan")])
    assert told[-1] == (1, None)
