from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from skhp.objectives.graph_metrics import epoch_metric
from skhp.objectives.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS

pytestmark = pytest.mark.slow

# Most tests use these numbers and one or three outputs, so that they share the compiled programs.
N_STREAMS, N_CANDIDATES, N_ROWS = 2, 3, 61
ALL_METRICS = CLASSIFICATION_METRICS | REGRESSION_METRICS
MODES = pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
SEEDS = st.integers(0, 2**32 - 1)


@cache
def program(name, compiled):
    return tf.function(epoch_metric(name), jit_compile=compiled)


def values(name, compiled, target, outputs, weight):
    whole = np.asarray(target).dtype.kind in "iu"
    return program(name, compiled)(
        tf.constant(target, tf.int32 if whole else tf.float32),
        tf.constant(outputs, tf.float32),
        tf.constant(weight, tf.float32),
    ).numpy()


def expected(name, target, outputs, weight):
    """The metric of metrics.py, in float64, member by member, from the rows that count."""
    found = np.empty(outputs.shape[:2])
    for stream, candidate in np.ndindex(*found.shape):
        rows = weight[stream] > 0
        y = target[stream, rows]
        found[stream, candidate] = ALL_METRICS[name].score(
            y if y.dtype.kind in "iu" else y.astype(np.float64),
            outputs[stream, candidate, rows].astype(np.float64),
            weight[stream, rows].astype(np.float64),
        )
    return found


def row_weights(generator, n_streams=N_STREAMS, n_rows=N_ROWS):
    """Units or fractions, each with some zeros or without."""
    weight = np.ones((n_streams, n_rows), np.float32)
    if generator.random() < 0.6:
        weight = generator.uniform(0.01, 3, size=weight.shape).astype(np.float32)
    if generator.random() < 0.6:
        weight[generator.random(weight.shape) < 0.3] = 0
        weight[:, :4] = 1
    return weight


def fill_rows_of_weight_zero(generator, target, outputs, weight):
    """What stands in rows that do not count, NaN among it, in place."""
    for stream, row in zip(*np.nonzero(weight == 0), strict=True):
        target[stream, row] = generator.choice([0, 1, 99, -5])
        outputs[stream, :, row] = generator.choice([np.nan, np.inf, -np.inf, 3e38, 0])


def classified(seed, n_classes):
    """Members of all kinds: classes absent, ties, one prediction for all rows, sure of a class."""
    generator = np.random.default_rng(seed)
    weight = row_weights(generator)
    present = generator.choice(
        n_classes,
        size=generator.integers(1, n_classes + 1) if seed % 3 else n_classes,
        replace=False,
    )
    target = generator.permuted(np.resize(present, (N_STREAMS, N_ROWS)), axis=1)
    n_outputs = 1 if n_classes == 2 else n_classes
    shape = (N_STREAMS, N_CANDIDATES, N_ROWS, n_outputs)
    outputs = generator.normal(size=shape, scale=generator.choice([0.3, 3]))
    if generator.random() < 0.5:
        # Rows that are wholly equal, for only such are ties of softmax in every implementation.
        pool = generator.integers(0, 5, size=shape[:3])
        outputs = np.take_along_axis(outputs, pool[..., None], axis=2)
    if generator.random() < 0.3:
        outputs[:, 0, :, generator.integers(n_outputs)] = generator.choice([-70, 0, 70])
    outputs = outputs.astype(np.float32)
    fill_rows_of_weight_zero(generator, target, outputs, weight)
    return target, outputs, weight


def measured(seed, n_targets):
    """Members that know something of their targets, some of which are constant or met exactly."""
    generator = np.random.default_rng(seed)
    weight = row_weights(generator)
    scale = np.array([1, 10, 1000])[:n_targets]
    target = generator.normal(size=(N_STREAMS, N_ROWS, n_targets), loc=1) * scale
    target = target.astype(np.float32)
    if generator.random() < 0.3:
        # The mean of equal powers of two is exact, whatever the weights.
        target[0, :, -1] = 2
    noise = generator.normal(size=(N_STREAMS, N_CANDIDATES, N_ROWS, n_targets)) * scale
    outputs = target[:, None] + (noise * generator.choice([0.1, 5])).astype(np.float32)
    if generator.random() < 0.3:
        outputs[:, 0] = target
    fill_rows_of_weight_zero(generator, target, outputs, weight)
    return target, outputs, weight


