"""Networks in `compare` train as populations."""

import io
import re

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import GridSearchCV as PopulationGridSearchCV
from skhp import KerasMLPClassifier
from skhp.comparison.compare import compare
from skhp.comparison.outer_fits import OuterFit, score_fits
from skhp.comparison.outer_splits import OuterSplit
from skhp.comparison.scores import FoldScorer
from skhp.population.backend import PopulationBackend
from skhp.population.report import PopulationProgress
from skhp.shared.terminal import TrainingCount

QUICK = {"n_repeats": 2, "n_seeds": 1, "cv": 3, "baseline": "dummy"}
X, Y = make_classification(90, weights=[0.7], class_sep=0.6, random_state=0)


def test_networks_of_all_repeats_folds_and_seeds_are_one_population(trained_together):
    network = make_pipeline(StandardScaler(), KerasMLPClassifier(epochs=3))
    with trained_together() as sizes:
        compare({"network": network}, X, Y, **QUICK | {"n_seeds": 3})
    assert sizes == [2 * 3 + 2 * 3]


def test_the_searches_of_all_folds_are_one_population_and_so_are_their_refits(trained_together):
    grid = {"learning_rate": [1e-3, 1e-2]}
    for kind in (PopulationGridSearchCV, GridSearchCV):
        search = kind(KerasMLPClassifier(epochs=2), grid, cv=2)
        with trained_together() as sizes:
            compare({"search": search}, X, Y, **QUICK | {"n_repeats": 1})
        assert sizes == [3 * 2 * 2, 3]


def test_a_population_that_is_switched_on_is_taken():
    asked = []

    def train(tasks, *settings):
        asked.append(len(tasks))
        return iter(())

    network = KerasMLPClassifier(epochs=1)
    with joblib.parallel_config(backend=PopulationBackend(train_population=train)):
        compare({"network": network}, X, Y, **QUICK | {"n_repeats": 1})
    assert asked == [3]


def test_who_waits_is_told_of_each_fit_and_of_the_epochs(monkeypatch):
    told = []
    network = KerasMLPClassifier(epochs=3)
    split = OuterSplit(np.arange(60), np.arange(60, 90))
    fits = [OuterFit(estimator, 1, split) for estimator in (network, network, DummyClassifier())]
    # In turns of two fits.
    monkeypatch.setattr("skhp.comparison.outer_fits._MOST_CELLS_TOGETHER", 2 * X.size)
    count = TrainingCount("comparison", 3, told.append)
    score_fits(fits, X, Y, FoldScorer({"f1": get_scorer("f1")}), count=count)
    done = [one.done for one in told]
    assert done == sorted(done)
    assert set(done) == {0, 1, 2, 3}
    # Equal networks are one training, told of for both.
    epochs = [one.epochs for one in told if one.epochs is not None]
    assert epochs == sorted(epochs)
    assert epochs[0] < epochs[-1] == 2 * 3


@pytest.mark.parametrize(
    ("verbose", "shown"),
    [("auto", ""), (0, ""), (1, r"Comparing +━+ +6/6 +9 epochs "), (2, r"Trained +3 out of 3")],
)
def test_a_comparison_shows_how_far_it_is(verbose, shown, capsys):
    network = KerasMLPClassifier(epochs=3)
    baseline = {"guess": DummyClassifier(strategy="stratified")}
    settings = QUICK | {"n_repeats": 1, "baseline": baseline, "verbose": verbose}
    compare({"network": network}, X, Y, **settings)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.search(shown, printed.err) if shown else printed.err == ""


def test_a_terminal_shows_it_without_being_asked(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    for name in ("TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    compare({"guess": DummyClassifier()}, X, Y, **QUICK)
    assert "Comparing" in terminal.getvalue()


def test_workers_are_counted_when_all_are_done():
    told = []
    count = TrainingCount("comparison", 2, told.append)
    split = OuterSplit(np.arange(60), np.arange(60, 90))
    fits = [OuterFit(DummyClassifier(strategy="stratified"), seed, split) for seed in range(2)]
    scores = score_fits(fits, X, Y, FoldScorer({"f1": get_scorer("f1")}), 2, count)
    assert (len(scores), told[-1].done) == (2, 2)


def test_the_epochs_of_several_populations_add_up():
    told = []
    count = TrainingCount("comparison", 9, told.append)
    for epochs in (5, 20, 4, 30, 2):
        count.advanced(PopulationProgress(9, 1, epochs, 1, 0.5))
    assert [one.epochs for one in told[1:]] == [5, 20, 24, 50, 52]
