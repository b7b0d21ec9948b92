"""How the parameters of a multilayer perceptron go together, and how large it may be."""

import re
import tracemalloc

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

import skhp
from skhp import (
    KerasCNNClassifier,
    KerasCNNRegressor,
    KerasMLPClassifier,
    KerasMLPRegressor,
    KerasRNNClassifier,
    KerasRNNRegressor,
)
from skhp.exceptions import InvalidParameterError
from skhp.population.cohorts.cohort_plan import bytes_of_member

pytestmark = pytest.mark.slow

both = pytest.mark.parametrize("kind", [KerasMLPClassifier, KerasMLPRegressor])


def sizes_of(task):
    kernels = [shape for shape in task.network.weight_shapes if len(shape) == 2]
    return [shape[1] for shape in kernels[:-1]]


@both
@pytest.mark.parametrize(
    ("parameters", "sizes"),
    [
        ({}, [2]),
        ({"neurons": 7}, [7]),
        ({"neurons": (20, 5)}, [20, 5]),
        ({"neurons": np.array([3, 4, 5])}, [3, 4, 5]),
        ({"neurons": []}, []),
        ({"neurons": 7, "hidden_layers": 3}, [7, 7, 7]),
        ({"neurons": (20, 5), "hidden_layers": 2}, [20, 5]),
    ],
)
def test_layers_are_as_many_as_neurons_says(kind, parameters, sizes, two_blobs):
    """The model of a fit has these layers: tests/estimators/mlp/test_classifier.py."""
    assert sizes_of(kind(**parameters).__skhp_fit_task__(*two_blobs)) == sizes


@pytest.fixture
def two_blobs():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(40, 4))
    return X, (X[:, 0] > 0).astype(int)


@both
@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"hidden_layers": 2, "neurons": (5,)}, "hidden_layers=2"),
        ({"hidden_layers": 1, "neurons": (20, 5)}, "hidden_layers='auto', which then means 2"),
        ({"hidden_layers": 0, "neurons": [5]}, "1 entry"),
        ({"neurons": (5, 2.5)}, "holds 2.5"),
        ({"neurons": np.array(4)}, "neurons must be a whole number"),
        ({"lr_schedule": {"kind": "step", "evry": 3}}, "'every'"),
        ({"hidden_layers": 3000}, "3,000 hidden layers"),
        ({"hidden_layers": 10**9, "neurons": 10**9}, "1,000,000,000 hidden layers"),
        ({"neurons": 10**9}, "max_memory='2GB'"),
        ({"neurons": (10**5, 10**5)}, "481 GB"),
        ({"neurons": 20_000, "max_memory": "1MB"}, "60,001 weights"),
        ({"max_memory": "2 gigs"}, "is not an amount of memory"),
        ({"max_memory": 0}, "max_memory"),
    ],
)
def test_what_does_not_go_together_is_told_in_a_line_without_rows(kind, parameters, words):
    with pytest.raises(InvalidParameterError) as raised:
        kind(**parameters)._check_combination()
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@both
@pytest.mark.parametrize(
    "parameters",
    [{}, {"neurons": (20, 5)}, {"hidden_layers": 2, "neurons": [5, 5]}, {"hidden_layers": 60}],
)
def test_what_goes_together_passes(kind, parameters):
    assert kind(**parameters)._check_combination() is None


@both
def test_the_size_is_that_for_the_columns_of_the_table(kind, two_blobs):
    X, y = two_blobs
    # 4 inputs take a hundredth of what 400 take.
    network = kind(neurons=1000, epochs=1, max_memory="5MB")
    network.fit(X, y)
    with pytest.raises(InvalidParameterError, match=r"402,001 weights.*max_memory='5MB'"):
        network.fit(np.tile(X, 100), y)
    with pytest.raises(InvalidParameterError, match="402,001 weights"):
        clone(network).partial_fit(np.tile(X, 100), y)
    network.set_params(max_memory=None).fit(np.tile(X, 100), y)
    network.set_params(max_memory="30MB", warm_start=True).fit(np.tile(X, 100), y)


@both
@pytest.mark.parametrize("engine", ["keras", "population"])
def test_no_engine_trains_what_is_too_large(kind, engine, two_blobs):
    with pytest.raises(InvalidParameterError, match="3,000 hidden layers"):
        kind(hidden_layers=3000, engine=engine).fit(*two_blobs)


TABLE = np.random.default_rng(1).normal(size=(60, 6)).astype(np.float32)
TOKENS = np.random.default_rng(1).integers(1, 9, size=(60, 6))
SMALL_IMAGES = np.random.default_rng(1).normal(size=(60, 6, 6)).astype(np.float32)
CLASSES = np.arange(60) % 2
SMALL = {"epochs": 1, "neurons": 3, "random_state": 0}
TOO_LARGE = [
    (KerasMLPClassifier(**SMALL), TABLE, {"neurons": [3, 10**9]}, "neurons=1000000000"),
    (KerasMLPRegressor(**SMALL), TABLE, {"hidden_layers": [1, 3000]}, "hidden_layers=3000"),
    (KerasRNNRegressor(**SMALL), TABLE, {"neurons": [3, 10**9]}, "neurons=1000000000"),
    (KerasRNNRegressor(**SMALL), TABLE, {"hidden_layers": [1, 3000]}, "hidden_layers=3000"),
    (
        KerasRNNClassifier(**SMALL, embedding_dim=2),
        TOKENS,
        {"embedding_dim": [2, 10**9]},
        "neurons=3 and embedding_dim=1000000000",
    ),
    (KerasCNNClassifier(**SMALL), SMALL_IMAGES, {"filters": [2, 10**9]}, "filters=1000000000"),
    (KerasCNNRegressor(**SMALL), SMALL_IMAGES, {"neurons": [3, 10**9]}, "neurons=1000000000"),
    (KerasCNNRegressor(**SMALL), SMALL_IMAGES, {"kernel_size": [3, 10**6]}, "kernel_size=1000000"),
    (KerasCNNRegressor(**SMALL), SMALL_IMAGES, {"hidden_layers": [1, 3000]}, "hidden_layers=3000"),
]


