import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from skhp.comparison import Settings, SettingsError, StudyError, make_table, run_study
from skhp.comparison.baseline import BASELINE_C


@pytest.fixture
def study(patients, network):
    patients.loc[0, "state"] = np.nan
    return run_study(make_table(patients), Settings(folds=2, repeats=3, seed=4), network=network)


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
    other = run_study(make_table(patients), Settings(folds=2, repeats=1, seed=5), network=network)
    assert not other.split.X_test.equals(study.split.X_test)


def test_the_network_given_is_not_changed(patients, network):
    before = network.get_params()
    run_study(make_table(patients), Settings(folds=2, repeats=1), network=network)
    assert network.get_params() == before
    assert not hasattr(network, "network_")


def test_progress_tells_of_every_training(patients, network):
    told = []
    run_study(
        make_table(patients),
        Settings(folds=2, repeats=3, search="random", candidates=5),
        network=network,
        on_progress=lambda *progress: told.append(progress),
    )
    assert told == [
        (stage, done, total)
        for stage, total in (("baseline", 2 * len(BASELINE_C)), ("search", 10), ("repeats", 3))
        for done in range(total + 1)
    ]


def test_folds_are_no_more_than_the_rare_rows_to_train_on(patients, network):
    few = pd.concat([patients[patients.state == "well"], patients[patients.state == "sick"][:4]])
    study = run_study(make_table(few), Settings(folds=5, repeats=1), network=network)
    assert study.n_folds == 3
    assert (study.split.y_train == 1).sum() == 3
    assert (study.split.y_test == 1).sum() == 1


def test_more_classes_are_tuned_by_the_mean_over_them(patients, network):
    patients["state"] = pd.cut(patients["age"].fillna(50), 3, labels=["low", "mid", "high"])
    study = run_study(make_table(patients), Settings(folds=2, repeats=1), network=network)
    assert study.scoring == "f1_macro"
    assert study.repeats[0].scores.score == study.repeats[0].scores.f1_macro
    assert set(study.pipeline.predict(patients)) <= {"low", "mid", "high"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 1}, "folds is 1"),
        ({"repeats": 0}, "repeats is 0"),
        ({"candidates": 0}, "candidates is 0"),
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
