"""Search spaces mean the same in random, Bayesian and TPE searches."""

import copy
import math
import pickle
import re
import subprocess
import sys

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import ParameterSampler
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from skopt import Optimizer
from skopt.space import Categorical, Integer, Real

from skhp.exceptions import InvalidParameterError
from skhp.search.checks.parameters import refuse_unknown_names
from skhp.search.space.bayesian_space import for_bayes
from skhp.search.space.dimensions import Choices, Distribution, Range
from skhp.search.space.space_reading import for_random, understood
from skhp.search.tpe import for_tpe

pytestmark = pytest.mark.slow

SEEDS = range(2)
N_DRAWS = 2000
# Of a right program, one in ten thousand draws looks worse; of a wrong one, all of them.
LEAST_P = 1e-4


def random_draws(space, n=N_DRAWS, seed=0):
    return list(ParameterSampler(for_random(space), n, random_state=seed))


def bayes_draws(space, n=N_DRAWS, seed=0):
    [dimensions] = for_bayes(space)
    columns = {
        name: dimension.rvs(n_samples=n, random_state=np.random.RandomState(seed))
        for name, dimension in dimensions.items()
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def tpe_draws(space, n=N_DRAWS, seed=0):
    # Optuna's random sampler is what its TPE sampler starts with.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.RandomSampler(seed=seed)
    study, suggest = optuna.create_study(sampler=sampler), for_tpe(space)
    return [suggest(study.ask()) for _ in range(n)]


DRAWS = [random_draws, bayes_draws, tpe_draws]


def without_address(value):
    """A name that is the same in every process that collects the tests."""
    return re.sub(r" object at 0x[0-9a-f]+|0x[0-9a-f]+", "", str(value))


every_search = pytest.mark.parametrize("draws", DRAWS, ids=["random", "bayes", "tpe"])
every_seed = pytest.mark.parametrize("seed", SEEDS)


# ---------------------------------------------------------------- what is understood


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.str_, np.bool_, object])
def test_the_values_of_an_array_keep_their_type(dtype):
    array = np.array([0, 1], dtype=dtype)
    (dimensions,) = understood({"x": array})
    assert [type(value) for value in dimensions["x"].values] == [type(value) for value in array]


@pytest.mark.parametrize(
    ("value", "dimension"),
    [
        ([10, 60], Choices((10, 60))),
        (np.array([0.5, 1.5]), Choices((0.5, 1.5))),
        (range(3), Choices((0, 1, 2))),
        ([(10, 5), None, "auto"], Choices(((10, 5), None, "auto"))),
        ((10, 60), Range(10, 60, integer=True)),
        ((10, 60.0), Range(10.0, 60.0)),
        ((1e-5, 1e-1, "log-uniform"), Range(1e-5, 1e-1, log=True)),
        ((1e-5, 1e-1, "uniform"), Range(1e-5, 1e-1)),
        ((1, 64, "log-uniform", 2), Range(1, 64, log=True, integer=True)),
        ((np.int64(1), np.int64(4)), Range(1, 4, integer=True)),
        (("relu", "tanh"), Choices(("relu", "tanh"))),
        ((True, False), Choices((True, False))),
        ((1, 2, 3, 4), Choices((1, 2, 3, 4))),
        ((7,), Choices((7,))),
        (Real(1e-5, 1e-1, "log-uniform"), Range(1e-5, 1e-1, log=True)),
        (Real(0.0, 0.5), Range(0.0, 0.5)),
        (Integer(2, 9), Range(2, 9, integer=True)),
        (Integer(2, 9, "log-uniform"), Range(2, 9, log=True, integer=True)),
        (Categorical(["a", None]), Choices(("a", None))),
        (Categorical(["a", "b"], prior=[0.9, 0.1]), Choices(("a", "b"), (0.9, 0.1))),
        (stats.uniform(0.1, 0.3), Range(0.1, 0.4)),
        (stats.loguniform(1e-5, 1e-1), Range(1e-5, 1e-1, log=True)),
        (stats.loguniform(1, 10, scale=2), Range(2.0, 20.0, log=True)),
        (stats.randint(10, 61), Range(10, 60, integer=True)),
        (stats.randint(3, 4), Choices((3,))),
    ],
    ids=without_address,
)
def test_what_a_value_stands_for(value, dimension):
    [space] = understood({"x": value})
    assert space == {"x": dimension}
    assert [type(v) for v in vars(space["x"]).values()] == [
        type(v) for v in vars(dimension).values()
    ]
    if isinstance(dimension, Range):
        assert type(space["x"].low) is type(space["x"].high)
        assert isinstance(space["x"].low, int) == dimension.integer


