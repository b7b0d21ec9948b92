import numpy as np

from skhp.inspection.displays.score_plots import ScoreRange, score_range


def test_one_bad_score_leaves_the_colours_to_the_others():
    assert score_range(np.array([0.5, 0.6, 0.7, 0.8, -10_000.0])) == ScoreRange(
        low=0.5, high=0.8, n_below=1
    )
