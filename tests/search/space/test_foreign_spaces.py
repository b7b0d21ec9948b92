"""Spaces in the words of Optuna and hyperopt, ambiguous ones, and functions of a trial."""

import math

import numpy as np
import optuna
import pytest
from hyperopt import hp
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import InvalidParameterError, JournalMismatchError
from skhp.search.checks.parameters import refuse_bad_combinations
from skhp.search.space.bayesian_space import for_bayes
from skhp.search.space.dimensions import Choices, Distribution, Range
from skhp.search.space.foreign_spaces import SteppedNumbers, read_optuna
from skhp.search.space.space_reading import for_random
from skhp.search.tpe import for_tpe

X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.arange(60) % 2
DRAWING = {
    "RandomizedSearchCV": {"n_iter": 6, "random_state": 0},
    "HalvingRandomSearchCV": {"n_candidates": 6, "min_resources": 60, "random_state": 0},
    "BayesSearchCV": {"n_iter": 6, "random_state": 0},
    "TPESearchCV": {"n_iter": 6, "random_state": 0},
}
GRIDS = {"GridSearchCV": {}, "HalvingGridSearchCV": {"random_state": 0}}
every_search_that_draws = pytest.mark.parametrize("name", DRAWING)
every_search = pytest.mark.parametrize("name", [*DRAWING, *GRIDS])


class Untrained(ClassifierMixin, BaseEstimator):
    """Scores what it is given, and trains nothing."""

    fits = 0

    def __init__(self, width=1, rate=0.1, kind="a", layers=1):
        self.width = width
        self.rate = rate
        self.kind = kind
        self.layers = layers

    def fit(self, X, y):
        type(self).fits += 1
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.zeros(len(X), int)

    def score(self, X, y):
        return -abs(self.width - 6) - abs(math.log10(self.rate))


class Paired(Untrained):
    """Of widths in a tuple there is one for each layer."""

    def _check_combination(self):
        if isinstance(self.width, tuple) and len(self.width) != self.layers:
            raise ValueError(f"width has {len(self.width)} numbers for layers={self.layers}.")

    def score(self, X, y):
        return 0.0


@pytest.fixture(autouse=True)
def no_fits_yet():
    Untrained.fits = Paired.fits = 0


def search(name, space, estimator=None, **settings):
    settings = {"cv": 2, "scoring": None, **DRAWING.get(name, GRIDS.get(name)), **settings}
    estimator = Untrained() if estimator is None else estimator
    return getattr(skhp, name)(estimator, space, **settings).fit(X, Y)


def refused(*texts):
    pattern = "(?s)" + "".join(f"(?=.*{text})" for text in texts)
    return pytest.raises(InvalidParameterError, match=pattern)


