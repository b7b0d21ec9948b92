"""The wide space: what a search draws, how few programs that takes, and what each target has."""

from collections import Counter

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import ParameterSampler

from skhp.estimators.mlp.classifier import KerasMLPClassifier
from skhp.estimators.mlp.regressor import KerasMLPRegressor
from skhp.search.space.space_reading import for_random, understood
from skhp.study.files import write_files
from skhp.study.learning import of_table
from skhp.study.search_space import WIDE_CANDIDATES, SearchSpace, wide_space
from skhp.study.settings import Settings
from skhp.study.study import run_study
from skhp.study.text import render_report
from skhp.tables.preparation import PiecewiseLinear, PowerScaler
from skhp.tables.table import make_table

SCALER = "preparation__numbers__scaling"


def space(n_inputs=30, n_classes=2, *, has_numbers=True):
    return wide_space(n_inputs, n_classes, has_numbers=has_numbers)


def drawn(of, n_candidates=24, seed=0):
    """The candidates of a random search."""
    values = for_random(of.values_of("random", "network", n_candidates, seed))
    return list(ParameterSampler(values, n_candidates, random_state=seed))


def test_candidates_share_a_few_structures():
    candidates = drawn(space())
    names = ("hidden_layers", "neurons", "batch_size", "loss", "monitor")
    structures = {
        (*(one.get(f"network__{name}") for name in names), type(one[SCALER])) for one in candidates
    }
    assert len(candidates) == WIDE_CANDIDATES["random"]
    assert len(structures) == 4
    for name in ("learning_rate", "dropout", "l2", "class_weight"):
        assert len({one[f"network__{name}"] for one in candidates}) > 1


@pytest.mark.parametrize(
    ("n_candidates", "n_structures"), [(1, 1), (3, 3), (4, 4), (24, 4), (25, 5), (60, 10)]
)
def test_structures_follow_from_the_number_of_candidates(n_candidates, n_structures):
    alternatives = space().values_of("random", "network", n_candidates, 0)
    assert len(alternatives) == n_structures
    assert len(drawn(space(), n_candidates)) == n_candidates


@pytest.mark.parametrize("seed", range(3))
def test_each_value_has_its_turn(seed):
    alternatives = space().values_of("random", "network", 36, seed)
    assert len(alternatives) == 6
    names = ("hidden_layers", "neurons", "batch_size", "loss", "monitor", "early_stopping")
    of = [{name: one.get(f"network__{name}", [None])[0] for name in names} for one in alternatives]
    wide, thumb, *others = of
    assert (wide["hidden_layers"], wide["neurons"], wide["early_stopping"]) == (2, 256, False)
    assert (thumb["hidden_layers"], thumb["neurons"], thumb["monitor"]) == (1, 20, "val_loss")
    assert set(Counter(one["batch_size"] for one in of).values()) == {2}
    assert set(Counter(str(one[SCALER]) for one in alternatives).values()) == {2}
    assert len({one["hidden_layers"] for one in others}) >= 2
    # Evenly spread in the logarithm between two thirds of the inputs and 256.
    edges = np.geomspace(20, 256, 7)
    places = np.searchsorted(edges, [one["neurons"] for one in others])
    assert len(set(places)) == len(others)


def test_the_seed_decides_the_structures():
    first, again, other = (
        space().values_of("random", "network", 24, seed)[-1]["network__neurons"]
        for seed in (1, 1, 2)
    )
    assert first == again
    many = [space().values_of("random", "network", 24, seed) for seed in range(4)]
    assert len({str(one) for one in many}) > 1
    assert other in ([width] for width in range(20, 257))


