import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV as PlainGridSearchCV
from sklearn.model_selection import KFold
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skhp import (
    GridSearchCV,
    HalvingGridSearchCV,
    KerasMLPClassifier,
    SearchDisplay,
    SearchHistoryDisplay,
)
from skhp.inspection.displays.axes import scale_of
from skhp.inspection.displays.parameter_importance import parameter_importance
from tests.inspection.displays.finished_searches import finished_search

pytestmark = pytest.mark.slow

NAN = [np.nan, np.nan]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ---------------------------------------------------------------- one parameter


def test_one_parameter_is_a_curve_with_a_band():
    search = finished_search({"rate": [0.1, 0.001, 0.01]}, [[0.5, 0.7], [0.1, 0.3], [0.8, 0.8]])
    display = SearchDisplay.from_search(search)
    assert display.kind_ == "curve"
    rates, scores = display.artists_["line"].get_data()
    assert rates.tolist() == [0.001, 0.01, 0.1]
    np.testing.assert_allclose(scores, [0.2, 0.8, 0.6])
    corners = display.artists_["band"].get_paths()[0].vertices
    for rate, (low, high) in {0.001: (0.1, 0.3), 0.01: (0.8, 0.8), 0.1: (0.5, 0.7)}.items():
        of_rate = corners[corners[:, 0] == rate, 1]
        np.testing.assert_allclose([of_rate.min(), of_rate.max()], [low, high])
    ax = display.ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("rate", "mean test score")
    assert ax.get_xscale() == "log"
    assert legend(ax) == ["mean of the folds", "standard deviation of the folds"]


def test_categories_are_side_by_side():
    search = finished_search({"activation": ["tanh", "relu"]}, [[0.5], [0.7]])
    display = SearchDisplay.from_search(search)
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["relu", "tanh"]
    assert display.artists_["line"].get_ydata().tolist() == [0.7, 0.5]


def test_failed_candidates_are_marked_and_not_joined():
    search = finished_search({"rate": [1, 2, 3]}, [[0.5, 0.5], NAN, [0.7, 0.7]])
    display = SearchDisplay.from_search(search)
    assert display.artists_["line"].get_xdata().tolist() == [1, 3]
    assert display.artists_["failed"].get_xdata().tolist() == [2]
    assert "failed" in legend(display.ax_)


def test_a_candidate_with_one_failed_fold_failed():
    display = SearchDisplay.from_search(
        finished_search({"rate": [1, 2]}, [[0.5, 0.5], [np.nan, 0.9]])
    )
    assert display.artists_["failed"].get_xdata().tolist() == [2]


def test_pruned_candidates_are_no_part_of_the_curve():
    search = finished_search({"rate": [1, 2]}, [[0.5], [0.9]], pruned_at_epoch=[np.nan, 3.0])
    display = SearchDisplay.from_search(search)
    assert display.artists_["line"].get_xdata().tolist() == [1]


def test_one_of_two_parameters_is_the_best_over_the_other():
    search = finished_search({"a": [1, 1, 2, 2], "b": [1, 2, 1, 2]}, [[0.5], [0.6], [0.9], [0.2]])
    display = SearchDisplay.from_search(search, parameters=["a"])
    assert display.artists_["line"].get_ydata().tolist() == [0.6, 0.9]
    assert "mean of the folds, best over other parameters" in legend(display.ax_)


# ---------------------------------------------------------------- two parameters


def test_two_parameters_are_a_heat_map():
    search = finished_search(
        {"neurons": [2, 2, 4, 4], "rate": [0.1, 0.01, 0.1, 0.01]}, [[0.5], [0.6], [0.9], [0.2]]
    )
    display = SearchDisplay.from_search(search)
    assert display.kind_ == "heat map"
    # Rates from left to right, neurons from bottom to top.
    image = display.artists_["image"]
    assert image.get_array().tolist() == [[0.6, 0.5], [0.2, 0.9]]
    assert image.origin == "lower"
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["0.01", "0.1"]
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["2", "4"]
    assert (display.ax_.get_ylabel(), display.ax_.get_xlabel()) == ("neurons", "rate")
    assert texts(display.ax_) == ["0.600", "0.500", "0.200", "0.900"]
    assert [of.tolist() for of in display.artists_["best"].get_data()] == [[1.0], [1.0]]
    assert display.artists_["colour bar"].ax.get_ylabel() == "mean test score"