class TestOptuna:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            (IntDistribution(2, 64), Range(2, 64, integer=True)),
            (IntDistribution(2, 64, log=True), Range(2, 64, log=True, integer=True)),
            (IntDistribution(2, 8, step=2), Distribution(SteppedNumbers(2, 8, 2))),
            (IntDistribution(3, 3), Choices((3,))),
            (FloatDistribution(0, 1), Range(0.0, 1.0)),
            (FloatDistribution(1e-5, 1, log=True), Range(1e-5, 1.0, log=True)),
            (FloatDistribution(0, 1, step=0.25), Distribution(SteppedNumbers(0.0, 1.0, 0.25))),
            (FloatDistribution(0, 4, step=1), Distribution(SteppedNumbers(0.0, 4.0, 1))),
            (CategoricalDistribution(["a", None, 3]), Choices(("a", None, 3))),
        ],
    )
    def test_means_what_it_means_there(self, given, expected):
        assert read_optuna(given) == expected

    @every_search_that_draws
    def test_is_drawn_from(self, name):
        space = {
            "width": IntDistribution(2, 10, step=4),
            "rate": FloatDistribution(1e-3, 10, log=True),
            "kind": CategoricalDistribution(["a", "b"]),
        }
        for candidate in search(name, space).cv_results_["params"]:
            assert candidate["width"] in (2, 6, 10)
            assert type(candidate["width"]) is int
            assert 1e-3 <= candidate["rate"] <= 10
            assert candidate["kind"] in ("a", "b")

    def test_steps_are_drawn_evenly(self):
        (space,) = for_random({"width": IntDistribution(10, 50, step=10)})
        random = np.random.RandomState(0)
        drawn = [space["width"].rvs(random_state=random) for _ in range(1000)]
        assert stats.chisquare(np.unique(drawn, return_counts=True)[1]).pvalue > 0.001
        assert set(drawn) == {10, 20, 30, 40, 50}

    def test_steps_are_found_again(self):
        for distribution in (IntDistribution(-4, 95, step=3), FloatDistribution(0, 1, step=0.05)):
            (space,) = for_bayes({"width": distribution})
            numbers = distribution.low + np.arange(20) * distribution.step
            back = space["width"].inverse_transform(space["width"].transform(numbers))
            np.testing.assert_allclose(back, numbers)

    def test_a_study_has_its_own_distributions(self):
        given = {
            "width": IntDistribution(2, 10, step=4),
            "rate": FloatDistribution(1e-3, 10, log=True),
        }
        trial = optuna.create_study().ask()
        for_tpe(given)(trial)
        assert trial.distributions == given

    @pytest.mark.parametrize("name", GRIDS)
    def test_a_grid_lists_its_values(self, name):
        space = {
            "width": IntDistribution(2, 10, step=4),
            "rate": FloatDistribution(1, 2),
            "kind": CategoricalDistribution(["a", "b"]),
        }
        with refused(r"\[2, 6, 10\]", "rate: Float", r"\['a', 'b'\]", "TPESearchCV"):
            search(name, space)

    @pytest.mark.parametrize("name", GRIDS)
    @pytest.mark.parametrize("value", [stats.uniform(0, 1), (1e-4, 0.1, "log-uniform")])
    def test_a_grid_has_no_ranges(self, name, value):
        with refused("rate", "range or a distribution", "RandomizedSearchCV"):
            search(name, {"rate": value})

    def test_an_unknown_distribution(self):
        class OwnDistribution(optuna.distributions.BaseDistribution):
            pass

        with refused("width of Optuna is not a known"):
            search("RandomizedSearchCV", {"width": object.__new__(_of_optuna(OwnDistribution))})


def _of_optuna(kind):
    kind.__abstractmethods__ = frozenset()
    kind.__repr__ = lambda self: "width"
    return kind


class TestHyperopt:
    @every_search
    @pytest.mark.parametrize(
        ("expression", "mend"),
        [
            (hp.uniform("a", 0, 1), r"write \(0, 1\)"),
            (hp.loguniform("a", math.log(1e-3), 0), r"write \(0\.001, 1, 'log-uniform'\)"),
            (hp.quniform("a", 0, 10, 2), r"write \(0, 10\)"),
            (hp.randint("a", 5), r"write \(0, 4\)"),
            (hp.randint("a", 2, 7), r"write \(2, 6\)"),
            (hp.uniformint("a", 1, 9), r"write \(1, 9\)"),
            (hp.normal("a", 0, 2), r"scipy\.stats\.norm\(0, 2\)"),
            (hp.lognormal("a", 0, 2), r"scipy\.stats\.lognorm\(2, scale=1\)"),
            (hp.choice("a", [1, "b"]), r"\[1, 'b'\]"),
            (hp.pchoice("a", [(0.2, 1), (0.8, 2)]), r"\[1, 2\]"),
        ],
    )
    def test_is_refused_with_what_to_write(self, name, expression, mend):
        with refused("width is an expression of hyperopt", mend):
            search(name, {"width": expression})
        assert Untrained.fits == 0

    @every_search
    @pytest.mark.parametrize(
        "space",
        [
            hp.choice("a", [{"width": 1}, {"width": hp.randint("b", 2)}]),
            [{"width": [1]}, hp.choice("a", [{"width": 1}])],
            [{"width": hp.uniform("a", 0, 1)}],
            {"width": [1, hp.uniform("a", 0, 1)]},
        ],
    )
    def test_wherever_it_stands(self, name, space):
        with refused("expression of hyperopt"):
            search(name, space)


