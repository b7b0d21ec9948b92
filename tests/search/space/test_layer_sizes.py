"""A distribution over stacks of layers, for every searcher."""

import copy
import itertools
import pickle
from collections import Counter

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import model_selection
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.neural_network import MLPClassifier

import skhp
from skhp import KerasMLPClassifier, LayerSizes
from skhp.exceptions import InvalidParameterError
from skhp.search.identity.descriptions import described
from skhp.search.identity.value_descriptions import text_of
from skhp.search.space.bayesian_space import Stacks, for_bayes
from skhp.search.space.space_reading import for_random
from skhp.search.tpe import for_tpe

pytestmark = pytest.mark.slow

SHAPES = ["any", "funnel", "equal"]
# Of a right program, one in ten thousand draws looks worse; of a wrong one, all of them.
LEAST_P = 1e-4

PAIRS = st.tuples(st.integers(1, 5), st.integers(1, 5)).map(sorted).map(tuple)
WIDTHS = st.tuples(st.integers(1, 90), st.integers(1, 90)).map(sorted).map(tuple)
ANY = st.builds(LayerSizes, PAIRS, WIDTHS, st.sampled_from(SHAPES))


class Scored(RegressorMixin, BaseEstimator):
    """Scores how near its layers are to (32, 16), whatever the data."""

    def __init__(self, neurons=(1,), width=1):
        self.neurons = neurons
        self.width = width

    def fit(self, X, y):
        assert type(self.neurons) is tuple
        assert {type(size) for size in self.neurons} == {int}
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def score(self, X, y):
        miss = abs(len(self.neurons) - 2.0)
        for size, aim in zip(self.neurons, (32, 16), strict=False):
            miss += abs(np.log2(size / aim))
        return -miss


X, Y = np.zeros((8, 1)), np.arange(8.0)


def is_of(shape, stack):
    if shape == "equal":
        return len(set(stack)) == 1
    return shape == "any" or all(a >= b for a, b in itertools.pairwise(stack))


def random_draws(sizes, n):
    space = for_random({"neurons": sizes})
    return [one["neurons"] for one in model_selection.ParameterSampler(space, n, random_state=0)]


def bayes_draws(sizes, n):
    [dimensions] = for_bayes({"neurons": sizes})
    return dimensions["neurons"].rvs(n_samples=n, random_state=np.random.RandomState(0))


def tpe_draws(sizes, n):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    suggest = for_tpe({"neurons": sizes})
    return [suggest(study.ask())["neurons"] for _ in range(n)]


DRAWS = pytest.mark.parametrize("draws", [random_draws, bayes_draws, tpe_draws])


@DRAWS
@pytest.mark.parametrize("shape", SHAPES)
def test_every_search_draws_evenly_layers_and_evenly_in_the_logarithm_sizes(draws, shape):
    drawn = draws(LayerSizes((1, 3), (4, 64), shape), 1500)
    counts = Counter(map(len, drawn))
    assert stats.chisquare([counts[1], counts[2], counts[3]]).pvalue > LEAST_P
    assert all(is_of(shape, stack) for stack in drawn)
    sizes = [size for stack in drawn for size in (stack[:1] if shape == "equal" else stack)]
    assert min(sizes) >= 4
    assert max(sizes) <= 64
    # How often a whole number is drawn: by the logarithms of what is rounded to it.
    edges = np.log(np.arange(4, 66) - 0.5)
    expected = np.diff(edges) / (edges[-1] - edges[0])
    observed = np.bincount(sizes, minlength=65)[4:]
    # In bins, as chi-square needs some draws in each.
    bins = np.digitize(np.arange(4, 65), [6, 9, 13, 19, 28, 42])
    grouped = [np.bincount(bins, weights) for weights in (observed, expected * len(sizes))]
    assert stats.chisquare(*grouped).pvalue > LEAST_P


@DRAWS
def test_one_number_is_both_bounds(draws):
    assert set(draws(LayerSizes(2, 7), 20)) == {(7, 7)}


def test_a_draw_depends_on_the_random_state_alone():
    sizes = LayerSizes()
    assert sizes.rvs(random_state=3) == sizes.rvs(3) == LayerSizes((1, 3), (8, 128)).rvs(3)
    state = np.random.RandomState(3)
    assert sizes.rvs(random_state=state) == sizes.rvs(3)
    assert len({sizes.rvs(random_state=state) for _ in range(10)}) > 5