def test_failed_and_missing_cells_have_no_colour():
    search = finished_search({"a": [1, 1, 2], "b": [1, 2, 1]}, [[0.5, 0.5], NAN, [0.4, 0.6]])
    display = SearchDisplay.from_search(search)
    mask = np.ma.getmaskarray(display.artists_["image"].get_array())
    assert mask.tolist() == [[False, True], [False, True]]
    assert [of.tolist() for of in display.artists_["failed"].get_data()] == [[1.0], [0.0]]
    assert legend(display.ax_) == ["failed"]


def test_two_parameters_drawn_at_random_are_points():
    random = np.random.default_rng(0)
    rates, widths = 10 ** random.uniform(-4, -1, 20), random.uniform(1, 50, 20)
    scores = random.random((20, 3))
    display = SearchDisplay.from_search(finished_search({"rate": rates, "width": widths}, scores))
    assert display.kind_ == "points"
    points = display.artists_["points"]
    drawn = np.column_stack([points.get_offsets(), points.get_array()])
    expected = np.column_stack([widths, rates, scores.mean(axis=1)])
    assert sorted(drawn.tolist()) == sorted(expected.tolist())
    assert (display.ax_.get_xscale(), display.ax_.get_yscale()) == ("linear", "log")


# ---------------------------------------------------------------- more parameters


@pytest.fixture
def wide_search():
    """60 candidates of four parameters, of which the rate decides and the width a little."""
    random = np.random.default_rng(1)
    rate, noise = 10 ** random.uniform(-4, -1, 60), random.random(60)
    kind, width = random.choice(["a", "b"], 60), random.integers(1, 50, 60)
    scores = np.log10(rate)[:, None] + 0.01 * width[:, None] + random.normal(0, 0.05, (60, 3))
    return finished_search({"noise": noise, "rate": rate, "kind": kind, "width": width}, scores)


def test_more_parameters_are_parallel_coordinates(wide_search):
    display = SearchDisplay.from_search(wide_search)
    assert display.kind_ == "parallel coordinates"
    lines = display.artists_["lines"]
    means = wide_search.cv_results_["mean_test_score"]
    assert lines.get_array().tolist() == sorted(means)
    best = lines.get_segments()[-1]
    assert best[:, 0].tolist() == [0, 1, 2, 3]
    rates = np.log(wide_search.cv_results_["param_rate"].astype(float))
    share = (rates[np.argmax(means)] - rates.min()) / np.ptp(rates)
    assert best[1, 1] == pytest.approx(share)
    assert lines.get_linewidths()[-1] > lines.get_linewidths()[0]
    names = [tick.get_text() for tick in display.ax_.get_xticklabels()]
    assert names == ["noise", "rate", "kind", "width"]


def test_importance_tells_what_decides(wide_search):
    display = SearchDisplay.from_search(wide_search)
    importance = display.importance_.of_parameter
    assert max(importance, key=importance.get) == "rate"
    assert importance["rate"] > 5 * abs(importance["noise"])
    assert abs(importance["noise"]) < 0.1
    assert display.importance_.explained > 0.8
    bars = display.importance_ax_
    assert [bar.get_width() for bar in bars.patches] == sorted(importance.values())
    assert bars.get_yticklabels()[-1].get_text() == "rate"
    assert bars.get_xlabel().startswith("permutation importance")
    explained = f"explains\n{display.importance_.explained:.0%} of unseen scores"
    assert explained in bars.get_title()


