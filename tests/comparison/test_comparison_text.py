"""What a comparison says and draws."""

import sys
from math import nan

import matplotlib as mpl
import pandas as pd
import pytest

from skhp.comparison import SettingsError
from skhp.comparison.comparison_display import ComparisonDisplay
from skhp.comparison.comparison_result import Comparison
from skhp.comparison.verdict import verdict_sentence

SHOWN = {"difference": 0.12, "difference_low": 0.05, "difference_high": 0.2, "p_value": 0.002}
LOWER = {"difference": -0.12, "difference_low": -0.19, "difference_high": -0.05, "p_value": 1e-9}
UNCLEAR = {"difference": 0.01, "difference_low": -0.03, "difference_high": 0.05, "p_value": 0.6}
EQUAL = {"difference": 0.0, "difference_low": 0.0, "difference_high": 0.0, "p_value": 1.0}
ONCE = {"difference": 0.12, "difference_low": nan, "difference_high": nan, "p_value": nan}


def sentence(row, n_repeats=30, n_folds=5, seed_std=0.02):
    row = row | {"seed_std": seed_std}
    return verdict_sentence(row, "network", "logistic", "f1", n_repeats, n_folds)


def sentence_of_three(row, adjusted):
    row = row | {"seed_std": 0.0, "p_value_adjusted": adjusted}
    return verdict_sentence(row, "network", "logistic", "f1", 30, 5, n_estimators=3)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            sentence(SHOWN),
            "The F1 of network is 0.120 higher than that of logistic (95% interval 0.050 to 0.200, "
            "p = 0.002) over 30 repeats of 5 folds; another seed alone moves it by about 0.020.",
        ),
        (
            sentence(LOWER, seed_std=0.0),
            "The F1 of network is 0.120 lower than that of logistic (95% interval 0.050 to 0.190, "
            "p < 0.001) over 30 repeats of 5 folds; its seed has no part in it.",
        ),
        (
            sentence(UNCLEAR, n_repeats=1, seed_std=nan),
            "No clear difference: the F1 of network is 0.010 higher than that of logistic, but the "
            "95% interval of the difference, -0.030 to 0.050, holds 0 (p = 0.600) over 5 folds.",
        ),
        (
            sentence(EQUAL),
            "No difference: network and logistic have the same F1 in every fold over 30 repeats of "
            "5 folds.",
        ),
        (
            sentence(ONCE, n_repeats=1, n_folds=1, seed_std=nan),
            "The F1 of network is 0.120 higher than that of logistic over 1 split, which does not "
            "tell how much of that is luck.",
        ),
        (
            sentence_of_three(SHOWN, 0.006),
            "The F1 of network is 0.120 higher than that of logistic (95% interval 0.050 to 0.200, "
            "p = 0.002, by Holm for 3 estimators p = 0.006) over 30 repeats of 5 folds; its seed "
            "has no part in it.",
        ),
        (
            sentence_of_three(LOWER | {"p_value": 0.03}, 0.06),
            "No clear difference, since 3 estimators were compared: the F1 of network is 0.120 "
            "lower than that of logistic (95% interval of the difference -0.190 to -0.050, "
            "p = 0.030, by Holm for 3 estimators p = 0.060) over 30 repeats of 5 folds; its seed "
            "has no part in it.",
        ),
        (
            sentence_of_three(UNCLEAR, 1.0),
            "No clear difference: the F1 of network is 0.010 higher than that of logistic, but the "
            "95% interval of the difference, -0.030 to 0.050, holds 0 (p = 0.600, by Holm for 3 "
            "estimators p = 1.000) over 30 repeats of 5 folds; its seed has no part in it.",
        ),
    ],
)
def test_verdicts(said, expected):
    assert said == expected


def comparison(
    names=("network",), metrics=("precision", "f1"), scale=1.0, rare="sick", brier=0.125
):
    rows = {
        (name, metric): {
            "mean": 0.8 * scale,
            "std": 0.03 * scale,
            "low": 0.7 * scale,
            "high": 0.9 * scale,
            "seed_std": 0.02 * scale,
            "brier": brier if name != "tree" else nan,
            "seconds": 1234.5,
        }
        | (
            {column: number * scale for column, number in SHOWN.items()}
            | {"p_value": 1e-5, "p_value_adjusted": 0.04}
            if name != "logistic"
            else dict.fromkeys((*SHOWN, "p_value_adjusted"), nan)
        )
        for name in ("logistic", *names)
        for metric in metrics
    }
    counts = pd.DataFrame({rare: [7, 3], "well": [2, 88]}, index=[rare, "well"])
    every = dict.fromkeys(("logistic", *names), counts)
    index = pd.MultiIndex.from_tuples(rows, names=["estimator", "metric"])
    return Comparison(
        frame=pd.DataFrame(list(rows.values()), index=index),
        scores=pd.DataFrame(),
        seed_scores=pd.DataFrame(),
        confusion=pd.concat(every, names=["estimator", "class"]),
        baseline="logistic",
        rare_class=rare,
        n_repeats=30,
        n_folds=5,
        drawn_anew=True,
    )


