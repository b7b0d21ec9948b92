"""Candidates that end on the way, against searches that train all of them."""

import sqlite3

import joblib
import keras
import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import Pipeline as Imbalanced
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import (
    BayesSearchCV,
    GridSearchCV,
    HalvingGridSearchCV,
    InvalidParameterError,
    JournalMismatchError,
    KerasClassifier,
    KerasMLPClassifier,
    KerasMLPRegressor,
    RandomizedSearchCV,
)
from skhp.losses import FocalLoss
from skhp.networks.layered_network import LayeredNetwork
from skhp.networks.whole_models.called_network import CalledNetwork
from skhp.networks.whole_models.vectorized_model import VectorizedModel
from skhp.population.cohorts.running_cohort import MemberProgress
from skhp.shared.pipelines import last_step
from tests.search.journals import forget

pytestmark = pytest.mark.slow

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(160, 4))
Y = (X[:, 0] + GENERATOR.normal(size=160) / 2 > 0.3).astype(int)
FOLDS = StratifiedKFold(3)
NETWORK = KerasMLPClassifier(epochs=30, patience=4, random_state=0)
RATES = {"learning_rate": [0.0003, 0.1, 0.001, 0.03, 0.01, 0.003]}
RUNGS = (4, 9)
PRUNE = {"rungs": RUNGS, "factor": 2}


def search(prune=PRUNE, network=NETWORK, grid=RATES, **settings):
    settings = {"cv": FOLDS, "refit": False, "scoring": "roc_auc"} | settings
    return GridSearchCV(network, grid, prune=prune, **settings).fit(X, Y)


def expected_pruning(grid, rungs=RUNGS, factor=2, network=NETWORK, monitor="val_loss"):
    """By candidate, from fits that nothing pruned, the rung where it ends; NaN if at none."""
    (name, values), *_ = grid.items()
    histories = []
    for value in values:
        fitted = cross_validate(
            clone(network).set_params(**{name: value}), X, Y, cv=FOLDS, return_estimator=True
        )
        histories.append(
            [last_step(estimator).history_[monitor] for estimator in fitted["estimator"]]
        )
    left, ends = list(range(len(values))), np.full(len(values), np.nan)
    for rung in rungs:
        if monitor == "val_loss":
            best = [np.mean([min(losses[:rung]) for losses in histories[k]]) for k in left]
        else:
            best = [-np.mean([max(scores[:rung]) for scores in histories[k]]) for k in left]
        ranked = [left[k] for k in np.argsort(best, kind="stable")]
        kept = ranked[: -(-len(left) // factor)]
        for k in set(left) - set(kept):
            if any(len(losses) > rung for losses in histories[k]):
                ends[k] = rung
        left = kept
    return ends


@pytest.fixture(scope="module")
def pruned():
    return search()


class TestAgainstSearchesWithoutPruning:
    def test_the_lower_part_ends_at_each_rung(self, pruned):
        expected = expected_pruning(RATES)
        np.testing.assert_array_equal(pruned.cv_results_["pruned_at_epoch"], expected)
        assert set(expected[np.isfinite(expected)]) == set(RUNGS)

    def test_who_goes_on_is_what_it_would_be(self, pruned):
        whole = search(None)
        on = np.isnan(pruned.cv_results_["pruned_at_epoch"])
        for name in ("mean_n_iter", "mean_best_epoch", "stop_reason", "mean_test_score"):
            np.testing.assert_array_equal(pruned.cv_results_[name][on], whole.cv_results_[name][on])

    @pytest.mark.parametrize("rung", RUNGS)
    def test_who_ends_is_what_it_would_be_with_fewer_epochs(self, rung, pruned):
        shorter = search(None, clone(NETWORK).set_params(epochs=rung))
        at_rung = pruned.cv_results_["pruned_at_epoch"] == rung
        assert at_rung.any()
        for name in ("mean_n_iter", "mean_best_epoch", "mean_test_score"):
            np.testing.assert_array_equal(
                pruned.cv_results_[name][at_rung], shorter.cv_results_[name][at_rung]
            )

    def test_nothing_is_trained_twice(self, monkeypatch):
        epochs = {}
        advanced = MemberProgress.advanced

        def counted(watch, progress):
            epochs[watch] = sum(progress.epochs_of_members)
            advanced(watch, progress)

        monkeypatch.setattr(MemberProgress, "advanced", counted)
        results = search().cv_results_
        assert sum(epochs.values()) == 3 * results["mean_n_iter"].sum()

    def test_within_a_population_of_the_users(self, pruned):
        with skhp.population():
            other = search()
        for name in ("pruned_at_epoch", "mean_test_score"):
            np.testing.assert_array_equal(other.cv_results_[name], pruned.cv_results_[name])

    def test_in_several_cohorts_and_a_pipeline(self, pruned):
        pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), NETWORK)
        grid = {f"kerasmlpclassifier__{name}": values for name, values in RATES.items()}
        with joblib.parallel_config(n_jobs=2):
            other = search(network=pipeline, grid=grid)
        for name in ("pruned_at_epoch", "mean_test_score"):
            np.testing.assert_array_equal(other.cv_results_[name], pruned.cv_results_[name])


