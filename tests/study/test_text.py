import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skhp.study.files import render_files
from skhp.study.settings import Settings
from skhp.study.study import run_study
from skhp.study.text import render_report
from skhp.tables.table import make_table

pytestmark = pytest.mark.slow

FEW = {"folds": 2, "repeats": 1, "verdict_repeats": 1}


def test_the_verdict_is_that_of_the_comparison(study):
    flat = " ".join(render_report(study).split())
    assert study.comparison.verdict("network") in flat
    # The spread over seeds on one split has no say in it.
    spread = replace(study, repeats=study.repeats[:1])
    (before, after) = (render_report(one).partition("The verdict:")[2] for one in (study, spread))
    assert before == after
    assert "Gain" not in before.replace("Gain:", "")


def test_the_text_says_what_flatters_both(study):
    flat = " ".join(render_report(study).split())
    assert "trained anew on splits of all 80 rows. These settings were chosen on 60 of the" in flat
    assert "flatters both a little. Means of 5 folds. Precision, recall and F1 are those" in flat
    assert "dummy is the best answer that looks at no input: always 'sick' (F1, precision, " in flat


def row(report, name):
    return re.search(rf"^ +{name} +(\S+) +(\S+) +(\S+) +(\S+)$", report, re.M).groups()


def test_the_report_says_what_was_done_and_found(study):
    report = render_report(study)
    flat = " ".join(report.split())
    for fact in (
        "the table: 80 rows, 3 columns (1 of numbers, 2 of categories).",
        "'state', the last column; classes 'well', 'sick'. The rarest is 'sick': 20 rows, 25.0%.",
        "6 cells were imputed: 'age' 2 by the median, 'ward' 1 by the most frequent, 'smoker' 3",
        "60 rows to train and tune on, 20 to test on, stratified.",
        "by f1 in 2 stratified folds, seed 0.",
        f"C = {study.baseline.best_params_['baseline__C']:.3g}, the best of 9 with f1 "
        f"{study.baseline.best_score_:.3f}",
        f"learning rate {study.search.best_params_['network__learning_rate']:.3g}, batch size "
        f"{study.search.best_params_['network__batch_size']}, the best of 20 with f1 "
        f"{study.search.best_score_:.3f}",
        "trained 3 times, best after 15 epochs.",
        "those of class 'sick':",
        "The test rows hold 5 of class 'sick': each of them is 0.200 of the recall.",
    ):
        assert fact in flat
    for name, field in (
        ("Precision", "precision"),
        ("Recall", "recall"),
        ("F1", "f1"),
        ("True positives", "true_positives"),
        ("False positives", "false_positives"),
        ("False negatives", "false_negatives"),
        ("True negatives", "true_negatives"),
    ):
        values = np.array([getattr(repeat.scores, field) for repeat in study.repeats])
        dummy, baseline, mean, deviation = map(float, row(report, name))
        assert dummy == pytest.approx(getattr(study.dummy_scores, field), abs=6e-4)
        assert baseline == pytest.approx(getattr(study.baseline_scores, field), abs=6e-4)
        tolerance = 6e-4 if values.dtype == float else 0.06
        assert mean == pytest.approx(values.mean(), abs=tolerance)
        assert deviation == pytest.approx(values.std(ddof=1), abs=tolerance)


def test_a_score_of_the_users_choice_has_a_row(patients, network):
    study = run_study(
        make_table(patients),
        Settings(**FEW, scoring="roc_auc"),
        network=network,
    )
    assert row(render_report(study), "roc_auc") == (
        "0.500",
        f"{study.baseline_scores.score:.3f}",
        f"{study.repeats[0].scores.score:.3f}",
        "-",
    )