def test_every_metric_is_here_and_nothing_else():
    assert all(callable(epoch_metric(name)) for name in ALL_METRICS)
    assert epoch_metric("log_loss") is None


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFICATION_METRICS)
@settings(max_examples=15)
@given(SEEDS)
def test_classes_are_scored_as_outside_the_program(name, n_classes, seed):
    rows = classified(seed, n_classes)
    outside = expected(name, *rows)
    assert values(name, False, *rows) == pytest.approx(outside, rel=1e-5, abs=1e-12)
    assert values(name, True, *rows) == pytest.approx(outside, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("name", REGRESSION_METRICS)
@settings(max_examples=15)
@given(SEEDS)
def test_numbers_are_scored_as_outside_the_program(name, n_targets, seed):
    rows = measured(seed, n_targets)
    outside = expected(name, *rows)
    assert values(name, False, *rows) == pytest.approx(outside, rel=1e-5, abs=1e-12)
    assert values(name, True, *rows) == pytest.approx(outside, rel=1e-5, abs=1e-12)


@MODES
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFICATION_METRICS)
def test_rows_of_weight_zero_leave_every_bit_as_it_is(name, n_classes, compiled):
    target, outputs, _ = classified(5, n_classes)
    outputs = np.nan_to_num(outputs, posinf=1, neginf=1)
    weight = np.random.default_rng(0).uniform(0.1, 2, size=target.shape)
    weight[:, 10:] = 0
    target[:, 10:] = 0
    plain = values(name, compiled, target, outputs, weight)
    assert np.isfinite(plain).all()
    for of_target, of_output in ((n_classes - 1, 7.0), (99, np.nan), (-1, -np.inf), (0, 3e38)):
        target[:, 10:] = of_target
        outputs[:, :, 10:] = of_output
        np.testing.assert_array_equal(values(name, compiled, target, outputs, weight), plain)


@MODES
@pytest.mark.parametrize("name", REGRESSION_METRICS)
def test_numbers_of_weight_zero_leave_every_bit_as_it_is(name, compiled):
    generator = np.random.default_rng(0)
    target = generator.normal(size=(N_STREAMS, N_ROWS, 3))
    outputs = generator.normal(size=(N_STREAMS, N_CANDIDATES, N_ROWS, 3))
    weight = generator.uniform(0.1, 2, size=(N_STREAMS, N_ROWS))
    weight[:, 5:] = 0
    plain = values(name, compiled, target, outputs, weight)
    assert np.isfinite(plain).all()
    for of_target, of_output in ((1e30, 7.0), (-3e38, np.nan), (0, np.inf)):
        target[:, 5:] = of_target
        outputs[:, :, 5:] = of_output
        np.testing.assert_array_equal(values(name, compiled, target, outputs, weight), plain)


def sample_of(name, n_outputs=1):
    """Rows for any metric, finite all over."""
    if name in CLASSIFICATION_METRICS:
        target, outputs, _ = classified(3, 2 if n_outputs == 1 else n_outputs)
        target = np.abs(target) % max(2, n_outputs)
        outputs = np.nan_to_num(outputs, posinf=1, neginf=1)
    else:
        generator = np.random.default_rng(3)
        target = generator.normal(size=(N_STREAMS, N_ROWS, n_outputs))
        outputs = generator.normal(size=(N_STREAMS, N_CANDIDATES, N_ROWS, n_outputs))
    return target, outputs, np.ones((N_STREAMS, N_ROWS))


@MODES
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("name", ALL_METRICS)
@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_an_output_that_is_not_finite_costs_its_own_member_the_value(
    name, n_outputs, broken, compiled
):
    target, outputs, weight = sample_of(name, n_outputs)
    sound = values(name, compiled, target, outputs, weight)
    assert np.isfinite(sound).all()
    outputs[1, 0, 4, -1] = broken
    sound[1, 0] = np.nan
    np.testing.assert_array_equal(values(name, compiled, target, outputs, weight), sound)