@pytest.mark.parametrize("frozen", [stats.norm(), stats.loguniform(1, 10, loc=1), stats.poisson(3)])
def test_other_distributions_stay_distributions(frozen):
    assert understood({"x": frozen}) == ({"x": Distribution(frozen)},)


def test_tuples_mean_what_scikit_optimize_says():
    tuples = [(1, 9), (0.5, 2.0), (1, 2.0), (1e-3, 1.0, "log-uniform"), (2, 9, "uniform")]
    for value in tuples:
        [space] = for_bayes({"x": value})
        # A search of scikit-optimize's over the bare tuple, as BayesSearchCV makes it.
        [theirs] = Optimizer([value], base_estimator="RF").space.dimensions
        assert space["x"].bounds == theirs.bounds
        assert space["x"].prior == theirs.prior


# ---------------------------------------------------------------- draws


@every_search
@every_seed
@pytest.mark.parametrize(
    ("value", "oracle"),
    [
        ((1e-5, 1e-1, "log-uniform"), stats.loguniform(1e-5, 1e-1)),
        (Real(1e-2, 1e2, "log-uniform"), stats.loguniform(1e-2, 1e2)),
        (stats.loguniform(1e-5, 1e-1), stats.loguniform(1e-5, 1e-1)),
        ((-2.0, 3.0), stats.uniform(-2, 5)),
        (stats.uniform(0.1, 0.3), stats.uniform(0.1, 0.3)),
        (stats.norm(1, 2), stats.norm(1, 2)),
        (stats.loguniform(1, 10, loc=1), stats.loguniform(1, 10, loc=1)),
    ],
    ids=["tuple", "Real", "loguniform", "even tuple", "uniform", "norm", "moved loguniform"],
)
def test_numbers_are_drawn_from_the_distribution(draws, seed, value, oracle):
    drawn = [point["x"] for point in draws({"x": value}, seed=seed)]
    assert stats.kstest(drawn, oracle.cdf).pvalue > LEAST_P
    assert all(isinstance(x, float) for x in drawn)


def rounded_log(low, high):
    edges = np.log(np.arange(low, high + 2) - 0.5)
    return np.diff(edges) / (edges[-1] - edges[0])


@every_search
@every_seed
@pytest.mark.parametrize(
    ("value", "chances"),
    [
        ((3, 7), dict.fromkeys(range(3, 8), 0.2)),
        (Integer(3, 7), dict.fromkeys(range(3, 8), 0.2)),
        (stats.randint(3, 8), dict.fromkeys(range(3, 8), 0.2)),
        (stats.binom(4, 0.5), {k: math.comb(4, k) / 16 for k in range(5)}),
        ([32, 64, 128], dict.fromkeys([32, 64, 128], 1 / 3)),
        (["relu", None, 2], dict.fromkeys(["relu", None, 2], 1 / 3)),
        ([(10, 5), 7], {(10, 5): 0.5, 7: 0.5}),
        (Categorical(["a", "b", "c"], prior=[0.6, 0.3, 0.1]), {"a": 0.6, "b": 0.3, "c": 0.1}),
        (Categorical(["a", "b", "c"], prior=[0.0, 0.5, 0.5]), {"b": 0.5, "c": 0.5}),
    ],
    ids=without_address,
)
def test_separate_values_are_drawn_by_their_chances(draws, seed, value, chances):
    # A second parameter, as lists alone are drawn without replacement.
    drawn = [point["x"] for point in draws({"x": value, "y": (0.0, 1.0)}, seed=seed)]
    assert set(drawn) == set(chances)
    counts = [drawn.count(key) for key in chances]
    assert stats.chisquare(counts, np.array([*chances.values()]) * N_DRAWS).pvalue > LEAST_P
    types = {type(key) for key in chances}
    assert all(type(x) in types or isinstance(x, np.integer) for x in drawn)


