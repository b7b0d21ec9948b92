"""Bad input of a search is refused before anything is trained, and the cause is named."""

import contextlib
import functools

import numpy as np
import pytest
import sklearn
from scipy.stats import expon, loguniform, norm, poisson, randint, uniform
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import accuracy_score, get_scorer, make_scorer, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    check_cv,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from skopt.space import Categorical, Real

import skhp
from skhp import InvalidParameterError, KerasMLPClassifier, KerasMLPRegressor
from skhp.compat.scikit_learn import constraints_of, response_methods_of
from skhp.search.checks.folds import SomeFolds, refuse_rare_classes
from skhp.search.checks.parameters import refuse_bad_values, with_choices
from skhp.search.checks.search_input import refuse_unanswerable_scorers
from skhp.search.space.space_reading import understood

SEARCHERS = {
    "GridSearchCV": {},
    "RandomizedSearchCV": {"n_iter": 2, "random_state": 0},
    "HalvingGridSearchCV": {"min_resources": "smallest", "random_state": 0},
    "HalvingRandomSearchCV": {"n_candidates": 2, "random_state": 0},
    "BayesSearchCV": {"n_iter": 2, "random_state": 0},
    "TPESearchCV": {"n_iter": 2, "random_state": 0},
}
every_searcher = pytest.mark.parametrize("name", SEARCHERS)
X = np.random.default_rng(0).normal(size=(60, 3))
Y = np.arange(60) % 2
RARE = np.r_[np.zeros(57, int), np.ones(3, int)]


class CountedFits:
    fits = 0

    def fit(self, X, y, **parameters):
        type(self).fits += 1
        return super().fit(X, y, **parameters)


class Logistic(CountedFits, LogisticRegression):
    pass


class Linear(CountedFits, LinearSVC):
    pass


class Vectors(CountedFits, SVC):
    pass


@pytest.fixture(autouse=True)
def no_fits_yet():
    for counted in (Logistic, Linear, Vectors):
        counted.fits = 0


def searcher(name, estimator, space, **settings):
    defaults = {"cv": 2, **SEARCHERS[name]}
    return getattr(skhp, name)(estimator, space, **defaults | settings)


@contextlib.contextmanager
def refused(*words, before=(Logistic, Linear, Vectors)):
    with pytest.raises(InvalidParameterError) as caught:
        yield
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message
    assert [counted.fits for counted in before] == [0] * len(before)


# ---------------------------------------------------------------- all searchers