@MODES
@pytest.mark.parametrize("name", ALL_METRICS)
def test_a_stream_has_a_value_from_the_least_rows_on(name, compiled):
    target, outputs, weight = sample_of(name)
    weight[0] = 0
    weight[1, 1:] = 0
    found = values(name, compiled, target, outputs, weight)
    assert np.isnan(found[0]).all()
    assert (np.isfinite(found[1]) == (ALL_METRICS[name].least_rows == 1)).all()


@MODES
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("name", ALL_METRICS)
@settings(max_examples=3)
@given(SEEDS)
def test_equal_members_have_equal_values_wherever_they_stand(name, n_outputs, compiled, seed):
    # Fractions of weights, an odd number of rows and of members: sums in another order would show.
    generator = np.random.default_rng(seed)
    target = generator.integers(0, max(2, n_outputs), N_ROWS)
    if name in REGRESSION_METRICS:
        target = generator.normal(size=(N_ROWS, n_outputs))
    pool = generator.integers(0, N_ROWS // 2, N_ROWS)
    outputs = generator.normal(size=(N_ROWS, n_outputs))[pool]
    found = values(
        name,
        compiled,
        np.repeat(target[None], N_STREAMS, axis=0),
        np.tile(outputs, (N_STREAMS, N_CANDIDATES, 1, 1)),
        np.repeat(generator.uniform(size=(1, N_ROWS)), N_STREAMS, axis=0),
    )
    assert np.isfinite(found).all()
    assert (found == found[0, 0]).all()


@MODES
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1", "precision", "recall"])
def test_one_better_row_of_a_million_is_better(name, compiled):
    n_rows = 10**6
    target = np.arange(n_rows)[None] % 3 == 0
    outputs = np.where(np.arange(n_rows) % 7 < 3, 1, -1) * np.ones((1, 2, 1))
    missed = np.flatnonzero(target[0] & (outputs[0, 1] < 0))[-1]
    outputs[0, 1, missed] = 1
    found = values(name, compiled, target.astype(int), outputs[..., None], np.ones((1, n_rows)))[0]
    predicted = outputs[0] > 0
    hit = [int((target[0] & member).sum()) for member in predicted]
    n_true, n_predicted = int(target.sum()), [int(member.sum()) for member in predicted]
    exact = [
        {
            "accuracy": Fraction(int((target[0] == member).sum()), n_rows),
            "balanced_accuracy": (
                Fraction(hits, n_true)
                + Fraction(int((~target[0] & ~member).sum()), n_rows - n_true)
            )
            / 2,
            "f1": Fraction(2 * hits, n_true + positives),
            "precision": Fraction(hits, positives),
            "recall": Fraction(hits, n_true),
        }[name]
        for member, hits, positives in zip(predicted, hit, n_predicted, strict=True)
    ]
    assert found[1] > found[0]
    np.testing.assert_allclose(found, [float(value) for value in exact], rtol=1e-14)


@MODES
@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_one_better_pair_of_ten_thousand_million_is_better(name, compiled):
    n_rows = 2 * 10**5
    target = np.arange(n_rows)[None] % 2
    # 2^18 distinct float32 numbers, all of them in the range where a sigmoid tells them apart.
    outputs = np.tile((np.arange(n_rows) - n_rows / 2) / 2**14, (1, 2, 1))
    # The lowest two rows, where a step of the precision is smallest, are a negative and a positive.
    outputs[0, 0, [0, 1]] = outputs[0, 0, [1, 0]]
    found = values(name, compiled, target, outputs[..., None], np.ones((1, n_rows)))[0]
    assert found[1] > found[0]
    if name == "roc_auc":
        half = n_rows // 2
        pairs = half * (half + 1) // 2
        exact = [Fraction(pairs - 1, half**2), Fraction(pairs, half**2)]
        np.testing.assert_allclose(found, [float(value) for value in exact], rtol=1e-15)


@MODES
def test_areas_of_many_rows_are_those_of_few(compiled):
    generator = np.random.default_rng(0)
    shape = (1, 2, 50_000)
    target = generator.integers(0, 3, size=shape[::2])
    outputs = generator.normal(size=(*shape, 3)).astype(np.float32)
    outputs = outputs[:, :, generator.integers(0, 900, shape[-1])]
    weight = generator.uniform(0, 2, size=shape[::2]).astype(np.float32)
    for name in ("roc_auc", "average_precision"):
        found = values(name, compiled, target, outputs, weight)
        np.testing.assert_allclose(found, expected(name, target, outputs, weight), rtol=1e-6)


@MODES
def test_constant_targets_are_explained_wholly_or_not_at_all(compiled):
    # The weighted mean of tenths can miss a tenth, and scikit-learn would divide by the difference:
    # many streams of very different weights, so that it does in some.
    weight = 10 ** np.random.default_rng(0).uniform(-6, 6, size=(60, 25))
    target = np.full((60, 25, 2), 0.1)
    target[..., 1] = np.arange(25)
    outputs = np.tile(target[:, None], (1, 3, 1, 1)).astype(np.float32)
    outputs[:, 1, 2, 0] += 0.01
    outputs[:, 2] += 0.01
    wholly, by_half, by_less = values("r2", compiled, target, outputs, weight).T
    assert (wholly == 1).all()
    assert (by_half == 0.5).all()
    assert (by_less < 0.5).all()
    assert (by_less > 0.4).all()


@MODES
def test_a_row_in_the_middle_is_of_the_rare_one_of_two_classes_and_else_of_the_first(compiled):
    accuracy = values("accuracy", compiled, [[1]], [[[[0.0]], [[-0.0]]]], [[1]])
    assert accuracy.tolist() == [[1, 1]]
    for first, outputs in ((0, [2.0, 2.0, 1.0]), (1, [1.0, 2.0, 2.0]), (0, [3.0, 3.0, 3.0])):
        assert values("accuracy", compiled, [[first]], [[[outputs]]], [[1]]) == 1


@MODES
def test_zero_ties_with_minus_zero(compiled):
    rows = ([[0, 1]], [[[[0.0], [-0.0]], [[-0.0], [0.0]]]], [[1, 1]])
    assert values("roc_auc", compiled, *rows).tolist() == [[0.5, 0.5]]
    assert values("average_precision", compiled, *rows).tolist() == [[0.5, 0.5]]


@MODES
@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_outputs_that_are_one_probability_tie_as_outside_the_program(name, compiled):
    target = np.array([[0, 1, 1, 0]])
    outputs = np.array([50, 90, -90, -50], np.float32)[None, None, :, None]
    weight = np.ones((1, 4))
    found = values(name, compiled, target, outputs, weight)
    assert found == pytest.approx(expected(name, target, outputs, weight))


@MODES
@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
@settings(max_examples=3)
@given(SEEDS)
def test_rows_are_ranked_where_probabilities_have_but_their_last_bits_left(name, compiled, seed):
    generator = np.random.default_rng(seed)
    target = generator.permutation(np.arange(201) % 3)
    outputs = (0.3 * generator.normal(size=(201, 3)) + [34, 0, 0]).astype(np.float32)
    found = values(name, compiled, target[None], outputs[None, None], np.ones((1, 201)))
    numbers = outputs.astype(np.float64)
    log_odds = [numbers[:, k] - np.logaddexp(*np.delete(numbers, k, axis=1).T) for k in range(3)]
    area = {
        "roc_auc": metrics.roc_auc_score,
        "average_precision": metrics.average_precision_score,
    }[name]
    exact = np.mean([area(target == k, log_odds[k]) for k in range(3)])
    assert found == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("name", ALL_METRICS)
def test_a_program_is_no_longer_for_more_members_or_classes(name):
    def length(n_streams, n_candidates, n_outputs):
        numbers = [] if name in CLASSIFICATION_METRICS else [n_outputs]
        kind = tf.float32 if numbers else tf.int32
        graph = program(name, False).get_concrete_function(
            tf.TensorSpec([n_streams, 9, *numbers], kind),
            tf.TensorSpec([n_streams, n_candidates, 9, n_outputs], tf.float32),
            tf.TensorSpec([n_streams, 9], tf.float32),
        )
        return len(graph.graph.get_operations())

    # A loop over anything would be longer by an operation, at the least, for each time round.
    assert length(4, 30, 12) < length(2, 2, 3) + 9
