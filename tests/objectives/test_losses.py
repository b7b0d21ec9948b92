import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from skhp.objectives.losses import REGRESSION_LOSSES, keras_loss
from skhp.objectives.numbered_loss import NAMED_LOSSES

# A closed form of the loss of one row, from its target and the network's output for it.
BY_NAME = {
    "squared_error": lambda y, z: ((y - z) ** 2).mean(axis=1),
    "absolute_error": lambda y, z: np.abs(y - z).mean(axis=1),
    "huber": lambda y, z: np.where(np.abs(y - z) <= 1, (y - z) ** 2 / 2, np.abs(y - z) - 0.5).mean(
        axis=1
    ),
    "log_cosh": lambda y, z: np.log(np.cosh(y - z)).mean(axis=1),
}


def binary_crossentropy(y, p):
    return -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean(axis=1)


def sparse_crossentropy(y, p):
    return -np.log(p[np.arange(len(y)), y])


def case(kind, seed, n_rows=9):
    """Loss, targets, outputs and the closed form of the loss of a row."""
    generator = np.random.default_rng(seed)
    if kind == "binary":
        y = generator.integers(0, 2, size=(n_rows, 1)).astype(np.float32)
        outputs = generator.uniform(0.01, 0.99, size=(n_rows, 1))
        return keras_loss("auto", "binary"), y, outputs.astype(np.float32), binary_crossentropy
    if kind == "multiclass":
        y = generator.integers(0, 4, size=n_rows).astype(np.int32)
        outputs = generator.dirichlet(np.ones(4), size=n_rows).clip(1e-3)
        outputs /= outputs.sum(axis=1, keepdims=True)
        return keras_loss("auto", "multiclass"), y, outputs.astype(np.float32), sparse_crossentropy
    y = generator.normal(0, 2, size=(n_rows, 3)).astype(np.float32)
    outputs = generator.normal(0, 2, size=(n_rows, 3)).astype(np.float32)
    return keras_loss(kind, "regression"), y, outputs, BY_NAME[kind]


KINDS = ("binary", "multiclass", *BY_NAME)


def test_every_name_has_a_closed_form_here():
    assert set(REGRESSION_LOSSES) == set(BY_NAME)
    # The other two are held against counts and Keras' own in test_rare_class_losses.py.
    assert [*NAMED_LOSSES] == ["focal", "soft_f1"]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 1000),
    arrays.arrays(np.float32, 9, elements=st.floats(0.015625, 50, width=32)),
)
def test_the_loss_of_a_batch_is_the_weighted_mean_over_its_rows(kind, seed, weight):
    loss, y, outputs, of_row = case(kind, seed)
    rows = of_row(y, outputs.astype(np.float64))
    expected = np.average(rows, weights=weight)
    assert float(loss(y, outputs, sample_weight=weight)) == pytest.approx(expected, rel=1e-4)
    assert float(loss(y, outputs)) == pytest.approx(rows.mean(), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 1000),
    arrays.arrays(np.int64, 9, elements=st.integers(0, 4)).filter(lambda times: times.any()),
)
def test_a_whole_weight_means_that_many_copies_of_the_row(kind, seed, times):
    loss, y, outputs, _ = case(kind, seed)
    weighted = float(loss(y, outputs, sample_weight=times.astype(np.float32)))
    repeated = float(loss(np.repeat(y, times, axis=0), np.repeat(outputs, times, axis=0)))
    assert weighted == pytest.approx(repeated, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_weight_zero_does_not_count(kind):
    loss, y, outputs, _ = case(kind, seed=0)
    weight = np.ones(9, dtype=np.float32)
    weight[[2, 5]] = 0
    expected = float(loss(y[weight > 0], outputs[weight > 0]))
    assert float(loss(y, outputs, sample_weight=weight)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_scale_of_the_weights_does_not_count(kind):
    loss, y, outputs, _ = case(kind, seed=0)
    weight = np.random.default_rng(1).uniform(0.5, 2, size=9).astype(np.float32)
    once = float(loss(y, outputs, sample_weight=weight))
    assert float(loss(y, outputs, sample_weight=1000 * weight)) == pytest.approx(once, rel=1e-5)


def test_auto_is_squared_error_for_numbers_and_crossentropy_for_classes():
    _, y, outputs, of_row = case("squared_error", seed=0)
    auto = keras_loss("auto", "regression")
    assert float(auto(y, outputs)) == pytest.approx(of_row(y, outputs).mean(), rel=1e-5)
    for kind in ("binary", "multiclass"):
        auto, y, outputs, _ = case(kind, seed=0)
        assert float(keras_loss("crossentropy", kind)(y, outputs)) == float(auto(y, outputs))


def test_a_hopeless_probability_has_a_finite_loss():
    binary = keras_loss("auto", "binary")(np.array([[1.0]]), np.array([[0.0]], dtype=np.float32))
    multiclass = keras_loss("auto", "multiclass")(
        np.array([0]), np.array([[0.0, 1.0, 0.0]], dtype=np.float32)
    )
    assert np.isfinite([float(binary), float(multiclass)]).all()


def test_an_unknown_loss_is_refused():
    with pytest.raises(KeyError):
        keras_loss("squared", "regression")
