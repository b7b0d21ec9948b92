"""What a comparison says and draws."""

import sys
from dataclasses import replace
from math import nan
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from skhp.comparison.result import Comparison, ComparisonDisplay
from skhp.comparison.verdict import DummyScore, dummy_sentences, verdict_sentence
from skhp.exceptions import SettingsError

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
            "Gain: the F1 of network is 0.120 higher than that of logistic (95% interval 0.050 to "
            "0.200, p = 0.002) over 30 repeats of 5 folds; another seed alone moves it by about "
            "0.020.",
        ),
        (
            sentence(LOWER, seed_std=0.0),
            "Loss: the F1 of network is 0.120 lower than that of logistic (95% interval 0.050 to "
            "0.190, p < 0.001) over 30 repeats of 5 folds; its seed has no effect.",
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
            "Gain: the F1 of network is 0.120 higher than that of logistic (95% interval 0.050 to "
            "0.200, p = 0.002, by Holm for 3 estimators p = 0.006) over 30 repeats of 5 folds; its "
            "seed has no effect.",
        ),
        (
            sentence_of_three(LOWER | {"p_value": 0.03}, 0.06),
            "No clear difference, since 3 estimators were compared: the F1 of network is 0.120 "
            "lower than that of logistic (95% interval of the difference -0.190 to -0.050, "
            "p = 0.030, by Holm for 3 estimators p = 0.060) over 30 repeats of 5 folds; its seed "
            "has no effect.",
        ),
        (
            sentence_of_three(UNCLEAR, 1.0),
            "No clear difference: the F1 of network is 0.010 higher than that of logistic, but the "
            "95% interval of the difference, -0.030 to 0.050, holds 0 (p = 0.600, by Holm for 3 "
            "estimators p = 1.000) over 30 repeats of 5 folds; its seed has no effect.",
        ),
    ],
)
def test_verdicts(said, expected):
    assert said == expected


@pytest.mark.parametrize(
    ("difference", "end"),
    [
        # The interval reaches 0.04 to either side.
        (
            0.01,
            " These 500 rows can show a difference of about 0.040; to show this one, about 8,000 "
            "would be needed.",
        ),
        (-0.03, "; to show this one, about 890 would be needed."),
        (0.0039, "; this one is so near to 0 that more rows are of no use."),
        (0.0, "; this one is so near to 0 that more rows are of no use."),
    ],
)
def test_where_rows_are_too_few_it_is_told_how_many_are_needed(difference, end):
    row = {
        "difference": difference,
        "difference_low": difference - 0.04,
        "difference_high": difference + 0.04,
        "p_value": 0.5,
        "seed_std": nan,
    }
    said = verdict_sentence(row, "network", "logistic", "f1", 30, 5, n_rows=500)
    assert said.endswith(end)
    assert "These 500 rows can show a difference of about 0.040; " in said
    assert "needed" not in verdict_sentence(row, "network", "logistic", "f1", 30, 5)


def test_what_several_estimators_ask_of_the_rows_is_more():
    row = UNCLEAR | {"seed_std": nan, "p_value_adjusted": 1.0}
    said = verdict_sentence(row, "network", "tree", "f1", 30, 5, n_estimators=3, n_rows=500)
    # As if the test were held against 0.05 / 3.
    least = 0.04 * t.ppf(1 - 0.025 / 3, 149) / t.ppf(0.975, 149)
    assert f"can show a difference of about {least:.3f};" in said


@pytest.mark.parametrize(
    ("difference", "begin"),
    [
        (-0.12, "Gain: the log loss of network is 0.120 lower (better) than that of logistic (95%"),
        (0.12, "Loss: the log loss of network is 0.120 higher (worse) than that of logistic (95%"),
    ],
)
def test_of_a_loss_lower_is_a_gain(difference, begin):
    row = {
        "difference": difference,
        "difference_low": difference - 0.07,
        "difference_high": difference + 0.07,
        "p_value": 0.002,
        "seed_std": 0.0,
    }
    said = verdict_sentence(row, "network", "logistic", "neg_log_loss", 30, 5, lower_is_better=True)
    assert said.startswith(begin)