class TestTuples:
    @every_search_that_draws
    @pytest.mark.parametrize(
        "value", [(1e-4, 1e-1, 10), (1, 2, 3), (0.1, 1, True), (0.1, 1, np.int64(4))]
    )
    def test_of_three_numbers_are_ambiguous(self, name, value):
        with refused("rate", "ambiguous", "list", "log-uniform"):
            search(name, {"rate": value})
        assert Untrained.fits == 0

    def test_with_a_prior_in_the_wrong_place(self):
        with refused("ambiguous"):
            search("TPESearchCV", {"rate": (1e-4, 1e-1, 10, "log-uniform")})

    def test_of_one_number_a_count_are_told_of_geomspace(self):
        with refused(r"numpy\.geomspace\(0\.0001, 0\.1, 10\)"):
            search("TPESearchCV", {"rate": (1e-4, 1e-1, 10)})

    @pytest.mark.parametrize("value", [("a", "b", "c"), (1, 2, 3, 4), (1, 2, None), ("a",)])
    def test_others_are_choices(self, value):
        (space,) = for_random({"kind": value})
        assert space["kind"] == list(value)

    @pytest.mark.parametrize("name", GRIDS)
    def test_in_a_grid_a_tuple_is_a_list(self, name):
        rates = search(name, {"rate": (1, 2, 3)}).cv_results_["param_rate"]
        assert set(rates) == {1, 2, 3}


@every_search
@pytest.mark.parametrize("key", [5, None, True, ("width",), b"width", 1.5])
def test_a_key_that_is_not_a_name(name, key):
    with refused(
        "names of parameters", f"got {key!r} of type".replace("(", r"\(").replace(")", r"\)")
    ):
        search(name, {key: [1, 2], "width": [1]})
    with refused("names of parameters"):
        search(name, [{"width": [1]}, {key: [1, 2]}])
    assert Untrained.fits == 0


def conditional(trial):
    kind = trial.suggest_categorical("kind", ["a", "b"])
    width = trial.suggest_int("width", 2, 10)
    if kind == "a":
        return {"kind": kind, "width": width}
    return {"kind": kind, "width": width, "rate": trial.suggest_float("rate", 1e-3, 1, log=True)}


class TestFunctionsOfATrial:
    def test_are_asked_for_candidates(self):
        found = search("TPESearchCV", conditional, n_iter=30)
        results = found.cv_results_
        assert len(results["params"]) == 30
        is_a = np.array([one["kind"] == "a" for one in results["params"]])
        assert 0 < is_a.sum() < 30
        np.testing.assert_array_equal(np.ma.getmaskarray(results["param_rate"]), is_a)
        # What a candidate was not given is as in the estimator.
        rates = np.array([one.get("rate", 0.1) for one in results["params"]])
        widths = np.array([one["width"] for one in results["params"]])
        np.testing.assert_allclose(
            results["mean_test_score"], -abs(widths - 6) - abs(np.log10(rates))
        )
        assert found.best_params_["width"] == 6
        assert [trial.params.keys() for trial in found.study_.trials] == [
            one.keys() for one in results["params"]
        ]

    def test_learn_from_scores(self):
        widths = search("TPESearchCV", conditional, n_iter=60).cv_results_["param_width"]
        assert abs(widths[40:].astype(float) - 6).mean() < abs(widths[:10].astype(float) - 6).mean()

    def test_give_the_same_candidates_again(self):
        one, other = (search("TPESearchCV", conditional).cv_results_["params"] for _ in range(2))
        assert one == other

    def test_may_put_estimators_in_place(self):
        def space(trial):
            chosen = trial.suggest_categorical("which", ["logistic", "sgd"])
            last = LogisticRegression() if chosen == "logistic" else SGDClassifier(random_state=0)
            return {"untrained": last}

        pipeline = make_pipeline(StandardScaler(), Untrained())
        found = search("TPESearchCV", space, pipeline, scoring="roc_auc")
        assert len({type(one["untrained"]) for one in found.cv_results_["params"]}) == 2

    @pytest.mark.parametrize(
        ("space", "texts"),
        [
            (lambda trial: None, ["returned None", "dict"]),
            (lambda trial: [1], [r"returned \[1\]"]),
            (lambda trial: {"widht": 1}, ["'widht'", "Did you mean 'width'"]),
            (lambda trial: {5: 1}, ["got 5 of type int"]),
        ],
    )
    def test_mistakes_are_found_before_any_training(self, space, texts):
        with refused(*texts):
            search("TPESearchCV", space)
        assert Untrained.fits == 0

    def test_refused_values_are_found_before_any_training(self):
        with refused("'C'", "-1"):
            search("TPESearchCV", lambda trial: {"C": -1}, LogisticRegression())
        with pytest.warns(match="fits failed"), pytest.raises(ValueError, match="fits failed"):
            search("TPESearchCV", lambda trial: {"C": -1}, LogisticRegression(), error_score=0.0)

    def test_an_error_of_ones_own_is_its_own(self):
        def space(trial):
            raise OSError("no disk")

        with pytest.raises(OSError, match="no disk"):
            search("TPESearchCV", space)

    def test_may_want_none_of_a_trial(self):
        def space(trial):
            width = trial.suggest_int("width", 1, 10)
            if width > 5:
                raise optuna.TrialPruned
            return {"width": width}

        found = search("TPESearchCV", space, n_iter=20)
        pruned = [t for t in found.study_.trials if t.state == optuna.trial.TrialState.PRUNED]
        assert len(found.cv_results_["params"]) + len(pruned) == 20
        assert pruned
        assert max(found.cv_results_["param_width"]) <= 5

    def test_that_want_none_of_any_trial(self):
        def space(trial):
            raise optuna.TrialPruned

        with refused("TrialPruned in each of 6 trials"):
            search("TPESearchCV", space)

    def test_no_suggestion_is_the_estimator_as_it_is(self):
        assert search("TPESearchCV", lambda trial: {}).best_params_ == {}

    def test_a_metric_that_only_some_candidates_answer(self):
        def space(trial):
            return {"loss": trial.suggest_categorical("loss", ["log_loss", "modified_huber"])}

        found = search("TPESearchCV", space, SGDClassifier(random_state=0), scoring="neg_log_loss")
        assert np.isfinite(found.best_score_)

    def test_a_journal_belongs_to_the_function(self, tmp_path):
        first = search("TPESearchCV", conditional, journal=tmp_path / "journal")
        Untrained.fits = 0
        again = search("TPESearchCV", conditional, journal=tmp_path / "journal", refit=False)
        assert Untrained.fits == 0
        np.testing.assert_array_equal(
            first.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"]
        )

        def other(trial):
            return {"width": trial.suggest_int("width", 2, 11)}

        with pytest.raises(JournalMismatchError, match="settings"):
            search("TPESearchCV", other, journal=tmp_path / "journal")

    @pytest.mark.parametrize("name", ["RandomizedSearchCV", "BayesSearchCV", "GridSearchCV"])
    def test_are_for_tpe_searches_only(self, name):
        with refused("dict", "function of a trial is for TPESearchCV"):
            search(name, conditional)


