import itertools
import os

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skhp.comparison.search import (
    BATCH_SIZE_RANGE,
    BATCH_SIZES,
    LEARNING_RATE_RANGE,
    LEARNING_RATES,
    count_candidates,
    search_network,
)

FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)


@pytest.fixture
def rows():
    return make_classification(80, weights=[0.7], random_state=0)


@pytest.fixture
def pipeline(network):
    return Pipeline([("scale", StandardScaler()), ("net", network.set_params(random_state=0))])


def test_the_grid_is_every_pair_scored_as_by_hand(rows, pipeline):
    search = search_network(pipeline, *rows, get_scorer("f1"), FOLDS)
    tried = [
        (params["net__learning_rate"], params["net__batch_size"])
        for params in search.cv_results_["params"]
    ]
    assert sorted(tried) == sorted(itertools.product(LEARNING_RATES, BATCH_SIZES))
    assert len(tried) == count_candidates("grid")
    by_hand = [
        cross_val_score(pipeline.set_params(**params), *rows, scoring="f1", cv=FOLDS).mean()
        for params in search.cv_results_["params"]
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], by_hand)
    assert search.best_params_ == search.cv_results_["params"][np.argmax(by_hand)]


def test_the_default_grid_spans_what_a_random_search_draws_from():
    assert LEARNING_RATES == (0.1, 0.01, 0.001, 0.0001, 0.00001)
    assert BATCH_SIZES == (10, 20, 40, 60)
    assert (min(LEARNING_RATES), max(LEARNING_RATES)) == LEARNING_RATE_RANGE
    assert (min(BATCH_SIZES), max(BATCH_SIZES)) == BATCH_SIZE_RANGE


def test_networks_of_all_candidates_and_folds_train_together_as_if_alone(rows, trained_together):
    from skhp import KerasMLPClassifier

    network = KerasMLPClassifier(neurons=3, epochs=4, random_state=0)
    pipeline = Pipeline([("scale", StandardScaler()), ("net", network)])
    # A score without steps, which shows the rounding of weights and no more.
    scorer = get_scorer("neg_log_loss")
    with trained_together() as populations:
        search = search_network(pipeline, *rows, scorer, FOLDS)
    assert populations == [5 * 4 * 2]
    alone = [
        cross_val_score(pipeline.set_params(**params), *rows, scoring=scorer, cv=FOLDS).mean()
        for params in search.cv_results_["params"]
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], alone, rtol=1e-3)
    assert np.ptp(alone) > 0.1


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_a_scorer_is_called_in_this_process_whatever_the_context(n_jobs, rows, pipeline):
    pipeline.set_params(net__epochs=1)
    called = []

    def scorer(*arguments):
        called.append(os.getpid())
        return get_scorer("f1")(*arguments)

    with joblib.parallel_config(backend="loky", n_jobs=n_jobs):
        search_network(pipeline, *rows, scorer, FOLDS, kind="random", n_candidates=2)
    assert called == 4 * [os.getpid()]


def test_random_draws_cover_the_ranges(rows, pipeline):
    pipeline.set_params(net__epochs=1)
    search = search_network(
        pipeline, *rows, get_scorer("f1"), FOLDS, kind="random", n_candidates=60, seed=1
    )
    rates = np.array(search.cv_results_["param_net__learning_rate"], dtype=float)
    sizes = np.array(search.cv_results_["param_net__batch_size"], dtype=int)
    assert len(rates) == count_candidates("random", 60) == 60
    assert 1e-5 <= rates.min() < 1e-4
    assert 1e-2 < rates.max() <= 0.1
    # Uniform in the logarithm: half of the draws are below the geometric mean.
    assert 0.3 < (rates < 1e-3).mean() < 0.7
    assert 10 <= sizes.min() < 20
    assert 50 < sizes.max() <= 60


def test_both_ends_of_the_batch_sizes_are_drawn(rows, pipeline, monkeypatch):
    monkeypatch.setattr("skhp.comparison.search.BATCH_SIZE_RANGE", (10, 11))
    pipeline.set_params(net__epochs=1)
    search = search_network(
        pipeline, *rows, get_scorer("f1"), FOLDS, kind="random", n_candidates=20
    )
    assert set(search.cv_results_["param_net__batch_size"]) == {10, 11}


def test_the_seed_decides_the_draws(rows, pipeline):
    pipeline.set_params(net__epochs=1)
    drawn = [
        search_network(
            pipeline, *rows, get_scorer("f1"), FOLDS, kind="random", n_candidates=2, seed=seed
        ).cv_results_["params"]
        for seed in (3, 3, 4)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_fault_of_the_network_is_not_hidden(rows, pipeline):
    pipeline.set_params(net__epochs="many")
    with pytest.raises(TypeError):
        search_network(pipeline, *rows, get_scorer("f1"), FOLDS)