@settings(deadline=None, max_examples=60)
@given(ANY, st.lists(st.floats(-0.5, 1.5), min_size=6, max_size=6))
def test_a_place_is_a_stack_and_a_stack_has_a_place(sizes, coordinates):
    dimension = Stacks(sizes)
    place = coordinates[: dimension.transformed_size]
    [stack] = dimension.inverse_transform([place])
    assert stack in dimension
    assert {type(size) for size in stack} == {int}
    back = dimension.transform([stack])
    assert back.shape == (1, dimension.transformed_size)
    assert ((back >= 0) & (back <= 1)).all()
    assert dimension.inverse_transform(back) == [stack]
    # Sizes of layers that the stack does not have change nothing.
    free = 2 if sizes.shape == "equal" else 1 + len(stack)
    moved = place[:free] + [0.1] * (dimension.transformed_size - free)
    assert dimension.inverse_transform([moved]) == [stack]
    assert dimension.distance(stack, stack) == 0


@settings(deadline=None, max_examples=60)
@given(st.builds(LayerSizes, st.sampled_from([(1, 3), 2, (3, 3)]), WIDTHS, st.sampled_from(SHAPES)))
def test_the_list_has_every_stack_of_doubled_sizes_once(sizes):
    stacks = list(sizes)
    assert len(sizes) == len(stacks) == len(set(stacks))
    low, high = sizes.neurons
    doubled = {low * 2**k for k in range(8) if low * 2**k <= high} | {high}
    every = {
        stack
        for count in range(sizes.layers[0], sizes.layers[1] + 1)
        for stack in itertools.product(doubled, repeat=count)
        if is_of(sizes.shape, stack)
    }
    assert set(stacks) == every
    assert sizes[0] == stacks[0]
    assert sizes[-1] == stacks[-1]
    assert sizes[1:3] == stacks[1:3]
    with pytest.raises(IndexError):
        sizes[len(stacks)]


SEARCHES = {
    "random": lambda space: skhp.RandomizedSearchCV(Scored(), space, n_iter=9, random_state=0),
    "halving random": lambda space: skhp.HalvingRandomSearchCV(
        Scored(), space, n_candidates=4, random_state=0, min_resources=4
    ),
    "bayes": lambda space: skhp.BayesSearchCV(
        Scored(),
        space,
        n_iter=6,
        n_points=1,
        random_state=0,
        optimizer_kwargs={"n_initial_points": 5},
    ),
    "forest": lambda space: skhp.BayesSearchCV(
        Scored(),
        space,
        n_iter=6,
        n_points=1,
        random_state=0,
        optimizer_kwargs={"n_initial_points": 5, "base_estimator": "ET"},
    ),
    "tpe": lambda space: skhp.TPESearchCV(Scored(), space, n_iter=12, random_state=0),
    "grid": lambda space: skhp.GridSearchCV(Scored(), space),
    "halving grid": lambda space: skhp.HalvingGridSearchCV(
        Scored(), space, random_state=0, min_resources=4
    ),
    "scikit-learn's random": lambda space: model_selection.RandomizedSearchCV(
        Scored(), space, n_iter=9, random_state=0
    ),
    "scikit-learn's grid": lambda space: model_selection.GridSearchCV(Scored(), space),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", SEARCHES)
def test_every_searcher_takes_it_and_finds_plain_tuples(kind, shape):
    search = clone(SEARCHES[kind]({"neurons": LayerSizes((1, 3), (8, 64), shape)}))
    search.set_params(cv=2).fit(X, Y)
    tried = [candidate["neurons"] for candidate in search.cv_results_["params"]]
    assert all(is_of(shape, stack) for stack in tried)
    assert len({len(stack) for stack in tried}) > 1
    best = search.best_params_["neurons"]
    assert type(best) is tuple
    assert {type(size) for size in best} == {int}


def test_a_guided_search_comes_nearer_than_chance():
    space = {"neurons": LayerSizes((1, 4), (4, 256))}
    settings = {"n_iter": 40, "cv": 2, "refit": False}
    found = {}
    for searcher in ("TPESearchCV", "RandomizedSearchCV"):
        scores = []
        for seed in range(3):
            search = getattr(skhp, searcher)(Scored(), space, random_state=seed, **settings)
            scores.append(search.fit(X, Y).cv_results_["mean_test_score"][-16:].mean())
        found[searcher] = np.mean(scores)
    assert found["TPESearchCV"] > found["RandomizedSearchCV"] + 0.5


def test_it_is_one_value_among_alternatives_and_beside_other_parameters():
    space = [
        {"neurons": LayerSizes(2, (4, 8)), "width": (1, 5)},
        {"neurons": LayerSizes((1, 2), 5, "equal"), "width": [9]},
    ]
    for kind in ("RandomizedSearchCV", "TPESearchCV", "BayesSearchCV"):
        search = getattr(skhp, kind)(Scored(), space, n_iter=10, cv=2, random_state=0)
        seen = search.fit(X, Y).cv_results_["params"]
        assert {one["width"] for one in seen} > {9}
        for one in seen:
            if one["width"] == 9:
                assert one["neurons"] in {(5,), (5, 5)}
            else:
                assert len(one["neurons"]) == 2


def test_a_network_has_the_layers_that_were_drawn():
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(40, 3))
    network = KerasMLPClassifier(epochs=1, random_state=0)
    search = skhp.RandomizedSearchCV(
        network, {"neurons": LayerSizes((2, 3), (2, 5))}, n_iter=2, cv=2, random_state=0
    ).fit(rows, (rows[:, 0] > 0).astype(int))
    kernels = [w for w in search.best_estimator_.model_.get_weights() if w.ndim == 2]
    assert tuple(kernel.shape[1] for kernel in kernels[:-1]) == search.best_params_["neurons"]


