"""What joblib and scikit-learn are promised: errors, other tasks, nesting, interrupts."""

import gc
import os
import pickle
import threading
import time
import warnings
import weakref

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from skhp.population.backend import PARTS_OF_WORK, PopulationBackend, population
from skhp.population.report import PopulationProgress
from tests.population.closed_form import (
    ClosedFormClassifier,
    CountingScaler,
    population_of,
    solve,
)


def search_over(grid, data, estimator=None, **settings):
    settings = {"cv": 3, "refit": False} | settings
    return GridSearchCV(
        clone(ClosedFormClassifier() if estimator is None else estimator), grid, **settings
    ).fit(*data)


def scores(*arguments, **settings):
    return search_over(*arguments, **settings).cv_results_["mean_test_score"]


# ---------------------------------------------------------------- fits that fail


FAILURES = {
    "in preparation": ({"alpha": [1.0, -1.0]}, None, "alpha=-1.0 is negative"),
    "in training": ({"fails_in_training": [False, True]}, None, "training failed"),
    "in an earlier step": (
        {"scaler__scale": [1.0, 0]},
        Pipeline([("scaler", CountingScaler()), ("network", ClosedFormClassifier())]),
        "scale is 0",
    ),
    "of a parameter": ({"alpha": [1.0], "alpa": [1.0]}, None, "Invalid parameter 'alpa'"),
}


@pytest.mark.parametrize("name", ["in preparation", "in training", "in an earlier step"])
def test_a_fit_that_fails_is_scored_as_ever(name, data, trainer):
    grid, estimator, message = FAILURES[name]

    def found():
        with warnings.catch_warnings(record=True) as recorded:
            warnings.simplefilter("always")
            means = scores(grid, data, estimator, error_score=-7.0)
        (failed,) = [one for one in recorded if issubclass(one.category, FitFailedWarning)]
        assert "3 fits failed out of a total of 6" in str(failed.message)
        assert message in str(failed.message)
        return means, len(recorded)

    expected, count = found()
    with population_of(trainer):
        means, count_in_population = found()
    np.testing.assert_array_equal(means, expected)
    assert means[1] == -7.0
    assert count_in_population == count
    assert trainer.members == (6 if name == "in training" else 3)


@pytest.mark.parametrize("name", FAILURES)
def test_a_fit_that_fails_ends_the_search_where_it_is_to(name, data, trainer):
    grid, estimator, message = FAILURES[name]
    with pytest.raises(Exception, match=message) as plain:
        scores(grid, data, estimator, error_score="raise")
    with (
        population_of(trainer),
        pytest.raises(type(plain.value), match=message) as found,
    ):
        scores(grid, data, estimator, error_score="raise")
    # The error shows the line that it came from.
    assert str(found.traceback[-1].path) == str(plain.traceback[-1].path)
    assert trainer.closed == len(trainer.calls)


def test_the_backend_can_be_used_again_after_an_error(data, trainer):
    with population_of(trainer):
        with pytest.raises(ValueError, match="negative"):
            scores({"alpha": [1.0, -1.0]}, data, error_score="raise")
        trainer.calls.clear()
        scores({"alpha": [1.0, 2.0]}, data)
    assert trainer.members == 6


def test_the_backend_can_be_used_again_after_an_error_that_left_tasks(data, trainer):
    def tasks():
        yield joblib.delayed(abs)(-1)
        raise RuntimeError("the list of tasks ends early")

    with population_of(trainer):
        with pytest.raises(RuntimeError, match="ends early"):
            joblib.Parallel()(tasks())
        assert joblib.Parallel()(joblib.delayed(abs)(-n) for n in range(3)) == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:.*tasks which were still being processed:UserWarning")
def test_tasks_whose_results_nobody_wants_are_dropped(trainer):
    ran = []
    with population_of(trainer):
        results = joblib.Parallel(return_as="generator")(
            joblib.delayed(ran.append)(n) for n in range(3)
        )
        results.close()
        joblib.Parallel()(joblib.delayed(ran.append)(n) for n in range(10, 12))
    assert ran == [10, 11]


