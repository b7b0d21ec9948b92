import matplotlib.pyplot as plt
import numpy as np
import pytest

from skhp import SearchHistoryDisplay
from tests.inspection.displays.finished_searches import finished_search

SCORES = [[0.4, 0.6], [0.2, 0.4], [np.nan, 0.9], [0.6, 0.8], [0.7, 0.7]]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_over_candidates():
    search = finished_search({"a": range(5)}, SCORES)
    display = SearchHistoryDisplay.from_search(search)
    (line,) = display.lines_
    assert line.get_xdata().tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(line.get_ydata(), [0.5, 0.5, 0.5, 0.7, 0.7])
    assert line.get_drawstyle() == "steps-post"
    assert display.points_.get_xdata().tolist() == [1, 2, 4, 5]
    np.testing.assert_allclose(display.points_.get_ydata(), [0.5, 0.3, 0.7, 0.7])
    assert display.failed_marks_.get_xdata().tolist() == [3]
    ax = display.ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("candidate", "mean test score")
    assert legend(ax) == ["candidates", "failed", "best so far"]


def test_over_seconds_of_all_folds():
    search = finished_search({"a": range(5)}, SCORES, mean_fit_time=np.array([1, 2, 3, 4, 5.0]))
    display = SearchHistoryDisplay.from_search(search, over="seconds")
    assert display.positions_.tolist() == [2, 6, 12, 20, 30]
    assert display.lines_[0].get_xdata().tolist() == [2, 6, 12, 20, 30]
    assert display.ax_.get_xlabel() == "seconds of fitting, one after another"


def test_pruned_candidates_are_never_the_best():
    pruned = [np.nan, np.nan, np.nan, 3.0, np.nan]
    scores = [[0.5], [0.4], [0.6], [0.9], [0.5]]
    display = SearchHistoryDisplay.from_search(
        finished_search({"a": range(5)}, scores, pruned_at_epoch=pruned)
    )
    assert display.best_so_far_.tolist() == [0.5, 0.5, 0.6, 0.6, 0.6]
    assert display.pruned_points_.get_data()[1].tolist() == [0.9]
    assert display.failed_marks_ is None


def test_rounds_of_halving_are_apart():
    display = SearchHistoryDisplay.from_search(
        finished_search(
            {"a": range(5)},
            [[0.9], [0.8], [0.7], [0.4], [0.5]],
            iter=[0, 0, 0, 1, 1],
            n_resources=[10, 10, 10, 30, 30],
        )
    )
    first, second = display.lines_
    assert first.get_data()[1].tolist() == [0.9, 0.9, 0.9]
    assert second.get_data()[1].tolist() == [0.4, 0.5]
    assert legend(display.ax_) == ["candidates", "best of the round so far"]


def test_on_given_axes():
    _, ax = plt.subplots()
    search = finished_search({"a": range(5)}, SCORES)
    display = SearchHistoryDisplay.from_search(search, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_an_unknown_axis_is_told():
    with pytest.raises(ValueError, match="over='time'; expected 'candidates' or 'seconds'"):
        SearchHistoryDisplay.from_search(finished_search({"a": range(5)}, SCORES), over="time")