@every_seed
@pytest.mark.parametrize("draws", [random_draws, tpe_draws], ids=["random", "tpe"])
def test_whole_numbers_are_even_in_the_logarithm(draws, seed):
    # scikit-optimize has its own way here: the first and last number get half of their share.
    drawn = [point["x"] for point in draws({"x": (1, 6, "log-uniform")}, seed=seed)]
    counts = np.bincount(drawn, minlength=7)[1:]
    assert stats.chisquare(counts, rounded_log(1, 6) * N_DRAWS).pvalue > LEAST_P


bounds = st.tuples(st.floats(1e-12, 1e6), st.floats(1.0001, 1e6), st.booleans()).map(
    lambda drawn: (drawn[0], drawn[0] * drawn[1], drawn[2])
)
whole_bounds = st.tuples(st.integers(1, 10**6), st.integers(1, 10**6), st.booleans()).map(
    lambda drawn: (drawn[0], drawn[0] + drawn[1], drawn[2])
)


@every_search
@given(space=st.one_of(bounds, whole_bounds), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_draws_stay_within_their_bounds(draws, space, seed):
    low, high, log = space
    prior = "log-uniform" if log else "uniform"
    for point in draws({"x": (low, high, prior)}, n=5, seed=seed):
        assert low <= point["x"] <= high
        whole = isinstance(point["x"], int | np.integer)
        assert whole == isinstance(low, int)
        assert whole or isinstance(point["x"], float)


@given(
    weights=st.lists(st.floats(0, 10), min_size=1, max_size=5).filter(any),
    quantile=st.floats(0, 1),
)
def test_a_value_without_a_chance_is_never_drawn(weights, quantile):
    choices = Choices(tuple(range(len(weights))), tuple(weights))
    assert weights[choices.at_quantile(quantile)] > 0


# ---------------------------------------------------------------- random


def test_scikit_learns_own_spaces_draw_as_in_scikit_learn():
    for space in (
        {"a": [1, 2, 3], "b": stats.loguniform(1e-3, 1), "c": stats.randint(2, 9)},
        [{"a": [1, 2, 3]}, {"b": np.array([1.5, 2.5]), "c": ["x", None]}],
        [{"a": [1, 2], "d": stats.uniform(0.1, 0.3)}, {"e": stats.norm()}],
        [{"a": [1, 2]}, {}],
    ):
        n = 3
        ours = list(ParameterSampler(for_random(space), n, random_state=1))
        assert ours == list(ParameterSampler(space, n, random_state=1))


def test_anything_that_draws_will_do_for_a_random_search():
    class Three:
        def rvs(self, random_state=None):
            return 3

    assert random_draws({"x": Three()}, n=2) == [{"x": 3}, {"x": 3}]
    for other in (for_bayes, for_tpe):
        with pytest.raises(InvalidParameterError, match=r"x: .*Three.* no ppf .*Give"):
            other({"x": Three()})


# ---------------------------------------------------------------- bayes


def test_an_optimizer_asks_for_values_as_they_were_given():
    space = {
        "choice": [(10, 5), (7, 3), None],
        "flag": [True, False],
        "normal": stats.norm(1, 2),
        "count": stats.poisson(4),
        "size": (10, 60),
        "rate": (1e-5, 1e-1, "log-uniform"),
        "one": [3],
    }
    [dimensions] = for_bayes(space)
    optimizer = Optimizer(
        list(dimensions.values()), base_estimator="ET", n_initial_points=3, random_state=0
    )
    for _ in range(3):
        points = optimizer.ask(n_points=2)
        for point in points:
            values = dict(zip(dimensions, point, strict=True))
            assert any(values["choice"] is choice for choice in space["choice"])
            assert type(values["normal"]) is type(values["rate"]) is float
            assert type(values["count"]) is type(values["size"]) is int
            assert 10 <= values["size"] <= 60
            assert values["one"] == 3
        optimizer.tell(points, [point[5] for point in points])


@pytest.mark.filterwarnings("ignore:The objective has been evaluated")
def test_an_optimizer_finds_the_best_quantile():
    [dimensions] = for_bayes({"x": stats.norm()})
    optimizer = Optimizer([dimensions["x"]], n_initial_points=5, random_state=0)
    for _ in range(15):
        point = optimizer.ask()
        result = optimizer.tell(point, (point[0] - 1.3) ** 2)
    assert abs(result.x[0] - 1.3) < 0.1


def test_quantiles_and_values_are_inverse():
    [dimensions] = for_bayes({"x": stats.gamma(2)})
    values = [0.1, 1.0, 5.0]
    quantiles = dimensions["x"].transform(values)
    np.testing.assert_allclose(quantiles, stats.gamma(2).cdf(values))
    np.testing.assert_allclose(dimensions["x"].inverse_transform(quantiles), values)
    # Not infinite at the ends.
    ends = dimensions["x"].inverse_transform([0.0, 1.0])
    np.testing.assert_allclose(ends, stats.gamma(2).ppf([0.001, 0.999]))
    assert tuple(ends) == dimensions["x"].bounds
    assert copy.deepcopy(dimensions["x"]).bounds == dimensions["x"].bounds


def test_a_distribution_of_one_value_is_a_constant():
    [dimensions] = for_bayes({"x": stats.poisson(1e-9)})
    assert dimensions["x"].categories == (0,)


def test_pairs_keep_their_iterations():
    pairs = [({"a": (1, 5)}, 3), ({"b": [1, 2]}, np.int64(4))]
    (first, three), (second, four) = for_bayes(pairs)
    assert (three, four) == (3, 4)
    assert set(first) == {"a"}
    assert second["b"].categories == (1, 2)
    for other in (for_random, for_tpe):
        with pytest.raises(InvalidParameterError, match="BayesSearchCV only"):
            other(pairs)


def test_the_users_dimensions_are_left_alone():
    given_dimension = Real(1e-3, 1.0, "log-uniform", name="mine")
    [dimensions] = for_bayes({"x": given_dimension})
    dimensions["x"].set_transformer("normalize")
    dimensions["x"].name = "x"
    assert given_dimension.transform_ is None or given_dimension.transform_ == "identity"
    assert given_dimension.name == "mine"


@pytest.mark.parametrize(
    ("space", "match"),
    [
        ({"x": [[10, 5], [7]]}, "hashed.*as tuples"),
        ({"x": [1, True]}, "equal values"),
        ({"x": ["a", "a"]}, "equal values"),
        ([{"x": [1]}, {}], "empty sub-space"),
    ],
)
def test_what_only_a_bayesian_search_refuses(space, match):
    with pytest.raises(InvalidParameterError, match=match):
        for_bayes(space)
    for_tpe(space)
    for_random(space)


# ---------------------------------------------------------------- TPE

CONDITIONAL = [
    {"layers": [1], "width": (4, 8)},
    {"layers": [2], "width": (16, 64), "second": (2, 3), "rate": stats.norm()},
    {},
]


def test_a_trial_suggests_the_parameters_of_one_alternative():
    points = tpe_draws(CONDITIONAL, n=60)
    names = {tuple(sorted(point)) for point in points}
    assert names == {("layers", "width"), ("layers", "rate", "second", "width"), ()}
    for point in points:
        if point:
            low, high = (4, 8) if point["layers"] == 1 else (16, 64)
            assert low <= point["width"] <= high


@pytest.mark.parametrize("options", [{}, {"multivariate": True}], ids=str)
def test_tpe_learns_within_each_alternative(options):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    suggest = for_tpe(CONDITIONAL[:2])

    def best(seed):
        sampler = optuna.samplers.TPESampler(seed=seed, **options)
        study = optuna.create_study(sampler=sampler)
        for _ in range(40):
            trial = study.ask()
            point = suggest(trial)
            study.tell(trial, abs(point["width"] - 40) + 20 * (point["layers"] == 1))
        names = {name for trial in study.trials for name in trial.params}
        assert names == {
            "sub-space",
            "sub-space 0: width",
            *(f"sub-space 1: {name}" for name in ("width", "second", "rate")),
        }
        later = [trial.params["sub-space"] for trial in study.trials[20:]]
        return np.mean(later)

    assert np.mean([best(seed) for seed in range(3)]) > 0.7


def test_what_is_the_same_in_all_alternatives_is_learnt_about_in_all():
    rate = stats.norm()
    space = [
        {"rate": (1e-5, 1e-1, "log-uniform"), "width": (1, 8), "noise": rate, "size": [16, 32]},
        {"rate": Real(1e-5, 1e-1, "log-uniform"), "width": (1, 9), "noise": rate, "size": [16, 32]},
    ]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    suggest = for_tpe(space)
    for _ in range(20):
        suggest(study.ask())
    names = {name for trial in study.trials for name in trial.params}
    own = {"sub-space 0: width", "sub-space 1: width"}
    assert names == {"sub-space", "rate", "noise", "size"} | own


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("space", "match"),
    [
        ({}, r"\{\} is empty"),
        ([], r"\[\] is empty"),
        ([{}], "is empty"),
        (None, "must be a dict or a list of dicts, got None"),
        ("x", "must be a dict or a list"),
        ([["x"]], r"must be a dict .*got \['x'\]"),
        ([({"x": [1]}, 0)], "whole number from 1 up, got 0"),
        ([({"x": [1]}, True)], "whole number from 1 up, got True"),
        ({"x": []}, r"x=\[\] is empty"),
        ({"x": ()}, r"x=\(\) is empty"),
        ({"x": np.array([])}, r"x=.*is empty"),
        ({"x": 5}, r"x=5 cannot be searched.*\[5\]"),
        ({"x": None}, "x=None cannot be searched"),
        ({"x": "relu"}, r"x='relu' cannot be searched.*\['relu'\]"),
        ({"x": {1, 2}}, "cannot be searched"),
        ({"x": {"a": 1}}, "cannot be searched"),
        ({"x": np.array(5)}, "cannot be searched"),
        ({"x": iter([1, 2])}, "cannot be searched"),
        ({"x": (5, 5)}, r"x: the range from 5 to 5 .*\[5\]"),
        ({"x": (5, 1)}, "lower bound first"),
        ({"x": (0.0, 1.0, "log-uniform")}, "reaches 0 or below.*above 0"),
        ({"x": (-2, -1, "log-uniform")}, "reaches 0 or below"),
        ({"x": (0.0, math.inf)}, "finite"),
        ({"x": (math.nan, 1.0)}, "finite"),
        ({"x": (1e-5, 1e-1, "log-unifrom")}, "Did you mean 'log-uniform'"),
        ({"x": (1, 10, "log-uniform", 1)}, "whole base from 2 up"),
        ({"x": stats.uniform(0.5, -0.2)}, "uniform does not take the arguments"),
        ({"x": stats.loguniform(0, 1)}, "loguniform does not take the arguments"),
        ({"x": stats.randint(4, 3)}, "randint does not take the arguments"),
        ({"x": stats.uniform([0, 1], 1)}, "one number at a time"),
    ],
    ids=without_address,
)
@pytest.mark.parametrize("convert", [understood, for_random, for_bayes, for_tpe])
def test_mistakes_are_named(convert, space, match):
    with pytest.raises(ValueError, match=match) as caught:
        convert(space)
    assert type(caught.value) is InvalidParameterError


