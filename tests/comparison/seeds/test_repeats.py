"""The statistics of trainings that differ in the seed, and how they are printed."""

import statistics
from math import nan
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from skhp.comparison.seeds.repeats import Repeats
from skhp.exceptions import SettingsError


def repeats(scores, n_splits=1, first=3, lower=(), **columns):
    seeds = range(first, first + len(scores) // n_splits)
    index = pd.MultiIndex.from_product([seeds, range(n_splits)], names=["seed", "split"])
    frame = pd.DataFrame({"f1": scores, **columns}, index=index)
    trainings = pd.DataFrame({"fit_time": 0.1}, index=index)
    return Repeats("KerasMLPClassifier", frame, trainings, 1500, 500, frozenset(lower))


SCORES = [0.5, 0.8, 0.7, 0.6, 0.9]
LOSSES = [-0.3, -0.1, -0.2, -0.4, -1.5]


def test_statistics_are_those_of_a_sample():
    found = repeats(SCORES, neg_log_loss=LOSSES)
    assert found.metrics == ("f1", "neg_log_loss")
    for name, scores in (("f1", SCORES), ("neg_log_loss", LOSSES)):
        row = found.frame.loc[name]
        assert row["mean"] == pytest.approx(statistics.fmean(scores))
        assert row["std"] == pytest.approx(statistics.stdev(scores))
        quartiles = statistics.quantiles(scores, n=4, method="inclusive")
        assert row[["25%", "50%", "75%"]].tolist() == pytest.approx(quartiles)
        assert row[["min", "max", "count"]].tolist() == [min(scores), max(scores), 5]
    assert found.values.tolist() == SCORES
    assert (found.mean, found.std) == pytest.approx((0.7, statistics.stdev(SCORES)))
    assert found.median == found.quantile() == pytest.approx(0.7)
    assert found.quantile([0, 1]).tolist() == [0.5, 0.9]
    with pytest.raises(ValueError, match="range"):
        found.quantile(2)


def test_the_score_of_a_seed_is_the_mean_over_the_splits():
    found = repeats([0.1, 0.3, 0.5, 0.9, 0.2, nan], n_splits=2)
    assert found.n_splits == 2
    np.testing.assert_allclose(found.by_seed["f1"], [0.2, 0.7, nan])
    assert found.by_seed.index.tolist() == [3, 4, 5]
    assert found.frame.loc["f1", ["count", "mean"]].tolist() == pytest.approx([2, 0.45])
    assert found.quantile(1) == pytest.approx(0.7)
    assert "1 of 6 trainings has no score" in " ".join(str(found).split())


def test_no_seed_has_a_score():
    found = repeats([nan, nan])
    assert np.isnan([found.mean, found.quantile(0.5), *found.quantile([0, 1])]).all()
    assert " - " in str(found)


def test_what_is_printed():
    printed = str(repeats(SCORES, neg_log_loss=LOSSES, lower=["neg_log_loss"]))
    assert max(map(len, printed.splitlines())) <= 80
    lines = [line.split() for line in printed.splitlines()]
    assert printed.startswith("5 trainings of KerasMLPClassifier, with the seeds 3 to 7\n")
    assert ["F1", "0.700", "0.158", "0.500", "0.520", "0.700", "0.880", "0.900"] in lines
    # A loss is a positive number, and its least value the best.
    assert ["log", "loss", "0.500", "0.570", "0.100", "0.120", "0.300", "1.280", "1.500"] in lines
    words = " ".join(printed.split())
    assert "same split: 1,500 rows to train on and 500 to score on" in words
    assert "Lower is better: log loss." in words
    assert "Another seed alone moves the F1 by about 0.158." in words


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (repeats([0.5]), "1 training of KerasMLPClassifier, with the seed 3"),
        (repeats([0.5, 0.5]), "The seed has no effect on the F1."),
        (repeats([0.5, 0.6, 0.7, 0.8], n_splits=2), "same 2 splits, the first of 1,500 rows"),
    ],
    ids=["one", "alike", "splits"],
)
def test_what_else_is_said(found, said):
    assert said in " ".join(str(found).split())


def test_seeds_that_are_not_in_order_are_not_printed_as_a_range():
    found = repeats(SCORES)
    scores = found.scores.set_axis(
        pd.MultiIndex.from_product([[9, 2, 5, 1, 4], [0]], names=["seed", "split"])
    )
    drawn = Repeats("Tree", scores, found.trainings, 3, 1)
    assert drawn.seeds == (9, 2, 5, 1, 4)
    assert str(drawn).startswith("5 trainings of Tree, with seeds that were drawn\n")
    assert drawn.by_seed.loc[2, "f1"] == 0.8


def test_a_notebook_shows_the_same_table():
    found = repeats(SCORES, **{"a<b": SCORES})
    page = ElementTree.fromstring(found._repr_html_())
    rows = [[cell.text for cell in row] for row in page.iter("tr")]
    assert rows[0][:3] == ["metric", "mean", "std"]
    assert [row[0] for row in rows[1:]] == ["F1", "a<b"]
    assert rows[1][1] == "0.700"
    assert repr(found) == ("Repeats(estimator='KerasMLPClassifier', n=5, metrics=['f1', 'a<b'])")


def test_the_picture_has_a_dot_for_each_seed_and_a_box():
    found = repeats([*SCORES, nan], neg_log_loss=[*LOSSES, -0.2], lower=["neg_log_loss"])
    axes = found.plot().ax_
    assert axes.get_xlabel() == "F1 of 5 seeds"
    lines = [line.get_xdata().tolist() for line in axes.get_lines()]
    assert SCORES in lines
    assert all(ends in lines for ends in ([0.5, 0.9], [0.6, 0.8], [0.7, 0.7]))
    other = found.plot("neg_log_loss", axes.figure.add_subplot())
    assert other.figure_ is axes.figure
    assert other.ax_.get_xlabel() == "log loss of 6 seeds"
    assert [-loss for loss in [*LOSSES, -0.2]] in [
        line.get_xdata().tolist() for line in other.ax_.get_lines()
    ]
    plt.close(axes.figure)
    with pytest.raises(SettingsError, match="Did you mean 'neg_log_loss'"):
        found.plot("neg_log_los")
