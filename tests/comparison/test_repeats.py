import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import f1_score, get_scorer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skhp.comparison import Split
from skhp.comparison.repeats import mean_and_deviation, train_once


def test_a_repeat_is_a_fit_with_that_seed_scored_on_the_test_rows(network):
    split = Split(*train_test_split(*make_classification(120, flip_y=0.2, random_state=0)))
    pipeline = Pipeline([("scale", StandardScaler()), ("net", network)])
    f1_of_seeds = set()
    for seed in (5, 6, 7):
        repeat, trained = train_once(pipeline, split, 1, get_scorer("accuracy"), seed)
        direct = clone(pipeline).set_params(net__random_state=seed)
        direct.fit(split.X_train, split.y_train)
        predicted = direct.predict(split.X_test)
        np.testing.assert_array_equal(trained.predict(split.X_test), predicted)
        assert repeat.seed == seed
        assert repeat.scores.f1 == pytest.approx(f1_score(split.y_test, predicted))
        assert repeat.scores.score == (predicted == split.y_test).mean()
        assert repeat.history == {"loss": direct[-1].network_.loss_curve_}
        assert repeat.best_epoch == 15
        f1_of_seeds.add(repeat.scores.f1)
    assert len(f1_of_seeds) > 1
    assert not hasattr(pipeline[-1], "network_")


@given(st.lists(st.floats(-1e3, 1e3), min_size=2))
def test_mean_and_deviation_are_those_of_a_sample(values):
    mean, deviation = mean_and_deviation(values)
    assert mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert deviation == pytest.approx(statistics.stdev(values), abs=1e-6)
