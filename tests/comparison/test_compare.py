"""`compare`: nested, paired, repeated, reproducible."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_matrix
from scipy.stats import ttest_1samp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import check_random_state

from skhp.comparison.compare import compare

pytestmark = pytest.mark.slow

QUICK = {"n_repeats": 2, "n_seeds": 1, "cv": 3, "baseline": "dummy"}
X, Y = make_classification(90, weights=[0.7], class_sep=0.6, random_state=0)


def without_seconds(comparison):
    return comparison.frame.drop(columns="seconds")


def without_adjustment(comparison):
    # What the number of estimators has a say in.
    return without_seconds(comparison).drop(columns="p_value_adjusted")


class Recorder(ClassifierMixin, BaseEstimator):
    """Writes down the rows, known by their first column, that it is given."""

    events = ()

    def __init__(self, name="", depth=1):
        self.name = name
        self.depth = depth

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.events.append((self.name, "fit", frozenset(X[:, 0])))
        return self

    def predict(self, X):
        self.events.append((self.name, "predict", frozenset(X[:, 0])))
        return np.where(X[:, 1] > 0, *self.classes_[::-1])


@pytest.fixture
def events(monkeypatch):
    recorded = []
    monkeypatch.setattr(Recorder, "events", recorded)
    return recorded


@pytest.fixture
def numbered():
    return np.c_[np.arange(90), X]


def test_a_search_never_sees_the_rows_that_it_is_scored_on(events, numbered):
    search = GridSearchCV(Recorder("inner"), {"depth": [1, 2]}, cv=2)
    compare({"search": search}, numbered, Y, **QUICK)
    # Of each outer split: 2 candidates x 2 folds of a fit and a prediction, the refit, the score.
    assert len(events) == 2 * 3 * 10
    tested = []
    for begin in range(0, len(events), 10):
        *tuning, refit, (_, what, test) = events[begin : begin + 10]
        assert what == "predict"
        assert refit[1:] == ("fit", frozenset(range(90)) - test)
        assert all(rows < refit[2] for _, _, rows in tuning)
        tested.append(test)
    for repeat in (tested[:3], tested[3:]):
        assert sorted(row for test in repeat for row in test) == list(range(90))
    assert set(tested[:3]).isdisjoint(tested[3:])


def test_all_are_scored_on_the_same_splits(events, numbered):
    given = {"a": Recorder("a"), "b": Recorder("b")}
    compare(given, numbered, Y, **QUICK | {"baseline": Recorder("baseline")})
    splits = {
        name: [event[1:] for event in events if event[0] == name] for name in ("a", "b", "baseline")
    }
    assert len(splits["a"]) == 2 * 3 * 2
    assert splits["a"] == splits["b"] == splits["baseline"]


def test_scores_are_those_of_cross_validate_on_stratified_folds():
    estimator = LogisticRegression()
    comparison = compare({"regression": estimator}, X, Y, **QUICK | {"n_repeats": 3})
    # Fixed here, so that nobody changes by accident what a random_state stands for.
    seeds = check_random_state(0).randint(2**31 - 1, size=3)
    table = comparison.scores.query("estimator == 'regression'")
    for repeat, seed in enumerate(seeds):
        folds = StratifiedKFold(3, shuffle=True, random_state=seed)
        expected = cross_validate(estimator, X, Y, cv=folds, scoring=["precision", "recall", "f1"])
        for metric in ("precision", "recall", "f1"):
            of_repeat = table[(table["repeat"] == repeat) & (table["metric"] == metric)]
            np.testing.assert_allclose(of_repeat["score"], expected[f"test_{metric}"])


def test_the_frame_follows_from_the_scores():
    given = {"tree": DecisionTreeClassifier(max_features=3)}
    comparison = compare(
        given, X, Y, baseline=LogisticRegression(), n_repeats=4, cv=5, n_seeds=4, scoring="accuracy"
    )
    by_name = {
        name: table.pivot_table("score", "repeat", "fold").to_numpy()
        for name, table in comparison.scores.groupby("estimator")
    }
    row = comparison.frame.loc[("tree", "accuracy")]
    assert row["mean"] == pytest.approx(by_name["tree"].mean())
    assert row["std"] == pytest.approx(by_name["tree"].mean(axis=1).std(ddof=1))
    # The plain test is the oracle: its error is s / sqrt(n), that of the corrected one larger.
    differences = (by_name["tree"] - by_name["LogisticRegression"]).ravel()
    plain = ttest_1samp(differences, 0.0)
    factor = np.sqrt((1 / 20 + 18 / 72) / (1 / 20))
    low, high = plain.confidence_interval()
    assert row["difference"] == pytest.approx(differences.mean())
    assert row["difference_high"] - row["difference_low"] == pytest.approx((high - low) * factor)
    assert (row["difference_low"] > 0 or row["difference_high"] < 0) == (row["p_value"] < 0.05)
    by_seed = comparison.seed_scores.query("estimator == 'tree'")
    by_seed = by_seed.pivot_table("score", "seed", "fold").to_numpy()
    assert by_seed.shape == (4, 5)
    np.testing.assert_array_equal(by_seed[0], by_name["tree"][0])
    assert row["seed_std"] == pytest.approx(by_seed.mean(axis=1).std(ddof=1)) != 0
    of_baseline = comparison.frame.loc[("LogisticRegression", "accuracy")]
    assert of_baseline[["difference", "difference_low", "p_value"]].isna().all()
    # Its seed changes nothing, since its solver does not draw.
    assert of_baseline["seed_std"] == 0


def test_what_takes_no_seed_has_no_luck_with_it():
    # Before others, whose scores must not be taken for those of its seeds.
    given = {"sign": SignClassifier(), "tree": DecisionTreeClassifier()}
    comparison = compare(given, X, Y, **QUICK | {"n_seeds": 3})
    assert comparison.frame.loc[("sign", "f1"), "seed_std"] == 0
    assert set(comparison.seed_scores["estimator"]) == {"tree"}
    alone = compare({"tree": given["tree"]}, X, Y, **QUICK | {"n_seeds": 3})
    pd.testing.assert_frame_equal(
        without_adjustment(comparison).loc[["tree"]], without_adjustment(alone).loc[["tree"]]
    )


class SignClassifier(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.where(X[:, 0] > 0, *self.classes_)


def test_a_random_state_gives_the_same_again_and_another_does_not():
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(2, max_depth=2, random_state=0))
    first, again = (compare({"forest": forest}, X, Y, **QUICK) for _ in range(2))
    other = compare({"forest": forest}, X, Y, **QUICK, random_state=1)
    pd.testing.assert_frame_equal(without_seconds(first), without_seconds(again))
    assert not without_seconds(first).equals(without_seconds(other))
    # Of the estimators that are compared, none changes the draws of another.
    more = compare({"sign": SignClassifier(), "forest": forest}, X, Y, **QUICK)
    pd.testing.assert_frame_equal(
        without_adjustment(more).drop(index="sign", level="estimator"), without_adjustment(first)
    )


def test_every_fit_has_a_seed_of_its_own_and_the_given_estimator_none(events, numbered):
    class Seeded(Recorder):
        def __init__(self, random_state=7):
            self.random_state = random_state
            super().__init__()

        def fit(self, X, y):
            seeds.append(self.random_state)
            return super().fit(X, y)

    seeds = []
    given = Seeded()
    compare({"seeded": given}, numbered, Y, **QUICK | {"n_seeds": 3})
    assert len(seeds) == len(set(seeds)) == 2 * 3 + 2 * 3
    assert given.random_state == 7


def test_more_classes_are_scored_by_the_mean_over_them():
    flowers, species = load_iris(return_X_y=True)
    comparison = compare({"tree": DecisionTreeClassifier()}, flowers, species, **QUICK)
    assert comparison.rare_class is None
    assert comparison.frame.loc[("tree", "f1"), "mean"] > 0.85
    assert comparison.confusion.loc["tree"].to_numpy().sum() == 150
    assert "means of all classes" in str(comparison)


def test_regressors_are_compared_by_the_metrics_of_numbers():
    patients, progression = load_diabetes(return_X_y=True)
    given = {"tree": DecisionTreeRegressor(max_depth=2)}
    comparison = compare(given, patients, progression, **QUICK | {"baseline": Ridge(0.1)})
    assert comparison.metrics == ("r2", "neg_mean_absolute_error")
    assert comparison.confusion is None
    assert "the R2 of tree is 0." in comparison.verdict()
    dummy = compare(given, patients, progression, **QUICK).frame
    assert dummy.loc[("dummy", "r2"), "mean"] == pytest.approx(0, abs=0.05)
    boosted = compare(
        given,
        patients,
        progression,
        **QUICK | {"baseline": "gradient_boosting", "n_repeats": 1, "cv": 2},
    ).frame
    assert boosted.loc[("gradient_boosting", "r2"), "mean"] > 0.2


@pytest.mark.parametrize("baseline", ["logistic", "gradient_boosting"])
def test_named_baselines_take_tables_as_they_are(patients, baseline):
    # Boosting asks for 20 rows on each side of a cut.
    table = pd.concat([patients] * 3)
    settings = {"cv": 2, "n_repeats": 1, "n_seeds": 1, "baseline": baseline}
    comparison = compare(
        {"dummy": DummyClassifier()}, table.drop(columns="state"), table["state"], **settings
    )
    # The state is known by the age, and a dummy that says "well" always finds nobody.
    assert comparison.frame.loc[(baseline, "f1"), "mean"] > 0.8
    assert comparison.frame.loc[("dummy", "f1"), "mean"] == 0


def test_logistic_is_tuned_within_each_split():
    comparison = compare(
        {"dummy": DummyClassifier()}, X, Y, **QUICK | {"baseline": "logistic", "n_repeats": 1}
    )
    by_hand = compare({"strong": LogisticRegression(C=1e-3)}, X, Y, **QUICK | {"n_repeats": 1})
    assert (
        comparison.frame.loc[("logistic", "f1"), "mean"]
        > by_hand.frame.loc[("strong", "f1"), "mean"]
    )


def test_repeats_of_the_same_splits_are_seeds_alone():
    splits = list(StratifiedKFold(4).split(X, Y))
    tree = DecisionTreeClassifier(max_features=1)
    settings = {"n_repeats": 3, "n_seeds": 2, "baseline": SignClassifier(), "scoring": "accuracy"}
    comparison = compare({"tree": tree}, X, Y, cv=splits, **settings)
    assert not comparison.drawn_anew
    row = comparison.frame.loc[("tree", "accuracy")]
    table = comparison.scores.pivot_table("score", "fold", "estimator")
    # Mean of the repeats in each fold: 4 values, not 12.
    differences = table["tree"] - table["SignClassifier"]
    low, high = ttest_1samp(differences, 0.0).confidence_interval()
    width = (high - low) * np.sqrt((1 / 4 + 1 / 3) / (1 / 4))
    assert row["difference_high"] - row["difference_low"] == pytest.approx(width, rel=1e-2)
    assert row["seed_std"] == row["std"] > 0


@pytest.mark.parametrize(
    ("cv", "drawn_anew", "n_folds"),
    [(ShuffleSplit(4, test_size=0.2), True, 4), (TimeSeriesSplit(3), False, 3)],
)
def test_a_splitter_is_given_seeds_if_it_takes_them(cv, drawn_anew, n_folds):
    comparison = compare({"sign": SignClassifier()}, X, Y, **QUICK | {"cv": cv})
    assert (comparison.drawn_anew, comparison.n_folds) == (drawn_anew, n_folds)
    by_repeat = (
        comparison.scores.query("estimator == 'sign'").groupby("repeat")["score"].apply(list)
    )
    assert (by_repeat[0] != by_repeat[1]) == drawn_anew
    assert getattr(cv, "random_state", None) is None


def test_workers_give_the_same():
    forest = RandomForestClassifier(2, max_depth=2)
    alone, shared = (
        compare({"forest": forest}, X, Y, **QUICK | {"n_repeats": 1}, n_jobs=n) for n in (None, 2)
    )
    pd.testing.assert_frame_equal(without_seconds(alone), without_seconds(shared))


def test_large_tables_are_fitted_in_several_turns(monkeypatch):
    whole = compare({"tree": DecisionTreeClassifier()}, X, Y, **QUICK)
    monkeypatch.setattr("skhp.comparison.outer_fits._MOST_CELLS_TOGETHER", 4 * X.size)
    parted = compare({"tree": DecisionTreeClassifier()}, X, Y, **QUICK)
    pd.testing.assert_frame_equal(without_seconds(whole), without_seconds(parted))


def test_a_sparse_table_of_any_format_is_taken():
    given = {"tree": DecisionTreeClassifier(max_depth=2)}
    dense, coordinates = (
        compare(given, table, Y, **QUICK | {"n_repeats": 1}) for table in (X, coo_matrix(X))
    )
    pd.testing.assert_frame_equal(without_seconds(dense), without_seconds(coordinates))


def test_a_scorer_that_returns_no_number_is_refused():
    def answers(estimator, table, labels):
        return estimator.predict(table)

    with pytest.raises(ValueError, match=r"scorer 'mine' returned .* give a scorer that returns a"):
        compare({"sign": SignClassifier()}, X, Y, **QUICK | {"scoring": {"mine": answers}})


def test_a_comparison_is_pickled():
    comparison = compare({"tree": DecisionTreeClassifier()}, X, Y, **QUICK)
    again = pickle.loads(pickle.dumps(comparison))
    pd.testing.assert_frame_equal(again.frame, comparison.frame)
    assert str(again) == str(comparison)


def test_an_error_of_a_fit_is_raised():
    class Failing(SignClassifier):
        def fit(self, X, y):
            raise ZeroDivisionError("in a fit")

    with pytest.raises(ZeroDivisionError, match="in a fit"):
        compare({"failing": Failing()}, X, Y, **QUICK)
