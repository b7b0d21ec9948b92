"""Metrics that are means over rows, against Keras' own objects."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from skhp import CannotJoinError
from skhp.objectives.row_metrics import row_metrics

METRICS = keras.metrics
N_ROWS = 41

# Kind of target, and metrics that compare with it.
JOINING = {
    "number": [
        METRICS.Accuracy(),
        METRICS.BinaryAccuracy(),
        METRICS.BinaryAccuracy(threshold=0.8),
        METRICS.BinaryCrossentropy(),
        METRICS.BinaryCrossentropy(label_smoothing=0.2),
        METRICS.BinaryCrossentropy(from_logits=True),
        METRICS.Hinge(),
        METRICS.KLDivergence(),
        METRICS.MeanSquaredError(),
        METRICS.Poisson(),
        METRICS.RootMeanSquaredError(),
        METRICS.SparseCategoricalAccuracy(),
        METRICS.SquaredHinge(),
    ],
    "numbers": [
        METRICS.CosineSimilarity(),
        METRICS.LogCoshError(),
        METRICS.MeanAbsoluteError(),
        METRICS.MeanAbsolutePercentageError(),
        METRICS.MeanSquaredError(),
        METRICS.MeanSquaredLogarithmicError(),
        METRICS.Poisson(),
        METRICS.RootMeanSquaredError(),
    ],
    "marked class": [
        METRICS.BinaryAccuracy(),
        METRICS.CategoricalAccuracy(),
        METRICS.CategoricalCrossentropy(),
        METRICS.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        METRICS.CategoricalHinge(),
        METRICS.Hinge(),
        METRICS.KLDivergence(),
        METRICS.TopKCategoricalAccuracy(k=2),
    ],
    "class number": [
        METRICS.SparseCategoricalAccuracy(),
        METRICS.SparseCategoricalCrossentropy(),
        METRICS.SparseCategoricalCrossentropy(from_logits=True),
        METRICS.SparseTopKCategoricalAccuracy(k=2),
        METRICS.SparseTopKCategoricalAccuracy(k=3),
    ],
}
CASES = [(target, metric) for target, metrics in JOINING.items() for metric in metrics]


def outputs_and_target(target, members=2):
    """Outputs (members, rows, units) and targets (rows, ...), with ties among the outputs."""
    generator = np.random.default_rng(3)
    n_units = 1 if target == "number" else 4
    outputs = generator.integers(1, 20, size=(members, N_ROWS, n_units)) / 20
    classes = generator.integers(0, n_units, size=N_ROWS)
    y = {
        "number": generator.integers(0, 2, size=(N_ROWS, 1)),
        "numbers": generator.uniform(0.1, 1, size=(N_ROWS, n_units)),
        "marked class": np.eye(n_units)[classes],
        "class number": classes[:, None],
    }[target]
    return outputs.astype(np.float32), y.astype(np.float32)


def compiled(**arguments):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", **arguments)
    return model.get_compile_config()


def of_model(metric, y, n_outputs):
    (found,) = row_metrics(compiled(metrics=[metric]), y.shape[1:], n_outputs)
    return found


@functools.cache
def of_a_vectorised_model(target):
    """The values of all metrics of a kind of target: one program, which takes long to compile."""
    outputs, y = outputs_and_target(target)
    found = [of_model(metric, y, outputs.shape[-1]) for metric in JOINING[target]]
    program = tf.function(
        lambda outputs: tf.vectorized_map(
            lambda own: [metric.of_rows(tf.constant(y), own) for metric in found],
            outputs,
            fallback_to_while_loop=False,
        ),
        jit_compile=True,
        autograph=False,
    )
    return dict(zip(JOINING[target], program(tf.constant(outputs)), strict=True))


@pytest.mark.parametrize(("target", "metric"), CASES)
def test_the_mean_over_rows_is_the_result_of_keras(target, metric):
    outputs, y = outputs_and_target(target)
    found = of_model(metric, y, outputs.shape[-1])
    weight = np.random.default_rng(4).integers(0, 3, size=N_ROWS).astype(np.float32)
    # Members together, as a stack of dense layers has them, and one by one in a vectorised model.
    together = found.of_rows(tf.constant(np.stack([y, y])), tf.constant(outputs))
    for values in (together, of_a_vectorised_model(target)[metric]):
        assert values.shape == (2, N_ROWS)
        for own, of_member in zip(outputs, values, strict=True):
            for given in (None, weight):
                metric.reset_state()
                metric.update_state(y, own, sample_weight=given)
                mean = np.average(of_member, weights=given)
                np.testing.assert_allclose(
                    found.of_mean(tf.constant(mean)), metric.result(), rtol=1e-4, atol=1e-6
                )
    if outputs.shape[-1] > 1:
        assert len(np.unique(together)) > 1


@pytest.mark.parametrize("unusual", [np.nan, np.inf])
def test_what_is_not_finite_is_not_among_the_most_probable(unusual):
    y = np.array([[0.0], [1.0], [2.0]], np.float32)
    outputs = np.array([[1, unusual, 0], [unusual, 1, 0], [0, 1, 2]], np.float32)
    metric = METRICS.SparseTopKCategoricalAccuracy(k=2)
    values = of_model(metric, y, 3).of_rows(tf.constant(y), tf.constant(outputs))
    np.testing.assert_array_equal(values, [0, 0, 1])
    metric.update_state(y, outputs)
    np.testing.assert_allclose(metric.result(), np.mean(values))


def test_a_negative_zero_is_less_than_zero():
    outputs = np.array([[-0.0, 0.0, -1], [0.0, -0.0, -1], [-1, -0.0, 0.0]], np.float32)
    y = np.array([[1.0], [0.0], [2.0]], np.float32)
    metric = METRICS.SparseCategoricalAccuracy()
    found = of_model(metric, y, 3)
    compiled_values = tf.function(found.of_rows, jit_compile=True)(y, outputs)
    metric.update_state(y, outputs)
    for values in (found.of_rows(tf.constant(y), tf.constant(outputs)), compiled_values):
        np.testing.assert_array_equal(values, [1, 1, 1])
        np.testing.assert_allclose(metric.result(), np.mean(values))


@pytest.mark.parametrize(
    ("shape", "n_outputs", "kind"),
    [
        ((), 1, METRICS.BinaryAccuracy),
        ((1,), 1, METRICS.BinaryAccuracy),
        ((), 3, METRICS.SparseCategoricalAccuracy),
        ((1,), 3, METRICS.SparseCategoricalAccuracy),
        ((3,), 3, METRICS.CategoricalAccuracy),
    ],
)
@pytest.mark.parametrize("name", ["accuracy", "acc", "Accuracy"])
def test_accuracy_is_that_of_the_target(name, shape, n_outputs, kind):
    (found,) = row_metrics({"metrics": [name]}, shape, n_outputs)
    assert (found.name, found.kind, found.weighted) == (name, kind, False)


def test_names_and_their_order_are_those_of_keras():
    metrics = ["mse", METRICS.MeanAbsoluteError(), "mse", [METRICS.Hinge(name="mse")], "acc"]
    weighted = ["mse", "mse", "bce", METRICS.MeanAbsoluteError(), METRICS.Poisson(name="p")]
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=metrics, weighted_metrics=weighted)
    found = row_metrics(model.get_compile_config(), (1,), 1)
    X, y = np.ones((4, 2)), np.array([[0.0], [1.0], [1.0], [0.0]])
    values = model.evaluate(
        X, y, sample_weight=np.array([1.0, 2, 0, 1]), return_dict=True, verbose=0
    )
    assert {metric.name for metric in found} == set(values) - {"loss"}
    outputs = tf.constant(model.predict(X, verbose=0))
    for metric in found:
        weight = [1, 2, 0, 1] if metric.weighted else None
        mean = np.average(metric.of_rows(tf.constant(y, tf.float32), outputs), weights=weight)
        np.testing.assert_allclose(mean, values[metric.name], rtol=1e-4)


def mean_squared_error(y, outputs):
    """Of the user's, by a name that Keras has, too."""
    return keras.ops.max(outputs)