@every_searcher
class TestEverySearcher:
    def test_it_searches_where_nothing_is_wrong(self, name):
        search = searcher(name, Logistic(), {"C": [0.1, 1.0]}, scoring="roc_auc")
        search.fit(X, Y)
        assert Logistic.fits >= 4
        assert np.isfinite(search.best_score_)

    def test_an_empty_list_of_values(self, name):
        search = searcher(name, Logistic(), {"C": []})
        with pytest.raises(ValueError, match=r"C.*empty|empty.*C"):
            search.fit(X, Y)
        assert Logistic.fits == 0

    def test_a_misspelt_name(self, name):
        with refused("'C_'", "Logistic", "'C'"):
            searcher(name, Logistic(), {"C_": [1.0]}).fit(X, Y)

    @pytest.mark.parametrize("error_score", [np.nan, "raise"])
    def test_a_refused_value(self, name, error_score):
        search = searcher(name, Logistic(), {"C": [1.0, -1.0]}, error_score=error_score)
        with refused("'C'", "Logistic", "-1.0", "range"):
            search.fit(X, Y)

    def test_every_refused_value_is_named_with_the_nearest(self, name):
        network = KerasMLPClassifier(epochs=1)
        space = {"activation": ["relu", "rellu"], "dropout": [0.1, 1.5]}
        with refused("'rellu'", "Did you mean 'relu'", "1.5", "dropout"):
            searcher(name, network, space).fit(X, Y)

    def test_a_refused_value_within_a_pipeline(self, name):
        pipeline = make_pipeline(StandardScaler(), Logistic())
        with refused("logistic__C", "0", "must be"):
            searcher(name, pipeline, {"logistic__C": [0, 1]}).fit(X, Y)

    def test_a_refused_value_counts_as_the_given_score(self, name):
        search = searcher(name, Logistic(), {"C": [1.0, -1.0]}, error_score=0.0)
        if name in ("BayesSearchCV", "TPESearchCV"):
            # Both values may come more than once, so two candidates can be one.
            search.set_params(n_iter=8)
        with pytest.warns(sklearn.exceptions.FitFailedWarning):
            search.fit(X, Y)
        assert search.best_params_["C"] == 1.0

    @pytest.mark.parametrize(
        "cv",
        [
            ShuffleSplit(1, random_state=0),
            PredefinedSplit(np.r_[np.full(40, -1), np.zeros(20, int)]),
            [(np.arange(40), np.arange(40, 60))],
        ],
        ids=["ShuffleSplit", "PredefinedSplit", "list"],
    )
    def test_one_fold(self, name, cv):
        search = searcher(name, Logistic(), {"C": [0.1, 1.0]}, cv=cv, scoring="accuracy")
        if name.startswith("Halving"):
            # As in scikit-learn, its least would be two rows for each class.
            search.set_params(min_resources=40)
        search.fit(X, Y)
        train, test = next(check_cv(cv).split(X, Y))
        oracle = Logistic(**search.best_params_).fit(X[train], Y[train])
        if not name.startswith("Halving"):
            assert search.best_score_ == accuracy_score(Y[test], oracle.predict(X[test]))
        assert search.n_splits_ == 1
        assert (search.cv_results_["std_test_score"] == 0).all()

    def test_a_generator_of_one_fold(self, name):
        folds = (fold for fold in [next(KFold(3).split(X))])
        search = searcher(name, Logistic(), {"C": [0.1, 1.0]}, cv=folds)
        if name.startswith("Halving"):
            search.set_params(min_resources=40)
        assert search.fit(X, Y).n_splits_ == 1

    def test_a_generator_that_was_read_before(self, name):
        folds = KFold(3).split(X)
        list(folds)
        with refused("yields no fold", "generator"):
            searcher(name, Logistic(), {"C": [0.1, 1.0]}, cv=folds).fit(X, Y)

    def test_a_generator_of_several_folds(self, name):
        search = searcher(name, Logistic(), {"C": [0.1, 1.0]}, cv=KFold(3).split(X)).fit(X, Y)
        assert search.n_splits_ == 3

    def test_groups_reach_the_splitter(self, name):
        groups = np.arange(60) // 20
        search = searcher(name, Logistic(), {"C": [0.1, 1.0]}, cv=LeaveOneGroupOut())
        assert search.fit(X, Y, groups=groups).n_splits_ == 3

    @pytest.mark.parametrize("scoring", ["neg_log_loss", "neg_brier_score"])
    def test_a_metric_of_probabilities(self, name, scoring):
        with refused(scoring, "predict_proba", "Linear"):
            searcher(name, Linear(), {"C": [0.1, 1.0]}, scoring=scoring).fit(X, Y)

    def test_a_metric_of_a_made_scorer(self, name):
        scorer = make_scorer(roc_auc_score, response_method="predict_proba")
        with refused("roc_auc_score", "predict_proba", "Linear"):
            searcher(name, Linear(), {"C": [0.1, 1.0]}, scoring=scorer).fit(X, Y)

    def test_a_rare_class(self, name):
        with refused("1 with 3 rows", "5 folds", "cv=3"):
            searcher(name, Logistic(), {"C": [0.1, 1.0]}, cv=5).fit(X, RARE)

    def test_a_class_of_as_many_rows_as_folds(self, name):
        search = searcher(name, Logistic(), {"C": [0.1, 1.0]}, cv=3, scoring="accuracy")
        if name.startswith("Halving"):
            # The first round takes few rows, among which there may be none of the class.
            search.set_params(min_resources=60)
        search.fit(X, RARE)
        assert Logistic.fits > 0

    def test_parameters_are_as_before_when_a_search_is_refused(self, name):
        search = searcher(name, Logistic(), {"C": [1.0, -1.0]})
        before = search.get_params(deep=False)
        with refused():
            search.fit(X, Y)
        after = search.get_params(deep=False)
        assert all(after[parameter] is value for parameter, value in before.items())


