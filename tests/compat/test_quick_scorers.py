import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    f1_score,
    fbeta_score,
    get_scorer,
    get_scorer_names,
    make_scorer,
    precision_score,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV, cross_validate

import skhp
from skhp import KerasMLPClassifier
from skhp.compat import quick_scorers
from skhp.compat.quick_scorers import QuickMetric, quick
from skhp.compat.scikit_learn import MultimetricScorer, metric_of
from skhp.search.scores import RecordingScorer


def has_a_quick_metric(scorer):
    return isinstance(metric_of(quick(scorer)), QuickMetric)


NAMES = [name for name in get_scorer_names() if has_a_quick_metric(get_scorer(name))]


class Known(BaseEstimator):
    """Predicts what it was given."""

    def __init__(self, predicted, classes=None):
        self.predicted = predicted
        self.classes_ = np.unique(predicted) if classes is None else classes

    def predict(self, X):
        return self.predicted


class KnownClasses(ClassifierMixin, Known):
    pass


class KnownNumbers(RegressorMixin, Known):
    pass


def outcome(scorer, estimator, y, **keywords):
    """The bits of a score, or the type and the text of the error; and the warnings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            score = scorer(estimator, np.zeros((len(y), 1)), y, **keywords)
            result = type(score), float(score).hex()
        except Exception as error:
            result = type(error), str(error)
    return result, [str(one.message) for one in told]


def same_outcome(scorer, estimator, y, **keywords):
    expected = outcome(scorer, estimator, y, **keywords)
    assert outcome(quick(scorer), estimator, y, **keywords) == expected
    return expected


def is_known(scorer, truth, predicted):
    """Whether a case is computed without scikit-learn's metric."""
    return quick_scorers._METRICS[metric_of(scorer)](truth, predicted, scorer._kwargs) is not None


def test_the_scorers_that_are_known():
    averages = {f"{kind}{end}" for kind in ("f1", "precision", "recall") for end in ("", "_macro")}
    errors = {f"neg_{kind}_error" for kind in ("mean_absolute", "mean_squared")}
    assert set(NAMES) >= {"accuracy", "balanced_accuracy", *averages, *errors}
    assert not set(NAMES) & {"roc_auc", "average_precision", "neg_log_loss", "r2"}


LABELS = st.sampled_from(
    [[0, 1], [1, 0], [0, 1, 2], [-1, 1], [False, True], ["a", "b"], ["a", "b", "ccc"], [1]]
)


