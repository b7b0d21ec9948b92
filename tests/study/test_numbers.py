"""A study of a target of numbers: scores, verdict, texts, files and what is refused."""

import itertools
import re

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp.comparison.compare import compare
from skhp.comparison.named_baselines import RIDGE_ALPHAS
from skhp.exceptions import SettingsError
from skhp.study.files import write_files
from skhp.study.settings import Settings
from skhp.study.study import run_study
from skhp.study.text import render_report
from skhp.tables.table import make_table
from tests.study.quick_networks import QuickRegressor

pytestmark = pytest.mark.slow

FEW = {"folds": 2, "repeats": 1, "verdict_repeats": 1, "search": "random", "candidates": 2}


def houses(n_rows=90):
    """Prices by area, rooms and ward, some cells missing."""
    random = np.random.default_rng(0)
    area = random.normal(100, 25, n_rows).round(1)
    ward = random.choice(["north", "south"], n_rows)
    frame = pd.DataFrame({"area": area, "rooms": random.integers(1, 6, n_rows), "ward": ward})
    frame["price"] = (
        3000 * area + 40_000 * (ward == "south") + 30_000 * random.normal(size=n_rows)
    ).round()
    frame.loc[frame.index % 40 == 3, "area"] = np.nan
    return frame


@pytest.fixture(scope="module")
def study():
    settings = Settings(folds=3, repeats=3, verdict_repeats=2, seed=4)
    return run_study(make_table(houses()), settings, network=QuickRegressor())


@pytest.fixture(scope="module")
def parted():
    frame = houses()
    return train_test_split(frame.drop(columns="price"), frame["price"], random_state=4)


def test_scores_are_those_on_rows_held_out(study, parted):
    _, X_test, y_train, y_test = parted
    first = study.repeats[0].scores
    for scores, predicted in (
        (first, study.pipeline.predict(X_test)),
        (study.baseline_scores, study.baseline.best_estimator_.predict(X_test)),
        (study.dummy_scores, np.full(len(y_test), y_train.mean())),
    ):
        assert scores.r2 == pytest.approx(r2_score(y_test, predicted))
        assert scores.mae == pytest.approx(mean_absolute_error(y_test, predicted))
        assert scores.rmse == pytest.approx(root_mean_squared_error(y_test, predicted))
        assert scores.score == pytest.approx(scores.r2)
    assert study.scoring == "r2"


