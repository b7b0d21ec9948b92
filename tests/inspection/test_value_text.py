"""Values as text: short, in one line, without addresses, and as different as they are."""

import functools
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler
from skopt.space import Real

from skhp import KerasClassifier, KerasMLPClassifier
from skhp.inspection.value_text import (
    NOT_SET,
    decimals_of,
    number_text,
    public_name,
    short_texts,
    value_key,
    value_text,
)


class Plain:
    """Prints its address, as most classes do."""

    def __init__(self, width, height=2.0):
        self.width, self.height = width, height


class Printed(Plain):
    def __repr__(self):
        return f"Printed(\n  {self.width!r})"


def build(meta):
    """A build function."""


TEXTS = [
    (np.float64(0.1) + 0.2, "0.3"),
    (np.float32(0.01), "0.01"),
    (0.1790760834847625, "0.1791"),
    (0.00025, "0.00025"),
    (1e-5, "1e-05"),
    (np.int64(1_234_567), "1234567"),
    (10**12, "1000000000000"),
    (-123456.7, "-123457"),
    (float("nan"), "nan"),
    (float("-inf"), "-inf"),
    (np.True_, "True"),
    (None, "None"),
    (NOT_SET, "not set"),
    (np.str_("relu"), "'relu'"),
    ((np.int64(20), 5), "(20, 5)"),
    ((np.int64(20),), "(20,)"),
    ([], "[]"),
    ({np.int64(0): np.float64(1.5)}, "{0: 1.5}"),
    ({3, 1}, "{1, 3}"),
    (np.array([1e-4, 1 / 3]), "[0.0001, 0.3333]"),
    (np.arange(25), "[0, 1, 2, ..., 24] (25 values)"),
    (np.zeros((3, 2)), "ndarray of shape (3, 2)"),
    (pd.DataFrame({"a": [1]}), "DataFrame of shape (1, 1)"),
    (stats.loguniform(1e-4, 0.1), "loguniform(0.0001, 0.1)"),
    (stats.norm(loc=np.float64(1)), "norm(loc=1)"),
    (stats.Uniform(a=0, b=1), "Uniform(a=0.0, b=1.0)"),
    (Real(1e-4, 1.0), "Real(low=0.0001, high=1.0, prior='uniform', transform='identity')"),
    (LogisticRegression(C=np.float64(1 / 3)), "LogisticRegression(C=0.3333)"),
    (
        Pipeline([("scale", MinMaxScaler((0, 2))), ("network", KerasMLPClassifier(neurons=3))]),
        "Pipeline(steps=[('scale', MinMaxScaler(feature_range=(0, 2))), "
        "('network', KerasMLPClassifier(neurons=3))])",
    ),
    (
        KerasClassifier(build, optimizer__learning_rate=np.float64(0.1)),
        "KerasClassifier(model=build, optimizer__learning_rate=0.1)",
    ),
    (FunctionTransformer(np.log1p), "FunctionTransformer(func=log1p)"),
    (make_scorer(f1_score), "make_scorer(f1_score, response_method='predict')"),
    (StratifiedKFold(5), "StratifiedKFold(n_splits=5, random_state=None, shuffle=False)"),
    (np.random.RandomState(0), "RandomState(MT19937)"),
    (Plain(np.float64(1.5)), "Plain(width=1.5)"),
    (Plain(3, height=build), "Plain(width=3, height=build)"),
    (Printed(np.float64(2.5)), "Printed( 2.5)"),
    (Printed(build), "Printed( build)"),
    (Printed(object()), "Printed( object)"),
    (build, "build"),
    (lambda: 0, "a lambda"),
    (functools.partial(build, np.int64(3), y=build), "partial(build, 3, y=build)"),
    (StandardScaler, "StandardScaler"),
    (np.float64, "float64"),
    (OneHotEncoder(dtype=np.float32), "OneHotEncoder(dtype=float32)"),
    (StandardScaler().fit, "StandardScaler().fit"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=[text for _, text in TEXTS])
def test_a_value_is_short_text(value, text):
    assert value_text(value) == text
    assert not re.search(r"0x|np\.|\n|object at", text)


def test_objects_of_keras_are_written_as_the_call_that_makes_them():
    import keras

    rates = keras.optimizers.schedules.ExponentialDecay(0.1, 100, 0.9)
    stop = keras.callbacks.EarlyStopping(monitor="val_f1", patience=3)
    assert value_text(keras.optimizers.Adam(0.01)) == "Adam(learning_rate=0.01)"
    assert value_text(stop) == "EarlyStopping(monitor='val_f1', patience=3)"
    assert value_text(keras.regularizers.L2(0.3)) == "L2(l2=0.3)"
    assert "ExponentialDecay(initial_learning_rate=0.1" in value_text(keras.optimizers.SGD(rates))
    assert value_key(keras.optimizers.Adam(0.01)) != value_key(keras.optimizers.Adam(0.02))


def test_what_holds_itself_ends():
    endless = [1]
    endless.append(endless)
    assert value_text(endless) == "[1, ...]"
    parent = Plain(1)
    parent.width = Plain(parent)
    assert value_text(parent) == "Plain(width=Plain(width=...))"


@pytest.mark.parametrize("value", [1 / 3, 0.1 + 0.2, 12345.678, 1e-9 / 3, 2e9 / 3])
def test_a_drawn_number_has_few_digits_and_nearly_its_value(value):
    text = number_text(value)
    assert len(re.sub(r"e.*|[^1-9]", "", text)) <= 5
    assert float(text) == pytest.approx(value, rel=1e-3)


def test_keys_tell_values_apart_that_texts_do_not():
    same = [(1, 1.0), (np.float64(0.5), 0.5), (StandardScaler(), StandardScaler()), ((1,), (1,))]
    for one, other in same:
        assert value_key(one) == value_key(other)
    different = [(0.123451, 0.123452), (1, True), (1, "1"), ((1,), [1]), (lambda: 0, lambda: 1)]
    different += [(0.12345678901, 0.12345678902), (None, "None"), (Plain(1), Plain(1))]
    for one, other in different:
        assert value_key(one) != value_key(other)


def test_labels_are_short_and_as_different_as_the_values():
    values = [0.12345678901, 0.12345678902, lambda: 0, lambda: 1, "a" * 50, "relu", "relu"]
    labels = list(short_texts(values, 10).values())
    assert labels[:4] == ["0.1235", "0.12345678902", "a lambda", "a lambda (2)"]
    assert len(labels[4]) == 10
    assert labels[5:] == ["relu"]


def test_private_classes_are_called_by_a_public_base():
    class _Counting(dict):
        pass

    assert public_name(_Counting()) == "dict"


def test_decimals_follow_from_the_largest_number():
    assert (
        decimals_of(np.array([0.5, 0.12345, np.nan]), 3),
        decimals_of(np.array([1234.5]), 3),
    ) == (3, 0)