def test_a_loss_is_printed_as_a_reader_knows_it(patients, network):
    settings, told = Settings(**FEW, scoring="neg_log_loss"), []
    study = run_study(make_table(patients), settings, network=network, on_progress=told.append)
    bests = [one.best_score for one in told if one.best_score is not None]
    assert bests[-1] == pytest.approx(-study.search.best_score_)
    report = render_report(study)
    flat = " ".join(report.split())
    for score in (study.baseline.best_score_, study.search.best_score_):
        assert f"with log loss {-score:.3f} in cross-validation" in flat
    assert "by log loss in 2 stratified folds" in flat
    printed = row(report, "log loss")
    # The best constant probabilities are the frequencies of the classes: 15 and 45 of 60 rows.
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert float(printed[0]) == pytest.approx(entropy, abs=1e-3)
    assert float(printed[1]) == pytest.approx(-study.baseline_scores.score, abs=1e-3)
    assert float(printed[2]) == pytest.approx(-study.repeats[0].scores.score, abs=1e-3)
    assert "its log loss is that of the best constant answer" in flat
    # The verdict by what both were tuned by, and that by F1.
    assert study.comparison.verdict("network", "log loss") in flat
    assert study.comparison.verdict("network", "f1") in flat
    assert "neg_" not in report


def report_of(patients, network, **settings):
    study = run_study(
        make_table(patients),
        Settings(**FEW, **settings),
        network=network,
    )
    return " ".join(render_report(study).split())


@pytest.mark.parametrize(("search", "total"), [("halving", 30), ("tpe", 32)])
def test_a_search_that_its_time_budget_ended_is_said_to_be(search, total, patients, network):
    report = report_of(patients, network, search=search, time_budget=1e-9)
    assert (
        f"the time budget of 1e-09 s ended the search of the network after 8 of {total} candidates."
    ) in report
    assert "the best of 8 with f1" in report


def test_a_time_budget_that_sufficed_is_said_to_have(patients, network):
    report = report_of(patients, network, search="halving", time_budget=600.0)
    assert (
        "the search of the network tried 30 of 30 candidates, within its time budget of 600 s."
    ) in report
    # The others are some of these again.
    assert "the best of 20 with f1" in report


def test_without_a_time_budget_nothing_is_said_of_one(study):
    assert "budget" not in render_report(study).lower()


def test_long_and_odd_names_stay_within_80_columns(patients, network):
    wide = patients.rename(columns={"age": "[red]ä\n" * 30, "state": "世界" * 40})
    wide = pd.concat(
        [
            wide.iloc[:, :3],
            *[wide.iloc[:, [0]].add_prefix(str(n)) for n in range(9)],
            wide.iloc[:, 3:],
        ],
        axis=1,
    )
    wide.iloc[:, -1] = wide.iloc[:, -1].replace({"sick": "s" * 200})
    study = run_study(make_table(wide), Settings(**FEW), network=network)
    report = render_report(study)
    lines = report.splitlines()
    assert max(map(len, lines)) <= 80
    assert not any(line != line.rstrip() for line in lines)
    flat = "".join(line.strip() for line in lines)
    assert "[red]ä\\n" in flat
    assert "24 cells were imputed" in " ".join(report.split())
    assert "in 6 more columns" in " ".join(report.split())
    assert "\x1b" not in report


def test_fewer_folds_and_rows_left_out_are_said(patients, network):
    few = pd.concat([patients[patients.state == "well"], patients[patients.state == "sick"][:5]])
    few.iloc[0, -1] = None
    report = " ".join(
        render_report(
            run_study(make_table(few, "state"), Settings(**FEW | {"folds": 5}), network=network)
        ).split()
    )
    assert "64 rows (1 more without a target were left out)" in report
    assert "in 4 stratified folds (not 5: a class has 4 training rows only)" in report
    assert "last column" not in report


def test_missing_curves_are_explained(tmp_path):
    paths = (tmp_path / "pipeline.joblib", tmp_path / "search_results.csv")
    assert "pip install matplotlib" in " ".join(render_files(paths).split())
    drawn = (*paths, tmp_path / "training_curves.png", tmp_path / "report.html")
    said = " ".join(render_files(drawn).split())
    assert "matplotlib" not in said
    # The command ends by naming the page.
    assert "pipeline.joblib, search_results.csv, training_curves.png. The report" in said
    assert "".join(said.split()).endswith(f"isthepage{str(tmp_path / 'report.html')!r}.")


def test_what_a_user_should_look_at_stands_before_the_scores(study):
    notes = ("column 'id' counts up: leave it out with --drop 'id'.", "'NA' is a class.")
    report = render_report(replace(study, table=replace(study.table, notes=notes)))
    flat = " ".join(report.split("Scores on")[0].split())
    assert "Look at Column 'id' counts up: leave it out with --drop 'id'." in flat
    assert "Look at 'NA' is a class." in flat
    assert "Look at" not in render_report(study)
