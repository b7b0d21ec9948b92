import pickle
from math import isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    confusion_matrix,
    f1_score,
    get_scorer,
    get_scorer_names,
    precision_recall_fscore_support,
)

from skhp.comparison.scores import (
    SCORINGS,
    ObservedScorer,
    score_classifier,
    scoring_name,
    undefined_scores_are_zero,
)
from skhp.exceptions import SettingsError
from skhp.search.identity.descriptions import digest


class Fixed:
    """Predicts what it was given, whatever it is asked."""

    def __init__(self, predicted):
        self.predicted = np.asarray(predicted)

    def predict(self, X):
        return self.predicted


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1), st.integers(0, 2))
def test_scores_are_those_of_scikit_learn(pairs, rare):
    y, predicted = np.array(pairs).T
    scores = score_classifier(Fixed(predicted), None, y, rare, lambda *_: 0.25)
    expected = precision_recall_fscore_support(
        y == rare, predicted == rare, labels=[True], average=None, zero_division=0.0
    )
    np.testing.assert_allclose([scores.precision, scores.recall, scores.f1], np.ravel(expected[:3]))
    matrix = confusion_matrix(y == rare, predicted == rare, labels=[False, True])
    assert [
        [scores.true_negatives, scores.false_positives],
        [scores.false_negatives, scores.true_positives],
    ] == matrix.tolist()
    assert scores.f1_macro == f1_score(y, predicted, average="macro", zero_division=0.0)
    assert scores.score == 0.25


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", SCORINGS)
def test_every_scoring_can_be_used(name, n_classes):
    X, y = make_classification(90, n_classes=n_classes, n_informative=5, random_state=0)
    classifier = LogisticRegression().fit(X, y)
    scorer = get_scorer(scoring_name(name, n_classes))
    assert isfinite(scorer(classifier, X, y))
    better, worse = (scorer(classifier, X, labels) for labels in (classifier.predict(X), y))
    assert better > worse


def test_the_scorings_are_all_of_scikit_learn_that_rate_classes():
    not_offered = {name for name in get_scorer_names() if name not in SCORINGS}
    for_classes = {
        name
        for name in not_offered
        if not name.endswith(("_error", "_deviance", "_samples", "rand_score", "_info_score"))
    }
    # Measures of regression or clusters, or with a sense for two classes or many only.
    assert for_classes == {
        "completeness_score",
        "d2_absolute_error_score",
        "explained_variance",
        "fowlkes_mallows_score",
        "homogeneity_score",
        "neg_negative_likelihood_ratio",
        "positive_likelihood_ratio",
        "r2",
        "top_k_accuracy",
        "v_measure_score",
    } & set(get_scorer_names())


def test_names_for_more_classes():
    assert scoring_name("recall", 2) == "recall"
    assert scoring_name("recall", 3) == "recall_macro"
    assert scoring_name("roc_auc", 3) == "roc_auc_ovr"
    assert scoring_name("f1_weighted", 3) == "f1_weighted"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("f1_marco", "Did you mean 'f1_macro'"),
        ("roc-auc", "Did you mean 'roc_auc'"),
        ("r2", "unknown scoring 'r2'.* Use one of accuracy, "),
        ("f1_samples", "unknown scoring"),
    ],
)
def test_other_names_are_refused(name, message):
    with pytest.raises(SettingsError, match=message):
        scoring_name(name, 2)


def test_an_observed_scorer_scores_alike_and_tells_once():
    told = []
    scorer = ObservedScorer(
        lambda classifier, X, y: len(X), lambda classifier, score: told.append((classifier, score))
    )
    assert scorer("classifier", [1, 2], None) == 2
    assert told == [("classifier", 2)]


def test_to_a_journal_an_observed_scorer_is_its_scorer_whoever_is_told():
    f1, recall = (get_scorer(name) for name in ("f1", "recall"))
    one, other = (ObservedScorer(f1, observe) for observe in (print, [].append))
    assert digest(one) == digest(other) != digest(ObservedScorer(recall, print))
    assert repr(one) == repr(f1)


def test_an_observed_scorer_travels_without_its_observer():
    told = []
    scorer = pickle.loads(pickle.dumps(ObservedScorer(get_scorer("f1"), lambda *_: told.append(1))))
    X, y = [[0], [1]], [1, 1]
    assert scorer(DummyClassifier().fit(X, y), X, y) == 1
    assert told == []


def test_undefined_scores_are_zero_without_a_warning():
    X, y = [[0], [1]], np.array([0, 1])
    never = DummyClassifier(strategy="constant", constant=0).fit(X, y)
    with undefined_scores_are_zero():
        assert get_scorer("precision")(never, X, y) == 0
    scores = score_classifier(never, X, y, 1, get_scorer("precision"))
    assert (scores.precision, scores.recall, scores.f1, scores.score) == (0, 0, 0, 0)
