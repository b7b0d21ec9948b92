"""Models of several inputs, and of several outputs, as estimators."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, StandardScaler

import skhp
from skhp.exceptions import InvalidParameterError

pytestmark = pytest.mark.slow

random = np.random.default_rng(0)
NUMBERS = random.normal(size=(40, 3)).astype("float32")
KINDS = random.integers(0, 5, (40, 2))
TABLE = pd.DataFrame(
    np.hstack([NUMBERS, KINDS]), columns=["age", "height", "weight", "car", "city"]
)
y = (NUMBERS[:, 0] + KINDS[:, 0] > 2).astype(int)
COLUMNS = {"numbers": ["age", "height", "weight"], "kinds": ["car", "city"]}
FORMS = {
    "dict": {"numbers": NUMBERS, "kinds": KINDS},
    "list": [NUMBERS, KINDS],
    "frames": (pd.DataFrame(NUMBERS), pd.DataFrame(KINDS)),
}


def build(units=3):
    numbers = keras.Input((3,), name="numbers")
    kinds = keras.Input((2,), dtype="int32", name="kinds")
    flat = keras.layers.Flatten()(keras.layers.Embedding(5, 2)(kinds))
    both = keras.layers.Concatenate()([numbers, flat])
    hidden = keras.layers.Dense(units, activation="tanh")(both)
    model = keras.Model([numbers, kinds], keras.layers.Dense(1, activation="sigmoid")(hidden))
    model.compile("adam", "binary_crossentropy")
    return model


def estimator(**parameters):
    return skhp.KerasClassifier(
        build, **{"epochs": 2, "random_state": 0, "engine": "population"} | parameters
    )


EXPECTED = {}


def expected():
    """Probabilities of Keras' own fit, by one of the forms."""
    if not EXPECTED:
        fitted = estimator(engine="keras").fit(FORMS["dict"], y)
        EXPECTED["probabilities"] = fitted.predict_proba(FORMS["dict"])
    return EXPECTED["probabilities"]


@pytest.mark.parametrize("form", FORMS)
def test_arrays_are_trained_on_as_keras_does(form):
    fitted = estimator().fit(FORMS[form], y)
    np.testing.assert_allclose(fitted.predict_proba(FORMS[form]), expected(), rtol=1e-4)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(FORMS[form]), fitted.predict(FORMS[form]))


@pytest.mark.parametrize("names", [True, False])
def test_columns_of_a_table_are_parted(names):
    columns = COLUMNS if names else {"numbers": [0, 1, 2], "kinds": [-2, 4]}
    X = TABLE if names else TABLE.to_numpy()
    fitted = estimator(input_columns=columns).fit(X, y)
    np.testing.assert_allclose(fitted.predict_proba(X), expected(), rtol=1e-4)


def test_a_search_over_a_pipeline_cuts_the_table():
    texts = TABLE.assign(city=[f"city {int(number)}" for number in TABLE["city"]])
    prepared = make_column_transformer(
        (StandardScaler(), ["age", "height", "weight"]),
        (OrdinalEncoder(), ["car", "city"]),
    )
    network = estimator(input_columns={"numbers": [0, 1, 2], "kinds": [3, 4]})
    grid = {"kerasclassifier__units": [2, 3], "kerasclassifier__epochs": [1, 2]}
    search = skhp.GridSearchCV(
        make_pipeline(prepared, network), grid, cv=KFold(2), scoring="accuracy"
    )
    search.fit(texts, y)
    assert search.population_report_.n_together == 8
    best = clone(make_pipeline(prepared, network)).set_params(**search.best_params_)
    first, last = next(KFold(2).split(texts))
    score = best.fit(texts.iloc[first], y[first]).score(texts.iloc[last], y[last])
    assert score == search.cv_results_["split0_test_score"][search.best_index_]


def test_early_stopping_and_validation_data_take_arrays():
    X = FORMS["dict"]
    stopping = estimator(early_stopping=True, monitor="val_accuracy", epochs=3).fit(X, y)
    assert len(stopping.history_["val_loss"]) == 3
    held_out = estimator().fit(X, y, validation_data=(X, y))
    own = estimator(engine="keras").fit(X, y, validation_data=(X, y))
    np.testing.assert_allclose(held_out.history_["val_loss"], own.history_["val_loss"], rtol=1e-4)


WRONG_FIT = {
    "unknown column": ({"numbers": ["agee"], "kinds": ["car"]}, TABLE, "mean 'age'"),
    "position": ({"numbers": [0], "kinds": [9]}, TABLE, "position 9, and X has 5 columns"),
    "no names": (COLUMNS, TABLE.to_numpy(), "X has no names of columns"),
    "other inputs": (
        {"numbers": [0, 1, 2], "sorts": [3, 4]},
        TABLE,
        "kinds, numbers, and is given",
    ),
    "no list": ({"numbers": "age", "kinds": [3]}, TABLE, "must be a list of names"),
    "empty": ({}, TABLE, "input_columns is empty"),
    "two ways": (COLUMNS, FORMS["dict"], "leave one of the two out"),
    "not a dict": ([0, 1], TABLE, "'input_columns' parameter"),
    "other lengths": (None, {"numbers": NUMBERS, "kinds": KINDS[:9]}, r"\[40, 9\]"),
    "text": (None, {"numbers": NUMBERS, "kinds": TABLE[["car"]].astype(str) + "x"}, "text '"),
    "missing": (None, {"numbers": NUMBERS * np.nan, "kinds": KINDS}, "'numbers' of X contains NaN"),
    "one table": (None, TABLE, "input_columns="),
}