def test_every_mistake_is_named():
    with pytest.raises(InvalidParameterError) as caught:
        understood([{"a": [], "b": [1]}, {"c": (2, 1), "d": 4}])
    assert [line[0] for line in str(caught.value).splitlines()] == ["a", "c", "d"]


# ---------------------------------------------------------------- names


def test_known_names_pass():
    pipeline = make_pipeline(StandardScaler(), SVC())
    refuse_unknown_names(pipeline, {"svc__C": (0.1, 1.0), "standardscaler": ["passthrough"]})
    refuse_unknown_names(SVC(), [{"C": [1]}, {"gamma": stats.loguniform(1e-3, 1)}])


def test_unknown_names_are_refused_with_the_nearest():
    pipeline = make_pipeline(StandardScaler(), SVC())
    with pytest.raises(InvalidParameterError) as caught:
        refuse_unknown_names(pipeline, [{"svc__gama": [1], "C": [1]}, {"svc__gama": [2]}])
    first, second, *_, last = str(caught.value).splitlines()
    assert first == "Pipeline has no parameter 'svc__gama'. Did you mean 'svc__gamma'?"
    assert second.startswith("Pipeline has no parameter 'C'.")
    assert "svc__gamma" in last
    assert str(caught.value).count("gama'") == 1


def test_a_name_may_belong_to_an_estimator_of_the_same_sub_space():
    pipeline = make_pipeline(StandardScaler(), DummyClassifier())
    step = "dummyclassifier"
    svc = SVC(C=5.0)
    refuse_unknown_names(pipeline, {step: [svc], f"{step}__C": (0.1, 1.0)})
    assert svc.C == 5.0
    assert isinstance(pipeline.named_steps[step], DummyClassifier)
    with pytest.raises(InvalidParameterError, match=f"{step}__D"):
        refuse_unknown_names(pipeline, {step: [SVC()], f"{step}__D": [1]})
    with pytest.raises(InvalidParameterError, match=f"{step}__C"):
        refuse_unknown_names(pipeline, [{step: [SVC()]}, {f"{step}__C": [1]}])