ABOVE = {"dummy_difference": 0.2, "dummy_difference_low": 0.1, "dummy_difference_high": 0.3}
UNSURE = {"dummy_difference": 0.1, "dummy_difference_low": -0.1, "dummy_difference_high": 0.3}
BELOW = {"dummy_difference": -0.2, "dummy_difference_low": -0.3, "dummy_difference_high": -0.1}
# One split has no interval.
BELOW_ONCE = {"dummy_difference": 0.0, "dummy_difference_low": nan, "dummy_difference_high": nan}
SAID = "the dummy (always 'sick', F1 0.420)"


@pytest.mark.parametrize(
    ("network", "baseline", "expected"),
    [
        (ABOVE, ABOVE, ""),
        (BELOW, ABOVE, f"network is not better than {SAID}."),
        (ABOVE, BELOW, f"logistic is not better than {SAID}."),
        (BELOW, BELOW_ONCE, f"Neither network nor logistic is better than {SAID}."),
        (UNSURE, ABOVE, f"network is not clearly better than {SAID}."),
        (
            UNSURE,
            BELOW,
            f"logistic is not better than {SAID}. network is not clearly better than the dummy.",
        ),
    ],
)
def test_who_is_not_better_than_the_dummy_is_named(network, baseline, expected):
    rows = {"network": network, "logistic": baseline}
    assert dummy_sentences(DummyScore("always 'sick'", 0.42), rows, "f1") == expected


def test_a_metric_that_a_constant_answer_is_perfect_in_judges_nobody():
    dummy = DummyScore("always 'sick'", 1.0, is_perfect=True)
    assert dummy_sentences(dummy, {"network": BELOW, "logistic": ABOVE}, "recall") == (
        "Recall alone tells little: nothing is better than the dummy (always 'sick', recall 1.000)."
    )


def test_what_is_not_better_than_the_dummy_has_no_gain():
    row = SHOWN | {"seed_std": nan}
    said = verdict_sentence(row, "network", "logistic", "f1", 30, 5, beats_dummy=False)
    assert said.startswith("No gain: the F1 of network is 0.120 higher than that of logistic")


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
    assert f"{line}logistic 0.125, network 0.125. Gain: the F1" in text
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
    assert "Gain: the precision" in comparison(metrics=("precision", "recall")).verdict()


@pytest.mark.parametrize(
    "metric", ["neg_log_loss", "log loss", "Log loss", "LOG_LOSS", "negative log loss"]
)
def test_a_verdict_takes_the_names_that_are_printed(metric):
    one = replace(
        comparison(metrics=("f1", "neg_log_loss", "r2")),
        lower_is_better=frozenset({"neg_log_loss"}),
    )
    assert "log loss" in str(one)
    assert one.verdict("Network", metric) == one.verdict("network", "neg_log_loss")
    assert "the log loss of network is 0.120 lower (better) than" in one.verdict(metric=metric)
    for r2 in ("R2", "r2", "R\u00b2"):
        assert "the R2 of network is 0.120 higher" in one.verdict("network", r2)
    with pytest.raises(SettingsError, match="Did you mean 'log loss'"):
        one.verdict(metric="log los")


def test_a_name_that_may_be_either_is_not_guessed():
    one = comparison(names=("Network", "network"), metrics=("F1", "f1"))
    assert "f1 of Network" not in one.verdict("Network", "f1")
    assert one.verdict("network", "F1").startswith("Gain: the F1 of network")
    with pytest.raises(SettingsError, match="no estimator 'NETWORK'"):
        one.verdict("NETWORK")