@pytest.mark.parametrize("name", ["GridSearchCV", "RandomizedSearchCV", "TPESearchCV"])
def test_one_metric_of_several(name):
    scoring = {"f1": "f1", "area": "roc_auc", "loss": "neg_log_loss"}
    search = searcher(name, Linear(), {"C": [0.1, 1.0]}, scoring=scoring, refit="f1")
    with refused("'loss'", "predict_proba"):
        search.fit(X, Y)


@pytest.mark.parametrize("name", ["RandomizedSearchCV", "BayesSearchCV", "TPESearchCV"])
@pytest.mark.parametrize(
    "C", [(0.0, 4.0), Real(-1.0, 4.0), (-1, 3)], ids=["tuple", "Real", "whole numbers"]
)
def test_ends_of_ranges(name, C):
    with refused("'C'", "range"):
        searcher(name, Vectors(), {"C": C}).fit(X, Y)


def test_halving_draws_from_every_kind_of_space():
    search = searcher("HalvingRandomSearchCV", Logistic(), {"C": (1e-3, 10.0, "log-uniform")})
    drawn = [one["C"] for one in search.fit(X, Y).cv_results_["params"]]
    assert all(1e-3 <= one <= 10 for one in drawn)
    assert len(set(drawn)) == 2


def test_halving_of_no_grid():
    with refused("no candidate"):
        searcher("HalvingGridSearchCV", Logistic(), []).fit(X, Y)


@pytest.mark.parametrize("name", ["HalvingGridSearchCV"])
def test_values_in_a_tuple_of_a_grid_are_choices(name):
    search = searcher(name, Logistic(), {"C": (1.0, 0.1)}).fit(X, Y)
    assert {one["C"] for one in search.cv_results_["params"]} == {1.0, 0.1}


# ---------------------------------------------------------------- values


def check_values(estimator, *spaces):
    refuse_bad_values(
        estimator,
        [
            [(name, space[name], dimension) for name, dimension in understood(space)[0].items()]
            for space in spaces
        ],
    )


@pytest.mark.parametrize(
    "C",
    [
        uniform(0, 4),
        expon(),
        norm(1, 1),
        loguniform(1e-3, 1e3),
        (1e-3, 1e3),
        np.array([0.5, 1]),
        [np.float32(1)],
    ],
    ids=["open end", "half open", "unbounded", "log", "tuple", "array", "float32"],
)
def test_values_that_may_be_fine(C):
    check_values(SVC(), {"C": C})


@pytest.mark.parametrize("degree", [randint(-2, 4), poisson(3, loc=-2), (-1, 3), [2, 2.5]])
def test_whole_numbers_that_cannot_be(degree):
    with pytest.raises(InvalidParameterError, match="'degree'"):
        check_values(SVC(), {"degree": degree})


@pytest.mark.parametrize("C", [uniform(-1, 2), expon(loc=-1)])
def test_a_distribution_that_reaches_too_far(C):
    with pytest.raises(InvalidParameterError, match="'C'"):
        check_values(SVC(), {"C": C})


def test_a_value_of_an_estimator_that_is_searched_itself():
    pipeline = make_pipeline(StandardScaler(), SVC())
    space = {"svc": [Ridge(), LogisticRegression()], "svc__C": [1.0, 0.0]}
    with pytest.raises(InvalidParameterError, match="LogisticRegression"):
        check_values(pipeline, space)
    # Of a Ridge, which has no C, nothing is known.
    check_values(pipeline, space | {"svc": [Ridge()]})
    check_values(pipeline, {"svc": [LogisticRegression()], "svc__C": [1.0]})
    assert space["svc"][1].C == 1.0