def test_a_penalty_does_not_count():
    """All learn alike, and differ by what is added to their loss alone."""
    network = clone(NETWORK).set_params(epochs=12, patience=12)
    grid = {"l2": [1e-9, 1e-7, 1e-8, 1e-12]}
    tiny = search({"rungs": (6,), "factor": 4}, network, grid)
    # The least loss is that of the least penalty, by far more than the weights differ.
    losses = [
        cross_validate(
            clone(network).set_params(l2=l2, epochs=6), X, Y, cv=FOLDS, return_estimator=True
        )["estimator"]
        for l2 in grid["l2"]
    ]
    held_out = [
        [
            min(estimator.history_["val_loss"])
            - l2 * sum(float((w**2).sum()) for w in estimator.model_.get_weights()[::2])
            for estimator in estimators
        ]
        for l2, estimators in zip(grid["l2"], losses, strict=True)
    ]
    best = int(np.argmin(np.mean(held_out, axis=1)))
    assert np.isnan(tiny.cv_results_["pruned_at_epoch"][best])


def test_losses_that_do_not_compare_are_ranked_apart():
    grid = {"class_weight": [None, {0: 50.0, 1: 50.0}, "balanced"], **RATES}
    results = search({"rungs": (4,), "factor": 6}, grid=grid).cv_results_
    on = np.isnan(results["pruned_at_epoch"])
    weights = [str(results["params"][k]["class_weight"]) for k in np.flatnonzero(on)]
    assert set(weights) == {"None", "{0: 50.0, 1: 50.0}", "balanced"}