def test_importance_is_that_of_scikit_learn(wide_search):
    results = wide_search.cv_results_
    scores = results["mean_test_score"]
    names = ["noise", "rate", "width"]
    values = {name: results[f"param_{name}"].astype(float) for name in names}
    found = parameter_importance(values, scores)
    table = np.column_stack([scale_of(of).shares(of) for of in values.values()])
    expected, error = 0.0, 0.0
    for train, test in KFold(5, shuffle=True, random_state=0).split(table):
        forest = RandomForestRegressor(random_state=0).fit(table[train], scores[train])
        error += np.sum((forest.predict(table[test]) - scores[test]) ** 2)
        settings = {"scoring": "neg_mean_squared_error", "n_repeats": 20, "random_state": 1}
        of_fold = permutation_importance(forest, table[test], scores[test], **settings)
        expected += of_fold.importances_mean * len(test)
    total = np.sum((scores - scores.mean()) ** 2)
    assert found.explained == pytest.approx(1 - error / total)
    # Both are means of twenty shuffles.
    for name, mean in zip(names, expected / total, strict=True):
        assert found.of_parameter[name] == pytest.approx(mean, abs=found.spread[name])


def test_importance_of_noise_says_that_it_tells_little():
    random = np.random.default_rng(2)
    parameters = {name: random.random(40) for name in "abc"}
    display = SearchDisplay.from_search(finished_search(parameters, random.random((40, 3))))
    assert display.importance_.explained < 0.3
    assert "the bars tell little" in display.importance_ax_.get_title()


def test_few_candidates_have_no_importance():
    search = finished_search({name: range(9) for name in "abc"}, np.eye(9))
    display = SearchDisplay.from_search(search)
    assert display.importance_ is None
    assert display.importance_ax_ is None


def test_a_parameter_that_is_not_set_has_a_place_of_its_own():
    search = finished_search(
        {"layers": [0, 1, 1, 2], "neurons": [None, 5, 10, 20], "kind": ["a", "b", "a", "b"]},
        [[0.1], [0.2], [0.3], [0.4]],
    )
    display = SearchDisplay.from_search(search)
    assert "not set" in " ".join(texts(display.ax_))
    heights = [line[1, 1] for line in display.artists_["lines"].get_segments()]
    assert heights == sorted(heights)
    assert len(set(heights)) == 4


def test_a_number_that_is_not_set_lies_below_its_axis():
    numbers = [None, *np.linspace(1, 2, 14)]
    search = finished_search(
        {"a": range(15), "number": numbers, "b": range(15)}, np.arange(15.0)[:, None]
    )
    display = SearchDisplay.from_search(search)
    heights = [line[1, 1] for line in display.artists_["lines"].get_segments()]
    assert display.ax_.get_ylim()[0] < heights[0] < 0
    np.testing.assert_allclose(heights[1:], np.linspace(0, 1, 14))
    assert " not set" in texts(display.ax_)


def test_failed_candidates_are_counted_beside_the_coordinates():
    search = finished_search({name: range(4) for name in "abc"}, [NAN, [1, 1], NAN, [2, 2]])
    display = SearchDisplay.from_search(search)
    assert len(display.artists_["lines"].get_segments()) == 2
    assert display.ax_.get_xlabel().startswith("2 candidates that failed")


def test_given_axes_are_divided(wide_search):
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
    display = SearchDisplay.from_search(wide_search, ax=right)
    assert display.figure_ is figure
    assert tuple(figure.get_size_inches()) == (12, 4)
    whole = right.get_subplotspec().get_position(figure)
    for ax in (display.ax_, display.importance_ax_):
        assert whole.x0 - 0.01 <= ax.get_subplotspec().get_position(figure).x0
    assert left.has_data() is False


# ---------------------------------------------------------------- of real searches


def test_every_search_is_drawn(two_classes):
    network = KerasMLPClassifier(epochs=3, random_state=0)
    grid = {"learning_rate": [0.01, 0.03, 0.1]}
    search = GridSearchCV(network, grid, cv=2).fit(*two_classes)
    expected = search.cv_results_["mean_test_score"].tolist()
    display = SearchDisplay.from_search(search)
    np.testing.assert_allclose(display.artists_["line"].get_ydata(), expected)
    plain = PlainGridSearchCV(LogisticRegression(), {"C": [0.1, 1, 10]}, cv=2).fit(*two_classes)
    assert SearchDisplay.from_search(plain).ax_.get_title() == "GridSearchCV"


