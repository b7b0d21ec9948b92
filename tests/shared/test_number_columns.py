"""A column of text or dates is named, by a fit and by a search before it trains anything."""

import datetime

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import skhp
from skhp.shared.unusable_data import columns_without_numbers, refuse_columns_without_numbers

N = 40
Y = np.arange(N) % 2
NUMBERS = pd.DataFrame(np.random.default_rng(0).normal(size=(N, 2)), columns=["age", "size"])
COLUMNS = {
    "text": (["a", "b"] * 20, "text 'a'"),
    "objects": (pd.Series([1, "b"] * 20, dtype=object), "text 'b'"),
    "category": (pd.Series(["a", "b"] * 20, dtype="category"), "text 'a'"),
    "date": (pd.date_range("2020", periods=N), "date"),
    "date of a place": (pd.date_range("2020", periods=N, tz="UTC"), "date"),
    "day": (pd.Series([datetime.date(2020, 1, 1)] * N), "date 2020-01-01"),
    "duration": (pd.timedelta_range("1h", periods=N), "duration"),
    "period": (pd.period_range("2020", periods=N, freq="D"), "date 2020-01-01"),
}
every_column = pytest.mark.parametrize("name", COLUMNS)
SEARCHERS = {
    "GridSearchCV": {},
    "RandomizedSearchCV": {"n_iter": 2},
    "HalvingGridSearchCV": {},
    "HalvingRandomSearchCV": {"n_candidates": 2},
    "BayesSearchCV": {"n_iter": 2},
    "TPESearchCV": {"n_iter": 2},
}


def build():
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid")])
    model.compile(loss="binary_crossentropy")
    return model


NETWORK = skhp.KerasMLPClassifier(epochs=1, random_state=0)
ESTIMATORS = {
    "KerasMLPClassifier": NETWORK,
    "KerasMLPRegressor": skhp.KerasMLPRegressor(epochs=1),
    "KerasClassifier": skhp.KerasClassifier(build, epochs=1),
    "KerasRegressor": skhp.KerasRegressor(build, epochs=1),
}


def table(name):
    return NUMBERS.assign(**{name: COLUMNS[name][0]})


def refused(*texts):
    return pytest.raises(ValueError, match="(?s)" + "".join(f"(?=.*{text})" for text in texts))


class Unnamed(TransformerMixin, BaseEstimator):
    fits = 0

    def fit(self, X, y=None):
        type(self).fits += 1
        return self

    def transform(self, X):
        return np.asarray(X, dtype=object)


@every_column
def test_are_named(name):
    assert len(columns_without_numbers(table(name))) == 1
    content = COLUMNS[name][1]
    with refused("taker takes numbers", f"column '{name}' of type", content, "OneHotEncoder"):
        refuse_columns_without_numbers(table(name), "taker")
    with refused("column 2, counted from 0", content.partition(" ")[0]):
        refuse_columns_without_numbers(table(name).to_numpy(), "taker")


@pytest.mark.parametrize(
    "X",
    [
        None,
        NUMBERS,
        NUMBERS.to_numpy(),
        NUMBERS.astype(object),
        csr_matrix(np.eye(3)),
        pd.DataFrame({"a": [1, None], "b": [True, False]}).astype({"a": "Int64"}),
        pd.DataFrame({"a": pd.Series([1, 2], dtype="category")}),
        pd.DataFrame({"a": ["1.5", "2"]}),
        [["1", "2"]],
        [[1, 2], [3]],
        [[1, None], [np.nan, 2.0]],
        [[1, {"a": 2}]],
        np.zeros((2, 3, 4)),
    ],
)
def test_others_are_let_pass(X):
    assert columns_without_numbers(X) == []


def test_many_are_counted():
    with refused("and 2 more"):
        refuse_columns_without_numbers(np.full((2, 7), "a"), "taker")