@pytest.mark.parametrize("kind", ["halving", "tpe", "bayes"])
def test_searches_that_learn_draw_from_the_ranges(kind):
    alternatives = space().values_of(kind, "network", 7, 0)
    if kind == "bayes":
        # The endings come one after another.
        alternatives, counts = zip(*alternatives, strict=True)
        assert counts == (3, 2, 2)
    for one in understood(list(alternatives)):
        layers, neurons = one["network__hidden_layers"], one["network__neurons"]
        assert layers.values == (0, 1, 2, 3)
        assert (neurons.low, neurons.high, neurons.log, neurons.integer) == (20, 256, True, True)
        assert [type(scaler).__name__ for scaler in one[SCALER].values] == [
            "StandardScaler",
            "PowerScaler",
            "PiecewiseLinear",
        ]
    monitors = [one.get("network__monitor", [None])[0] for one in alternatives]
    assert monitors == ["val_loss", "val_average_precision", None]


def test_a_bayesian_search_of_one_candidate_takes_one_ending():
    assert len(space().values_of("bayes", "network", 1, 0)) == 1


@pytest.mark.parametrize(
    ("n_classes", "losses", "monitors"),
    [
        (2, {"crossentropy", "soft_f1"}, ["val_loss", "val_average_precision", None]),
        (3, {"crossentropy"}, ["val_loss", "val_loss", None]),
        (None, {"squared_error", "huber"}, ["val_loss", "val_loss", None]),
    ],
)
def test_each_target_has_its_losses_and_endings(n_classes, losses, monitors):
    of = space(n_classes=n_classes)
    assert set(of.structure["loss"]) == losses
    assert [ending.get("monitor") for ending in of.endings] == monitors
    assert ("class_weight" in of.numbers) == (n_classes is not None)
    assert of.endings[-1] == {"early_stopping": False, "lr_schedule": "cosine"}
    network = KerasMLPRegressor() if n_classes is None else KerasMLPClassifier()
    assert of.parameters <= network.get_params().keys()


@pytest.mark.parametrize(
    ("n_inputs", "fewest"), [(1, 2), (4, 2), (30, 20), (383, 255), (384, 256), (5000, 256)]
)
def test_neurons_begin_with_the_rule_of_thumb(n_inputs, fewest):
    of = space(n_inputs)
    assert of.neurons == (fewest, 256)
    widths = {one["network__neurons"] for one in drawn(of)}
    assert min(widths) >= fewest
    assert max(widths) <= 256
    neurons = of.values_of("tpe", "network", 9, 0)[0]["network__neurons"]
    assert neurons == ([256] if fewest == 256 else (fewest, 256, "log-uniform"))


def test_a_table_of_categories_has_no_scaler():
    assert not any(SCALER in one for one in drawn(space(has_numbers=False)))


@pytest.mark.parametrize(
    ("settings", "is_wide", "endings"),
    [
        ({}, True, 3),
        ({"threshold": 0.5}, True, 3),
        ({"search": "tpe"}, True, 3),
        ({"grid": "classic"}, False, 0),
        ({"search": "grid"}, False, 0),
        ({"search": "tpe", "grid": "classic"}, False, 0),
    ],
)
def test_settings_decide_the_space_of_a_table(settings, is_wide, endings, patients):
    of = of_table(make_table(patients), Settings(**settings)).space
    assert isinstance(of, SearchSpace) != is_wide
    if is_wide:
        assert len(of.endings) == endings
        # A column of numbers, three wards, two kinds of smokers.
        assert of.neurons == (4, 256)
    kind = Settings(**settings).search_in(of)
    assert kind == settings.get("search", "random" if is_wide else "grid")


COLUMNS = {
    "constant": np.ones(60),
    "rare": np.arange(60) < 2,
    "tiny": np.linspace(-1, 1, 60) * 1e-30,
    "huge": np.linspace(-1, 1, 60) * 1e30,
    "far": np.where(np.arange(60) == 5, -999999, np.linspace(0, 1, 60)),
    "skewed": np.exp(np.linspace(-20, 20, 60)),
    "counts": np.arange(60) % 3,
}


