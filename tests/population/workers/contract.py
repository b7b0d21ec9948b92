"""What holds for each backend that trains cohorts: a new one inherits the class."""

import os
import threading
import warnings

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    cross_val_predict,
    cross_validate,
    permutation_test_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhp
from skhp import GridSearchCV, KerasMLPClassifier
from skhp.exceptions import InvalidParameterError, WorkersError
from skhp.population import fit_together

TIMES = ("fit_time", "score_time")
# Two structures of network, so that there are two cohorts.
GRID = {"learning_rate": [0.01, 0.1], "activation": ["relu", "tanh"]}


def network(**parameters):
    settings = {"neurons": 3, "epochs": 3, "early_stopping": False, "random_state": 0}
    return KerasMLPClassifier(**settings | parameters)


def search(estimator=None, grid=None, **settings):
    settings = {"cv": 2, "refit": False, "scoring": "neg_log_loss"} | settings
    return GridSearchCV(estimator or network(), grid or GRID, **settings)


def columns(results):
    """The columns of `cv_results_` but for times and candidates."""
    return {
        name: np.asarray(values)
        for name, values in results.items()
        if not any(time in name for time in TIMES) and name != "params"
    }


def assert_same(ours, expected):
    assert columns(ours).keys() == columns(expected).keys()
    for name, values in columns(expected).items():
        np.testing.assert_array_equal(columns(ours)[name], values, err_msg=name)


def where(estimator, X, y):
    """A score that tells the process that scored."""
    return float(os.getpid())


class UserError(Exception):
    """An exception that cannot be made again from its message alone."""

    def __init__(self, code, reason):
        super().__init__(f"{reason} ({code})")
        self.code, self.reason = code, reason

    def __reduce__(self):
        return UserError, (self.code, self.reason)


def refused(estimator, X, y):
    raise UserError(7, "the scorer refuses")


def interrupted(estimator, X, y):
    raise KeyboardInterrupt


