"""Searches over networks give under the backend what they give without, and fail as they do."""

import pickle
from collections import Counter

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skhp import (
    InvalidParameterError,
    KerasMLPClassifier,
    KerasMLPRegressor,
    NonFiniteLossWarning,
)
from skhp.estimators.network.estimator import LoneFit
from skhp.training.cohort.arrays import lay_out
from skhp.training.cohort.cohort import Cohort
from skhp.training.cohort.compiled_programs import programs

pytestmark = pytest.mark.slow

CLOSE = {"rtol": 1e-3, "atol": 1e-4}
RATES = [1e-4, 0.1]
LOG_LOSS = {"scoring": "neg_log_loss"}


def classifier(**parameters):
    return KerasMLPClassifier(
        **{
            "neurons": 4,
            "activation": "tanh",
            "learning_rate": 0.05,
            "batch_size": 30,
            "epochs": 8,
            "random_state": 0,
        }
        | parameters
    )


ESTIMATORS = {
    "bare": classifier(),
    "pipeline": make_pipeline(StandardScaler(), classifier()),
}


@pytest.fixture(autouse=True)
def trained(monkeypatch):
    """Counts fits trained by a population and alone, and trainings of distinct members."""
    counts = Counter()

    def counted_cohort(tasks, *settings):
        counts["in population"] += len(tasks)
        return Cohort(tasks, *settings)

    def counted_places(tasks, *arguments):
        counts["distinct"] += len(tasks)
        return lay_out(tasks, *arguments)

    class CountedLoneFit(LoneFit):
        def __init__(self, task):
            counts["alone"] += 1
            super().__init__(task)

    monkeypatch.setattr("skhp.population.cohorts.running_cohort.Cohort", counted_cohort)
    monkeypatch.setattr("skhp.training.cohort.packed_members.lay_out", counted_places)
    monkeypatch.setattr("skhp.estimators.network.estimator.LoneFit", CountedLoneFit)
    return counts


def population():
    return joblib.parallel_config(backend="skhp")


def network_of(estimator):
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def name_in(estimator, name):
    return f"{estimator.steps[-1][0]}__{name}" if isinstance(estimator, Pipeline) else name


def results_of(search):
    scores = {
        name: values
        for name, values in search.cv_results_.items()
        if "test_" in name or "train_" in name
    }
    return {
        "scores": {name: values for name, values in scores.items() if "rank" not in name},
        "best": search.best_params_,
        "weights": weights_of(search.best_estimator_),
    }


def weights_of(estimator):
    return np.concatenate([w.ravel() for w in network_of(estimator).model_.get_weights()])


def search_by(kind, **settings):
    def tool(estimator, X, y):
        rates = {name_in(estimator, "learning_rate"): RATES}
        search = kind(estimator, rates, cv=3, **LOG_LOSS, **settings)
        return results_of(search.fit(X, y))

    return tool


def halving_over_epochs(estimator, X, y):
    epochs = name_in(estimator, "epochs")
    settings = {"resource": epochs, "min_resources": 2, "max_resources": 8, "factor": 2}
    return search_by(HalvingGridSearchCV, random_state=0, **settings)(estimator, X, y)


def bayes_search(estimator, X, y):
    from skopt import BayesSearchCV

    spaces = {name_in(estimator, "learning_rate"): (1e-4, 0.1, "log-uniform")}
    search = BayesSearchCV(
        estimator, spaces, n_iter=4, n_points=2, cv=3, random_state=0, **LOG_LOSS
    )
    return results_of(search.fit(X, y))


def without_times(results):
    return {name: values for name, values in results.items() if not name.endswith("_time")}


# The tool, the fits it makes through joblib, and those it makes by itself.
HALVING = {"random_state": 0, "factor": 2, "min_resources": 60}
TOOLS = {
    "GridSearchCV": (search_by(GridSearchCV), 2 * 3, 1),
    "RandomizedSearchCV": (search_by(RandomizedSearchCV, n_iter=2, random_state=0), 2 * 3, 1),
    "HalvingGridSearchCV": (search_by(HalvingGridSearchCV, **HALVING), (2 + 1) * 3, 1),
    "HalvingGridSearchCV over epochs": (halving_over_epochs, (2 + 1) * 3, 1),
    "HalvingRandomSearchCV": (
        search_by(HalvingRandomSearchCV, n_candidates=2, **HALVING),
        (2 + 1) * 3,
        1,
    ),
    "BayesSearchCV": (bayes_search, 4 * 3, 1),
    "cross_validate": (
        lambda e, X, y: without_times(
            cross_validate(e, X, y, cv=3, return_train_score=True, **LOG_LOSS)
        ),
        3,
        0,
    ),
    "cross_val_predict": (
        lambda e, X, y: cross_val_predict(e, X, y, cv=3, method="predict_proba"),
        3,
        0,
    ),
    "learning_curve": (
        lambda e, X, y: learning_curve(e, X, y, train_sizes=[40, 80], cv=3, **LOG_LOSS),
        2 * 3,
        0,
    ),
    "validation_curve": (
        lambda e, X, y: validation_curve(
            e,
            X,
            y,
            param_name=name_in(e, "learning_rate"),
            param_range=RATES,
            cv=3,
            **LOG_LOSS,
        ),
        2 * 3,
        0,
    ),
    "permutation_test_score": (
        lambda e, X, y: permutation_test_score(
            e, X, y, n_permutations=2, cv=StratifiedKFold(3), random_state=0, **LOG_LOSS
        ),
        2 * 3,
        3,
    ),
}


