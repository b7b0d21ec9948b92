"""Each row of the tables of docs/joins.md says what happens when a fit is prepared."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import make_classification

from skhp import (
    CannotJoinError,
    KerasClassifier,
    KerasCNNClassifier,
    KerasMLPClassifier,
    KerasRNNClassifier,
)
from skhp.training.fit_task import FitTask

PAGE = Path(__file__).parents[2] / "docs" / "joins.md"
X, Y = make_classification(60, 4, random_state=0)
X = X.astype("float32")


def stack(kernel_constraint=None, dtype=None):
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, "tanh", kernel_constraint=kernel_constraint, dtype=dtype),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def with_shortcut(meta):
    inputs = keras.Input((4,))
    joined = keras.layers.Concatenate()([inputs, keras.layers.Dense(2)(inputs)])
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(joined))


def of_two_inputs(meta):
    inputs = [keras.Input((4,), name="left"), keras.Input((4,), name="right")]
    joined = keras.layers.Concatenate()(inputs)
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(joined))


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)


class OwnAdam(keras.optimizers.Adam):
    pass


def own_loss(y_true, y_pred):
    return keras.ops.mean((y_true - y_pred) ** 2, axis=-1)


def wrapped(build=stack, **parameters):
    given = {"loss": "binary_crossentropy", "optimizer": "adam", "random_state": 0}
    return KerasClassifier(build, **given | parameters)


def squared(X):
    return np.repeat(X[..., None], 4, axis=2)


JOINS = {
    "multilayer perceptrons": lambda: (KerasMLPClassifier(dropout=0.1, l2=0.01), X),
    "recurrent networks": lambda: (KerasRNNClassifier(neurons=2), squared(X)),
    "convolutional networks": lambda: (KerasCNNClassifier(hidden_layers=1), squared(X)),
    "wrapped stacks of dense layers": lambda: (wrapped(), X),
    "any other wrapped model": lambda: (wrapped(with_shortcut), X),
    "several inputs": lambda: (wrapped(of_two_inputs), {"left": X, "right": X}),
    "a borrowed network": lambda: (
        KerasClassifier(base_model=stack(), freeze=True, optimizer="adam", random_state=0),
        X,
    ),
    "Keras' EarlyStopping": lambda: (
        wrapped(fit__validation_split=0.2, callbacks=keras.callbacks.EarlyStopping()),
        X,
    ),
    "metrics that are means over rows": lambda: (wrapped(metrics=["accuracy", "mse"]), X),
    "schedules of the learning rate": lambda: (
        wrapped(optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9))),
        X,
    ),
    "class weights and sample weights": lambda: (KerasMLPClassifier(class_weight="balanced"), X),
}

REFUSED = {
    "other callbacks": lambda: wrapped(callbacks=keras.callbacks.TerminateOnNaN()),
    "a train_step of your own": lambda: wrapped(lambda: OwnStep(stack().layers)),
    "run_eagerly": lambda: wrapped(run_eagerly=True),
    "AUC among the metrics": lambda: wrapped(metrics=["AUC"]),
    "a function as the loss": lambda: wrapped(loss=own_loss),
    "clipped gradients": lambda: wrapped(optimizer__clipnorm=1.0),
    "an optimizer of your own": lambda: wrapped(optimizer=OwnAdam()),
    "a constraint on weights": lambda: wrapped(lambda: stack(kernel_constraint="non_neg")),
    "half precision": lambda: wrapped(lambda: stack(dtype="mixed_float16")),
    'engine="keras"': lambda: wrapped(engine="keras"),
}


def rows_of_table(heading):
    """The cells of each row of the table below a heading."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return {cells[0]: cells for cells in (re.split(r"\s*\|\s*", row.strip("| ")) for row in lines)}


def test_each_row_is_tried():
    assert rows_of_table("What joins").keys() == JOINS.keys()
    assert rows_of_table("What Keras trains by itself").keys() == REFUSED.keys()


@pytest.mark.parametrize("what", JOINS)
def test_it_joins(what):
    estimator, rows = JOINS[what]()
    weights = {"sample_weight": np.ones(60)} if "sample weights" in what else {}
    assert isinstance(estimator.__skhp_fit_task__(rows, Y, **weights), FitTask)


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_left_to_keras_for_the_reason_that_is_told(what):
    reason = rows_of_table("What Keras trains by itself")[what][1].strip("`")
    with pytest.raises(CannotJoinError, match=re.escape(reason)):
        REFUSED[what]().__skhp_fit_task__(X, Y)
