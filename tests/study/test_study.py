import itertools
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skhp import JournalMismatchError
from skhp.comparison.compare import compare
from skhp.comparison.named_baselines import BASELINE_C
from skhp.exceptions import SettingsError, StudyError
from skhp.study.settings import Settings
from skhp.study.study import run_study
from skhp.tables.table import make_table, read_table

pytestmark = pytest.mark.slow

FEW = {"folds": 2, "repeats": 1, "verdict_repeats": 1}


@pytest.fixture
def study(study_of_known_states, patients):
    patients.loc[0, "state"] = np.nan
    return study_of_known_states


def test_scores_are_those_of_the_pipelines_on_rows_held_out(study, patients):
    known = patients.dropna(subset="state").reset_index(drop=True)
    inputs, state = known.drop(columns="state"), known["state"]
    _, X_test, _, y_test = train_test_split(
        inputs, state, test_size=0.25, stratify=state, random_state=4
    )
    predicted = study.pipeline.predict(X_test)
    first = study.repeats[0].scores
    assert first.true_positives == ((predicted == "sick") & (y_test == "sick")).sum()
    assert first.false_positives == ((predicted == "sick") & (y_test == "well")).sum()
    assert first.false_negatives == ((predicted == "well") & (y_test == "sick")).sum()
    assert first.true_negatives == ((predicted == "well") & (y_test == "well")).sum()
    baseline = study.baseline.best_estimator_.predict(X_test)
    assert study.baseline_scores.true_positives == (baseline[y_test == "sick"] == 1).sum()
    assert study.baseline_scores.false_positives == (baseline[y_test == "well"] == 1).sum()


def test_the_verdict_is_that_of_compare_on_the_settings_that_were_found(study, patients):
    known = patients.dropna(subset="state").reset_index(drop=True)
    # The study trains on codes, in which the rare class is 1 whatever its label.
    codes = (known["state"] == "sick").to_numpy().astype(int)
    expected = compare(
        {"network": clone(study.search.estimator).set_params(**study.search.best_params_)},
        known.drop(columns="state"),
        codes,
        baseline={"logistic": study.baseline.best_estimator_},
        n_repeats=1,
        n_seeds=1,
        random_state=4,
        scoring=["f1", "precision", "recall"],
    )
    timeless = [one.frame.drop(columns="seconds") for one in (study.comparison, expected)]
    pd.testing.assert_frame_equal(*timeless)
    named = expected.verdict().replace("always 1,", "always 'sick',")
    assert study.comparison.verdict() == named
    assert study.comparison.rare_class == "sick"
    assert set(study.comparison.confusion.columns) == {"well", "sick"}


def test_the_dummy_of_the_test_rows_always_says_the_rare_class(study):
    dummy, n_rare = study.dummy_scores, (study.split.y_test == 1).sum()
    assert (dummy.recall, dummy.true_positives) == (1.0, n_rare)
    assert dummy.false_positives == (study.split.y_test == 0).sum()
    assert dummy.f1 == pytest.approx(2 * n_rare / (n_rare + len(study.split.y_test)))


def test_the_winner_is_repeated_with_seeds_from_the_first_on(study):
    assert [repeat.seed for repeat in study.repeats] == [4, 5, 6]
    network = study.pipeline[-1].estimator_
    assert network.random_state == 4
    best = study.search.best_params_
    assert network.learning_rate == best["network__learning_rate"]
    assert network.batch_size == best["network__batch_size"]


def test_the_same_seed_gives_the_same_study(study, patients, network):
    again = run_study(make_table(patients), study.settings, network=network)
    assert [repeat.scores for repeat in again.repeats] == [
        repeat.scores for repeat in study.repeats
    ]
    other = run_study(
        make_table(patients),
        Settings(**FEW, seed=5),
        network=network,
    )
    assert not other.split.X_test.equals(study.split.X_test)


def test_the_network_given_is_not_changed(patients, network):
    before = network.get_params()
    run_study(make_table(patients), Settings(**FEW), network=network)
    assert network.get_params() == before
    assert not hasattr(network, "network_")


def test_progress_tells_of_every_candidate_and_training(patients, network):
    told = []
    study = run_study(
        make_table(patients),
        Settings(**FEW | {"repeats": 3}, search="random", candidates=5, time_budget=600),
        network=network,
        on_progress=told.append,
    )
    stages = [list(of) for _, of in itertools.groupby(told, lambda one: one.stage)]
    assert [of[0].stage for of in stages] == ["search", "baseline", "repeats", "verdict"]
    for of, total in zip(stages, (5, 2 * len(BASELINE_C), 3, 2 * 5), strict=True):
        assert [one for one, _ in itertools.groupby(one.done for one in of)] == [*range(total + 1)]
        assert {one.total for one in of} == {total}
    search, *others = stages
    assert {one.time_budget for one in search} == {600}
    assert {one.time_budget for of in others for one in of} == {None}
    assert search[0].best_score is None
    assert search[-1].best_score == pytest.approx(study.search.best_score_)


def test_a_halving_search_leaves_the_epochs_of_the_winner_alone(patients, network):
    study = run_study(
        make_table(patients),
        Settings(**FEW, search="halving"),
        network=network,
    )
    assert study.search.best_params_["network__epochs"] == 9
    assert study.pipeline[-1].estimator_.epochs == 15
    assert study.n_candidates == len(study.search.cv_results_["params"]) == 30


@pytest.fixture(scope="module")
def recorded(make_patients, make_network, tmp_path_factory):
    """The journal of a study, which no test changes."""
    journal = tmp_path_factory.mktemp("recorded") / "journal"
    settings = Settings(**FEW, journal=journal)
    return run_study(make_table(make_patients()), settings, network=make_network()), journal


