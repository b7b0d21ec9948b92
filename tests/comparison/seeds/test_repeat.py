"""Trainings with many seeds, against scikit-learn's `cross_validate` and against lone fits."""

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LinearRegression, SGDClassifier, SGDRegressor
from sklearn.metrics import f1_score, make_scorer, roc_auc_score
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skhp import GridSearchCV, KerasClassifier, KerasMLPClassifier, repeat
from tests.estimators.keras_model.build_functions import build_classifier

X, Y = make_classification(120, 6, flip_y=0.3, weights=[0.7], random_state=0)
LABELS = np.where(Y == 1, "sick", "well")
TREE = DecisionTreeClassifier(max_features=1, max_depth=3)
FOLDS = StratifiedKFold(3)
NETWORK = KerasMLPClassifier(neurons=4, epochs=8, learning_rate=0.01)


def by_scikit_learn(estimator, seed, X=X, y=Y, name="random_state", **settings):
    seeded = clone(estimator).set_params(**{name: seed})
    found = cross_validate(seeded, X, y, **settings)
    return {key[5:]: scores for key, scores in found.items() if key.startswith("test_")}


def assert_as_cross_validate(repeats, estimator, seeds, names=None, **settings):
    assert repeats.seeds == tuple(seeds)
    for seed in seeds:
        for metric, expected in by_scikit_learn(estimator, seed, **settings).items():
            found = repeats.scores.loc[seed, (names or {}).get(metric, metric)]
            np.testing.assert_array_equal(found, expected)


class TestScores:
    @pytest.mark.parametrize(
        ("scoring", "names"),
        [
            ("accuracy", {"score": "accuracy"}),
            (None, {}),
            (["accuracy", "neg_log_loss"], {}),
            ({"mine": make_scorer(f1_score)}, {}),
            (lambda fitted, X, y: float(fitted.score(X, y)), {}),
            (lambda fitted, X, y: {"a": fitted.score(X, y), "b": 1.0}, {}),
        ],
        ids=["name", "own", "names", "dict", "function", "function of several"],
    )
    def test_are_those_of_cross_validate(self, scoring, names):
        repeats = repeat(TREE, X, Y, 4, cv=FOLDS, scoring=scoring)
        assert_as_cross_validate(repeats, TREE, range(4), names, cv=FOLDS, scoring=scoring)
        assert len(repeats.scores) == 4 * 3
        assert repeats.by_seed.iloc[:, 0].nunique() > 1

    def test_auto_is_the_f1_of_the_rarer_class(self):
        repeats = repeat(TREE, X, LABELS, 2, cv=FOLDS)
        scorer = make_scorer(f1_score, pos_label="sick")
        names = {"score": "f1"}
        assert_as_cross_validate(repeats, TREE, range(2), names, y=LABELS, cv=FOLDS, scoring=scorer)
        three = np.r_[Y[:80], np.full(40, 2)]
        assert repeat(TREE, X, three, 1).metrics == ("f1_macro",)
        assert repeat(SGDRegressor(), X, X[:, 0], 1).metrics == ("score",)

    @pytest.mark.parametrize(
        ("estimator", "y", "splitter"),
        [
            (TREE, Y, StratifiedShuffleSplit(1, test_size=0.25, random_state=5)),
            (SGDRegressor(), X[:, 0], ShuffleSplit(1, test_size=0.25, random_state=5)),
        ],
        ids=["classes", "numbers"],
    )
    def test_a_quarter_of_the_rows_is_held_out_for_all_seeds(self, estimator, y, splitter):
        repeats = repeat(estimator, X, y, 3, scoring=None, random_state=5)
        assert_as_cross_validate(repeats, estimator, (5, 6, 7), y=y, cv=splitter)
        assert (repeats.n_train, repeats.n_test, repeats.n_splits) == (90, 30, 1)

    def test_without_a_target(self):
        repeats = repeat(KMeans(2, n_init=1), X, n=2, random_state=3)
        splitter = ShuffleSplit(1, test_size=0.25, random_state=3)
        assert_as_cross_validate(repeats, KMeans(2, n_init=1), (3, 4), y=None, cv=splitter)

    def test_one_hot_rows_are_classes(self, trained_together):
        with trained_together() as sizes:
            found = repeat(NETWORK, X, np.eye(2)[Y], 2, scoring=["f1", "roc_auc"])
        assert sizes == [2]
        expected = repeat(NETWORK, X, Y, 2, scoring=["f1", "roc_auc"])
        np.testing.assert_allclose(found.by_seed, expected.by_seed, atol=1e-6)

    def test_groups_are_held_out_whole(self):
        groups = np.arange(120) % 8
        for cv, splitter in (
            (None, GroupShuffleSplit(1, test_size=0.25, random_state=0)),
            (GroupKFold(2), GroupKFold(2)),
        ):
            repeats = repeat(TREE, X, Y, 2, scoring=None, cv=cv, groups=groups)
            assert_as_cross_validate(repeats, TREE, range(2), cv=splitter, groups=groups)

    def test_splits_are_drawn_once(self):
        repeats = repeat(LinearlyTold(), X, Y, 3, cv=ShuffleSplit(2, random_state=None))
        assert repeats.by_seed["f1"].nunique() == 1

    def test_weights_are_cut_with_the_rows(self):
        weights = np.where(Y == 1, 20.0, 1.0)
        settings = {"cv": FOLDS, "params": {"sample_weight": weights}}
        repeats = repeat(TREE, X, Y, 2, scoring=None, **settings)
        assert_as_cross_validate(repeats, TREE, range(2), **settings)
        plain = repeat(TREE, X, Y, 2, scoring=None, cv=FOLDS)
        assert not plain.scores.equals(repeats.scores)

    def test_metadata_is_routed(self):
        weights = np.random.default_rng(0).uniform(0, 9, 120)
        with sklearn.config_context(enable_metadata_routing=True):
            tree = clone(TREE).set_fit_request(sample_weight=False)
            scoring = make_scorer(roc_auc_score).set_score_request(sample_weight=True)
            settings = {"cv": FOLDS, "scoring": scoring, "params": {"sample_weight": weights}}
            assert_as_cross_validate(repeat(tree, X, Y, 2, **settings), tree, range(2), **settings)
            with pytest.raises(ValueError, match=r"params=\{'groups': groups\}"):
                repeat(tree, X, Y, 2, groups=Y)