def assert_close(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert_close(value, other[name])
    elif isinstance(one, tuple | list):
        for first, second in zip(one, other, strict=True):
            assert_close(first, second)
    elif isinstance(one, str):
        assert one == other
    else:
        np.testing.assert_allclose(one, other, **CLOSE)


class TestEveryTool:
    # Bare estimators take the same way in every tool; test_model_selection.py has both in each.
    @pytest.mark.parametrize(
        ("name", "kind"), [*((name, "pipeline") for name in TOOLS), ("GridSearchCV", "bare")]
    )
    def test_gives_what_it_gives_alone(self, name, kind, two_classes, trained):
        tool, fits, own_fits = TOOLS[name]
        expected = tool(clone(ESTIMATORS[kind]), *two_classes)
        assert trained["alone"] == fits + own_fits
        trained.clear()
        with population():
            found = tool(clone(ESTIMATORS[kind]), *two_classes)
        assert (trained["in population"], trained["alone"]) == (fits, own_fits)
        assert_close(found, expected)


class TestTablesAndTargets:
    """Each example alone and in a population; `fit_params` may come with it."""

    @staticmethod
    def assert_same_search(estimator, X, y, trained, scoring="neg_log_loss", **fit_params):
        def search():
            grid = {"learning_rate": RATES}
            return results_of(
                GridSearchCV(clone(estimator), grid, cv=2, scoring=scoring).fit(X, y, **fit_params)
            )

        expected = search()
        trained.clear()
        with population():
            assert_close(search(), expected)
        assert (trained["in population"], trained["alone"]) == (4, 1)
        return expected

    def test_a_regressor(self, regression, trained):
        estimator = KerasMLPRegressor(neurons=4, epochs=8, random_state=0)
        self.assert_same_search(estimator, *regression, trained, scoring="r2")

    def test_two_targets(self, regression, trained):
        X, y = regression
        estimator = KerasMLPRegressor(neurons=4, epochs=8, random_state=0)
        self.assert_same_search(
            estimator, X, np.column_stack([y, -y]), trained, scoring="neg_mean_squared_error"
        )

    def test_three_classes_with_names_in_a_frame(self, three_classes, trained):
        X, y = three_classes
        frame = pd.DataFrame(X, columns=list("abcd"))
        names = pd.Series(np.array(["low", "middle", "high"])[y])
        self.assert_same_search(classifier(), frame, names, trained)
        with population():
            search = GridSearchCV(classifier(), {"learning_rate": RATES}, cv=2).fit(frame, names)
        np.testing.assert_array_equal(search.classes_, ["high", "low", "middle"])
        np.testing.assert_array_equal(search.best_estimator_.feature_names_in_, list("abcd"))
        assert set(search.predict(frame)) <= {"low", "middle", "high"}

    def test_sample_weights(self, two_classes, trained):
        weight = np.random.default_rng(0).uniform(0, 5, len(two_classes[1]))
        weighted = self.assert_same_search(
            classifier(), *two_classes, trained, sample_weight=weight
        )
        plain = self.assert_same_search(classifier(), *two_classes, trained)
        assert np.abs(weighted["weights"] - plain["weights"]).max() > 0.01

    def test_rows_to_validate_on(self, two_classes, trained):
        X, y = two_classes
        # Of another length than the table, so that they are not cut into folds.
        given = {"X_val": X[:31], "y_val": y[:31]}
        self.assert_same_search(classifier(), X, y, trained, **given)

    def test_several_scores(self, two_classes, trained):
        def search():
            return GridSearchCV(
                classifier(),
                {"learning_rate": RATES},
                scoring={"loss": "neg_log_loss", "area": "roc_auc"},
                refit="loss",
                cv=2,
            ).fit(*two_classes)

        expected = search()
        with population():
            found = search()
        for name in ("mean_test_loss", "mean_test_area"):
            assert_close(found.cv_results_[name], expected.cv_results_[name])
        assert trained["in population"] == 4


class TestSeeds:
    def test_a_generator_gives_what_it_gives_alone(self, two_classes, trained):
        def scores():
            estimator = classifier(random_state=np.random.RandomState(3))
            return cross_validate(estimator, *two_classes, cv=3, **LOG_LOSS)["test_score"]

        expected = scores()
        trained.clear()
        with population():
            assert_close(scores(), expected)
        assert (trained["in population"], trained["alone"]) == (3, 0)

    def test_without_a_seed_every_member_starts_somewhere_else(self, two_classes, trained):
        with population():
            results = cross_validate(
                classifier(random_state=None, learning_rate=1e-6, epochs=1),
                *two_classes,
                cv=[(np.arange(80), np.arange(80, 120))] * 3,
                return_estimator=True,
            )
        assert trained["in population"] == 3
        assert trained["alone"] == 0
        weights = [weights_of(estimator) for estimator in results["estimator"]]
        assert not np.allclose(weights[0], weights[1])
        assert not np.allclose(weights[1], weights[2])


class TestGrids:
    def test_members_equal_the_same_estimators_alone(self, two_classes, trained):
        """The second promise of the design, over several programs."""
        X, y = two_classes
        grid = [
            {"hidden_layers": [2], "neurons": [3]},
            {"hidden_layers": [2], "neurons": [(5, 2)], "learning_rate": [0.003, 0.03]},
            {"activation": ["elu"], "optimizer": ["nadam"], "batch_size": [16, 64]},
            {"dropout": [0.1, 0.4], "l2": [0.001]},
        ]
        members = []

        def keep(estimator, X_test, y_test):
            members.append((estimator, X_test))
            return 0.0

        search = GridSearchCV(classifier(epochs=10), grid, cv=2, refit=False, scoring=keep)
        with population():
            search.fit(X, y)
        assert trained["in population"] == len(members) == 7 * 2
        assert trained["alone"] == 0
        folds = list(StratifiedKFold(2).split(X, y))
        for estimator, X_test in members:
            ((train, test),) = [fold for fold in folds if np.array_equal(X[fold[1]], X_test)]
            alone = clone(estimator).fit(X[train], y[train])
            np.testing.assert_allclose(
                weights_of(estimator), weights_of(alone), rtol=1e-3, atol=1e-3
            )
            assert np.mean(estimator.predict(X[test]) == alone.predict(X[test])) >= 0.99
            assert estimator.n_iter_ == alone.n_iter_

    def test_epochs_alone_are_one_training(self, two_classes, trained):
        def search():
            grid = {"epochs": [2, 5, 8]}
            return GridSearchCV(classifier(), grid, cv=2, **LOG_LOSS).fit(*two_classes)

        expected = search()
        trained.clear()
        with population():
            found = search()
        # One training a fold, and the refit.
        assert (trained["in population"], trained["distinct"]) == (3 * 2, 2 + 1)
        assert_close(results_of(found), results_of(expected))
        assert len(set(found.cv_results_["mean_test_score"])) == 3

    def test_identical_candidates_are_trained_once(self, two_classes, trained):
        grid = [{"learning_rate": [0.01]}, {"learning_rate": [0.01, 0.02]}]
        with population():
            search = GridSearchCV(classifier(), grid, cv=2, refit=False, **LOG_LOSS)
            search.fit(*two_classes)
        assert (trained["in population"], trained["distinct"]) == (3 * 2, 2 * 2)
        for fold in range(2):
            scores = search.cv_results_[f"split{fold}_test_score"]
            assert scores[0] == scores[1] != scores[2]

    def test_rates_drawn_from_a_distribution(self, two_classes, trained):
        def search():
            return RandomizedSearchCV(
                classifier(),
                {"learning_rate": loguniform(1e-4, 0.1), "neurons": [2, 4]},
                n_iter=4,
                cv=2,
                random_state=1,
                refit=False,
                **LOG_LOSS,
            ).fit(*two_classes)

        expected = search()
        with population():
            found = search()
        assert trained["in population"] == 8
        assert found.cv_results_["params"] == expected.cv_results_["params"]
        assert_close(found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])