def test_an_error_of_the_trainer_itself_is_raised(data):
    def broken(tasks, options, progress, contest):
        yield 0, solve(tasks[0])
        raise MemoryError("no memory for the cohorts")

    with population_of(broken), pytest.raises(MemoryError, match="no memory"):
        scores({"alpha": [1.0]}, data)


def test_members_that_the_trainer_leaves_out_train_by_themselves(data, counts):
    def lazy(tasks, options, progress, contest):
        yield 1, solve(tasks[1])

    expected = scores({"alpha": [1.0]}, data)
    counts.clear()
    with population_of(lazy):
        np.testing.assert_array_equal(scores({"alpha": [1.0]}, data), expected)
    assert (counts["adopted"], counts["fitted alone"]) == (1, 2)


def test_an_interrupt_ends_the_training_and_reaches_the_caller(data):
    closed = []

    def interrupted(tasks, options, progress, contest):
        try:
            yield 0, solve(tasks[0])
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    with population_of(interrupted), pytest.raises(KeyboardInterrupt):
        scores({"alpha": [1.0]}, data)
    assert closed == [True]


def test_an_interrupt_of_a_task_ends_the_training(data, trainer):
    def scorer(estimator, X, y):
        raise KeyboardInterrupt

    with population_of(trainer), pytest.raises(KeyboardInterrupt):
        scores({"alpha": [1.0]}, data, scoring=scorer)
    assert trainer.members == 3
    assert trainer.closed == 1


# ---------------------------------------------------------------- tasks that cannot join


def test_estimators_that_are_not_of_skhp_run_as_ever(data, trainer):
    grid = {"C": [0.01, 1.0]}
    expected = scores(grid, data, LogisticRegression())
    with population_of(trainer):
        np.testing.assert_array_equal(scores(grid, data, LogisticRegression()), expected)
    assert trainer.calls == []


def test_a_fit_that_cannot_join_runs_by_itself(data, trainer, counts):
    grid = {"joins": [True, False], "alpha": [1.0, 100.0]}
    expected = scores(grid, data)
    counts.clear()
    with population_of(trainer):
        np.testing.assert_array_equal(scores(grid, data), expected)
    assert (counts["adopted"], counts["fitted alone"]) == (6, 6)


def test_a_fit_that_cannot_join_runs_before_the_population_trains(data, trainer):
    def scorer(estimator, X, y):
        assert len(trainer.calls) == (1 if estimator.joins else 0)
        return 0.0

    with population_of(trainer):
        scores({"joins": [True, False]}, data, scoring=scorer, error_score="raise")
    assert len(trainer.calls) == 1


@pytest.mark.parametrize("final", [ClosedFormClassifier(), LogisticRegression()])
def test_a_grid_over_the_last_step(final, data, trainer, counts):
    estimator = Pipeline([("scaler", CountingScaler()), ("network", final)])
    grid = [
        {"network": [ClosedFormClassifier()], "network__alpha": [1.0, 1000.0]},
        {"network": [LogisticRegression()], "network__C": [1.0, 1e-4]},
    ]
    expected = scores(grid, data, estimator)
    counts.clear()
    with population_of(trainer):
        np.testing.assert_array_equal(scores(grid, data, estimator), expected)
    assert counts["adopted"] == trainer.members == 6


class NoisyScaler(CountingScaler):
    def __init__(self, scale=1.0, warns=False, random_state=None):
        super().__init__(scale, warns)
        self.random_state = random_state

    def fit(self, X, y=None):
        super().fit(X)
        self.mean_ = self.mean_ + 5 * self.random_state.normal(size=X.shape[1])
        return self


@pytest.mark.parametrize("joins", [True, False])
def test_random_numbers_are_those_that_the_task_would_have_drawn(joins, data, trainer):
    def found():
        noise = NoisyScaler(random_state=np.random.RandomState(0))
        network = ClosedFormClassifier(joins=joins, alpha=100.0)
        estimator = Pipeline([("noise", noise), ("network", network)])
        return scores({"network__alpha": [100.0, 1.0]}, data, estimator, scoring="neg_log_loss")

    expected = found()
    with population_of(trainer):
        np.testing.assert_array_equal(found(), expected)
    assert trainer.members == (6 if joins else 0)


