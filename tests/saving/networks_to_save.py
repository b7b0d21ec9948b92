"""Small fitted estimators of each kind, made once, for the tests of saving."""

import functools

import keras
import numpy as np

from skhp import (
    KerasClassifier,
    KerasCNNClassifier,
    KerasMLPClassifier,
    KerasMLPRegressor,
    KerasRegressor,
    KerasRNNClassifier,
    KerasRNNRegressor,
)
from skhp.losses import FocalLoss

QUICK = {"epochs": 2, "random_state": 0}
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(24, 3)).astype(np.float32)
LABELS = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
IMAGES = GENERATOR.normal(size=(24, 4, 4, 1)).astype(np.float32)
TOKENS = GENERATOR.integers(1, 5, size=(24, 4))


def built(units=1, activation="sigmoid"):
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="relu", kernel_regularizer="l2"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(units, activation=activation),
        ]
    )


def build(meta, neurons=3):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(neurons, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def joined():
    one, other = keras.Input((2,), name="a"), keras.Input((1,), name="b")
    both = keras.layers.Concatenate()([one, other])
    return keras.Model({"a": one, "b": other}, keras.layers.Dense(1)(both))


def perceptron_with_keras_model():
    network = KerasMLPClassifier(dropout=0.3, **QUICK).fit(X, LABELS)
    assert network.model_ is not None
    return network


FITS = {
    "mlp classifier": lambda: (KerasMLPClassifier(**QUICK), X, LABELS),
    "mlp by keras": lambda: (
        KerasMLPClassifier(dropout=0.3, engine="keras", lr_schedule="step", **QUICK),
        X,
        LABELS,
    ),
    "mlp with parameters of all kinds": lambda: (
        KerasMLPClassifier(
            neurons=np.array([3, 2]),
            loss=FocalLoss(1.5),
            class_weight={"no": 2.0, "yes": np.float64(1.5)},
            lr_schedule={"kind": "exponential", "factor": 0.9},
            learning_rate=np.float32(0.01),
            random_state=np.random.RandomState(3),
            epochs=2,
        ),
        X,
        LABELS,
    ),
    "mlp regressor": lambda: (KerasMLPRegressor(optimizer="nadam", **QUICK), X, X[:, :2]),
    "rnn classifier": lambda: (
        KerasRNNClassifier(embedding_dim=2, bidirectional=True, dropout=0.2, **QUICK),
        TOKENS,
        LABELS,
    ),
    "rnn regressor": lambda: (KerasRNNRegressor(cell="gru", neurons=3, **QUICK), X, X[:, 0]),
    "cnn classifier": lambda: (
        KerasCNNClassifier(filters=2, neurons=2, augmentation="flip", **QUICK),
        IMAGES,
        CLASSES,
    ),
    "keras classifier": lambda: (
        KerasClassifier(built(), loss="binary_crossentropy", optimizer="adam", **QUICK),
        X,
        LABELS,
    ),
    "keras classifier of classes": lambda: (
        KerasClassifier(
            built(3, "softmax"),
            loss="categorical_crossentropy",
            optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
            metrics=[keras.metrics.CategoricalAccuracy()],
            engine="keras",
            **QUICK,
        ),
        X,
        np.eye(3)[CLASSES],
    ),
    "keras classifier of labels": lambda: (
        KerasClassifier(built(2), loss=keras.losses.BinaryCrossentropy(), **QUICK),
        X,
        np.column_stack([X[:, 0] > 0, X[:, 1] > 0]).astype(int),
    ),
    "transfer": lambda: (KerasClassifier(base_model=built(), **QUICK), X, LABELS),
    "several inputs": lambda: (
        KerasRegressor(
            joined(), loss="mse", input_columns={"a": [0, 1], "b": [2]}, optimizer="adam", **QUICK
        ),
        X,
        X[:, 0],
    ),
}


@functools.cache
def fitted(name):
    """A fitted estimator, its rows and its target; not to be changed."""
    estimator, rows, target = FITS[name]()
    return estimator.fit(rows, target), rows, target