def test_sizes_serve_a_network_of_scikit_learn():
    space = {"hidden_layer_sizes": LayerSizes((1, 2), (2, 4))}
    search = skhp.RandomizedSearchCV(
        MLPClassifier(max_iter=2000, early_stopping=True), space, n_iter=2, cv=2, random_state=0
    )
    search.fit(np.linspace(-1, 1, 60)[:, None], np.repeat([0, 1], 30))
    assert type(search.best_params_["hidden_layer_sizes"]) is tuple


@pytest.mark.parametrize("kind", ["RandomizedSearchCV", "GridSearchCV", "TPESearchCV"])
def test_another_parameter_does_not_take_stacks(kind):
    with pytest.raises(InvalidParameterError, match="'epochs'"):
        getattr(skhp, kind)(KerasMLPClassifier(), {"epochs": LayerSizes()}).fit(X, Y > 3)


def test_it_is_a_plain_value():
    sizes = LayerSizes([1, np.int64(2)], 16, "funnel")
    assert repr(sizes) == "LayerSizes(layers=(1, 2), neurons=(16, 16), shape='funnel')"
    for copied in (
        eval(repr(sizes), {"LayerSizes": LayerSizes}),
        copy.deepcopy(sizes),
        pickle.loads(pickle.dumps(sizes)),
        clone(sizes, safe=False),
    ):
        assert copied == sizes
        assert hash(copied) == hash(sizes)
        assert text_of(described(copied)) == text_of(described(sizes))
    for other in (LayerSizes((1, 2), 16), LayerSizes((1, 3), 16, "funnel"), LayerSizes((1, 2), 8)):
        assert other != sizes
        assert text_of(described(other)) != text_of(described(sizes))
    assert sizes != list(sizes)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"layers": (3, 1)}, "layers=(3, 1)"),
        ({"layers": 0}, "layers=0"),
        ({"layers": (0, 2)}, "layers=(0, 2)"),
        ({"layers": 2.0}, "layers=2.0"),
        ({"layers": True}, "layers=True"),
        ({"layers": "1-3"}, "layers='1-3'"),
        ({"layers": (1, 2, 3)}, "layers=(1, 2, 3)"),
        ({"layers": ()}, "layers=()"),
        ({"layers": None}, "layers=None"),
        ({"neurons": (8.5, 12)}, "neurons=(8.5, 12)"),
        ({"neurons": (-8, 12)}, "neurons=(-8, 12)"),
        ({"neurons": (8, float("nan"))}, "neurons=(8, nan)"),
        ({"shape": "funel"}, "Did you mean 'funnel'?"),
        ({"shape": None}, "shape=None"),
    ],
)
def test_bad_input_is_refused_by_name(parameters, words):
    with pytest.raises(InvalidParameterError) as raised:
        LayerSizes(**parameters)
    assert words in str(raised.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(InvalidParameterError) as raised:
        LayerSizes(0, (9, 3), "round")
    assert str(raised.value).count("LayerSizes: ") == 3