class TestCombinations:
    @every_search
    @pytest.mark.parametrize("prefix", ["", "paired__", "pipeline__paired__"])
    def test_are_refused_before_any_training(self, name, prefix):
        estimator = Paired()
        for _ in range(prefix.count("__")):
            estimator = make_pipeline(StandardScaler(), estimator)
        space = {
            f"{prefix}width": [(2, 3), 4],
            f"{prefix}layers": [1, 2],
            f"{prefix}kind": ["a", "b"],
        }
        message = rf"{prefix}width=\(2, 3\), {prefix}layers=1: width has 2 .*2 of 8 combinations"
        with refused(message) as refusal:
            search(name, space, estimator)
        assert Paired.fits == 0
        assert "\n" not in str(refusal.value)

    @every_search
    def test_with_what_is_set_already(self, name):
        with refused(r"width=\(2, 3\).*layers=3"):
            search(name, {"width": [(2, 3), (2, 3, 4)]}, Paired(layers=3))

    def test_with_a_range(self):
        with refused("layers=1"):
            search("TPESearchCV", {"layers": (1, 3)}, Paired(width=(2, 3)))

    @every_search
    def test_that_go_together_are_searched(self, name):
        space = [{"width": [(2, 3), (4, 5)], "layers": [2], "rate": [0.1, 1, 10]}, {"width": [4]}]
        search(name, space, Paired())
        assert Paired.fits > 0

    def test_of_a_function_of_a_trial(self):
        with refused("width has 2 numbers"):
            search("TPESearchCV", lambda trial: {"width": (2, 3), "layers": 1}, Paired())

    def test_with_a_score_for_candidates_that_fail(self):
        space = {"width": [(2, 3), 4], "layers": [1, 2]}
        search("GridSearchCV", space, Paired(), error_score=0.0)
        assert Paired.fits > 0

    def test_of_an_estimator_that_the_search_puts_in_place(self):
        pipeline = make_pipeline(StandardScaler(), Untrained())
        space = [("untrained", [Paired()]), ("untrained__width", [(2, 3)])]
        with pytest.raises(InvalidParameterError, match="width has 2"):
            refuse_bad_combinations(
                pipeline, [[(name, values, Choices(tuple(values))) for name, values in space]]
            )