def test_the_text_holds_scores_differences_counts_and_the_verdict():
    lines = [" ".join(line.split()) for line in str(comparison()).splitlines()]
    assert "network F1 0.800 0.030 0.020 0.700 to 0.900 1234.50" in lines
    assert "network F1 +0.120 0.050 to 0.200 < 0.001" in lines
    assert "Holm" not in str(comparison())
    assert "network 7.0 2.0 3.0 88.0" in lines
    assert str(comparison()).replace("\n", " ").endswith(comparison().verdict())


def test_of_several_the_p_values_are_adjusted():
    text = str(comparison(names=("network", "tree")))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "estimator metric difference 95% interval p p by Holm" in lines
    assert "tree F1 +0.120 0.050 to 0.200 < 0.001 0.040" in lines
    assert "p < 0.001, by Holm for 2 estimators p = 0.040" in " ".join(lines)


def test_one_line_tells_how_far_probabilities_can_be_trusted():
    line = "Brier score of the probabilities of class 'sick' (0 is best): "
    text = " ".join(str(comparison(names=("network", "tree"))).split())
    # The tree has no probabilities.
    assert f"{line}logistic 0.125, network 0.125. The F1" in text
    assert "Brier" not in str(comparison(brier=nan))


@pytest.mark.parametrize("scale", [1.0, -123456.0])
@pytest.mark.parametrize("rare", ["sick", "y" * 90, "one word " * 12])
@pytest.mark.parametrize("name", ["network", "n" * 120, "a [red]name[/red] of " * 8])
def test_no_line_is_longer_than_80(name, rare, scale):
    metrics = ("f1", "neg_mean_absolute_percentage_error", "m" * 60)
    text = str(comparison(names=(name, "other"), metrics=metrics, rare=rare, scale=scale))
    assert max(map(len, text.splitlines())) <= 80
    # Folded, not cut.
    assert "…" not in text
    assert name.replace(" ", "") in text.replace("\n", "").replace(" ", "")


def test_a_verdict_for_each_estimator():
    both = comparison(names=("network", "tree"))
    assert both.verdict().splitlines() == [both.verdict("network"), both.verdict("tree")]
    assert "precision of tree" in both.verdict("tree", "precision")
    assert "The precision" in comparison(metrics=("precision", "recall")).verdict()


def test_a_misspelt_name_or_metric_is_told():
    with pytest.raises(SettingsError, match=r"no estimator 'netwrk'.* mean 'network'"):
        comparison().verdict("netwrk")
    with pytest.raises(SettingsError, match="no metric 'recall' was compared"):
        comparison().verdict(metric="recall")


@pytest.fixture
def pyplot(monkeypatch):
    mpl.use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def test_the_plot_shows_each_difference_with_its_interval(pyplot):
    display = comparison(names=("network", "tree")).plot()
    assert isinstance(display, ComparisonDisplay)
    assert display.ax_.figure is display.figure_
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == ["network: precision", "network: F1", "tree: precision", "tree: F1"]
    for drawn in display.ax_.containers:
        assert list(drawn[0].get_xdata()) == [0.12, 0.12]
        for (left, _), (right, _) in drawn[2][0].get_segments():
            assert (left, right) == pytest.approx((0.05, 0.2))
    places = [y for drawn in display.ax_.containers for y in drawn[0].get_ydata()]
    assert sorted(places) == [0, 1, 2, 3]
    # The first one on top.
    assert display.ax_.get_ylim() == (3.5, -0.5)
    display.figure_.canvas.draw()


def test_the_plot_goes_into_given_axes(pyplot):
    _, axes = pyplot.subplots()
    assert comparison().plot(axes).ax_ is axes
    assert ComparisonDisplay.from_comparison(comparison(), ax=axes).figure_ is axes.figure
    assert len(pyplot.get_fignums()) == 1


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'skhp\[plot\]'"):
        comparison().plot()