class WorkersContract:
    """A subclass has `backend`, its options, and tells whether its workers are other processes."""

    backend = None
    options = {}  # noqa: RUF012
    in_other_processes = True

    def population(self, **options):
        return skhp.population(backend=self.backend, **self.options | options)

    def there(self, run):
        with self.population():
            return run()

    def test_the_scores_are_those_without_workers(self, two_classes):
        def run():
            return search(return_train_score=True, refit=True).fit(*two_classes)

        here, there = run(), self.there(run)
        assert_same(there.cv_results_, here.cv_results_)
        assert there.best_params_ == here.best_params_
        np.testing.assert_array_equal(
            there.predict_proba(two_classes[0]), here.predict_proba(two_classes[0])
        )
        assert str(there.population_report_) == str(here.population_report_)

    def test_tasks_are_scored_where_their_cohorts_train(self, two_classes):
        found = self.there(lambda: search(scoring=where).fit(*two_classes)).cv_results_
        processes = set(found["split0_test_score"]) | set(found["split1_test_score"])
        assert (os.getpid() not in processes) == self.in_other_processes

    def test_weights_several_metrics_and_a_pipeline(self, two_classes):
        X, y = two_classes
        weight = np.where(np.arange(len(y)) % 3, 1.0, 2.5)

        def run():
            one = search(
                make_pipeline(StandardScaler(), network()),
                {"kerasmlpclassifier__learning_rate": [0.01, 0.1]},
                scoring={"loss": "neg_log_loss", "accuracy": "accuracy"},
            )
            return one.fit(X, y, kerasmlpclassifier__sample_weight=weight).cv_results_

        assert_same(self.there(run), run())

    def test_estimators_come_back_fitted(self, two_classes):
        def run():
            return cross_validate(
                network(), *two_classes, cv=2, return_estimator=True, return_indices=True
            )

        here, there = run(), self.there(run)
        for one, other in zip(there["estimator"], here["estimator"], strict=True):
            assert one.history_ == other.history_
            np.testing.assert_array_equal(
                one.predict_proba(two_classes[0]), other.predict_proba(two_classes[0])
            )

    def test_other_tasks_of_scikit_learn(self, two_classes):
        X, y = two_classes

        def run():
            return [
                cross_val_predict(network(), X, y, cv=2, method="predict_proba"),
                # Its fits are one task; a voting waits for fits that it asks for as it runs.
                permutation_test_score(network(), X, y, cv=2, n_permutations=2, random_state=0)[1],
                VotingClassifier(
                    [("one", network()), ("two", network(activation="tanh"))], voting="soft"
                )
                .fit(X, y)
                .predict_proba(X),
            ]

        with skhp.population():
            here = run()
        for one, other in zip(self.there(run), here, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_the_estimators_of_the_caller_are_fitted(self, two_classes):
        def run():
            given = [network(random_state=seed) for seed in range(2)]
            assert fit_together((one, *two_classes) for one in given) == given
            return [one.predict_proba(two_classes[0]) for one in given]

        np.testing.assert_array_equal(self.there(run), run())

    def test_a_fit_that_fails_gets_its_error_score(self, two_classes):
        def run():
            with warnings.catch_warnings(record=True) as recorded:
                warnings.simplefilter("always")
                one = search(grid={"learning_rate": [0.01, 1e30]}, error_score=-9.0)
                one.fit(*two_classes)
            return one.cv_results_, sorted({str(warning.message)[:60] for warning in recorded})

        (there, warned), (here, expected) = self.there(run), run()
        assert_same(there, here)
        assert warned == expected
        assert there["mean_test_score"][1] == -9.0

    def test_an_error_of_the_user_reaches_the_user(self, two_classes):
        with self.population(), pytest.raises(UserError, match="the scorer refuses") as raised:
            search(scoring=refused, error_score="raise").fit(*two_classes)
        assert raised.value.code == 7
        assert any("in refused" in note for note in raised.value.__notes__)

    def test_a_journal_knows_what_came_back(self, two_classes, tmp_path):
        def run(scoring):
            return search(scoring=scoring, journal=tmp_path / "journal").fit(*two_classes)

        found = self.there(lambda: run(where)).cv_results_["split0_test_score"]
        # Without workers, the known scores are those of the other processes.
        again = run(where).cv_results_["split0_test_score"]
        np.testing.assert_array_equal(again, found)

    def test_pruning_is_refused_before_anything_trains(self, two_classes):
        trained = []
        stopped = network(early_stopping=True, epochs=30)
        pruned = search(stopped, prune="halving", scoring=lambda *_: trained.append(1))
        with self.population(), pytest.raises(InvalidParameterError, match="Leave prune out"):
            pruned.fit(*two_classes)
        assert not trained

    def test_a_task_that_cannot_be_pickled(self, two_classes):
        lock = threading.Lock()

        def scoring(estimator, X, y):
            with lock:
                return 1.0

        with self.population(), pytest.raises(WorkersError, match="cannot be pickled"):
            search(scoring=scoring).fit(*two_classes)

    def test_tasks_without_networks_go_to_the_workers(self):
        def run():
            calls = (joblib.delayed(os.getpid)() for _ in range(5))
            return joblib.Parallel()(calls)

        assert (os.getpid() not in self.there(run)) == self.in_other_processes
        assert len(self.there(run)) == 5

    def test_settings_of_scikit_learn_hold_in_the_tasks(self, two_classes):
        def wants(estimator, X, y):
            return float(sklearn.get_config()["assume_finite"])

        with sklearn.config_context(assume_finite=True):
            found = self.there(lambda: cross_validate(network(), *two_classes, cv=2, scoring=wants))
        assert found["test_score"].tolist() == [1.0, 1.0]

    def test_an_interrupt_ends_the_call_and_the_next_one_runs(self, two_classes):
        with self.population(), pytest.raises(KeyboardInterrupt):
            search(scoring=interrupted).fit(*two_classes)
        assert self.left_over() == []
        found = self.there(lambda: cross_validate(LogisticRegression(), *two_classes, cv=2))
        assert len(found["test_score"]) == 2

    def left_over(self):
        """What a call leaves behind, such as processes at work and files."""
        return []