@every_column
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_fit_names_them(estimator, name):
    with refused(estimator, name):
        ESTIMATORS[estimator].fit(table(name), Y)
    # Alone, dates would become numbers of some billions without a word.
    with refused(estimator, name):
        ESTIMATORS[estimator].fit(table(name)[[name]], Y)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_predictions_name_them(estimator):
    fitted = ESTIMATORS[estimator].fit(NUMBERS, Y)
    dates = NUMBERS.assign(size=pd.date_range("2020", periods=N))
    with refused(estimator, "size"):
        fitted.predict(dates)


class TestSearches:
    @pytest.mark.parametrize("searcher", SEARCHERS)
    @every_column
    def test_name_them(self, searcher, name):
        search = getattr(skhp, searcher)(NETWORK, {"neurons": [2, 4]}, **SEARCHERS[searcher])
        with refused("KerasMLPClassifier takes numbers", f"column '{name}'"):
            search.fit(table(name), Y)

    @pytest.mark.parametrize("searcher", SEARCHERS)
    def test_name_the_step_that_cannot_take_them(self, searcher):
        pipeline = make_pipeline(Unnamed(), StandardScaler(), NETWORK)
        space = {"kerasmlpclassifier__neurons": [2, 4]}
        Unnamed.fits = 0
        with refused("step 'standardscaler'", "column 2", "text 'a'"):
            getattr(skhp, searcher)(pipeline, space, **SEARCHERS[searcher]).fit(table("text"), Y)
        assert Unnamed.fits == 1

    def test_name_those_that_steps_let_pass(self):
        passing = ColumnTransformer(
            [("scaled", StandardScaler(), ["age"])], remainder="passthrough"
        )
        for X, texts in (
            (table("text"), ["behind the steps", "text 'a'"]),
            (table("day"), ["behind the steps", "date"]),
        ):
            search = skhp.GridSearchCV(
                make_pipeline(passing, NETWORK), {"kerasmlpclassifier__neurons": [2]}, cv=2
            )
            with refused(*texts):
                search.fit(X, Y)

    def test_find_nothing_wrong_where_they_are_encoded(self):
        encoding = ColumnTransformer(
            [("encoded", OneHotEncoder(), ["text"])], remainder="passthrough"
        )
        search = skhp.GridSearchCV(
            make_pipeline(encoding, NETWORK), {"kerasmlpclassifier__neurons": [2]}, cv=2
        )
        assert np.isfinite(search.fit(table("text"), Y).best_score_)

    def test_leave_it_to_steps_that_they_change(self):
        pipeline = make_pipeline("passthrough", FunctionTransformer(), NETWORK)
        space = {"functiontransformer": [FunctionTransformer(lambda X: X[["age"]])]}
        assert np.isfinite(
            skhp.GridSearchCV(pipeline, space, cv=2).fit(table("text"), Y).best_score_
        )

    def test_leave_other_errors_to_the_candidates(self):
        def broken(X):
            raise OSError("no disk")

        search = skhp.GridSearchCV(
            make_pipeline(FunctionTransformer(broken), NETWORK),
            {"kerasmlpclassifier__neurons": [2]},
            cv=2,
            error_score="raise",
        )
        with pytest.raises(OSError, match="no disk"):
            search.fit(table("text"), Y)

    def test_of_many_rows_a_few_are_tried(self):
        seen = []

        def noted(X):
            seen.append(len(X))
            return X

        X = pd.concat([table("text")] * 10)
        search = skhp.GridSearchCV(
            make_pipeline(FunctionTransformer(noted), NETWORK), {"kerasmlpclassifier__neurons": [2]}
        )
        with refused("text 'a'"):
            search.fit(X, np.tile(Y, 10))
        assert seen == [200]

    @pytest.mark.parametrize("searcher", SEARCHERS)
    @pytest.mark.parametrize(
        ("value", "text"), [(np.nan, "NaN"), (np.inf, "infinity"), (1e300, "too large")]
    )
    def test_name_columns_that_are_not_finite(self, searcher, value, text):
        search = getattr(skhp, searcher)(NETWORK, {"neurons": [2, 4]}, **SEARCHERS[searcher])
        X = NUMBERS.copy()
        X.loc[[3, 5], "size"] = value
        with refused(f"Input X contains .*{text}", "column 'size' in 2 rows", "SimpleImputer"):
            search.fit(X, Y)
        with refused("column 1 in 2 rows"):
            search.fit(X.to_numpy(), Y)

    def test_find_nothing_wrong_where_they_are_imputed(self):
        pipeline = make_pipeline(SimpleImputer(), NETWORK)
        X = NUMBERS.where(NUMBERS > -1)
        search = skhp.GridSearchCV(pipeline, {"kerasmlpclassifier__neurons": [2]}, cv=2)
        assert X.isna().any(axis=None)
        assert np.isfinite(search.fit(X, Y).best_score_)

    @pytest.mark.parametrize("searcher", SEARCHERS)
    def test_of_numbers_that_are_not_classes(self, searcher):
        search = getattr(skhp, searcher)(NETWORK, {"neurons": [2, 4]}, **SEARCHERS[searcher])
        with refused("Unknown label type: continuous"):
            search.fit(NUMBERS, NUMBERS["age"])

    @pytest.mark.parametrize("searcher", SEARCHERS)
    def test_of_rows_and_targets_of_different_numbers(self, searcher):
        search = getattr(skhp, searcher)(NETWORK, {"neurons": [2, 4]}, **SEARCHERS[searcher])
        with refused("inconsistent numbers of samples", "40", "39"):
            search.fit(NUMBERS, Y[:39])


