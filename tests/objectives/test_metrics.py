import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn import metrics

from skhp.objectives.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS

# scikit-learn's own metrics, from labels, predicted labels, probabilities and weights. With two
# classes the probabilities are those of the second.
BINARY = {
    "accuracy": lambda y, label, p, w: metrics.accuracy_score(y, label, sample_weight=w),
    "average_precision": lambda y, label, p, w: metrics.average_precision_score(
        y, p, sample_weight=w
    ),
    "balanced_accuracy": lambda y, label, p, w: metrics.balanced_accuracy_score(
        y, label, sample_weight=w
    ),
    "f1": lambda y, label, p, w: metrics.f1_score(y, label, sample_weight=w, zero_division=0),
    "precision": lambda y, label, p, w: metrics.precision_score(
        y, label, sample_weight=w, zero_division=0
    ),
    "recall": lambda y, label, p, w: metrics.recall_score(y, label, sample_weight=w),
    "roc_auc": lambda y, label, p, w: metrics.roc_auc_score(y, p, sample_weight=w),
}
MULTICLASS = BINARY | {
    "f1": lambda y, label, p, w: metrics.f1_score(
        y, label, average="macro", sample_weight=w, zero_division=0
    ),
    "precision": lambda y, label, p, w: metrics.precision_score(
        y, label, average="macro", sample_weight=w, zero_division=0
    ),
    "recall": lambda y, label, p, w: metrics.recall_score(
        y, label, average="macro", sample_weight=w, zero_division=0
    ),
    "roc_auc": lambda y, label, p, w: metrics.roc_auc_score(
        y, p, multi_class="ovr", average="macro", sample_weight=w
    ),
}
REGRESSION = {
    "mean_absolute_error": metrics.mean_absolute_error,
    "mean_squared_error": metrics.mean_squared_error,
    "r2": metrics.r2_score,
    "root_mean_squared_error": metrics.root_mean_squared_error,
}


def labelled(seed, n_classes, n_rows=30):
    """Labels with every class, and outputs that know something of them."""
    generator = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_classes), generator.integers(0, n_classes, n_rows - n_classes)])
    if n_classes == 2:
        return y, (generator.normal(size=n_rows) + y - 0.5)[:, None]
    return y, generator.normal(size=(n_rows, n_classes)) + (y[:, None] == np.arange(n_classes))


def weights(seed, n_rows):
    return np.random.default_rng(seed).uniform(0.1, 5, size=n_rows)


def test_every_metric_has_its_counterpart_here():
    assert set(CLASSIFICATION_METRICS) == set(BINARY) == set(MULTICLASS)
    assert set(REGRESSION_METRICS) == set(REGRESSION)


def test_a_metric_is_found_under_its_own_name():
    for name, metric in (CLASSIFICATION_METRICS | REGRESSION_METRICS).items():
        assert metric.name == name


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CLASSIFICATION_METRICS)
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_two_classes_are_scored_as_by_scikit_learn(name, weighted, seed):
    y, outputs = labelled(seed, 2)
    weight = weights(seed, len(y)) if weighted else None
    p = expit(outputs[:, 0])
    expected = BINARY[name](y, (p > 0.5).astype(int), p, weight)
    assert CLASSIFICATION_METRICS[name].score(y, outputs, weight) == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", CLASSIFICATION_METRICS)
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 6))
def test_more_classes_are_scored_as_by_scikit_learn(name, weighted, seed, n_classes):
    y, outputs = labelled(seed, n_classes)
    weight = weights(seed, len(y)) if weighted else None
    p = softmax(outputs, axis=1)
    expected = MULTICLASS[name](y, p.argmax(axis=1), p, weight)
    assert CLASSIFICATION_METRICS[name].score(y, outputs, weight) == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("name", REGRESSION_METRICS)
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_numbers_are_scored_as_by_scikit_learn(name, n_outputs, weighted, seed):
    generator = np.random.default_rng(seed)
    y = generator.normal(size=(20, n_outputs))
    # Targets of very different scales: an average over targets in another order would show.
    y *= np.array([1, 10, 1000])[:n_outputs]
    outputs = y + generator.normal(size=y.shape)
    weight = weights(seed, 20) if weighted else None
    expected = REGRESSION[name](y, outputs, sample_weight=weight)
    assert REGRESSION_METRICS[name].score(y, outputs, weight) == pytest.approx(expected)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("name", CLASSIFICATION_METRICS)
def test_the_truth_scores_best(name, n_classes):
    y, _ = labelled(0, n_classes)
    truth = 10.0 * (2 * y[:, None] - 1 if n_classes == 2 else np.eye(n_classes)[y])
    metric = CLASSIFICATION_METRICS[name]
    assert metric.greater_is_better
    assert metric.score(y, truth, None) == 1
    assert metric.score(y, -truth, None) < 1


