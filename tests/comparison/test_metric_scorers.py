"""What scorings mean in `compare`."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.tree import DecisionTreeClassifier

from skhp.comparison.compare import compare
from skhp.comparison.metric_scorers import (
    lower_is_better,
    metric_scorers,
    metrics_from_0_to_1,
    rarer_of_two,
)

QUICK = {"n_repeats": 2, "n_seeds": 1, "cv": 3, "baseline": "dummy"}
X, Y = make_classification(90, weights=[0.7], class_sep=0.6, random_state=0)


@pytest.mark.parametrize(
    "scoring",
    [
        "roc_auc",
        ["average_precision", "neg_brier_score", "neg_log_loss"],
        {"mine": lambda estimator, X, y: 0.25, "other": "jaccard"},
        lambda estimator, X, y: 0.25,
    ],
)
def test_scorings_of_every_kind(scoring):
    text = np.where(Y == 1, "a rare one", "well")
    comparison = compare({"tree": DecisionTreeClassifier()}, X, text, **QUICK, scoring=scoring)
    if callable(scoring):
        assert comparison.metrics == ("score",)
    else:
        assert list(comparison.metrics) == (
            [scoring] if isinstance(scoring, str) else list(scoring)
        )
    own = comparison.frame[comparison.frame.index.isin(["mine", "score"], level="metric")]
    assert (own["mean"] == 0.25).all()
    assert comparison.frame["mean"].notna().all()


def test_average_precision_is_that_of_the_rarer_class():
    text = np.where(Y == 1, "a rare one", "well")
    dummy = DummyClassifier(strategy="prior")
    frame = compare({"prior": dummy}, X, text, **QUICK, scoring="average_precision").frame
    assert frame.loc[("prior", "average_precision"), "mean"] == pytest.approx(Y.mean(), abs=0.01)


@pytest.mark.parametrize("rare", ["a sick one", "sick"])
def test_text_labels_are_scored_by_the_rarer_class(rare):
    given = {"regression": LogisticRegression()}
    coded = compare(given, X, Y, **QUICK)
    # First or last in order of the alphabet.
    text = np.where(Y == 1, rare, "not")
    named = compare(given, X, text, **QUICK)
    assert named.rare_class == rare
    for metric in named.metrics:
        row = named.frame.loc[("regression", metric)]
        assert row["mean"] == pytest.approx(coded.frame.loc[("regression", metric), "mean"])
    counts = named.confusion.loc["regression"]
    assert counts.loc[rare].sum() == Y.sum()
    expected = coded.confusion.loc["regression"]
    assert counts.loc[rare, "not"] == expected.loc[1, 0]
    assert counts.loc["not", rare] == expected.loc[0, 1] > 0


def test_the_rarer_of_two_classes():
    assert rarer_of_two(np.array(["sick", "well", "well"])) == "sick"


def test_a_named_metric_is_that_of_the_rarer_class():
    y = np.array(["sick", "well", "well"])
    scorer = metric_scorers("f1", LogisticRegression(), y, for_classes=True)["f1"]
    assert "f1_score" in repr(scorer)
    assert "pos_label=sick" in repr(scorer)


def test_named_metrics_lie_between_0_and_1_and_functions_may_not():
    assert sorted(metrics_from_0_to_1({"mine": "recall", "f1": print}, ["mine", "f1"])) == ["mine"]


def test_the_sign_of_a_loss_is_known():
    assert sorted(
        lower_is_better({"f1": get_scorer("f1"), "cost": get_scorer("neg_log_loss")})
    ) == ["cost"]