def where_it_runs(_):
    return os.getpid(), threading.get_ident()


def test_other_tasks_run_here_one_after_another(trainer):
    running = []

    def run(number):
        running.append(number)
        time.sleep(0.01)
        return os.getpid(), threading.active_count(), running.pop() == number and not running

    expected = {(os.getpid(), threading.active_count() + 1, True)}
    with population_of(trainer):
        assert set(joblib.Parallel()(joblib.delayed(run)(n) for n in range(4))) == expected
        call = joblib.Parallel(n_jobs=1)
        assert set(call(joblib.delayed(run)(n) for n in range(4))) == expected


def test_other_tasks_run_in_the_workers_that_were_asked_for(trainer):
    here = (os.getpid(), threading.get_ident())
    with population_of(trainer):
        found = joblib.Parallel(n_jobs=2)(joblib.delayed(where_it_runs)(n) for n in range(4))
    assert os.getpid() not in {process for process, _ in found}
    with population_of(trainer, n_jobs=2, backend="threading"):
        found = joblib.Parallel()(joblib.delayed(where_it_runs)(n) for n in range(4))
    assert {process for process, _ in found} == {os.getpid()}
    assert here not in found


@pytest.mark.parametrize("wish", [{"require": "sharedmem"}, {"prefer": "threads"}])
def test_tasks_that_want_threads_get_them(wish, trainer):
    with population_of(trainer):
        run = joblib.Parallel(n_jobs=2, **wish)
        found = run(joblib.delayed(where_it_runs)(n) for n in range(4))
    assert {process for process, _ in found} == {os.getpid()}
    assert threading.get_ident() not in {thread for _, thread in found}


def test_a_forest_that_adds_up_in_shared_memory(data, trainer):
    forest = RandomForestClassifier(5, n_jobs=2, random_state=0).fit(*data)
    expected = forest.predict_proba(data[0])
    with population_of(trainer):
        np.testing.assert_allclose(forest.predict_proba(data[0]), expected)


def test_results_keep_their_order_and_batches_stay_whole(trainer):
    with population_of(trainer):
        for settings in ({}, {"batch_size": 3}, {"pre_dispatch": 2}, {"pre_dispatch": "all"}):
            run = joblib.Parallel(**settings)
            assert run(joblib.delayed(pow)(n, 2) for n in range(10)) == [n * n for n in range(10)]
        assert joblib.Parallel()([]) == []
        assert list(
            joblib.Parallel(return_as="generator")(joblib.delayed(abs)(n) for n in range(3))
        ) == [0, 1, 2]


def test_batches_of_several_fits_join(data, trainer, counts):
    from sklearn.model_selection._validation import _fit_and_predict
    from sklearn.utils.parallel import Parallel, delayed

    X, y = data
    splits = [(np.arange(60), np.arange(60, 120)), (np.arange(60, 120), np.arange(60))] * 2

    def call():
        return Parallel(batch_size=3)(
            delayed(_fit_and_predict)(ClosedFormClassifier(), X, y, *split, {}, "predict")
            for split in splits
        )

    expected = call()
    counts.clear()
    with population_of(trainer):
        np.testing.assert_array_equal(call(), expected)
    assert counts["adopted"] == 4
    assert counts["fitted alone"] == 0


def test_no_job_at_all_is_an_error(trainer):
    with population_of(trainer), pytest.raises(ValueError, match="n_jobs == 0"):
        joblib.Parallel(n_jobs=0)(joblib.delayed(abs)(n) for n in range(3))
    with pytest.raises(ValueError, match="n_jobs == 0"):
        PopulationBackend().effective_n_jobs(0)


# ---------------------------------------------------------------- nesting