@pytest.mark.parametrize("scaler", [PowerScaler(), PiecewiseLinear()])
@pytest.mark.parametrize("name", COLUMNS)
def test_scaled_numbers_are_of_a_size_that_networks_learn(scaler, name):
    column = np.asarray(COLUMNS[name], dtype=float)[:, None]
    fitted = clone(scaler).fit(column)
    beyond = np.array([[-1e35], [-1e3], [0.0], [1e3], [1e35]])
    scaled = np.concatenate([fitted.transform(column), fitted.transform(beyond)])
    assert np.abs(scaled).max() < 20
    # A number beyond what was learnt counts as the nearest that was.
    np.testing.assert_array_equal(
        fitted.transform([[1e35], [-1e35]]),
        fitted.transform([column.max(axis=0), column.min(axis=0)]),
    )
    if np.ptp(column):
        assert np.ptp(fitted.transform(column)) > 0.5


def test_piecewise_linear_numbers_can_bend():
    x = np.linspace(-3, 3, 50)[:, None]
    encoded = PiecewiseLinear().fit(x).transform(x)
    assert encoded.shape == (50, 8)
    assert len(PiecewiseLinear().fit(x).get_feature_names_out()) == 8
    # The absolute value is nearly a sum of its columns, and not of the number itself.
    weights = np.linalg.lstsq(np.c_[encoded, np.ones(50)], np.abs(x[:, 0]), rcond=None)[0]
    assert np.abs(np.c_[encoded, np.ones(50)] @ weights - np.abs(x[:, 0])).max() < 0.5


@pytest.mark.slow
def test_a_wide_search_from_end_to_end(patients, tmp_path, trained_together):
    settings = Settings(folds=2, repeats=1, verdict_repeats=1, candidates=3, threshold=0.4)
    with trained_together() as populations:
        study = run_study(make_table(patients), settings)
    assert sum(populations) == 3 * 2 + 1 + 5
    assert study.search.best_params_.keys() >= {"network__hidden_layers", SCALER}
    assert "pruned_at_epoch" in study.search.cv_results_
    report = " ".join(render_report(study).split())
    assert "the best of 3 with f1" in report
    assert "'sick' is predicted from a probability of 0.4 on, as --threshold says." in report
    paths = write_files(study, tmp_path / "out", report)
    loaded = joblib.load(paths[0])
    np.testing.assert_array_equal(loaded.predict(patients), study.pipeline.predict(patients))
    results = pd.read_csv(paths[1])
    assert results["param_" + SCALER].str.fullmatch(r"\w+\(\)").all()
    assert "Candidates" in paths[-1].read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["halving", "tpe", "bayes"])
def test_other_searches_take_the_wide_space(kind, patients):
    network = KerasMLPClassifier(epochs=3)
    settings = Settings(search=kind, candidates=3, folds=2, repeats=1, verdict_repeats=1)
    study = run_study(make_table(patients), settings, network=network)
    assert {"network__hidden_layers", SCALER} <= study.search.best_params_.keys()
    assert study.n_candidates == len(study.search.cv_results_["params"])
    assert study.pipeline[-1].estimator_.threshold == "tune"
    threshold = study.pipeline[-1].estimator_.threshold_
    report = " ".join(render_report(study).split())
    assert (
        f"Threshold 'sick' is predicted from a probability of {threshold:.3g} on, the threshold "
        "with the best F1 on held-out rows."
    ) in report


def test_a_network_that_holds_nothing_out_has_a_threshold_of_the_folds(patients):
    table = make_table(patients)
    network = KerasMLPClassifier(early_stopping=False, epochs=3, neurons=4)
    settings = Settings(folds=2, repeats=2, verdict_repeats=1, grid="classic")
    study = run_study(table, settings, network=network)
    threshold = study.pipeline[-1].estimator_.threshold
    assert isinstance(threshold, float)
    assert "the threshold with the best F1 on the test rows of the folds." in " ".join(
        render_report(study).split()
    )