class TestReturnedEstimators:
    @pytest.fixture(params=ESTIMATORS)
    def estimators(self, request, two_classes):
        with population():
            return cross_validate(
                clone(ESTIMATORS[request.param]), *two_classes, cv=3, return_estimator=True
            )["estimator"]

    def test_have_what_a_fit_leaves(self, estimators):
        for network in map(network_of, estimators):
            assert isinstance(network.model_, keras.Model)
            assert network.n_iter_ == len(network.history_["loss"]) == 8
            assert set(network.history_) == {"loss", "val_loss"}
            assert network.best_epoch_ == np.argmin(network.history_["val_loss"]) + 1
            assert network.stop_reason_ == "epochs"
            np.testing.assert_array_equal(network.classes_, [0, 1])

    def test_pickle_and_predict_the_same(self, estimators, two_classes):
        X, _ = two_classes
        for estimator in estimators:
            before = estimator.predict_proba(X)
            again = pickle.loads(pickle.dumps(estimator))
            np.testing.assert_array_equal(again.predict_proba(X), before)
            assert network_of(again).history_ == network_of(estimator).history_
            np.testing.assert_array_equal(weights_of(again), weights_of(estimator))

    def test_share_no_state(self, estimators, two_classes):
        X, y = two_classes
        before = [estimator.predict_proba(X) for estimator in estimators]
        histories = [network_of(estimator).history_["loss"][:] for estimator in estimators]
        first = network_of(estimators[0])
        first.partial_fit(X, y)
        first.history_["loss"].append(0.0)
        first.classes_[:] = first.classes_[::-1].copy()
        first.model_.set_weights([0 * w for w in first.model_.get_weights()])
        assert not np.allclose(estimators[0].predict_proba(X), before[0])
        for estimator, old, losses in list(zip(estimators, before, histories, strict=True))[1:]:
            np.testing.assert_array_equal(estimator.predict_proba(X), old)
            np.testing.assert_array_equal(network_of(estimator).classes_, [0, 1])
            assert network_of(estimator).history_["loss"] == losses

    def test_candidates_of_one_fold_share_no_state(self, two_classes):
        # They share the checked rows, and with them what was learnt of these.
        members = []

        def keep(estimator, X_test, y_test):
            members.append(estimator)
            return 0.0

        grid = {"learning_rate": RATES}
        with population():
            GridSearchCV(classifier(), grid, cv=2, refit=False, scoring=keep).fit(*two_classes)
        for place, member in enumerate(members):
            member.classes_[:] = place
        assert [member.classes_[0] for member in members] == [0, 1, 2, 3]


