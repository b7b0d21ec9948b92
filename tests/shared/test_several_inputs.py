"""Whoever has several inputs is told one thing, and it is true."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer

import skhp
from skhp.shared.unusable_data import refuse_several_inputs

random = np.random.default_rng(0)
NUMBERS = random.normal(size=(20, 4)).astype("float32")
KINDS = random.integers(0, 5, (20, 3)).astype("float32")
TABLE = np.hstack([NUMBERS, KINDS])
y = (NUMBERS[:, 0] > 0).astype(int)

SAID = r"(?s)Put all columns into one table.*input_columns="


def joined(numbers, kinds):
    flat = keras.layers.Flatten()(keras.layers.Embedding(5, 2)(kinds))
    both = keras.layers.Concatenate()([numbers, flat])
    return keras.layers.Dense(1, activation="sigmoid")(both)


def of_two_inputs():
    numbers, kinds = keras.Input((4,), name="numbers"), keras.Input((3,), name="kinds")
    return keras.Model({"numbers": numbers, "kinds": kinds}, joined(numbers, kinds))


def of_one_table():
    table = keras.Input((7,))
    return keras.Model(table, joined(table[:, :4], table[:, 4:]))


class Splitting(skhp.KerasClassifier):
    @property
    def feature_encoder(self):
        return FunctionTransformer(lambda X: {"numbers": X[:, :4], "kinds": X[:, 4:]})


SEVERAL = {
    "dict": {"numbers": NUMBERS, "kinds": KINDS},
    "list": [NUMBERS, KINDS],
    "tuple": (NUMBERS, KINDS),
    "frames": [pd.DataFrame(NUMBERS), pd.DataFrame(KINDS)],
    "of one shape": [NUMBERS, NUMBERS],
    "columns": [NUMBERS[:, 0], KINDS[:, 0]],
}


@pytest.mark.parametrize("form", SEVERAL)
def test_searches_refuse_several_tables(form):
    wrapper = skhp.KerasClassifier(of_two_inputs, loss="bce")
    with pytest.raises(ValueError, match=SAID) as raised:
        skhp.GridSearchCV(wrapper, {"epochs": [1]}, cv=2).fit(SEVERAL[form], y)
    assert type(SEVERAL[form]).__name__ in str(raised.value)


@pytest.mark.parametrize("form", SEVERAL)
@pytest.mark.parametrize("network", [skhp.KerasMLPClassifier, skhp.KerasMLPRegressor])
def test_perceptrons_and_comparisons_refuse_several_tables(network, form):
    with_held_out_rows = network(early_stopping=True)
    fits = {
        "fit": lambda X: network().fit(X, y),
        "partial_fit": lambda X: network().partial_fit(X, y),
        "X_val": lambda X: with_held_out_rows.fit(TABLE, y, X_val=X, y_val=y),
        "compare": lambda X: skhp.compare({"network": network()}, X, y),
    }
    for name, fit in fits.items():
        with pytest.raises(ValueError, match=SAID) as raised:
            fit(SEVERAL[form])
        assert type(SEVERAL[form]).__name__ in str(raised.value), name


def test_one_table_for_a_model_of_several_inputs_is_refused():
    wrapper = skhp.KerasClassifier(of_two_inputs, loss="bce")
    with pytest.raises(ValueError, match=SAID) as raised:
        wrapper.fit(TABLE, y)
    assert "2 inputs" in str(raised.value)
    assert all(name in str(raised.value) for name in ("numbers", "kinds"))


def test_several_tables_are_refused_in_predictions():
    fitted = skhp.KerasClassifier(of_one_table, loss="bce").fit(TABLE, y)
    perceptron = skhp.KerasMLPClassifier(epochs=1).fit(TABLE, y)
    for form in ("dict", "list"):
        for predicting in (fitted, perceptron):
            with pytest.raises(ValueError, match=SAID):
                predicting.predict(SEVERAL[form])


def test_what_the_message_says_is_true():
    parameters = {"loss": "bce", "random_state": 0, "shuffle": False, "epochs": 2}
    sliced = skhp.KerasClassifier(of_one_table, **parameters)
    search = skhp.GridSearchCV(sliced, {"epochs": [2]}, cv=2, scoring="f1").fit(TABLE, y)
    assert search.best_estimator_.predict(TABLE).shape == (20,)
    # An encoder of features may part the table, too.
    expected = sliced.fit(TABLE, y).predict_proba(TABLE)
    parted = Splitting(of_two_inputs, **parameters).fit(TABLE, y)
    np.testing.assert_allclose(parted.predict_proba(TABLE), expected, rtol=1e-4)
    columns = {"numbers": [0, 1, 2, 3], "kinds": [4, 5, 6]}
    by_columns = skhp.KerasClassifier(of_two_inputs, input_columns=columns, **parameters)
    np.testing.assert_allclose(by_columns.fit(TABLE, y).predict_proba(TABLE), expected, rtol=1e-4)


@pytest.mark.parametrize(
    "rows",
    [
        list(TABLE),
        TABLE.tolist(),
        TABLE,
        pd.DataFrame(TABLE),
        [np.ones((2, 3)) for _ in range(20)],
        [np.ones((n, 2)) for n in range(1, 21)],
        [],
    ],
    ids=["rows", "lists", "array", "frame", "series", "series of any length", "nothing"],
)
def test_one_table_is_left_alone(rows):
    assert refuse_several_inputs(rows, y) is None