@pytest.mark.parametrize("name", REGRESSION_METRICS)
def test_the_direction_of_a_regression_metric(name):
    y = np.arange(6.0)[:, None]
    metric = REGRESSION_METRICS[name]
    close, far = metric.score(y, y + 0.1, None), metric.score(y, y[::-1] + 5, None)
    assert (close > far) == metric.greater_is_better


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("name", [*CLASSIFICATION_METRICS])
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_a_whole_weight_means_that_many_copies(name, n_classes, seed):
    y, outputs = labelled(seed, n_classes)
    times = np.random.default_rng(seed).integers(1, 4, size=len(y))
    metric = CLASSIFICATION_METRICS[name]
    weighted = metric.score(y, outputs, times.astype(float))
    repeated = metric.score(np.repeat(y, times), np.repeat(outputs, times, axis=0), None)
    assert weighted == pytest.approx(repeated)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("present", [[0], [1], [0, 2], [1, 3], [3]])
@pytest.mark.parametrize("name", CLASSIFICATION_METRICS)
def test_classes_that_are_absent_neither_fail_nor_warn(name, present, weighted):
    # Warnings are errors here.
    generator = np.random.default_rng(0)
    y = generator.permutation(np.resize(present, 12))
    outputs = generator.normal(size=(12, 4))
    weight = weights(0, 12) if weighted else None
    assert 0 <= CLASSIFICATION_METRICS[name].score(y, outputs, weight) <= 1


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("only", [0, 1])
@pytest.mark.parametrize("name", CLASSIFICATION_METRICS)
def test_one_of_two_classes_alone_neither_fails_nor_warns(name, only, weighted):
    generator = np.random.default_rng(0)
    y = np.full(12, only)
    weight = weights(0, 12) if weighted else None
    for outputs in (generator.normal(size=(12, 1)), np.full((12, 1), 3.0), np.full((12, 1), -3.0)):
        assert 0 <= CLASSIFICATION_METRICS[name].score(y, outputs, weight) <= 1


def test_a_class_that_is_absent_does_not_lower_the_balanced_accuracy():
    y = np.array([0, 0, 2, 2])
    outputs = np.eye(3)[[0, 1, 2, 2]]
    # Recall is 1/2 for class 0 and 1 for class 2; class 1 has no row.
    assert CLASSIFICATION_METRICS["balanced_accuracy"].score(y, outputs, None) == 0.75


def test_average_precision_is_the_mean_over_the_classes_present():
    y = np.array([0, 2, 0, 2, 0])
    outputs = np.random.default_rng(0).normal(size=(5, 3))
    p = softmax(outputs, axis=1)
    expected = np.mean(
        [metrics.average_precision_score(y == label, p[:, label]) for label in (0, 2)]
    )
    score = CLASSIFICATION_METRICS["average_precision"].score(y, outputs, None)
    assert score == pytest.approx(expected)


def test_without_rows_of_both_classes_the_area_is_that_of_chance():
    area = CLASSIFICATION_METRICS["roc_auc"].score
    outputs = np.array([[3.0], [-1.0], [2.0]])
    assert area(np.zeros(3, dtype=int), outputs, None) == 0.5
    assert area(np.ones(3, dtype=int), outputs, None) == 0.5
    assert area(np.array([0, 1, 1]), np.eye(3), None) == 0.5


def test_logits_that_are_one_probability_still_rank_the_rows():
    # Both have probability 1 in float64; an area over probabilities would be 0.5.
    area = CLASSIFICATION_METRICS["roc_auc"].score(
        np.array([0, 1]), np.array([[50.0], [90.0]]), None
    )
    assert area == 1


def test_a_row_in_the_middle_of_two_classes_is_of_the_rare_one():
    accuracy = CLASSIFICATION_METRICS["accuracy"].score
    for middle in (0.0, -0.0):
        assert accuracy(np.array([1]), np.array([[middle]]), None) == 1


def test_a_row_in_the_middle_of_more_classes_is_of_the_first():
    accuracy = CLASSIFICATION_METRICS["accuracy"].score
    assert accuracy(np.array([0]), np.array([[2.0, 2.0, 1.0]]), None) == 1


@pytest.mark.parametrize("n_rows", [1, 2, 3])
@pytest.mark.parametrize("name", [*CLASSIFICATION_METRICS, *REGRESSION_METRICS])
def test_a_metric_has_a_value_from_its_least_rows_on_and_never_warns(name, n_rows):
    metric = (CLASSIFICATION_METRICS | REGRESSION_METRICS)[name]
    y = np.arange(n_rows)
    target = y if name in CLASSIFICATION_METRICS else y[:, None].astype(float)
    value = metric.score(target % 2, np.full((n_rows, 1), 0.5), None)
    assert np.isfinite(value) == (n_rows >= metric.least_rows)
