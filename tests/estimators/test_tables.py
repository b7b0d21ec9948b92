"""Rows on their way from the user to the network."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator

import skhp.estimators.tables
from skhp import KerasMLPClassifier, KerasMLPRegressor, KerasRNNClassifier
from skhp.estimators.tables import (
    EncodedTarget,
    WeightedTable,
    checked_features,
    checked_target,
    checked_weight,
)


def table_of(X, y, weight, class_weight=None):
    labels = np.asarray(y)
    target = EncodedTarget(
        values=labels.astype(np.float32)[:, None],
        labels=labels,
        class_weight=np.ones(len(labels)) if class_weight is None else np.asarray(class_weight),
        output="binary",
        n_outputs=1,
    )
    return WeightedTable(np.asarray(X, dtype=np.float32), target, np.asarray(weight, dtype=float))


def test_rows_become_float32_and_columns_are_remembered():
    estimator = BaseEstimator()
    X = checked_features(estimator, [[1, 2], [3, 4]], first=True)
    assert X.dtype == np.float32
    assert estimator.n_features_in_ == 2
    with pytest.raises(ValueError, match="2 features"):
        checked_features(estimator, [[1, 2, 3]])


def test_a_target_stays_of_its_type_and_has_a_value_for_each_row():
    X = np.zeros((2, 1), np.float32)
    assert checked_target(BaseEstimator(), ["a", "b"], X).tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        checked_target(BaseEstimator(), ["a"], X)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        checked_target(BaseEstimator(), [0.0, np.nan], X)


def test_the_largest_float32_passes_and_more_does_not():
    largest = float(np.finfo(np.float32).max)
    estimator = BaseEstimator()
    X = checked_features(estimator, [[largest], [0.0]], first=True)
    assert X[0, 0] == np.float32(largest)
    with pytest.raises(ValueError, match="too large"):
        checked_features(estimator, [[largest * 2]])


def test_weights_are_float64_and_the_given_ones_stay():
    given = np.array([1, 2], dtype=np.int32)
    weight = checked_weight(given, np.zeros((2, 1)))
    assert weight.dtype == np.float64
    assert checked_weight(None, np.zeros((3, 1))).tolist() == [1, 1, 1]
    assert given.tolist() == [1, 2]


def test_class_weights_are_in_the_loss_and_not_in_metrics():
    table = table_of([[0], [1]], [0, 1], [2, 3], class_weight=[1, 10])
    expected = np.array([2 / 30, 1], dtype=np.float32).tolist()
    assert table.for_training().weight.tolist() == expected
    validation = table.for_validation()
    assert validation.weight.tolist() == expected
    assert validation.metric_weight.tolist() == [2, 3]
    assert validation.metric_target.tolist() == [0, 1]


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_weights_that_float32_cannot_hold_keep_their_ratios(scale):
    table = table_of([[0], [1]], [0, 1], np.array([1, 4]) * scale)
    assert table.for_training().weight.tolist() == [0.25, 1]


def test_rows_without_a_weight_are_left_out():
    table = table_of([[0], [1], [2]], [0, 1, 0], [1, 1, 0], class_weight=[1, 0, 1])
    assert np.asarray(table.without_zero_weights().X).tolist() == [[0]]
    with pytest.raises(ValueError, match="zero"):
        table_of([[0], [1]], [0, 1], [1, 0], class_weight=[0, 1]).without_zero_weights()


def test_distinct_rows_without_weights_keep_their_order():
    table = table_of([[3], [1], [2]], [0, 1, 0], [1, 1, 1])
    assert table.distinct() is table


small_tables = st.lists(
    st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.integers(0, 1), st.integers(1, 4)),
    min_size=1,
    max_size=30,
)


@given(small_tables, st.randoms(use_true_random=False))
def test_weights_repetition_and_order_have_one_distinct_form(rows, random):
    def form(rows):
        table = table_of(
            [row[:2] for row in rows], [row[2] for row in rows], [row[3] for row in rows]
        ).distinct()
        return np.column_stack([table.X, table.target.labels, table.sample_weight]).tolist()

    total = {}
    for *row, weight in rows:
        total[tuple(row)] = total.get(tuple(row), 0) + weight
    repeated = [(*row, 1) for *row, weight in rows for _ in range(weight)]
    random.shuffle(repeated)
    assert sorted(form(rows)) == sorted([*row, weight] for row, weight in total.items())
    if len(total) < len(repeated) and (len(total) < len(rows) or {r[3] for r in rows} != {1}):
        assert form(rows) == form(repeated)


KINDS = [sparse.csr_matrix, sparse.csc_array, sparse.coo_array]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("estimator", [KerasMLPClassifier, KerasMLPRegressor, KerasRNNClassifier])
def test_sparse_rows_that_do_not_fit_are_refused_with_the_figure(estimator, kind):
    X = kind(sparse.coo_matrix(([1.0], ([0], [0])), shape=(1000, 10**6)))
    with pytest.raises(ValueError, match=r"\(1000, 1000000\).* 4 GB .*max_memory='2GB'.*SVD"):
        estimator().fit(X, np.arange(1000) % 2)


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_rows_are_predicted_in_blocks_to_the_same_bits(kind, two_classes, monkeypatch):
    X, y = two_classes
    network = KerasMLPClassifier(epochs=2, batch_size="full", random_state=0).fit(X, y)
    expected = network.predict_proba(X)
    read = []
    monkeypatch.setattr(skhp.estimators.tables, "_NUMBERS_OF_BLOCK", 4 * 50)
    monkeypatch.setattr(
        type(network),
        "_read_rows",
        lambda self, X, *, first=False: read.append(X.shape) or checked_features(self, X),
    )
    np.testing.assert_array_equal(network.predict_proba(kind(X)), expected)
    assert read == [(50, 4), (50, 4), (20, 4)]