@pytest.mark.parametrize("kind", WRONG_FIT)
def test_wrong_inputs_are_named(kind):
    columns, X, reason = WRONG_FIT[kind]
    with pytest.raises(ValueError, match=reason):
        estimator(input_columns=columns).fit(X, y)


def test_predictions_take_the_form_of_the_fit():
    fitted = estimator(epochs=1).fit(FORMS["dict"], y)
    with pytest.raises(ValueError, match="a dict of arrays with the keys 'numbers', 'kinds'"):
        fitted.predict(TABLE)
    with pytest.raises(ValueError, match="fitted on"):
        fitted.predict({"numbers": NUMBERS, "sorts": KINDS})
    with pytest.raises(ValueError, match=r"rows of the shapes \[\(3,\), \(1,\)\]"):
        fitted.predict({"kinds": KINDS[:, :1], "numbers": NUMBERS})
    in_another_order = {"kinds": KINDS, "numbers": NUMBERS}
    np.testing.assert_array_equal(fitted.predict(in_another_order), fitted.predict(FORMS["dict"]))


class Parted(FunctionTransformer):
    """Two columns of a target as the targets of two outputs."""

    def transform(self, X):
        return X[:, :1], X[:, 1:]

    def inverse_transform(self, X):
        return np.hstack(X)


class OfTwoOutputs(skhp.KerasRegressor):
    @property
    def target_encoder(self):
        return Parted()


def build_two_outputs():
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, activation="relu")(inputs)
    outputs = [keras.layers.Dense(1, name=name)(hidden) for name in ("first", "second")]
    model = keras.Model(inputs, outputs)
    model.compile("adam", ["mse", "mae"], loss_weights=[1.0, 0.5])
    return model


def test_several_outputs_join_by_an_encoder_of_the_target():
    target = NUMBERS[:, :2] ** 2
    fits = [
        OfTwoOutputs(build_two_outputs, epochs=3, batch_size=10, random_state=0, engine=engine).fit(
            NUMBERS, target
        )
        for engine in ("population", "keras")
    ]
    assert fits[0].predict(NUMBERS).shape == (40, 2)
    np.testing.assert_allclose(*(fit.predict(NUMBERS) for fit in fits), rtol=1e-4, atol=1e-5)
    assert set(fits[0].history_) == {"loss", "first_loss", "second_loss"}
    for name, values in fits[0].history_.items():
        np.testing.assert_allclose(values, fits[1].history_[name], rtol=1e-4)


def test_a_name_that_is_not_a_parameter_is_still_refused():
    with pytest.raises(InvalidParameterError, match="input_columns"):
        estimator(input_column=COLUMNS).fit(TABLE, y)


def embedded(meta):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Embedding(9, 2, name="words"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ]
    )


@pytest.mark.parametrize("engine", ["population", "keras"])
@pytest.mark.parametrize(("wrong", "told"), [(9, "9"), (-1, "-1")])
def test_tokens_outside_of_an_embedding_are_refused(engine, wrong, told):
    tokens = np.arange(40).reshape(10, 4) % 9
    beyond = tokens.copy()
    beyond[2, 1] = wrong
    message = f"X holds {told} in row 2, place 1, .* layer 'words' takes whole numbers from 0 to 8"
    network = skhp.KerasRegressor(embedded, loss="mse", engine=engine, random_state=0)
    fitted = clone(network).fit(tokens, np.arange(10.0))
    with pytest.raises(ValueError, match=message):
        fitted.predict(beyond)
    with pytest.raises(ValueError, match=message):
        network.fit(beyond, np.arange(10.0))


def test_tokens_of_one_of_several_inputs_are_looked_at():
    def build(meta):
        numbers, kinds = keras.Input((2,), name="numbers"), keras.Input((1,), name="kinds")
        flat = keras.layers.Flatten()(keras.layers.Embedding(3, 2, name="cities")(kinds))
        joined = keras.layers.Concatenate()([numbers, flat])
        return keras.Model({"numbers": numbers, "kinds": kinds}, keras.layers.Dense(1)(joined))

    table = np.column_stack([np.arange(12) - 6, np.arange(12) * 9, np.arange(12) % 3])
    columns = {"kinds": [2], "numbers": [0, 1]}
    network = skhp.KerasRegressor(build, loss="mse", input_columns=columns, random_state=0)
    fitted = network.fit(table, np.arange(12.0))
    table[5, 2] = 3
    with pytest.raises(ValueError, match=r"X holds 3 in row 5, .* 'cities' takes .* from 0 to 2"):
        fitted.predict(table)