class LinearlyTold(ClassifierMixin, BaseEstimator):
    """Has a seed, and draws nothing."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[(X[:, 0] > 0).astype(int)]


class TestSeeds:
    def test_an_int_is_the_first(self):
        assert repeat(TREE, X, Y, 3, random_state=41).seeds == (41, 42, 43)

    @pytest.mark.parametrize("state", [None, np.random.RandomState(3)], ids=["none", "state"])
    def test_others_are_drawn_and_told(self, state):
        repeats = repeat(TREE, X, Y, 3, random_state=state, cv=FOLDS, scoring=None)
        assert len(set(repeats.seeds)) == 3
        assert_as_cross_validate(repeats, TREE, repeats.seeds, cv=FOLDS)

    def test_every_nested_one_is_set(self):
        pipeline = make_pipeline(StandardScaler(), GridSearchCV(TREE, {"max_depth": [2, 3]}, cv=2))
        repeats = repeat(pipeline, X, Y, 2, return_estimator=True)
        trees = [fitted[-1].best_estimator_ for fitted in repeats.estimators]
        assert [tree.random_state for tree in trees] == [0, 1]
        assert TREE.random_state is None
        assert repeats.estimator == "GridSearchCV"


class TestNetworks:
    @pytest.mark.parametrize("most_cells", [None, 2 * X.size], ids=["at once", "in turns"])
    def test_of_all_seeds_and_splits_train_together_as_if_alone(
        self, most_cells, trained_together, monkeypatch
    ):
        if most_cells is not None:
            monkeypatch.setattr("skhp.comparison.outer_fits._MOST_CELLS_TOGETHER", most_cells)
        pipeline = make_pipeline(StandardScaler(), NETWORK)
        folds = StratifiedKFold(2)
        with trained_together() as sizes:
            repeats = repeat(pipeline, X, Y, 3, cv=folds, scoring="roc_auc", return_estimator=True)
        assert sizes == ([6] if most_cells is None else [2, 2, 2])
        for seed in range(3):
            name = "kerasmlpclassifier__random_state"
            expected = by_scikit_learn(pipeline, seed, name=name, cv=folds, scoring="roc_auc")
            np.testing.assert_allclose(
                repeats.scores.loc[seed, "roc_auc"], expected["score"], atol=5e-3
            )
        networks = [fitted[-1] for fitted in repeats.estimators]
        assert [network.random_state for network in networks] == [0, 0, 1, 1, 2, 2]
        for column in ("n_iter", "best_epoch"):
            told = [getattr(network, f"{column}_") for network in networks]
            assert repeats.trainings[column].tolist() == told
        assert len({network.history_["loss"][-1] for network in networks}) == 6
        assert not hasattr(NETWORK, "history_")

    def test_wrapped_models(self, trained_together):
        wrapped = KerasClassifier(build_classifier, epochs=3, optimizer="adam")
        with trained_together() as sizes:
            repeats = repeat(wrapped, X, Y, 2, scoring="neg_log_loss", random_state=7)
        assert sizes == [2]
        expected = by_scikit_learn(
            wrapped,
            7,
            cv=StratifiedShuffleSplit(1, test_size=0.25, random_state=7),
            scoring="neg_log_loss",
        )
        assert repeats.values[0] == pytest.approx(expected["score"][0], abs=1e-3)
        assert repeats.values[0] != repeats.values[1]
        assert repeats.lower_is_better == {"neg_log_loss"}


class Refusing(LinearlyTold):
    """Refuses an odd seed."""

    def fit(self, X, y):
        if self.random_state % 2:
            raise RuntimeError(f"odd seed {self.random_state % 2}")
        return super().fit(X, y)


class TestErrors:
    def test_have_a_score_and_are_told(self):
        with pytest.warns(FitFailedWarning, match=r"2 times:\nRuntimeError: odd seed 1"):
            repeats = repeat(Refusing(), X, Y, 4, error_score=-1.0, return_estimator=True)
        assert (repeats.values == -1).tolist() == [False, True, False, True]
        assert [fitted is None for fitted in repeats.estimators] == [False, True, False, True]

    def test_of_a_metric_among_others(self):
        def fails(fitted, X, y):
            raise OSError("no disk")

        with pytest.warns(FitFailedWarning, match="OSError: no disk"):
            repeats = repeat(TREE, X, Y, 2, scoring={"acc": "accuracy", "bad": fails})
        assert repeats.scores["acc"].notna().all()
        assert repeats.scores["bad"].isna().all()

    def test_are_raised_if_asked(self):
        with pytest.raises(RuntimeError, match="odd seed"):
            repeat(Refusing(), X, Y, 4, error_score="raise")

    def test_of_all_trainings_are_raised(self):
        with pytest.raises(ValueError, match="All 1 trainings failed") as error:
            repeat(Refusing(), X, Y, 1, random_state=1)
        assert isinstance(error.value.__cause__, RuntimeError)

    def test_of_networks(self):
        with pytest.raises(ValueError, match=r"(?s)All 2 trainings failed.*'epochs'"):
            repeat(clone(NETWORK).set_params(epochs=0), X, Y, 2)


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"n": 0}, "'n' parameter of repeat"),
            ({"n": 2.5}, "'n' parameter of repeat"),
            ({"scoring": "f2"}, "'scoring' parameter"),
            ({"random_state": -1}, "'random_state' parameter"),
            ({"random_state": 2**32 - 2}, "the last may be at most 4294967295"),
            ({"cv": "5"}, "'cv' parameter"),
            ({"cv": []}, "no split at all"),
            ({"error_score": "nan"}, "'error_score' parameter"),
            ({"estimator": LinearRegression()}, "nor a part of it has a parameter random_state"),
            ({"estimator": SGDClassifier}, "not an estimator"),
            ({"X": {"a": X, "b": X}}, "not a table"),
        ],
    )
    def test_before_any_training(self, changes, message):
        given = {"estimator": Refusing(), "X": X, "y": Y} | changes
        with pytest.raises(ValueError, match=message):
            repeat(**given)

    def test_scorers_of_no_number(self):
        with pytest.raises(ValueError, match="give a scorer that returns a number"):
            repeat(TREE, X, Y, 2, scoring=lambda fitted, X, y: None, error_score="raise")


@pytest.mark.parametrize(
    ("verbose", "shown"), [(0, ""), (1, "Training with each seed"), ("auto", "")]
)
def test_a_bar_is_shown_if_asked(verbose, shown, capsys):
    repeat(TREE, X, Y, 2, verbose=verbose)
    told = capsys.readouterr().err
    assert shown in told
    assert bool(told) == bool(shown)