class Own(METRICS.MeanSquaredError):
    pass


@pytest.mark.parametrize(
    ("metric", "shape", "reason"),
    [
        ("AUC", (1,), "'AUC'"),
        (METRICS.Precision(), (1,), "'Precision'"),
        (METRICS.R2Score(), (1,), "'R2Score'"),
        (mean_squared_error, (1,), "'mean_squared_error'"),
        (lambda y, outputs: y, (1,), "'lambda'"),
        (Own(), (1,), "'Own'"),
        (METRICS.Mean(), (1,), "'Mean'"),
        (METRICS.MeanSquaredError(dtype="float64"), (1,), "dtype"),
        (METRICS.SparseCategoricalCrossentropy(ignore_class=0), (1,), "ignore_class"),
        (METRICS.CategoricalCrossentropy(axis=0), (3,), "axis"),
        (METRICS.SparseTopKCategoricalAccuracy(from_sorted_ids=True), (1,), "settings"),
        ("mse", (1,), r"3 output unit\(s\)"),
        ("sparse_categorical_accuracy", (3,), r"targets of the shape \(3,\)"),
        (METRICS.Hinge(name="loss"), (3,), "share a name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.filterwarnings("ignore:The object being serialized:UserWarning")
def test_others_are_refused_by_name(metric, shape, reason):
    given = compiled(metrics=["accuracy"], weighted_metrics=[metric])
    with pytest.raises(CannotJoinError, match=reason):
        row_metrics(given, shape, 3)


@pytest.mark.parametrize("name", ["bce", "hinge", "kl_divergence", "poisson", "squared_hinge"])
def test_what_keras_would_compare_with_all_rows_is_refused(name):
    with pytest.raises(CannotJoinError, match=f"'{name}' compares 1 output"):
        row_metrics({"metrics": [name]}, (), 1)
    assert row_metrics({"metrics": [name]}, (1,), 1)


def test_a_marked_class_is_one_of_several():
    with pytest.raises(CannotJoinError, match="categorical_accuracy"):
        row_metrics({"metrics": ["categorical_accuracy"]}, (1,), 1)


def test_they_are_equal_where_they_can_share_a_program():
    def found(threshold):
        given = compiled(metrics=[METRICS.BinaryAccuracy(threshold=threshold)])
        return row_metrics(given, (1,), 1)

    assert found(0.3) == found(0.3)
    assert hash(found(0.3)) == hash(found(0.3))
    assert found(0.3) != found(0.4)
    assert row_metrics({"metrics": ["mse"]}, (1,), 1) != row_metrics(
        {"weighted_metrics": ["mse"]}, (1,), 1
    )