def test_what_fails_is_pruned_first():
    with (
        pytest.warns(FitFailedWarning, match="3 fits failed"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        results = search(
            {"rungs": (4,), "factor": 1.5}, grid={"learning_rate": [1e30, 0.01, 0.001]}
        ).cv_results_
    assert np.isnan(results["mean_test_score"][0])
    assert np.isnan(results["pruned_at_epoch"]).all()


class TestTheBest:
    def test_was_not_pruned(self):
        """The scores of the test folds say the opposite of what was held out."""

        def worst(estimator, X, y):
            return -estimator.score(X, y)

        results = search(scoring=worst, refit=True)
        assert np.isnan(results.cv_results_["pruned_at_epoch"][results.best_index_])
        assert results.best_score_ < results.cv_results_["mean_test_score"].max()
        assert results.cv_results_["rank_test_score"][results.best_index_] > 1

    def test_is_up_to_a_callable(self):
        results = search(refit=lambda results: int(np.nanargmax(results["pruned_at_epoch"])))
        assert results.cv_results_["pruned_at_epoch"][results.best_index_] == RUNGS[-1]


@pytest.mark.parametrize(
    "make",
    [
        lambda **s: RandomizedSearchCV(NETWORK, RATES, n_iter=5, random_state=0, stop_after=9, **s),
        lambda **s: BayesSearchCV(NETWORK, {"learning_rate": (1e-3, 0.1)}, n_iter=8, **s),
        lambda **s: HalvingGridSearchCV(NETWORK, RATES, random_state=0, **s),
    ],
    ids=["random", "bayes", "halving"],
)
def test_other_searches(make):
    found = make(cv=FOLDS, prune=PRUNE).fit(X, Y)
    pruned = found.cv_results_["pruned_at_epoch"]
    assert np.isfinite(pruned).any()
    assert np.isnan(pruned[found.best_index_])
    assert hasattr(found.best_estimator_, "history_")


def test_regression():
    network = KerasMLPRegressor(epochs=20, random_state=0)
    found = GridSearchCV(network, RATES, cv=3, prune="halving").fit(X, X[:, 0])
    assert set(found.cv_results_["pruned_at_epoch"][:1]) == {6}


class TestWithAJournal:
    def test_what_is_missing_is_trained_to_the_same_bits(self, tmp_path, pruned):
        journal = tmp_path / "journal"
        first = search(journal=journal)
        for seed, keep in enumerate((1.0, 0.8, 0.5, 0.1)):
            forget(journal, keep, seed)
            again = search(journal=journal)
            for name, column in first.cv_results_.items():
                if "time" not in name:
                    np.testing.assert_array_equal(again.cv_results_[name], column, err_msg=name)
        for name in ("pruned_at_epoch", "mean_test_score"):
            np.testing.assert_array_equal(first.cv_results_[name], pruned.cv_results_[name])

    def test_a_cohort_with_known_results_alone_stays_in_the_contest(self, tmp_path):
        journal = tmp_path / "journal"
        grid = {"activation": ["relu", "tanh"], "learning_rate": [0.1, 0.01, 0.001]}
        first = search(grid=grid, journal=journal)
        with sqlite3.connect(journal) as connection:
            of_relu = "parameters LIKE '%relu%' AND fold = 1"
            ids = f"SELECT id FROM finished_folds WHERE {of_relu}"
            connection.execute(f"DELETE FROM scores WHERE fold_id IN ({ids})")
            gone = connection.execute(f"DELETE FROM finished_folds WHERE {of_relu}")
        connection.close()
        assert gone.rowcount == 3
        again = search(grid=grid, journal=journal)
        for name in ("pruned_at_epoch", "mean_test_score", "mean_n_iter"):
            np.testing.assert_array_equal(again.cv_results_[name], first.cv_results_[name])

    def test_is_another_search_without_pruning(self, tmp_path):
        search(journal=tmp_path / "journal")
        with pytest.raises(JournalMismatchError, match="settings"):
            search(None, journal=tmp_path / "journal")


class TestRefused:
    @pytest.mark.parametrize(
        ("prune", "message"),
        [
            ({"rung": (3,)}, "'rung'.*'rungs'"),
            ({"rungs": (9, 4)}, "increasing"),
            ({"rungs": ()}, "increasing"),
            ({"rungs": 4}, "increasing"),
            ({"rungs": (0, 4)}, "increasing"),
            ({"rungs": (2.5,)}, "increasing"),
            ({"factor": 1}, "above 1"),
            ({"factor": "3"}, "above 1"),
            ("thirds", "prune"),
        ],
    )
    def test_settings(self, prune, message):
        with pytest.raises(ValueError, match=message):
            search(prune)

    def test_searches_that_train_no_population(self):
        with pytest.raises(InvalidParameterError, match="population=True"):
            search(population=False)
        with pytest.raises(InvalidParameterError, match="LogisticRegression"):
            search(network=LogisticRegression(), grid={"C": [1, 2]})

    def test_networks_that_hold_nothing_out(self):
        network = clone(NETWORK).set_params(early_stopping=False)
        with pytest.raises(InvalidParameterError, match="early_stopping=True"):
            search(network=network, early_stopping=False)


class TestPipelines:
    @pytest.mark.parametrize("inner", [False, True], ids=["flat", "nested"])
    def test_of_imbalanced_learn_are_pruned(self, inner):
        network = make_pipeline(StandardScaler(), NETWORK) if inner else NETWORK
        pipeline = Imbalanced([("smote", SMOTE(random_state=0)), ("last", network)])
        prefix = "last__kerasmlpclassifier__" if inner else "last__"
        grid = {f"{prefix}learning_rate": RATES["learning_rate"]}
        found = search(network=pipeline, grid=grid)
        expected = expected_pruning(grid, network=pipeline)
        np.testing.assert_array_equal(found.cv_results_["pruned_at_epoch"], expected)
        assert np.isfinite(expected).sum() == 4

    def test_that_end_in_something_else_are_named(self):
        pipeline = Imbalanced([("smote", SMOTE()), ("last", LogisticRegression())])
        with pytest.raises(InvalidParameterError, match="Pipeline, whose last step is a Logistic"):
            search(network=pipeline, grid={"last__C": [1.0, 2.0]})


LAYERS = keras.layers


def build_plain():
    hidden, last = LAYERS.Dense(4, activation="relu"), LAYERS.Dense(1, activation="sigmoid")
    return keras.Sequential([keras.Input((4,)), hidden, last])


def build_compiled(loss_name):
    model = build_plain()
    model.compile(keras.optimizers.Adam(0.01), loss_name)
    return model


def build_skipping():
    inputs = keras.Input((4,))
    joined = LAYERS.Concatenate()([inputs, LAYERS.Dense(3, activation="tanh")(inputs)])
    return keras.Model(inputs, LAYERS.Dense(1, activation="sigmoid")(joined))


def build_noisy():
    layers = [LAYERS.GaussianNoise(0.1), LAYERS.Dense(1, activation="sigmoid")]
    return keras.Sequential([keras.Input((4,)), *layers])


def wrapped(build=build_skipping, **parameters):
    return KerasClassifier(
        build,
        **{
            "loss": "binary_crossentropy",
            "optimizer": "adam",
            "epochs": 12,
            "early_stopping": True,
            "patience": 3,
            "random_state": 0,
            **parameters,
        },
    )


WRAPPED_RATES = {"optimizer__learning_rate": [0.0003, 0.1, 0.001, 0.03, 0.01]}
WRAPPED_RUNGS = (3, 6)
WRAPPED_PRUNE = {"rungs": WRAPPED_RUNGS, "factor": 2}


class TestWrappedModels:
    @pytest.mark.parametrize(
        ("kind", "build", "parameters"),
        [
            (LayeredNetwork, build_plain, {}),
            (VectorizedModel, build_skipping, {"monitor": "val_average_precision"}),
            (CalledNetwork, build_noisy, {"monitor": "val_accuracy", "metrics": ["accuracy"]}),
        ],
        ids=["layered", "vectorised, by a metric", "called, by a compiled metric"],
    )
    def test_the_lower_part_ends_at_each_rung(self, kind, build, parameters):
        network = wrapped(build, **parameters)
        assert isinstance(clone(network).__skhp_fit_task__(X, Y).network, kind)
        found = search(WRAPPED_PRUNE, network, WRAPPED_RATES, refit=True)
        with joblib.parallel_config(backend="skhp"):
            expected = expected_pruning(
                WRAPPED_RATES, WRAPPED_RUNGS, 2, network, parameters.get("monitor", "val_loss")
            )
        np.testing.assert_array_equal(found.cv_results_["pruned_at_epoch"], expected)
        assert 2 <= np.isfinite(expected).sum() < len(expected)
        assert np.isnan(expected[found.best_index_])
        assert found.best_estimator_.stop_reason_ in ("patience", "epochs")

    def test_a_pruned_one_is_what_it_would_be_with_fewer_epochs(self):
        found = search({"rungs": (3,), "factor": 2}, wrapped(), WRAPPED_RATES).cv_results_
        shorter = search(None, wrapped(epochs=3), WRAPPED_RATES).cv_results_
        pruned = np.isfinite(found["pruned_at_epoch"])
        assert set(found["stop_reason"][pruned]) == {"pruned"}
        for name in ("mean_n_iter", "mean_best_epoch", "mean_test_score"):
            np.testing.assert_allclose(found[name][pruned], shorter[name][pruned], rtol=1e-6)

    def test_losses_that_a_build_function_compiles_are_ranked_apart(self):
        network = KerasClassifier(
            build_compiled, early_stopping=True, epochs=6, random_state=0, model__loss_name=None
        )
        grid = {"model__loss_name": ["mean_squared_error", "binary_crossentropy"]}
        found = search({"rungs": (3,), "factor": 9}, network, grid).cv_results_
        assert np.isnan(found["pruned_at_epoch"]).all()

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"engine": "keras"}, "engine='keras' asks for Keras' own fit"),
            ({"callbacks": keras.callbacks.TerminateOnNaN}, "TerminateOnNaN"),
        ],
        ids=["engine", "callback"],
    )
    def test_that_only_keras_can_train_are_refused(self, changes, reason):
        network = wrapped(build_plain, epochs=1, **changes)
        with pytest.raises(InvalidParameterError, match=f"one by one: .*{reason}.* leave prune"):
            search(network=network, grid=WRAPPED_RATES)

    def test_some_that_only_keras_can_train_are_told_and_never_pruned(self):
        grid = [{"engine": ["keras"]}, {"optimizer__learning_rate": [0.001, 0.1]}]
        prune = {"rungs": (2,), "factor": 2}
        with pytest.warns(UserWarning, match="no effect on 2 of 6 fits.*engine='keras'"):
            found = search(prune, wrapped(epochs=3), grid, cv=2).cv_results_
        assert np.isfinite(found["pruned_at_epoch"]).tolist() == [False, True, False]


def test_parameters_of_a_loss_make_losses_that_do_not_compare():
    network = clone(NETWORK).set_params(loss=FocalLoss(), epochs=6)
    grid = {"loss__gamma": [0.5, 4.0]}
    results = search({"rungs": (3,), "factor": 2}, network, grid).cv_results_
    assert np.isnan(results["pruned_at_epoch"]).all()