def test_a_search_within_a_cross_validation_trains_populations(data, trainer, counts):
    search = GridSearchCV(ClosedFormClassifier(), {"alpha": [0.1, 1.0]}, cv=2)
    expected = cross_val_score(search, *data, cv=3)
    counts.clear()
    with population_of(trainer):
        np.testing.assert_array_equal(cross_val_score(search, *data, cv=3), expected)
    # The searches of all outer folds are one population, and so are their refits.
    assert [len(tasks) for tasks, _ in trainer.calls] == [12, 3]
    assert (counts["adopted"], counts["fitted alone"]) == (15, 0)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_an_ensemble_within_a_search_runs_as_ever(n_jobs, data, trainer):
    ensemble = BaggingClassifier(LogisticRegression(), 3, n_jobs=n_jobs, random_state=0)
    expected = scores({"max_samples": [0.3, 0.8]}, data, ensemble)
    with population_of(trainer):
        np.testing.assert_array_equal(scores({"max_samples": [0.3, 0.8]}, data, ensemble), expected)


def test_nested_calls_in_worker_processes_are_sequential(data, trainer):
    sent = pickle.loads(pickle.dumps(PopulationBackend(nesting_level=1)))
    assert (type(sent).__name__, sent.nesting_level) == ("SequentialBackend", 1)
    ensemble = BaggingClassifier(LogisticRegression(), 3, n_jobs=2, random_state=0)
    expected = scores({"max_samples": [0.3, 0.8]}, data, ensemble)
    with population(n_jobs=2):
        np.testing.assert_array_equal(scores({"max_samples": [0.3, 0.8]}, data, ensemble), expected)


def test_code_that_cuts_its_work_by_the_number_of_jobs_is_not_cut_small(data, trainer):
    with population_of(trainer):
        assert joblib.effective_n_jobs(None) == PARTS_OF_WORK
        assert joblib.effective_n_jobs(1) == 1
        assert joblib.effective_n_jobs(3) == 3
        assert joblib.effective_n_jobs(-1) == joblib.cpu_count()
        scores({"alpha": [1.0]}, data)
        assert joblib.effective_n_jobs(None) == PARTS_OF_WORK
        KNeighborsClassifier(algorithm="brute").fit(*data).predict(data[0])


def test_a_call_within_an_open_call_does_not_end_it(data, trainer):
    # BayesSearchCV asks its optimizer for candidates while its own call is open.
    with population_of(trainer), joblib.Parallel() as run:
        for _ in range(2):
            assert run(joblib.delayed(abs)(-n) for n in range(3)) == [0, 1, 2]
            joblib.Parallel(n_jobs=1)(joblib.delayed(abs)(-n) for n in range(3))
            assert joblib.effective_n_jobs(None) > 1


# ---------------------------------------------------------------- options, time, progress


def test_options_reach_the_trainer(data, trainer):
    with population_of(trainer, n_jobs=2, chunk=7, memory_limit="1MB", verbose=0):
        scores({"alpha": [1.0]}, data)
    assert (trainer.options.n_jobs, trainer.options.chunk) == (2, 7)
    assert trainer.options.memory_limit == 10**6


def test_jobs_of_the_search_take_the_place_of_the_option(data, trainer):
    for given, expected in [(None, 2), (1, 2), (3, 3), (-1, -1)]:
        with population_of(trainer, n_jobs=2):
            scores({"alpha": [1.0]}, data, n_jobs=given)
        assert trainer.options.n_jobs == expected
    with population_of(trainer):
        scores({"alpha": [1.0]}, data)
    assert trainer.options.n_jobs is None


def test_the_time_of_a_fit_has_its_share_of_the_training(data, trainer):
    # The trainer says that each member took 1000 seconds.
    with population_of(trainer):
        times = search_over({"alpha": [1.0, 2.0]}, data).cv_results_["mean_fit_time"]
        alone = search_over({"joins": [False]}, data).cv_results_["mean_fit_time"]
        of_folds = cross_validate(ClosedFormClassifier(), *data)["fit_time"]
    assert np.all((times > 1000) & (times < 1900))
    assert np.all((of_folds > 1000) & (of_folds < 1900))
    assert np.all(alone < 900)