def test_errors_are_printed_as_a_reader_knows_them():
    metric = "neg_mean_absolute_error"
    one = replace(comparison(metrics=(metric,)), lower_is_better=frozenset({metric}))
    columns = ["mean", "low", "high", "difference", "difference_low", "difference_high"]
    one.frame.loc[("network", metric), columns] = [-8.0, -9.0, -7.0, -1.2, -2.0, -0.5]
    lines = [" ".join(line.split()) for line in str(one).splitlines()]
    assert "Lower is better: mean absolute error." in " ".join(lines)
    assert "network mean absolute error 8.000 0.030 0.020 7.000 to 9.000 1234.50" in lines
    assert "network mean absolute error +1.200 0.500 to 2.000 < 0.001" in lines
    # The frame keeps the sign of the scorer.
    assert one.frame.loc[("network", metric), "mean"] == -8.0


def test_a_notebook_shows_tables_and_escapes_names():
    one = comparison(names=("<b>net</b>", "tree"), rare="a & b")
    page = one._repr_html_()
    parts = ElementTree.fromstring(page)
    tables = parts.findall("table")
    assert [table.findtext("caption") for table in tables] == [
        "Scores",
        "Difference to the baseline",
        "Rows of class 'a & b', and others, per repeat",
    ]
    rows = [[cell.text for cell in row] for row in tables[0].iter("tr")]
    assert rows[0] == ["estimator", "metric", "mean", "std", "seed", "95% interval", "seconds"]
    assert rows[4][:3] == ["<b>net</b>", "F1", "0.800"]
    paragraphs = ["".join(one.itertext()) for one in parts.findall("p")]
    assert set(one.verdict().splitlines()) <= set(paragraphs)
    assert any(text.startswith("Brier score") for text in paragraphs)


def test_a_misspelt_name_or_metric_is_told():
    with pytest.raises(SettingsError, match=r"no estimator 'netwrk'.* mean 'network'"):
        comparison().verdict("netwrk")
    with pytest.raises(SettingsError, match="no metric 'recall' was compared"):
        comparison().verdict(metric="recall")
    with pytest.raises(SettingsError, match=r"no metric \['f1'\] was compared"):
        comparison().verdict("network", ["f1"])
    one = comparison()
    with pytest.raises(SettingsError, match=f"'{one.baseline}' is the baseline.*'network'"):
        one.verdict(one.baseline)
    with pytest.raises(SettingsError, match=r"'dummy' is the dummy, .*give one of 'network'"):
        replace(one, dummy="dummy").verdict("dummy")


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


@pytest.mark.parametrize("names", [("network",), ("network", "tree")])
@pytest.mark.parametrize("metrics", [("f1",), ("precision", "f1")])
def test_only_arrays_reach_matplotlib(names, metrics, pyplot, monkeypatch):
    # pandas 2 warns, and pandas 3 in part refuses, where a Series of one becomes a number.
    given = []

    def noting(self, x, y, **keywords):
        given.extend([x, *keywords["xerr"]])

    monkeypatch.setattr(mpl.axes.Axes, "errorbar", noting)
    comparison(names=names, metrics=metrics).plot()
    assert len(given) == 3 * len(metrics)
    assert {type(one) for one in given} == {np.ndarray}


def test_the_plot_shows_errors_as_a_reader_knows_them_and_the_dummy_in_grey(pyplot):
    one = replace(
        comparison(names=("network", "dummy"), metrics=("neg_log_loss",)),
        lower_is_better=frozenset({"neg_log_loss"}),
        dummy="dummy",
    )
    drawn = one.plot().ax_
    labels = [label.get_text() for label in drawn.get_yticklabels()]
    assert labels == [f"{name}: log loss (lower is better)" for name in ("network", "dummy")]
    (network, dummy) = drawn.containers
    assert list(network[0].get_xdata()) == [-0.12]
    ((left, _), (right, _)) = network[2][0].get_segments()[0]
    assert (left, right) == pytest.approx((-0.2, -0.05))
    assert (network[0].get_color(), dummy[0].get_color()) == ("C0", "tab:gray")


def test_the_plot_goes_into_given_axes(pyplot):
    _, axes = pyplot.subplots()
    assert comparison().plot(axes).ax_ is axes
    assert ComparisonDisplay.from_comparison(comparison(), ax=axes).figure_ is axes.figure
    assert len(pyplot.get_fignums()) == 1


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install matplotlib"):
        comparison().plot()