@given(LABELS, st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_labels(labels, n_rows, seed):
    random = np.random.default_rng(seed)
    y, predicted = random.choice(labels, size=(2, n_rows))
    estimator = KnownClasses(predicted, np.array(labels) if len(labels) > 1 else None)
    for name in NAMES:
        same_outcome(get_scorer(name), estimator, y)
    for label in labels:
        for zero_division in (0.0, 1.0, np.nan):
            scorer = make_scorer(f1_score, pos_label=label, zero_division=zero_division)
            same_outcome(scorer, estimator, y)


@given(st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(-300, 300))
def test_numbers(n_rows, seed, size):
    random = np.random.default_rng(seed)
    y, predicted = random.normal(size=(2, n_rows)) * 10.0**size
    for name in NAMES:
        same_outcome(get_scorer(name), KnownNumbers(predicted), y)


def test_the_plain_cases_are_known():
    numbers = np.arange(5.0)
    labels = np.array([0, 1, 1, 0, 1]), np.array([0, 1, 0, 1, 1])
    # "samples" is for targets of several labels.
    for name in (name for name in NAMES if not name.endswith("samples")):
        rows = (numbers[::-1].copy(), numbers) if "error" in name else labels
        assert is_known(get_scorer(name), *rows), name


@pytest.mark.parametrize(
    ("predicted", "y"),
    [
        (np.array([0, 1, 1]), [0, 1, 0]),
        (np.array([0, 1, 1]), np.array([0.0, 1.0, 0.0])),
        (np.array(["a", "b", "b"], object), np.array(["a", "b", "a"], object)),
        (np.array([0.5, 1.0, 2.0], np.float32), np.array([0.5, 1.0, 0.0])),
        (np.array([0.5, np.nan, 2.0]), np.array([0.5, 1.0, 0.0])),
        (np.array([0.5, np.inf, 2.0]), np.array([0.5, 1.0, 0.0])),
        (np.array([[0, 1], [1, 0], [1, 0]]), np.array([[0, 1], [1, 0], [0, 1]])),
        (np.array([0, 1]), np.array([0, 1, 0])),
        (np.array([2, 3, 3]), np.array([2, 3, 2])),
        (np.array(["1", "0", "1"]), np.array([1, 0, 1])),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [KnownClasses, KnownNumbers])
def test_other_inputs_are_left_to_scikit_learn(predicted, y, kind):
    for name in NAMES:
        same_outcome(get_scorer(name), kind(predicted), y)


def test_a_positive_label_that_the_estimator_does_not_have():
    y = np.array([2, 1, 2, 1])
    (kind, text), _ = same_outcome(
        make_scorer(f1_score, pos_label=2), KnownClasses(y, np.array([1, 3])), y
    )
    assert kind is ValueError
    assert "pos_label=2" in text


def test_weights_and_warnings_are_scikit_learns():
    y, never = np.array([0, 1, 1]), KnownClasses(np.zeros(3, int), np.array([0, 1]))
    with pytest.warns(UndefinedMetricWarning):
        assert quick(get_scorer("precision"))(never, np.zeros((3, 1)), y) == 0
    for name in NAMES:
        same_outcome(get_scorer(name), never, y, sample_weight=np.array([1.0, 2.0, 3.0]))


def test_what_is_not_known_stays():
    for scorer in (
        get_scorer("roc_auc"),
        make_scorer(fbeta_score, beta=2),
        make_scorer(WithoutHash()),
        RecordingScorer(get_scorer("f1")),
        lambda estimator, X, y: 0.5,
        None,
    ):
        assert quick(scorer) is scorer
    own = quick(get_scorer("f1"))
    assert quick(own) is own
    assert repr(own) == repr(get_scorer("f1"))
    assert has_a_quick_metric(pickle.loads(pickle.dumps(own)))


class WithoutHash:
    """A metric of the user's that cannot be a key."""

    __hash__ = None
    __name__ = "without_hash"

    def __call__(self, y_true, y_pred):
        return 0.5


def test_several_metrics():
    several = MultimetricScorer(scorers={"f1": get_scorer("f1"), "auc": get_scorer("roc_auc")})
    f1, auc = (metric_of(scorer) for scorer in quick(several)._scorers.values())
    assert (type(f1), auc) == (QuickMetric, roc_auc_score)
    assert metric_of(several._scorers["f1"]) is f1_score


@pytest.mark.parametrize("y", [np.array([0, 1, 1]), np.array(["a", "b", "b"], object)])
@pytest.mark.parametrize("names", [["f1_macro"], ["f1_macro", "recall_macro", "accuracy"]])
def test_each_estimator_predicts_once(names, y):
    asked = []

    class Counting(KnownClasses):
        def predict(self, X):
            asked.append(1)
            return self.predicted

    several = MultimetricScorer(scorers={name: get_scorer(name) for name in names})
    scorer = quick(several if len(names) > 1 else get_scorer(*names))
    scorer(Counting(y), np.zeros((3, 1)), y)
    assert asked == [1]


@pytest.mark.parametrize("scoring", ["f1", ["f1", "precision"]])
def test_searches_and_cross_validation_are_scored_by_it(two_classes, monkeypatch, scoring):
    asked = []

    def count(*arguments):
        asked.append(1)
        return f1(*arguments)

    f1 = quick_scorers._f1
    monkeypatch.setitem(quick_scorers._METRICS, f1_score, count)
    monkeypatch.setitem(quick_scorers._METRICS, precision_score, count)
    network = KerasMLPClassifier(epochs=3, early_stopping=False, random_state=0)
    grid = {"learning_rate": [0.1, 0.01]}
    GridSearchCV_ = GridSearchCV(network, grid, scoring=scoring, cv=2, refit=False)
    with skhp.population():
        GridSearchCV_.fit(*two_classes)
        cross_validate(network, *two_classes, scoring=scoring, cv=2)
    n_metrics = 1 if scoring == "f1" else 2
    assert len(asked) == (4 + 2) * n_metrics
    if n_metrics == 1:
        skhp.GridSearchCV(network, grid, cv=2, refit=False).fit(*two_classes)
        assert len(asked) == 10
