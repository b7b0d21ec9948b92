"""The report of a study of a series."""

import html
import re

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score

from skhp.inspection.value_text import number_text
from skhp.study.files import write_files, write_page
from skhp.study.repeats import mean_and_deviation
from skhp.study.series.series_study import SeriesSettings, run_series_study
from skhp.study.series.text import improvement, next_forecast, render_series_report, verdicts
from skhp.tables.series import make_series


def flat(text):
    return " ".join(text.split())


def test_the_report_says_what_was_done_and_found(study):
    report = flat(render_series_report(study))
    best, ridge = study.search.best_params_, study.ridge.best_params_
    for fact in (
        "sales.csv: 120 steps of 'sold', 2010-01-01 to 2019-12-01 by 'month', with 'price' as",
        "The season has 12 steps, by the autocorrelation of the",
        "6, 12 or 15 steps, each to forecast the step after it.",
        "75 windows to train and tune on, the 30 that follow to test on.",
        "by mean absolute error in 3 folds, each scored on later windows than it learns from",
        f"alpha = {ridge['ridge__regressor__alpha']:.3g}, {ridge['window__time_steps']} time steps",
        f"learning rate {best['network__learning_rate']:.3g}, batch size "
        f"{best['network__batch_size']}, {best['network__time_steps']} time steps, the best of 24",
        "trained 3 times, best after 9 epochs.",
        "chosen on the first 75 windows",
        f"The network forecasts {study.next_forecast:.3f} for the step after the last row. The "
        "fitted pipeline takes windows of the shape (windows, 15, 2), with the channels 'sold', ",
    ):
        assert fact in report
    for name in study.errors:
        comparison = study.scored.compared_to(name, (name, "network"))
        assert flat(comparison.verdict("network")) in report


def test_errors_and_the_improvement_over_the_last_value_are_told(study):
    report = render_series_report(study)
    for title, field in (("error", "mae"), (r"\(RMSE\)", "rmse")):
        printed = re.search(rf"{title}.*? (\d+\.\d+) +(\S+) +(\S+) +(\S+) +(\S+)$", report, re.M)
        errors = [getattr(one, field) for one in study.errors.values()]
        of_network = [getattr(one.scores, field) for one in study.repeats]
        expected = [*errors, np.mean(of_network), np.std(of_network, ddof=1)]
        assert list(map(float, printed.groups())) == pytest.approx(expected, abs=6e-4)
    mean = np.mean([one.scores.mae for one in study.repeats])
    share = 1 - mean / study.errors["last value"].mae
    word = "better" if share > 0 else "worse"
    ridge = 1 - study.errors["ridge"].mae / study.errors["last value"].mae
    said = flat(report)
    assert f"By the MAE, the network is {abs(share):.1%} {word}, season ago" in said
    assert f"ridge {ridge:.1%} better than the last value." in said


def test_the_report_stays_within_80_columns(study):
    assert max(map(len, render_series_report(study).splitlines())) <= 80


def test_a_series_without_a_season_says_so(network):
    walk = np.cumsum(np.random.default_rng(0).normal(size=90))
    few = {"folds": 2, "repeats": 1, "verdict_repeats": 1, "candidates": 2}
    settings = SeriesSettings(**few, search="random", horizon=2, time_budget=600)
    series = make_series(pd.DataFrame({"x": walk}), "x")
    study = run_series_study(series, settings, network=network)
    report = flat(render_series_report(study))
    assert list(study.errors) == ["last value", "ridge"]
    assert "No season was found, neither by autocorrelation nor by dates; the value a season" in (
        report
    )
    assert "Look at No column of dates was found" in report
    assert "each to forecast the step 2 steps after its last one" in report
    assert "tried 2 of 2 candidates, within its time budget of 600 s" in report
    assert "for the step 2 steps after the last row" in report


def test_the_files_are_written_as_those_of_a_table(study, tmp_path):
    paths = write_files(study, tmp_path / "out", "report")
    assert [path.name for path in paths] == [
        "pipeline.joblib",
        "search_results.csv",
        "training_curves.png",
        "report.txt",
        "report.html",
    ]


def test_the_page_of_a_series(study, tmp_path):
    page = write_page(study, tmp_path / "page.html").read_text(encoding="utf-8")
    plain = " ".join(html.unescape(re.sub("<[^>]+>", " ", page)).split())
    assert f"has a mean absolute error of {-study.search.best_score_:.3f} over 3 folds" in plain
    assert "Against simple forecasts" in plain
    for sentence in (*verdicts(study), improvement(study), next_forecast(study)):
        assert sentence in plain
    mean, deviation = mean_and_deviation(one.scores.mae for one in study.repeats)
    errors = [*(one.mae for one in study.errors.values()), mean, deviation]
    row = " ".join(number_text(error) for error in errors)
    assert f"Mean absolute error (MAE) {row}" in plain
    ridge = study.scored.compared_to("last value").natural_frame.loc["ridge", "mean"].iloc[0]
    assert f"ridge mean absolute error {number_text(ridge)}" in plain
    # The network of the page predicts the test windows.
    split = study.windows.split
    score = r2_score(split.y_test, study.pipeline.predict(split.X_test))
    assert f"R² {number_text(score)}" in plain
    assert joblib.load(tmp_path / "page.joblib").predict(split.X_test[:1]).shape == (1,)