def test_alternatives_are_checked_each_and_a_mistake_told_once():
    with pytest.raises(InvalidParameterError) as caught:
        check_values(SVC(), {"C": [0, 0, 1]}, {"C": [0]}, {"kernel": ["lines"]})
    assert str(caught.value).count("'C'") == 1
    assert "kernel" in str(caught.value)


def test_who_switched_scikit_learns_validation_off_is_not_held_up():
    with sklearn.config_context(skip_parameter_validation=True):
        check_values(SVC(), {"C": [0]})


def test_an_estimator_without_constraints_is_not_asked():
    class Own(ClassifierMixin, BaseEstimator):
        def __init__(self, C=1.0):
            self.C = C

    check_values(Own(), {"C": ["anything", None]})


def test_categorical_of_scikit_optimize():
    with pytest.raises(InvalidParameterError, match="kernel"):
        check_values(SVC(), {"kernel": Categorical(["rbf", "lines"])})


def test_possible_estimators_leave_those_of_the_space_alone():
    pipeline = make_pipeline(StandardScaler(), SVC())
    regression = LogisticRegression()
    space = {"svc__solver": ["saga"], "svc": [regression, Ridge(), LinearSVC()], "svc__C": (1, 2)}
    possible = list(with_choices(pipeline, understood(space)[0]))
    # A LinearSVC has no solver.
    assert [type(one[-1]) for one in possible] == [LogisticRegression, Ridge]
    assert [one[-1].solver for one in possible] == ["saga", "saga"]
    assert regression.solver == "lbfgs"


# ---------------------------------------------------------------- metrics


def check_scorers(estimator, scoring, space=None):
    alternatives = (
        [] if space is None else [[(n, None, d) for n, d in understood(space)[0].items()]]
    )
    refuse_unanswerable_scorers(estimator, scoring, alternatives)


class Delegating(ClassifierMixin, BaseEstimator):
    """Has what the estimator has that its fit makes."""

    def __init__(self, make=LogisticRegression):
        self.make = make

    def fit(self, X, y):
        self.made_ = self.make().fit(X, y)
        return self

    def __getattr__(self, name):
        if name.startswith("__") or "made_" not in vars(self):
            raise AttributeError(name)
        return getattr(self.made_, name)


@pytest.mark.parametrize(
    ("estimator", "scoring", "space"),
    [
        (LinearSVC(), "roc_auc", None),
        (LinearSVC(), ["f1", "average_precision"], None),
        (LinearSVC(), None, None),
        (LinearSVC(), lambda estimator, X, y: 0.0, None),
        (LinearSVC(), make_scorer(roc_auc_score), None),
        (Ridge(), "r2", None),
        (SGDClassifier(), "neg_log_loss", {"loss": ["hinge", "log_loss"]}),
        (SGDClassifier(), "neg_log_loss", {"loss": ["log_loss"], "alpha": (0.1, 1.0)}),
        (make_pipeline(StandardScaler(), LinearSVC()), "roc_auc", None),
        (
            make_pipeline(StandardScaler(), LinearSVC()),
            "neg_log_loss",
            {"linearsvc": [LinearSVC(), LogisticRegression()]},
        ),
        (make_pipeline(StandardScaler(), LogisticRegression()), "neg_log_loss", None),
        # What these will have is decided by their fit.
        (StackingClassifier([("a", LogisticRegression())]), "neg_log_loss", None),
        (Delegating(), "roc_auc", None),
        (GridSearchCV(SGDClassifier(), {"loss": ["log_loss"]}), "neg_log_loss", None),
        (KerasMLPClassifier(), "neg_log_loss", {"neurons": [2, 3]}),
        # Not for this check to say.
        (LinearSVC(), "no such metric", None),
    ],
)
def test_metrics_that_may_be_fine(estimator, scoring, space):
    check_scorers(estimator, scoring, space)


