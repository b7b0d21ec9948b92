"""Which baseline is meant, what it is called, and that it is ready for any table."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skhp.comparison import named_baselines
from skhp.comparison.compare import compare
from skhp.comparison.named_baselines import given_baseline, named_baseline
from skhp.comparison.outer_splits import outer_splits

pytestmark = pytest.mark.slow

QUICK = {"n_repeats": 1, "n_seeds": 1, "cv": 3, "verbose": 0}
X, Y = make_classification(90, weights=[0.7], class_sep=0.6, random_state=0)
TREE = {"tree": DecisionTreeClassifier(max_depth=2)}


def named(name, X, y, for_classes=True):
    y = np.asarray(y)
    return named_baseline(name, X, y, outer_splits(3, X, y, [0], for_classes), for_classes)


FOREST = RandomForestClassifier(2)


@pytest.mark.parametrize(
    ("baseline", "name"),
    [
        (FOREST, "RandomForestClassifier"),
        ({"forest": FOREST}, "forest"),
        (make_pipeline(StandardScaler(), FOREST), "RandomForestClassifier"),
        (make_pipeline(make_pipeline(StandardScaler(), FOREST)), "RandomForestClassifier"),
        (GridSearchCV(FOREST, {"max_depth": [1]}), "GridSearchCV"),
        ("dummy", "dummy"),
    ],
)
def test_a_baseline_keeps_its_name(baseline, name):
    assert given_baseline(TREE, baseline)[0] == name


def test_the_name_of_an_estimator_makes_it_the_baseline():
    given = {**TREE, "forest": FOREST}
    for baseline in ("forest", FOREST):
        name, estimator, others = given_baseline(given, baseline)
        assert (name, estimator, list(others)) == ("forest", FOREST, ["tree"])
    one = compare(given, X, Y, baseline="forest", **QUICK)
    assert (one.baseline, one.names) == ("forest", ("tree",))
    assert "that of forest" in one.verdict()


def test_a_name_that_is_taken_is_told_apart():
    given = {"RandomForestClassifier": DecisionTreeClassifier()}
    assert given_baseline(given, FOREST)[0] == "RandomForestClassifier (baseline)"
    one = compare({"logistic": DecisionTreeClassifier()}, X, Y, **QUICK | {"cv": 2})
    assert (one.baseline, one.names) == ("logistic (baseline)", ("logistic",))


def test_without_a_word_it_is_linear_for_numbers_too():
    one = compare({"lasso net": Lasso()}, *load_diabetes(return_X_y=True), **QUICK)
    assert one.baseline == "ridge"
    assert 0.4 < one.frame.loc[("ridge", "r2"), "mean"] < 0.6


@pytest.mark.parametrize("name", ["ridge", "lasso"])
def test_linear_baselines_do_not_care_for_units(name):
    patients, progression = load_diabetes(return_X_y=True)
    units = 10.0 ** np.arange(-5, 5)
    scores = [
        named(name, patients, progression, False).fit(inputs, target).predict(inputs) / factor
        for inputs, target, factor in [
            (patients, progression, 1.0),
            (patients * units, 1e6 * progression, 1e6),
        ]
    ]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-3)


def test_the_strength_of_ridge_is_the_best_of_a_plain_search():
    patients, progression = load_diabetes(return_X_y=True)
    found = named("ridge", patients, progression, False).fit(patients, progression)
    target = (progression - progression.mean()) / progression.std()
    by_hand = GridSearchCV(
        make_pipeline(StandardScaler(), Ridge()),
        {"ridge__alpha": found.param_grid["baseline__regressor__alpha"]},
        scoring="neg_mean_squared_error",
        cv=found.cv,
    ).fit(patients, target)
    # scikit-learn scales the target of each fold by itself, which moves the scores a little.
    chosen = found.best_params_["baseline__regressor__alpha"]
    assert chosen == by_hand.best_params_["ridge__alpha"]


def frame():
    return pd.DataFrame(
        {
            "text": ["x", "y", None] * 30,
            "number": np.where(np.arange(90) % 7 == 0, np.nan, np.arange(90.0)),
            "truth": [True, False] * 45,
            "nullable": pd.array([1, None, 3] * 30, dtype="Int64"),
            "category": pd.Categorical(["u", "v", "w"] * 30),
            "date": pd.date_range("2020-01-01", periods=90),
        }
    )


TABLES = {
    "frame": frame(),
    "objects": frame()[["text", "number"]].to_numpy(dtype=object),
    "texts": np.array([["a", "b"], ["a", "c"], ["d", "b"]] * 30),
    "sparse": sparse.random(90, 20, 0.2, format="csr", random_state=0),
    "list": [[float(n), float(n % 3)] for n in range(90)],
}


@pytest.mark.parametrize(
    ("name", "table"),
    [
        # The linear baselines share their preparation; boosting refuses a sparse table.
        *(("ridge", table) for table in TABLES),
        *(("gradient_boosting", table) for table in TABLES if table != "sparse"),
        ("logistic", "frame"),
        ("lasso", "sparse"),
    ],
)
def test_named_baselines_take_tables_as_they_are(name, table):
    for_classes = name in ("logistic", "gradient_boosting")
    y = Y if for_classes else np.arange(90.0) % 10
    fitted = named(name, TABLES[table], y, for_classes).fit(TABLES[table], y)
    assert np.isfinite(fitted.predict(TABLES[table])).all()


def test_a_sparse_table_is_scaled_and_stays_sparse():
    counts = sparse.random(90, 20, 0.2, format="csr", random_state=0)
    scaling = named("logistic", counts, Y).estimator[0]
    small, large = (scaling.fit_transform(factor * counts) for factor in (1.0, 1e6))
    assert sparse.issparse(small)
    np.testing.assert_allclose(small.toarray(), large.toarray())
    assert abs(small).max() == 1


@pytest.mark.parametrize("for_classes", [True, False])
def test_a_baseline_does_not_warn_of_its_own_convergence(for_classes, monkeypatch):
    def never_there(*_, **__):
        # As few steps as there can be.
        return (
            LogisticRegression(solver="saga", max_iter=1)
            if for_classes
            else Lasso(max_iter=1, tol=1e-12)
        )

    replaced = "named_baselines.make_lasso" if for_classes else "named_baselines.Lasso"
    monkeypatch.setattr(f"skhp.comparison.{replaced}", never_there)
    y = Y if for_classes else X[:, 0] + np.arange(90.0)
    search = named("logistic" if for_classes else "lasso", X, y, for_classes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.fit(X, y)
    # The model itself does warn.
    (name, strengths), *_ = search.param_grid.items()
    weakest = max(strengths) if for_classes else min(strengths)
    with pytest.warns(ConvergenceWarning):
        search.estimator.set_params(**{name: weakest}).fit(X, y)


def test_other_warnings_are_left_alone():
    told = pytest.warns(ConvergenceWarning, match="a network")
    with told, named_baselines.without_convergence_warnings():
        warnings.warn("a network did not", ConvergenceWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("name", "for_classes"),
    [("logistic", True), ("gradient_boosting", True), ("ridge", False), ("lasso", False)],
)
def test_images_and_series_are_rows_of_numbers(name, for_classes):
    y = Y if for_classes else X[:, 0]
    flat, images = (
        named(name, rows, y, for_classes).fit(rows, y) for rows in (X, X.reshape(90, 4, 5))
    )
    np.testing.assert_allclose(images.predict(X.reshape(90, 4, 5)), flat.predict(X))