def test_candidates_of_halving_are_drawn_as_in_their_last_round(two_classes):
    halving = HalvingGridSearchCV(
        RandomForestClassifier(random_state=0),
        {"max_depth": [1, 2, 3, 4]},
        resource="n_estimators",
        max_resources=8,
        min_resources=2,
        factor=2,
        cv=3,
        random_state=0,
    ).fit(*two_classes)
    results = halving.cv_results_
    display = SearchDisplay.from_search(halving)
    assert display.kind_ == "curve"
    depths, scores = display.artists_["line"].get_data()
    for depth, score in zip(depths, scores, strict=True):
        last = max(
            (iteration, place)
            for place, iteration in enumerate(results["iter"])
            if results["params"][place]["max_depth"] == depth
        )[1]
        assert score == pytest.approx(results["mean_test_score"][last])


def test_several_scores(two_classes):
    search = finished_search({"a": [1, 2]}, [[0.5], [0.6]], metric="f1", refit="f1")
    search.cv_results_["mean_test_recall"] = np.array([0.1, 0.2])
    search.cv_results_["split0_test_recall"] = np.array([0.1, 0.2])
    assert SearchDisplay.from_search(search).ax_.get_ylabel() == "mean test f1"
    display = SearchDisplay.from_search(search, metric="recall")
    assert display.artists_["line"].get_ydata().tolist() == [0.1, 0.2]
    with pytest.raises(ValueError, match=r"metric='recal'; expected .*f1, recall.* 'recall'\?"):
        SearchDisplay.from_search(search, metric="recal")
    search.refit = False
    with pytest.raises(ValueError, match="metric=None; expected one of the scores"):
        SearchDisplay.from_search(search)


def test_mistakes_are_told():
    with pytest.raises(NotFittedError, match="GridSearchCV has no cv_results_"):
        SearchDisplay.from_search(GridSearchCV(LogisticRegression(), {}))
    with pytest.raises(ValueError, match="have the same parameters"):
        SearchDisplay.from_search(finished_search({"a": [1, 1]}, [[0.5], [0.5]]))
    search = finished_search({"rate": [1, 2]}, [[0.5], [0.6]])
    with pytest.raises(ValueError, match=r"'rat' among parameters; .*: rate\. Did you mean"):
        SearchDisplay.from_search(search, parameters=["rat"])
    with pytest.raises(ValueError, match="at least one name"):
        SearchDisplay.from_search(search, parameters=[])


@pytest.mark.parametrize(("n_parameters", "marked"), [(1, [1, 2]), (2, [0, 1]), (3, None)])
def test_when_all_candidates_failed(n_parameters, marked):
    parameters = {name: [1, 2] for name in "abc"[:n_parameters]}
    display = SearchDisplay.from_search(finished_search(parameters, [NAN, NAN]))
    display.figure_.canvas.draw()
    if marked is None:
        assert len(display.artists_["lines"].get_segments()) == 0
    else:
        assert display.artists_["failed"].get_xdata().tolist() == marked


# ---------------------------------------------------------------- names and values that are read


