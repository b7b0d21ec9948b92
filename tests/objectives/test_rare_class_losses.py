"""The losses for rare classes, against counts, finite differences and Keras' own."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.metrics import fbeta_score

from skhp import InvalidParameterError
from skhp.losses import FocalLoss, SoftF1

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


BINARY = np.array([1, 0, 0, 1, 0, 0, 0, 1], float)[:, None]
PROBABILITIES = GENERATOR.uniform(0.05, 0.95, (8, 1))
CLASSES = np.array([0, 2, 1, 1, 0, 2, 2, 2])
OF_CLASSES = softmax(GENERATOR.normal(size=(8, 3)))
WEIGHT = GENERATOR.uniform(0.5, 3, 8)


class TestSoftF1:
    @given(
        st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), min_size=1),
        st.sampled_from([0.5, 1.0, 2.0]),
        st.sampled_from(["binary", "macro"]),
        st.sampled_from([0, 1]),
    )
    def test_of_predictions_that_are_sure_it_is_one_minus_f(self, rows, beta, average, positive):
        y, predicted, weight = (np.array(values, float) for values in zip(*rows, strict=True))
        assume(weight.any())
        loss = SoftF1(beta=beta, average=average, positive=positive)
        found = float(loss(y[:, None], predicted[:, None], weight))
        of_classes = fbeta_score(
            y,
            predicted,
            beta=beta,
            average=None,
            labels=[0, 1],
            sample_weight=weight,
            zero_division=0,
        )
        expected = of_classes.mean() if average == "macro" else of_classes[positive]
        assert found == pytest.approx(1 - expected, abs=1e-6)

    def test_of_more_classes_it_is_the_mean(self):
        predicted = np.eye(3)[[0, 2, 1, 0, 0, 1, 2, 2]]
        expected = fbeta_score(CLASSES, predicted.argmax(1), beta=1, average="macro")
        assert float(SoftF1()(CLASSES, predicted)) == pytest.approx(1 - expected, abs=1e-6)
        one_hot = np.eye(3)[CLASSES]
        assert float(SoftF1()(one_hot, predicted)) == pytest.approx(1 - expected, abs=1e-6)

    @pytest.mark.parametrize(
        ("loss", "y", "outputs"),
        [
            (SoftF1(), BINARY, PROBABILITIES),
            (SoftF1(beta=2.0, positive=0), BINARY, PROBABILITIES),
            (SoftF1(average="macro"), BINARY, PROBABILITIES),
            (SoftF1(), CLASSES, OF_CLASSES),
        ],
    )
    def test_its_gradient(self, loss, y, outputs):
        variable = tf.constant(outputs, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(variable)
            value = loss(y, variable, WEIGHT)
        gradient = tape.gradient(value, variable).numpy()
        step = 1e-3
        for place in np.ndindex(outputs.shape):
            around = []
            for sign in (1, -1):
                moved = outputs.copy()
                moved[place] += sign * step
                around.append(float(loss(y, moved.astype(np.float32), WEIGHT)))
            difference = (around[0] - around[1]) / (2 * step)
            assert gradient[place] == pytest.approx(difference, abs=2e-4)

    def test_a_batch_without_a_positive_row_teaches_nothing(self):
        variable = tf.constant(PROBABILITIES, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(variable)
            value = SoftF1()(np.zeros((8, 1)), variable)
        assert float(value) == 1.0
        assert not tape.gradient(value, variable).numpy().any()

    def test_rows_of_no_weight_do_not_count(self):
        weight = np.r_[WEIGHT[:4], np.zeros(4)]
        outputs = np.r_[PROBABILITIES[:4], np.full((4, 1), np.nan)]
        found = float(SoftF1()(BINARY, outputs, weight))
        assert found == pytest.approx(float(SoftF1()(BINARY[:4], PROBABILITIES[:4], WEIGHT[:4])))

    def test_it_trains_a_model_of_keras(self):
        X = GENERATOR.normal(size=(200, 3)).astype(np.float32)
        y = (X[:, 0] > 1).astype(np.float32)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
        model.set_weights([np.zeros((3, 1)), np.zeros(1)])
        model.compile(keras.optimizers.Adam(0.1), SoftF1())
        history = model.fit(X, y, batch_size=100, epochs=60, verbose=0).history["loss"]
        assert history[-1] < 0.3 < history[0]


class TestFocalLoss:
    @pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
    @pytest.mark.parametrize("alpha", [None, 0.25])
    def test_of_two_classes_it_is_that_of_keras(self, gamma, alpha):
        own = FocalLoss(gamma, alpha, reduction="none")
        theirs = keras.losses.BinaryFocalCrossentropy(
            gamma=gamma,
            alpha=alpha or 0.5,
            apply_class_balancing=alpha is not None,
            reduction="none",
        )
        np.testing.assert_allclose(
            own(BINARY, PROBABILITIES), theirs(BINARY, PROBABILITIES), rtol=1e-4
        )

    @pytest.mark.parametrize("gamma", [0.0, 1.0, 3.0])
    def test_of_more_classes_it_is_that_of_keras(self, gamma):
        theirs = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=gamma)
        expected = float(theirs(np.eye(3)[CLASSES], OF_CLASSES))
        for y in (CLASSES, CLASSES[:, None].astype(float), np.eye(3)[CLASSES]):
            assert float(FocalLoss(gamma)(y, OF_CLASSES)) == pytest.approx(expected, rel=1e-4)

    def test_a_weight_of_class_one_needs_one_output(self):
        with pytest.raises(InvalidParameterError, match="class_weight"):
            FocalLoss(alpha=0.25)(CLASSES, OF_CLASSES)


@pytest.mark.parametrize("loss", [SoftF1(beta=2.0, positive=0), FocalLoss(1.5, 0.3)], ids=repr)
class TestAsAParameter:
    def test_it_is_cloned_copied_and_saved(self, loss):
        copies = [
            clone(loss),
            pickle.loads(pickle.dumps(loss)),
            keras.losses.deserialize(keras.losses.serialize(loss)),
        ]
        for copy in copies:
            assert copy is not loss
            assert copy == loss
            assert copy.get_params() == loss.get_params()
        (name, *_) = loss.get_params()
        assert clone(loss).set_params(**{name: 0.7}) != loss

    def test_a_misspelt_parameter(self, loss):
        (name, *_) = loss.get_params()
        with pytest.raises(InvalidParameterError, match=f"'{name}x'.*{name}"):
            loss.set_params(**{f"{name}x": 1.0})


@pytest.mark.parametrize(
    "loss",
    [
        SoftF1(beta=0.0),
        SoftF1(average="micro"),
        FocalLoss(gamma=-1.0),
        FocalLoss(alpha=1.0),
        FocalLoss(gamma=float("nan")),
    ],
    ids=repr,
)
def test_values_out_of_range(loss):
    with pytest.raises(InvalidParameterError, match=type(loss).__name__):
        loss(BINARY, PROBABILITIES)
