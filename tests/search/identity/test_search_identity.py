from dataclasses import asdict

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp.search.identity.search_identity import SearchIdentity

X = np.arange(30.0).reshape(10, 3)
y = np.arange(10) % 2


def identity(**changes):
    values = {
        "X": X,
        "y": y,
        "folds": KFold(5).split(X),
        "estimator": make_pipeline(StandardScaler(), Ridge()),
        "scoring": "f1",
    }
    return SearchIdentity.of(**values | changes)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("data", {"X": X + np.eye(10, 3)}),
        ("data", {"X": sparse.csr_matrix(X)}),
        ("data", {"X": X.tolist()}),
        ("data", {"y": 1 - y}),
        ("data", {"y": None}),
        ("data", {"fit_params": {"sample_weight": y}}),
        ("folds", {"folds": KFold(5, shuffle=True, random_state=0).split(X)}),
        ("folds", {"folds": list(KFold(5).split(X))[:4]}),
        ("estimator", {"estimator": make_pipeline(StandardScaler(), Ridge(alpha=2.0))}),
        ("scoring", {"scoring": "recall"}),
        ("scoring", {"scoring": ["f1", "recall"]}),
        ("scoring", {"scoring": make_scorer(f1_score, pos_label=0)}),
        ("settings", {"settings": {"return_train_score": True}}),
    ],
)
def test_a_part_that_differs_is_the_only_one(part, changes):
    assert identity() == identity()
    other = identity(**changes)
    (difference,) = other.differences(identity())
    assert difference == (
        f"{part} ({getattr(identity(), part)} there; {getattr(other, part)} here)"
    )


def test_what_has_changed_can_be_read():
    parts = asdict(identity())
    assert parts["data"].startswith("10 x 3, ")
    assert parts["folds"].startswith("5 folds, ")
    assert parts["estimator"].startswith(
        "sklearn.pipeline.Pipeline of sklearn.preprocessing._data.StandardScaler, "
        "sklearn.linear_model._ridge.Ridge, "
    )
    assert parts["scoring"].startswith("f1, ")
    assert "scikit-learn 1." in parts["versions"]
    assert all(len(text) < 200 and "\n" not in text for text in parts.values())


def test_a_function_as_score_names_no_address():
    def score(estimator, X, y):
        return 1.0

    assert "0x" not in identity(scoring=score).scoring


def test_a_text_that_differs_from_run_to_run_does_not_count():
    class Score:
        runs = 0

        def __call__(self, estimator, X, y):
            return 1.0

        def __repr__(self):
            return f"Score {id(self)}"

    scores = Score(), Score()
    one, other = (identity(scoring=score) for score in scores)
    assert one.scoring != other.scoring
    assert one.differences(other) == []
    Score.runs = 1
    assert identity(scoring=Score()).differences(one)[0].startswith("scoring (")


def test_another_version_is_another_search(monkeypatch):
    before = identity()
    monkeypatch.setattr("skhp.search.identity.search_identity.version", lambda name: "99")
    (difference,) = identity().differences(before)
    assert difference.startswith("versions (")
    assert "keras 99" in difference