def cells_of_arrays(rows):
    cells = np.empty(len(rows), dtype=object)
    cells[:] = rows
    return cells


WINDOWS = [np.arange(3.0), np.arange(3.0) + 1]


@pytest.mark.parametrize(
    "X",
    [
        cells_of_arrays(WINDOWS),
        pd.Series(WINDOWS),
        pd.DataFrame({"window": WINDOWS}),
        pd.Series([one.tolist() for one in WINDOWS]),
    ],
)
def test_arrays_in_the_place_of_numbers_are_refused(X):
    with pytest.raises(
        ValueError, match=r"shape \(3,\) in row 0.* one array of the shape \(2, 3\)"
    ):
        refuse_columns_without_numbers(X, "Taker")


@pytest.mark.parametrize(
    "X", [[[1, 2, 3], [4, 5]], ((1, 2, 3), (4, 5)), cells_of_arrays([np.ones(3), np.ones(2)])]
)
def test_rows_of_different_lengths_are_refused(X):
    with pytest.raises(ValueError, match="3 values in row 0 and 2 in row 1"):
        refuse_columns_without_numbers(X, "Taker")


def test_a_series_of_texts_is_refused_and_one_of_numbers_is_not():
    with pytest.raises(ValueError, match=r"a Series of type .* holds the text 'red'"):
        refuse_columns_without_numbers(pd.Series(["red"]), "Taker")
    for X in (pd.Series([1.0]), [1, 2], ["1", "22"], [], None):
        refuse_columns_without_numbers(X, "Taker")


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0, 2.0, 3.0]] * 9 + [[1.0, 2.0]], "3 values in row 0 and 2 in row 9"),
        (pd.Series([np.ones(3)] * 10), r"one array of the shape \(10, 3\)"),
    ],
)
def test_a_search_and_a_suggestion_name_what_is_not_an_array(X, message):
    y = np.arange(10.0)
    network = skhp.KerasRNNRegressor(epochs=1)
    search = skhp.GridSearchCV(network, {"neurons": [2, 3]}, cv=2)
    with pytest.raises(ValueError, match=message):
        search.fit(X, y)
    with pytest.raises(ValueError, match=message):
        skhp.suggest_search_space(network, X, y)
    # A step before the network may know such rows.
    padded = make_pipeline(FunctionTransformer(lambda rows: np.zeros((len(rows), 3))), network)
    skhp.GridSearchCV(padded, {"kerasrnnregressor__neurons": [2]}, cv=2).fit(pd.Series(X), y)