def test_a_study_goes_on_from_its_journal(patients, network, recorded, tmp_path, monkeypatch):
    first, journal = recorded
    settings = Settings(**FEW, journal=shutil.copyfile(journal, tmp_path / "journal"))
    told, epochs = [], []
    partial_fit = MLPClassifier.partial_fit

    def noting(self, *arguments, **keywords):
        epochs.append(1)
        return partial_fit(self, *arguments, **keywords)

    monkeypatch.setattr(MLPClassifier, "partial_fit", noting)
    again = run_study(make_table(patients), settings, network=network, on_progress=told.append)
    last = [one for one in told if one.stage == "search"][-1]
    assert last.done == last.total == 20
    # The repeats and the verdict fit networks; the search would fit 40 more of 15 epochs.
    assert 0 < len(epochs) < 40 * 15
    assert again.search.best_score_ == first.search.best_score_
    assert again.repeats[0].scores == first.repeats[0].scores


@pytest.mark.parametrize(
    "changes", [{"scoring": "recall"}, {"seed": 1}, {"folds": 3}, {"search": "halving"}]
)
def test_a_journal_of_another_study_is_refused_before_any_training(
    changes, patients, network, recorded, tmp_path, monkeypatch
):
    settings = FEW | {"journal": shutil.copyfile(recorded[1], tmp_path / "journal")}

    def refuse(*_):
        raise AssertionError("something was trained")

    monkeypatch.setattr(type(network), "fit", refuse)
    monkeypatch.setattr(LogisticRegression, "fit", refuse)
    with pytest.raises(JournalMismatchError, match="is of another search"):
        run_study(make_table(patients), Settings(**settings | changes), network=network)


def test_without_optuna_a_tpe_search_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SettingsError, match=r"pip install optuna"):
        Settings(search="tpe")
    assert Settings(search="bayes").search == "bayes"


def test_folds_are_no_more_than_the_rare_rows_to_train_on(patients, network):
    few = pd.concat([patients[patients.state == "well"], patients[patients.state == "sick"][:4]])
    settings = Settings(folds=5, repeats=1, verdict_repeats=2)
    study = run_study(make_table(few), settings, network=network)
    assert study.n_folds == 3
    # All rows are in the verdict.
    assert (study.comparison.n_repeats, study.comparison.n_folds) == (2, 4)
    assert (study.split.y_train == 1).sum() == 3
    assert (study.split.y_test == 1).sum() == 1


def test_more_classes_are_tuned_by_the_mean_over_them(patients, network):
    patients["state"] = pd.cut(patients["age"].fillna(50), 3, labels=["low", "mid", "high"])
    study = run_study(make_table(patients), Settings(**FEW), network=network)
    assert study.scoring == "f1_macro"
    assert study.comparison.metrics == ("f1", "precision", "recall")
    assert study.comparison.rare_class is None
    assert study.repeats[0].scores.score == study.repeats[0].scores.f1_macro
    assert set(study.pipeline.predict(patients)) <= {"low", "mid", "high"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 1}, "folds is 1"),
        ({"repeats": 0}, "repeats is 0"),
        ({"verdict_repeats": 0}, "verdict_repeats is 0"),
        ({"search": "random", "candidates": 0}, "candidates is 0"),
        ({"search": "grid", "candidates": 9}, "candidates of a grid search are fixed.*--search ra"),
        ({"grid": "classic", "candidates": 9}, "candidates of a grid search are fixed"),
        (
            {"search": "halving", "grid": "classic", "candidates": 9},
            "candidates of a halving search are fixed",
        ),
        ({"grid": "clasic"}, "unknown grid 'clasic'.*Did you mean 'classic'"),
        ({"grid": "wide", "search": "grid"}, "add --grid classic, or another --search"),
        ({"threshold": 0}, "threshold is 0: give a probability between 0 and 1"),
        ({"threshold": 1.0}, "threshold is 1.0"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": "tuned"}, "threshold is 'tuned'.*or 'tune'"),
        ({"threshold": True}, "threshold is True"),
        ({"time_budget": 0}, "time_budget is 0: seconds above 0"),
        ({"time_budget": float("nan")}, "time_budget is nan"),
        ({"time_budget": float("inf")}, "time_budget is inf"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32 - 30}, "seed is 4294967266"),
        ({"search": "gird"}, "Did you mean 'grid'"),
        ({"scoring": "F1"}, "unknown scoring 'F1'"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message) as caught:
        Settings(**changes)
    assert isinstance(caught.value, StudyError)
    assert isinstance(caught.value, ValueError)


def test_the_pipeline_takes_rows_as_they_stand_in_the_file(network, tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "zip": random.choice(["01067", "1067", "80331"], 80),
            "ward": random.choice(["north", "north", "North ", "south", "?"], 80),
            "pool": random.choice(["None", "big"], 80),
            "age": random.normal(size=80).round(2),
        }
    )
    frame["state"] = np.where(frame["age"] + random.normal(size=80) > 0.5, "yes", "no")
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    table = read_table(path, categories=["zip"], merge_labels=["ward"], missing=["?"])
    assert sorted(table.inputs["ward"].dropna().unique()) == ["north", "south"]
    study = run_study(table, Settings(folds=2, repeats=1), network=network)
    preparation = study.pipeline[0]
    expected = preparation.transform(table.inputs)
    # Three zip codes, two wards, two pools.
    assert expected.shape == (80, 1 + 3 + 2 + 2)
    read = pd.read_csv(path, dtype={"zip": str})
    assert read["pool"].isna().any()
    np.testing.assert_array_equal(preparation.transform(read), expected)
    with pytest.raises(ValueError, match=r"'zip' holds the number .*dtype=\{'zip': str\}"):
        study.pipeline.predict(pd.read_csv(path))