def test_routed_parameters_of_networks_are_known():
    from skhp import KerasClassifier, KerasMLPClassifier

    space = {"optimizer__learning_rate": (1e-5, 1e-1, "log-uniform"), "batch_size": [32]}
    refuse_unknown_names(KerasClassifier(lambda: None), space)
    with pytest.raises(InvalidParameterError, match="Did you mean 'learning_rate'"):
        refuse_unknown_names(KerasMLPClassifier(), {"learning_rat": [1]})
    with pytest.raises(InvalidParameterError, match="optimiser__learning_rate"):
        refuse_unknown_names(KerasClassifier(lambda: None), {"optimiser__learning_rate": [1]})


# ---------------------------------------------------------------- records


def test_records_are_frozen_and_picklable():
    [space] = understood({"a": [1], "b": (1, 2), "c": stats.norm()})
    for dimension in space.values():
        with pytest.raises(AttributeError):
            dimension.values = 1
        again = pickle.loads(pickle.dumps(dimension))
        assert again.rvs(random_state=0) == dimension.rvs(random_state=0)


def test_importing_needs_neither_tensorflow_nor_optuna():
    code = (
        "import sys, skhp.search.space.bayesian_space, skhp.search.space.suggested_space\n"
        "import skhp.search.checks.parameters\n"
        "print([name for name in ('tensorflow', 'keras', 'optuna') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
