import os

import pytest
from sklearn.linear_model import LogisticRegression

from skhp import GridSearchCV
from skhp.study.candidate_count import scores_in_journal


def test_scores_are_those_of_the_search(tmp_path):
    X, y = [[0.0], [1.0], [0.5], [0.1]] * 5, [0, 1, 1, 0] * 5
    search = GridSearchCV(
        LogisticRegression(), {"C": [0.1, 1e3]}, cv=2, journal=tmp_path / "journal"
    ).fit(X, y)
    before = os.listdir(tmp_path)
    found = scores_in_journal(tmp_path / "journal")
    assert sorted((parameters["C"], score) for parameters, score in found) == sorted(
        (C, search.cv_results_[f"split{fold}_test_score"][number])
        for number, C in enumerate([0.1, 1e3])
        for fold in range(2)
    )
    assert os.listdir(tmp_path) == before


@pytest.mark.parametrize("content", [None, b"", b"no journal at all"])
def test_what_is_no_journal_has_no_scores_and_is_left_alone(content, tmp_path):
    path = tmp_path / "journal"
    if content is not None:
        path.write_bytes(content)
    assert scores_in_journal(path) == []
    assert os.listdir(tmp_path) == ([] if content is None else ["journal"])
    assert content is None or path.read_bytes() == content