def test_the_baseline_is_a_ridge_regression_tuned_on_the_same_folds(study, parted):
    X_train, _, y_train, _ = parted
    prepared = study.baseline.best_estimator_[0].transform(X_train)
    linear = TransformedTargetRegressor(Ridge(), transformer=StandardScaler())
    folds = KFold(3, shuffle=True, random_state=4)
    by_hand = GridSearchCV(
        make_pipeline(StandardScaler(), linear),
        {"transformedtargetregressor__regressor__alpha": RIDGE_ALPHAS},
        cv=folds,
        scoring="r2",
    ).fit(prepared, y_train)
    (alpha,) = by_hand.best_params_.values()
    assert study.baseline.best_params_["baseline__regressor__alpha"] == alpha
    splits = [train for train, _ in study.baseline.cv.split(X_train)]
    for mine, theirs in zip(splits, (train for train, _ in folds.split(X_train)), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_verdict_is_that_of_compare(study):
    frame = houses()
    expected = compare(
        {"network": clone(study.search.estimator).set_params(**study.search.best_params_)},
        frame.drop(columns="price"),
        frame["price"].to_numpy(),
        baseline={"ridge": study.baseline.best_estimator_},
        n_repeats=2,
        n_seeds=1,
        random_state=4,
    )
    timeless = [one.frame.drop(columns="seconds") for one in (study.comparison, expected)]
    pd.testing.assert_frame_equal(*timeless)
    assert study.comparison.metrics == ("r2", "neg_mean_absolute_error")
    assert study.comparison.verdict() == expected.verdict()


def row(report, name):
    return re.search(rf"^ +{re.escape(name)} +(\S+) +(\S+) +(\S+) +(\S+)$", report, re.M).groups()


def test_the_report_says_what_was_done_and_found(study):
    report = render_report(study)
    flat = " ".join(report.split())
    alpha = study.baseline.best_params_["baseline__regressor__alpha"]
    prices = houses()["price"]
    for fact in (
        "A network against ridge regression",
        "90 rows, 3 columns (2 of numbers, 1 of categories)",
        f"'price', the last column; numbers from {prices.min():.0f} to {prices.max():.0f}",
        "Look at The target 'price' is learnt as numbers (regression)",
        "67 rows to train and tune on, 23 to test on.",
        "by r2 in 3 shuffled folds, seed 4.",
        f"alpha = {alpha:.3g}, the best of 13 with r2 {study.baseline.best_score_:.3f} in cross",
        f"the best of 20 with r2 {study.search.best_score_:.3f} in cross",
        "Scores on the test rows; the errors are in the unit of 'price':",
        "the mean of the training rows. One split does not tell",
        study.comparison.verdict("network", "r2"),
    ):
        assert fact in flat
    for word in ("class", "recall", "stratified", "F1", "Threshold"):
        assert word not in flat.replace("if they are classes, add --task classes", "")
    for name, field in (
        ("R2", "r2"),
        ("Mean absolute error", "mae"),
        ("Root mean squared error", "rmse"),
    ):
        values = np.array([getattr(repeat.scores, field) for repeat in study.repeats])
        dummy, baseline, mean, deviation = map(float, row(report, name))
        near = {"rel": 1e-3, "abs": 6e-4}
        assert dummy == pytest.approx(getattr(study.dummy_scores, field), **near)
        assert baseline == pytest.approx(getattr(study.baseline_scores, field), **near)
        assert mean == pytest.approx(values.mean(), **near)
        assert deviation == pytest.approx(values.std(ddof=1), **near)
    assert max(map(len, report.splitlines())) <= 80


def test_the_files_hold_what_was_found(study, tmp_path):
    paths = write_files(study, tmp_path / "out", render_report(study))
    assert [path.name for path in paths][-1] == "report.html"
    loaded, frame = joblib.load(paths[0]), houses()
    np.testing.assert_array_equal(loaded.predict(frame), study.pipeline.predict(frame))
    page = paths[-1].read_text(encoding="utf-8")
    for part in (
        "Against ridge regression",
        "the ridge regression (tuned on the same folds) has seen; the errors are in the unit of",
        "root mean squared error",
        "Predictions for rows that the search has not seen, against the true values.",
        "R²",
    ):
        assert part in page
    assert "recall" not in page


def test_progress_tells_of_every_candidate_and_training():
    told = []
    run_study(
        make_table(houses()), Settings(**FEW), network=QuickRegressor(), on_progress=told.append
    )
    stages = [list(of) for _, of in itertools.groupby(told, lambda one: one.stage)]
    assert [of[0].stage for of in stages] == ["search", "baseline", "repeats", "verdict"]
    for of, total in zip(stages, (2, 2 * len(RIDGE_ALPHAS), 1, 2 * 5), strict=True):
        assert of[-1].done == of[-1].total == total


@pytest.mark.parametrize(
    ("scoring", "name", "shown"),
    [
        ("mae", "neg_mean_absolute_error", "mean absolute error"),
        ("RMSE", "neg_root_mean_squared_error", "root mean squared error"),
        ("neg_median_absolute_error", "neg_median_absolute_error", "median absolute error"),
    ],
)
def test_an_error_may_be_tuned_by(scoring, name, shown):
    settings, network = Settings(**FEW, scoring=scoring), QuickRegressor()
    study = run_study(make_table(houses()), settings, network=network)
    assert study.scoring == name
    assert study.comparison.metrics[0] == name
    flat = " ".join(render_report(study).split())
    assert f"by {shown} in 2 shuffled folds" in flat
    assert f"with {shown} {-study.search.best_score_:.0f} in cross-validation" in flat
    assert study.comparison.verdict("network", name) in flat
    assert study.comparison.verdict("network", "r2") in flat


@pytest.mark.parametrize(
    ("settings", "target", "message"),
    [
        ({"scoring": "f1"}, "price", "scoring 'f1' is for classes.*'price' is numbers.*r2, mae or"),
        (
            {"scoring": "mae"},
            "ward",
            "scoring 'mae' is for numbers.*'ward' has 2 classes.*--task",
        ),
        ({"threshold": 0.5}, "price", "threshold 0.5 is for two classes.*'price' is numbers"),
        ({"threshold": "tune"}, "price", "threshold 'tune' is for two classes"),
        ({"threshold": 0.5}, "rooms", "threshold 0.5 is for two classes.*'rooms' has 5 classes"),
    ],
)
def test_settings_that_do_not_fit_the_target_are_refused(settings, target, message):
    with pytest.raises(SettingsError, match=message):
        run_study(make_table(houses(), target), Settings(**settings), network=QuickRegressor())


def test_few_rows_have_fewer_folds():
    settings = Settings(folds=5, repeats=1, verdict_repeats=1, search="random", candidates=2)
    study = run_study(make_table(houses(8), task="numbers"), settings, network=QuickRegressor())
    assert study.n_folds == 3
    assert study.comparison.n_folds == 4
    flat = " ".join(render_report(study).split())
    assert "3 shuffled folds (not 5: there are 6 training rows only)" in flat


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_targets_of_any_size_are_shown_with_digits(factor):
    frame = houses()
    frame["price"] *= factor
    study = run_study(make_table(frame), Settings(**FEW), network=QuickRegressor())
    shown = row(render_report(study), "Mean absolute error")[:3]
    expected = [study.dummy_scores.mae, study.baseline_scores.mae, study.repeats[0].scores.mae]
    assert list(map(float, shown)) == pytest.approx(expected, rel=5e-3)


def test_a_perceptron_is_the_default(trained_together):
    settings = Settings(**FEW, time_budget=1e-9)
    with trained_together() as populations:
        study = run_study(make_table(houses()), settings)
    assert type(study.pipeline[-1]).__name__ == "KerasMLPRegressor"
    assert sum(populations) == 2 * 2 + 1 + 5
