import keras
import numpy as np
import pytest
from scipy.special import expit, softmax

from skhp.estimators.keras_model.label_encoding import (
    RepairedLabelEncoder,
    as_columns,
    as_probabilities,
)

THREE = np.array(["a", "b", "c", "a"])


@pytest.fixture
def three():
    return RepairedLabelEncoder().fit(THREE)


@pytest.fixture
def two():
    return RepairedLabelEncoder().fit(np.array([5, 3, 5]))


def test_probabilities_sum_to_one(three):
    outputs = np.array([[0.2, 0.2, 0.4], [0.0, 0.0, 0.0]])
    probabilities = three.inverse_transform(outputs, return_proba=True)
    np.testing.assert_allclose(probabilities, [[0.25, 0.25, 0.5], [1 / 3, 1 / 3, 1 / 3]])


def test_one_unit_is_the_probability_of_the_second_class(two):
    for outputs in (np.array([[0.25]]), np.array([0.25])):
        probabilities = two.inverse_transform(outputs, return_proba=True)
        np.testing.assert_array_equal(probabilities, [[0.75, 0.25]])
        assert two.inverse_transform(outputs).tolist() == [3]


def test_several_labels_at_once_keep_their_probabilities():
    encoder = RepairedLabelEncoder().fit(np.array([[1, 1], [0, 1], [0, 0]]))
    outputs = np.array([[0.9, 0.8]])
    np.testing.assert_array_equal(encoder.inverse_transform(outputs, return_proba=True), outputs)
    np.testing.assert_array_equal(encoder.inverse_transform(outputs), [[1, 1]])


@pytest.mark.parametrize("units", [1, 2, 4])
def test_wrong_number_of_units(three, units):
    with pytest.raises(ValueError, match=f"{units} output unit.* needs 3"):
        three.inverse_transform(np.full((2, units), 0.1))


@pytest.mark.parametrize("outputs", [[[-0.1, 0.5, 0.6]], [[0.1, 0.5, 1.1]]])
def test_outputs_that_are_no_probabilities(three, outputs):
    assert three.inverse_transform(np.array(outputs)).tolist() == ["c"]
    with pytest.raises(ValueError, match="are not probabilities"):
        three.inverse_transform(np.array(outputs), return_proba=True)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match=r"got 1 class: \['a'\]"):
        RepairedLabelEncoder().fit(np.array(["a", "a"]))


def test_unseen_labels_are_refused(three):
    with pytest.raises(ValueError, match=r"first fit: \['z'\]"):
        three.transform(np.array(["a", "z"]))


OUTPUTS = np.array([[-1.0, 0.5, 2.0]])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (keras.losses.BinaryCrossentropy(from_logits=True), expit(OUTPUTS)),
        (keras.losses.CategoricalCrossentropy(from_logits=True), softmax(OUTPUTS, axis=1)),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), softmax(OUTPUTS, axis=1)),
        (keras.losses.BinaryCrossentropy(), OUTPUTS),
        ("hinge", [[0, 0.75, 1.5]]),
        (keras.losses.squared_hinge, [[0, 0.75, 1.5]]),
        (keras.losses.Hinge(), [[0, 0.75, 1.5]]),
        ("categorical_hinge", OUTPUTS),
        ("mse", OUTPUTS),
        (["mse"], OUTPUTS),
        (None, OUTPUTS),
    ],
)
def test_outputs_as_probabilities(loss, expected):
    np.testing.assert_allclose(as_probabilities(OUTPUTS, loss), expected)


NUMBERS = np.array([[2.0], [0.0]])
COLUMNS = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])


def own_loss(y_true, y_pred):
    """A loss of the user's own, which may take class numbers."""


@pytest.mark.parametrize(
    ("loss", "units", "expected"),
    [
        ("mse", 3, COLUMNS),
        ("categorical_focal_crossentropy", 3, COLUMNS),
        (keras.losses.CategoricalHinge(), 3, COLUMNS),
        (keras.losses.CategoricalHinge, 3, COLUMNS),
        (keras.losses.kl_divergence, 3, COLUMNS),
        ("sparse_categorical_crossentropy", 3, NUMBERS),
        (keras.losses.SparseCategoricalCrossentropy(), 3, NUMBERS),
        ("mse", 1, NUMBERS),
        ("mse", None, NUMBERS),
        (own_loss, 3, NUMBERS),
        (["mse"], 3, NUMBERS),
    ],
)
def test_class_numbers_as_columns(loss, units, expected):
    np.testing.assert_array_equal(as_columns(NUMBERS, units, loss), expected)


def test_columns_stay_as_they_are():
    np.testing.assert_array_equal(as_columns(COLUMNS, 3, "mse"), COLUMNS)
