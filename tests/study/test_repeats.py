import statistics

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.image import imread
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import f1_score, get_scorer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skhp.comparison.scores import Scores, score_classifier
from skhp.study.repeats import Repeat, Split, draw_curves, mean_and_deviation, train_repeats


@pytest.fixture
def split():
    X, y = make_classification(120, 6, flip_y=0.2, random_state=0)
    # An index that is no range, as that of rows drawn from a table.
    return Split(*train_test_split(pd.DataFrame(X, index=np.arange(120) * 3), y, random_state=0))


def scores_of(split, scorer):
    """A function that scores a fitted classifier on the test rows."""

    def scored(fitted):
        return score_classifier(fitted, split.X_test, split.y_test, 1, get_scorer(scorer))

    return scored


def scaled(network):
    return Pipeline([("scale", StandardScaler()), ("net", network)])


def fitted_directly(pipeline, split, seed):
    direct = clone(pipeline).set_params(net__random_state=seed)
    return direct.fit(split.X_train, split.y_train)


def test_a_repeat_is_a_fit_with_that_seed_scored_on_the_test_rows(network, split):
    pipeline = scaled(network)
    told = []
    repeats, first = train_repeats(
        pipeline, split, scores_of(split, "accuracy"), [7, 5, 6], lambda: told.append(None)
    )
    assert [repeat.seed for repeat in repeats] == [7, 5, 6]
    assert len(told) == 3
    for repeat in repeats:
        direct = fitted_directly(pipeline, split, repeat.seed)
        predicted = direct.predict(split.X_test)
        assert repeat.scores.f1 == pytest.approx(f1_score(split.y_test, predicted))
        assert repeat.scores.score == (predicted == split.y_test).mean()
        assert repeat.history == {"loss": direct[-1].network_.loss_curve_}
        assert repeat.best_epoch == 15
    assert len({repeat.scores.f1 for repeat in repeats}) > 1
    assert first[-1].random_state == 7
    np.testing.assert_array_equal(
        first.predict_proba(split.X_test),
        fitted_directly(pipeline, split, 7).predict_proba(split.X_test),
    )
    assert not hasattr(pipeline[-1], "network_")


@pytest.mark.parametrize(
    ("limits", "turns"),
    [({}, [5]), ({"_MOST_CELLS_TOGETHER": 1600}, [2, 2, 1])],
)
def test_networks_are_repeated_as_one_population_as_if_alone(
    limits, turns, split, trained_together, monkeypatch
):
    from skhp import KerasMLPClassifier

    # The training rows have 90 x 6 cells; of 1,600, two tables and a bit.
    for name, limit in limits.items():
        monkeypatch.setattr(f"skhp.comparison.outer_fits.{name}", limit)
    pipeline = scaled(KerasMLPClassifier(neurons=4, epochs=8, learning_rate=0.01))
    with trained_together() as populations:
        repeats, first = train_repeats(pipeline, split, scores_of(split, "f1"), range(5))
    assert populations == turns
    assert [repeat.seed for repeat in repeats] == [0, 1, 2, 3, 4]
    for repeat in repeats:
        direct = fitted_directly(pipeline, split, repeat.seed)
        assert repeat.history.keys() == {"loss", "val_loss"}
        for curve, values in repeat.history.items():
            np.testing.assert_allclose(values, direct[-1].history_[curve], rtol=1e-3)
        assert repeat.best_epoch == direct[-1].best_epoch_
    np.testing.assert_allclose(
        first.predict_proba(split.X_test),
        fitted_directly(pipeline, split, 0).predict_proba(split.X_test),
        atol=1e-3,
    )
    assert len({tuple(repeat.history["loss"]) for repeat in repeats}) == 5


def test_the_context_of_the_caller_changes_nothing(network, split):
    arguments = (scaled(network), split, scores_of(split, "f1"), range(3))
    expected, _ = train_repeats(*arguments)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        repeats, _ = train_repeats(*arguments)
    assert [(repeat.seed, repeat.scores, repeat.history) for repeat in repeats] == [
        (repeat.seed, repeat.scores, repeat.history) for repeat in expected
    ]


def test_a_fault_of_the_network_is_not_hidden(network, split):
    with pytest.raises(TypeError):
        train_repeats(
            scaled(network.set_params(epochs="many")), split, scores_of(split, "f1"), range(2)
        )


@given(st.lists(st.floats(-1e3, 1e3), min_size=2))
def test_mean_and_deviation_are_those_of_a_sample(values):
    mean, deviation = mean_and_deviation(values)
    assert mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert deviation == pytest.approx(statistics.stdev(values), abs=1e-6)


SCORES = Scores(1, 1, 1, 1, 1, 1, 1, 1, 1)


def test_every_curve_is_drawn(tmp_path, monkeypatch):
    drawn = []
    save = Figure.savefig

    def keep(figure, *args, **kwargs):
        drawn.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    repeats = [
        Repeat(7, SCORES, {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.6]}, 2),
        Repeat(8, SCORES, {"loss": [4.0, 3.0], "val_loss": [4.0, 4.5]}, 1),
        Repeat(9, SCORES, {"loss": [5.0]}, 1),
    ]
    assert draw_curves(repeats, tmp_path / "curves.png")
    (axes,) = drawn[0].axes
    *curves, best = axes.get_lines()
    assert sorted(line.get_ydata().tolist() for line in curves) == sorted(
        losses for repeat in repeats for losses in repeat.history.values()
    )
    assert all(line.get_xdata()[0] == 1 for line in curves)
    assert best.get_xdata() == [2, 2]
    strong = [line.get_ydata().tolist() for line in curves if line.get_linewidth() > 1]
    assert sorted(strong) == [[3.0, 2.0, 1.0], [3.0, 2.5, 2.6]]
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {
        "training rows",
        "validation rows",
        "best epoch of seed 7",
    }
    assert np.std(imread(tmp_path / "curves.png")) > 0