@pytest.mark.parametrize(
    ("estimator", "scoring", "space"),
    [
        (LinearSVC(), "neg_log_loss", None),
        (SVC(), "neg_log_loss", {"C": [0.1, 1.0]}),
        (SVC(), ["f1", "neg_brier_score"], {"kernel": ["rbf", "linear"], "C": (0.1, 1.0)}),
        (SGDClassifier(loss="log_loss"), "neg_log_loss", {"loss": ["hinge", "squared_hinge"]}),
        (make_pipeline(StandardScaler(), LinearSVC()), "neg_log_loss", None),
        (
            make_pipeline(StandardScaler(), LogisticRegression()),
            "neg_log_loss",
            {"logisticregression": [LinearSVC(), Ridge()]},
        ),
        (Ridge(), "roc_auc", {"alpha": [1.0]}),
        (KerasMLPRegressor(), "average_precision", None),
    ],
)
def test_metrics_that_no_candidate_can_answer(estimator, scoring, space):
    with pytest.raises(InvalidParameterError, match="predict_proba"):
        check_scorers(estimator, scoring, space)


def test_the_reason_why_a_method_is_not_there():
    with pytest.raises(InvalidParameterError, match="hinge"):
        check_scorers(SGDClassifier(), "neg_log_loss")


def test_too_many_candidates_to_look_at_are_let_go_on():
    words = [f"{number}" for number in range(30)]
    check_scorers(SGDClassifier(), "neg_log_loss", {"penalty": words, "learning_rate": words})


# ---------------------------------------------------------------- folds


@pytest.mark.parametrize(
    "splitter",
    [StratifiedKFold(4), StratifiedGroupKFold(4), RepeatedStratifiedKFold(n_splits=4, n_repeats=9)],
)
def test_rare_classes_of_stratified_folds(splitter):
    with pytest.raises(InvalidParameterError, match=r"4 folds.*: 1 with 3 rows\. Take cv=3"):
        refuse_rare_classes(splitter, RARE)
    refuse_rare_classes(splitter, np.r_[RARE, 1])


def test_labels_are_named_as_they_are():
    y = ["sick"] * 2 + ["lost"] + ["well"] * 9
    with pytest.raises(InvalidParameterError, match=r"'lost' with 1 row, 'sick' with 2 rows\. A s"):
        refuse_rare_classes(StratifiedKFold(3), y)


@pytest.mark.parametrize("splitter", [KFold(4), ShuffleSplit(4), StratifiedShuffleSplit(4)])
def test_other_splitters_do_not_deal_classes_out(splitter):
    refuse_rare_classes(splitter, RARE)


@pytest.mark.parametrize("y", [None, np.linspace(0, 1, 20), 1 - np.eye(20, dtype=int), [0, 1]])
def test_targets_that_are_not_for_this_check_to_say(y):
    refuse_rare_classes(StratifiedKFold(4), y)


def test_who_asks_for_the_estimators_own_score_gets_scikit_learns_warning():
    search = searcher("GridSearchCV", LogisticRegression(), {"C": [1.0]}, cv=5, scoring=None)
    with pytest.warns(UserWarning, match="least populated"):
        search.fit(X, RARE)


def test_an_error_of_the_splitter_is_its_own():
    class Broken(KFold):
        def split(self, X, y=None, groups=None):
            raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        searcher("GridSearchCV", Logistic(), {"C": [1.0]}, cv=Broken(2)).fit(X, Y)


def test_folds_are_drawn_once():
    folds = SomeFolds(ShuffleSplit(3))
    first, again = (list(folds.split(X)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])


# ---------------------------------------------------------------- private names


def test_what_scikit_learn_keeps_under_private_names():
    assert "C" in constraints_of(SVC())
    assert not constraints_of(functools.partial(SVC))
    assert response_methods_of(get_scorer("roc_auc")) == ("decision_function", "predict_proba")
    assert response_methods_of(get_scorer("neg_log_loss")) == ("predict_proba",)
    assert response_methods_of(lambda estimator, X, y: 0.0) == ()