def too_large(cases):
    ids = [f"{type(network).__name__} {next(iter(grid))}" for network, _, grid, _ in cases]
    return pytest.mark.parametrize(("network", "X", "grid", "words"), cases, ids=ids)


@too_large(TOO_LARGE)
def test_a_network_is_refused_with_the_memory_that_it_would_take(network, X, grid, words):
    ((name, (_, huge)),) = grid.items()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidParameterError, match=words) as raised:
            clone(network).set_params(**{name: huge}).fit(X, CLASSES)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    message = str(raised.value)
    assert re.search(
        r"would take (at least )?[\d,]+ [GT]B of memory, above max_memory='2GB'", message
    )
    # The smallest network of these would take 34 GB.
    assert peak < 20e6


# The small network of each has to be traced.
@too_large([TOO_LARGE[0], TOO_LARGE[3], TOO_LARGE[4], TOO_LARGE[5]])
def test_in_a_search_only_the_candidate_that_is_too_large_fails(network, X, grid, words):
    search = GridSearchCV(network, grid, cv=2, refit=False)
    # scikit-learn warns twice: of the fits that failed, and of the scores that are not there.
    with (
        skhp.population(),
        pytest.warns(UserWarning, match="non-finite"),
        pytest.warns(FitFailedWarning, match=words),
    ):
        search.fit(X, CLASSES)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
    with skhp.population(), pytest.raises(InvalidParameterError, match=words):
        search.set_params(error_score="raise").fit(X, CLASSES)


@too_large(TOO_LARGE)
def test_our_searchers_refuse_what_no_table_can_train_before_they_train(
    network, X, grid, words, monkeypatch
):
    monkeypatch.setattr(type(network), "fit", lambda *_, **__: pytest.fail("a fit has begun"))
    with pytest.raises(InvalidParameterError, match=f"do not go together: .*{words}.*at least"):
        skhp.GridSearchCV(network, grid, cv=2).fit(X, CLASSES)


def test_what_is_too_large_for_this_table_alone_is_one_failed_candidate():
    network = KerasMLPClassifier(**SMALL, max_memory="5MB")
    wide = np.tile(TABLE, 70)
    search = skhp.GridSearchCV(network, {"neurons": [3, 700]}, cv=2, refit=False)
    with (
        pytest.warns(UserWarning, match="non-finite"),
        pytest.warns(FitFailedWarning, match="neurons=700 .*above max_memory='5MB'"),
    ):
        search.fit(wide, CLASSES)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]
    with pytest.raises(InvalidParameterError, match="neurons=700"):
        search.set_params(error_score="raise").fit(wide, CLASSES)


SERIES = np.random.default_rng(0).normal(size=(60, 300)).astype(np.float32)
IMAGES = SERIES.reshape(60, 15, 20)
TARGET = SERIES[:, -1]


FUSED = KerasRNNRegressor(neurons=24, epochs=1)
LOOP = KerasRNNRegressor(neurons=24, epochs=1, cell="gru")
PIXELS = KerasCNNRegressor(filters=32, hidden_layers=1, neurons=4, epochs=1)


@pytest.mark.parametrize(
    ("network", "X", "engine"),
    [
        (FUSED, SERIES, "population"),
        (LOOP, SERIES, "population"),
        (PIXELS, IMAGES, "population"),
        (PIXELS, IMAGES, "keras"),
    ],
    ids=["fused", "loop", "pixels", "pixels by Keras"],
)
def test_a_lone_fit_counts_what_a_population_counts(network, X, engine):
    network = clone(network).set_params(batch_size=40, engine=engine)
    needed = bytes_of_member(clone(network).set_params(engine="auto").__skhp_fit_task__(X, TARGET))
    network.set_params(max_memory=needed).fit(X, TARGET)
    message = f"of memory to train with batches of 40 rows .*max_memory={needed - 1}"
    with pytest.raises(InvalidParameterError, match=message):
        clone(network).set_params(max_memory=needed - 1).fit(X, TARGET)


def test_steps_and_pixels_and_rows_count():
    def needed(network, X):
        return bytes_of_member(network.__skhp_fit_task__(X, TARGET))

    rnn, cnn = KerasRNNRegressor(neurons=4), KerasCNNRegressor(filters=4, neurons=None)
    assert needed(rnn, SERIES) > 5 * needed(rnn, SERIES[:, :30])
    assert needed(clone(rnn).set_params(time_steps=30), SERIES) == needed(rnn, SERIES[:, -30:])
    assert needed(cnn, IMAGES) > 4 * needed(cnn, IMAGES[:, :5, :10])
    assert needed(clone(rnn).set_params(batch_size=48), SERIES) > needed(rnn, SERIES)


def test_rows_that_are_trained_further_count_too():
    network = KerasRNNRegressor(neurons=16, epochs=1, max_memory="5MB")
    with pytest.raises(InvalidParameterError, match="batches of 32 rows of the shape"):
        network.partial_fit(SERIES, TARGET)
    network.partial_fit(SERIES[:2], TARGET[:2])
    with pytest.raises(InvalidParameterError, match="batches of 32 rows of the shape"):
        network.partial_fit(SERIES, TARGET)