def exploding_search(rates, X, y, **settings):
    """Results of a search over rates, and its members by their place in the grid and the fold."""
    members = {}

    def keep(estimator, X_test, y_test):
        members[estimator.learning_rate, float(X_test[0, 0])] = estimator
        return estimator.score(X_test, y_test)

    search = GridSearchCV(
        classifier(optimizer="sgd", activation="relu", hidden_layers=2),
        {"learning_rate": rates},
        cv=3,
        scoring={"kept": keep, "loss": "neg_log_loss"},
        refit=False,
        **settings,
    )
    with population():
        search.fit(X, y)
    return search.cv_results_, members


@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
class TestFailures:
    EXPLODING = 1e30

    def test_neighbours_of_an_exploding_candidate_keep_their_bits(self, two_classes, trained):
        rates = [0.1, 0.03, 0.3]
        calm, calm_members = exploding_search(rates, *two_classes)
        with pytest.warns(FitFailedWarning, match="3 fits failed") as warned:
            troubled, members = exploding_search([*rates[:2], self.EXPLODING], *two_classes)
        failed = [one for one in warned if one.category is FitFailedWarning]
        assert len(failed) == 1
        assert "NonFiniteLossError" in str(failed[0].message)
        assert trained["in population"] == 18
        assert np.isnan(troubled["mean_test_loss"][2])
        assert troubled["rank_test_loss"][2] == 3
        for name in calm:
            if name.startswith(("split", "mean_test", "std_test")):
                np.testing.assert_array_equal(troubled[name][:2], calm[name][:2])
        assert len(members) == 6
        for place, member in members.items():
            np.testing.assert_array_equal(weights_of(member), weights_of(calm_members[place]))

    def test_an_exploding_candidate_gets_the_error_score(self, two_classes):
        with pytest.warns(FitFailedWarning, match="3 fits failed"):
            results, _ = exploding_search([self.EXPLODING, 0.1], *two_classes, error_score=-7.0)
        assert results["mean_test_loss"][0] == -7.0
        assert results["mean_test_loss"][1] > -1

    @pytest.mark.parametrize("error_score", [np.nan, -7.0])
    def test_cross_validate_scores_an_exploding_fold(self, error_score, two_classes):
        X, y = two_classes
        # The target of the rows of one fold is the larger by far, so only the others explode.
        y = np.where(np.arange(len(y)) < 40, 0.01 * X[:, 0], 1e25 * X[:, 0])
        estimator = KerasMLPRegressor(
            neurons=4, optimizer="sgd", epochs=3, scale_target=False, random_state=0
        )
        folds = [(np.arange(30), np.arange(30, 40)), (np.arange(30, 120), np.arange(30))]
        with population(), pytest.warns(FitFailedWarning, match="1 fits failed"):
            scores = cross_validate(
                estimator,
                X,
                y,
                cv=folds,
                error_score=error_score,
                scoring="neg_mean_squared_error",
            )
        np.testing.assert_array_equal(scores["test_score"][1], error_score)
        assert -10 < scores["test_score"][0] <= 0

    def test_without_a_number_for_errors_an_exploding_candidate_warns_as_alone(self, two_classes):
        with pytest.warns(NonFiniteLossWarning, match="learning_rate"):
            results, _ = exploding_search([self.EXPLODING, 0.1], *two_classes, error_score="raise")
        assert np.isfinite(results["mean_test_kept"]).all()

    def test_a_prediction_without_error_score_warns(self, two_classes, trained):
        exploding = classifier(optimizer="sgd", hidden_layers=2, learning_rate=self.EXPLODING)
        with population(), pytest.warns(NonFiniteLossWarning, match="learning_rate"):
            predicted = cross_val_predict(
                exploding.set_params(activation="relu"), *two_classes, cv=3, method="predict_proba"
            )
        assert (trained["in population"], trained["alone"]) == (3, 0)
        assert np.isfinite(predicted).all()

    def test_a_parameter_out_of_range_fails_alone(self, two_classes, trained):
        def search():
            grid = {"neurons": [4, -1], "learning_rate": [0.1]}
            with pytest.warns(FitFailedWarning, match="neurons"):
                return GridSearchCV(classifier(), grid, cv=3, refit=False, **LOG_LOSS).fit(
                    *two_classes
                )

        expected = search()
        trained.clear()
        with population():
            found = search()
        assert_close(found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
        assert np.isnan(found.cv_results_["mean_test_score"][1])
        assert trained["in population"] == 3

    def test_a_parameter_out_of_range_raises_where_errors_do(self, two_classes):
        search = GridSearchCV(classifier(), {"neurons": [4, -1]}, cv=3, error_score="raise")
        with population(), pytest.raises(InvalidParameterError, match="neurons"):
            search.fit(*two_classes)


class TestKerasCallbacks:
    def test_candidates_with_callbacks_are_fitted_by_keras(self, two_classes, trained):
        def search():
            grid = [{"learning_rate": RATES}, {"callbacks": [[TwoEpochs()]]}]
            members = []

            def keep(estimator, X_test, y_test):
                members.append(estimator)
                return estimator.predict_proba(X_test)[np.arange(len(y_test)), y_test].mean()

            fitted = GridSearchCV(classifier(), grid, cv=2, refit=False, scoring=keep)
            return fitted.fit(*two_classes).cv_results_["mean_test_score"], members

        expected, _ = search()
        trained.clear()
        with population():
            found, members = search()
        assert_close(found, expected)
        assert (trained["in population"], trained["alone"]) == (4, 0)
        epochs = Counter((member.callbacks is None, member.n_iter_) for member in members)
        assert epochs == {(True, 8): 4, (False, 2): 2}


class TwoEpochs(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 1


def test_folds_of_other_sizes_share_the_program_of_a_loss_of_whole_batches():
    X, y = make_classification(93, 4, weights=[0.7], random_state=0)
    network = KerasMLPClassifier(
        loss="soft_f1", batch_size=256, neurons=3, epochs=30, learning_rate=0.1, random_state=0
    )
    # Folds that leave 69 rows and 70, of which early stopping holds out a fifth.
    search = GridSearchCV(network, {"learning_rate": [0.1, 0.03]}, cv=4, refit=False)
    built = programs.counts.built
    with joblib.parallel_config(backend="skhp"):
        together = cross_validate(network, X, y, cv=4, return_estimator=True)
        search.fit(X, y)
        search.fit(X[:-1], y[:-1])
    # One for one candidate, one for two of them.
    assert programs.counts.built <= built + 2
    alone = cross_validate(network, X, y, cv=4, return_estimator=True)
    for one, other in zip(together["estimator"], alone["estimator"], strict=True):
        assert one.best_epoch_ == other.best_epoch_
        np.testing.assert_allclose(one.history_["loss"], other.history_["loss"], rtol=1e-4)