@pytest.mark.parametrize(("verbose", "of_call"), [(1, 0), (0, 1), (0, 0)])
def test_progress_is_printed_where_it_is_wanted(verbose, of_call, data, capsys):
    def reporting(tasks, options, progress, contest):
        for index, task in enumerate(tasks):
            progress.advanced(PopulationProgress(len(tasks), 2, 10 * index, 3 - index, 0.5))
            yield index, solve(task)

    with population_of(reporting, verbose=verbose):
        cross_val_score(ClosedFormClassifier(), *data, cv=3, verbose=of_call)
    shown = [line for line in capsys.readouterr().err.splitlines() if "cohorts" in line]
    assert len(shown) == (3 if verbose or of_call else 0)
    if shown:
        assert shown[2].startswith("[Parallel(")
        assert "]: Trained 2 out of 3 in 2 cohorts | epochs: 20 | elapsed:" in shown[2]


@pytest.mark.parametrize("n_jobs", [None, 1, 3, -1])
def test_what_joblib_prints_of_the_workers_is_true(n_jobs, data, trainer, capsys):
    with population_of(trainer, n_jobs=n_jobs):
        cross_val_score(ClosedFormClassifier(), *data, cv=3, verbose=1)
        with joblib.Parallel(verbose=1) as run:
            for _ in range(2):
                run(joblib.delayed(abs)(-n) for n in range(3))
    printed = capsys.readouterr().err
    threads = joblib.cpu_count() if n_jobs in (None, -1) else n_jobs
    assert printed.count(f"Using backend PopulationBackend with {threads} concurrent workers") == 3
    assert {line.partition("]")[0] for line in printed.splitlines()} == {
        f"[Parallel(n_jobs={n_jobs})"
    }


def test_tasks_run_while_other_cohorts_still_train(data):
    scored = []

    def watching(tasks, options, progress, contest):
        for index, task in enumerate(tasks):
            assert len(scored) == index
            yield index, solve(task)

    def scorer(estimator, X, y):
        scored.append(True)
        return 0.0

    with population_of(watching):
        cross_val_score(ClosedFormClassifier(), *data, cv=3, scoring=scorer)
    assert len(scored) == 3


def test_no_fitted_estimator_outlives_its_task(data):
    alive = weakref.WeakSet()
    most = []

    def scorer(estimator, X, y):
        alive.add(estimator)
        gc.collect()
        most.append(len(alive))
        return 0.0

    def one_by_one(tasks, options, progress, contest):
        for index in range(len(tasks)):
            yield index, solve(tasks[index])

    # What other tests left behind is not walked through 48 times, a second each.
    gc.freeze()
    try:
        for joins in (True, False):
            with population_of(one_by_one):
                scores({"alpha": np.arange(1.0, 9.0), "joins": [joins]}, data, scoring=scorer)
    finally:
        gc.unfreeze()
    assert len(most) == 48
    # The one that is scored, and the one before while it is still named.
    assert max(most) <= 2


def test_callbacks_of_scikit_learn_hear_of_each_task_once(data, trainer):
    pytest.importorskip("sklearn.callback")

    class Listener:
        def __init__(self):
            self.heard = []

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            self.heard.append(("begin", context.task_name, context.task_id))

        def on_fit_task_end(self, estimator, context):
            self.heard.append(("end", context.task_name, context.task_id))

        def teardown(self, estimator, context):
            pass

    class PropagatedListener(Listener):
        max_propagation_depth = None

    estimator = Pipeline([("scaler", CountingScaler()), ("network", ClosedFormClassifier())])
    for kind in (Listener, PropagatedListener):

        def heard(kind=kind):
            listener = kind()
            search = GridSearchCV(estimator, {"network__alpha": [1.0, 2.0]}, cv=3, refit=False)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The estimator .* does not support callbacks")
                search.set_callbacks(listener).fit(*data)
            return listener.heard

        expected = heard()
        with population_of(trainer):
            found = heard()
        assert sorted(found, key=str) == sorted(expected, key=str)
        assert len(found) > 12