def overlapping(texts):
    """Pairs of texts whose boxes on the page run over each other."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    return [
        (one, other)
        for k, (one, box) in enumerate(boxes)
        for other, its_box in boxes[k + 1 :]
        if box.overlaps(its_box)
    ]


def many_parameters(n_parameters, n_candidates=30):
    random = np.random.default_rng(0)
    names = [f"a_long_step_of_the_pipeline__parameter_number_{k}" for k in range(n_parameters)]
    kinds = [
        lambda: 10 ** random.uniform(-5, -1, n_candidates),
        lambda: random.integers(1, 60, n_candidates),
        lambda: random.choice(["a quite long word", "another", "third"], n_candidates),
        lambda: random.uniform(0, 1, n_candidates),
    ]
    parameters = {name: kinds[k % 4]() for k, name in enumerate(names)}
    return finished_search(parameters, random.random((n_candidates, 3)))


@pytest.mark.parametrize("n_parameters", [4, 8, 12])
def test_no_text_runs_over_another(n_parameters):
    search = many_parameters(n_parameters)
    display = SearchDisplay.from_search(search)
    display.figure_.canvas.draw()
    shown = min(n_parameters, 8)
    assert len(display.ax_.get_xticklabels()) == shown
    assert len(display.importance_.of_parameter) == n_parameters
    assert ("more parameters have no coordinates" in display.ax_.get_xlabel()) == (n_parameters > 8)
    assert overlapping([*display.ax_.get_xticklabels(), display.ax_.xaxis.label]) == []
    assert overlapping(display.ax_.texts) == []
    assert overlapping(display.importance_ax_.get_yticklabels()) == []
    whole = display.figure_.bbox
    for text in [*display.ax_.get_xticklabels(), *display.importance_ax_.get_yticklabels()]:
        box = text.get_window_extent()
        assert box.x0 >= whole.x0 - 1
        assert box.x1 <= whole.x1 + 1


def test_every_number_beside_a_coordinate_was_tried():
    search = many_parameters(4)
    display = SearchDisplay.from_search(search, parameters=list(search.cv_results_["params"][0]))
    results = search.cv_results_
    tried = {
        f"{float(value):.4g}" for name, of in results.items() if "param_" in name for value in of
        if not isinstance(value, str)
    }  # fmt: skip
    numbers = [text.strip() for text in texts(display.ax_) if text.strip()[0].isdigit()]
    assert len(numbers) > 10
    assert {f"{float(number):.4g}" for number in numbers} <= tried


def test_parameters_that_are_asked_for_all_have_coordinates():
    search = many_parameters(10)
    names = list(search.cv_results_["params"][0])
    display = SearchDisplay.from_search(search, parameters=names)
    assert len(display.ax_.get_xticklabels()) == 10


def test_names_are_short_where_that_leaves_no_doubt():
    search = finished_search(
        {"a__b__rate": [1, 2], "c__size": [1, 2], "d__size": [1, 2]}, [[0.1], [0.2]]
    )
    display = SearchDisplay.from_search(search)
    names = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert names == ["rate", "c__size", "d__size"]


def test_estimators_as_values_are_told_apart():
    values = [StandardScaler(), MinMaxScaler(), MinMaxScaler((0, 2)), "passthrough"]
    search = finished_search({"scaler": values}, [[0.1], [0.2], [0.3], [0.4]])
    ticks = [text.get_text() for text in SearchDisplay.from_search(search).ax_.get_xticklabels()]
    assert len(set(ticks)) == 4
    assert {"StandardScaler()", "MinMaxScaler()", "passthrough"} < set(ticks)


def test_a_grid_of_one_parameter_has_ticks_at_its_values():
    search = finished_search({"neurons": [3, 7, 11]}, [[0.1], [0.2], [0.3]])
    ax = SearchDisplay.from_search(search).ax_
    assert ax.get_xticks().tolist() == [3, 7, 11]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["3", "7", "11"]


def test_whole_numbers_that_differ_in_a_late_digit_are_parameters():
    search = finished_search({"size": [10_000_001, 10_000_002]}, [[0.1], [0.2]])
    assert SearchDisplay.from_search(search).artists_["line"].get_ydata().tolist() == [0.1, 0.2]


def test_one_terrible_candidate_does_not_take_all_colours():
    scores = [[0.5], [0.6], [0.7], [0.8], [0.9], [-10_000.0]]
    search = finished_search({name: range(6) for name in "abc"}, scores)
    display = SearchDisplay.from_search(search)
    assert display.artists_["lines"].get_clim() == (0.5, 0.9)
    assert display.artists_["colour bar"].extend == "min"


def test_the_metric_is_named(two_classes):
    search = PlainGridSearchCV(LogisticRegression(), {"C": [0.1, 1, 10]}, cv=2).fit(*two_classes)
    assert SearchDisplay.from_search(search).ax_.get_ylabel() == "mean test accuracy"
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1, 10]}, cv=2).fit(*two_classes)
    assert SearchDisplay.from_search(search).ax_.get_ylabel() == "mean test F1 of class 1"
    assert SearchHistoryDisplay.from_search(search).ax_.get_ylabel() == "mean test F1 of class 1"


def test_a_search_that_a_program_made_for_itself_is_not_named(two_classes):
    class _Own(GridSearchCV):
        pass

    search = _Own(LogisticRegression(), {"C": [0.1, 1, 10]}, cv=2).fit(*two_classes)
    assert SearchDisplay.from_search(search).ax_.get_title() == "GridSearchCV"
    assert SearchHistoryDisplay.from_search(search).ax_.get_title() == "GridSearchCV"
