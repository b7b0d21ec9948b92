"""Fits within any tasks wait for one another; nothing else changes for the tasks."""

import functools
import gc
import os
import pickle
import random
import signal
import threading
import time
import warnings
import weakref
from contextvars import ContextVar

import joblib
import keras
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from skhp.population import task_threads
from skhp.population.handover import waiting_task
from skhp.population.joint_fits import fit_together
from skhp.population.options import PopulationOptions
from skhp.population.report import SilentProgress, collected_report
from skhp.population.requested_fits import may_fit
from tests.population import closed_form
from tests.population.closed_form import ClosedFormClassifier, population_of, solve


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert [thread for thread in threading.enumerate() if "skhp" in thread.name] == []


@pytest.fixture
def soon_blocked(monkeypatch):
    monkeypatch.setattr(task_threads, "_SECONDS_IDLE", 0.1)
    monkeypatch.setattr(task_threads, "_SECONDS_IDLE_AGAIN", 0.05)


class Learner:
    """Not an estimator, but it has one."""

    def __init__(self, of):
        self.of = of

    def learn(self, X, y):
        self.of.fit(X, y)
        return os.getpid()


def sizes(trainer):
    return [len(tasks) for tasks, _ in trainer.calls]


def run(function, items, **settings):
    return joblib.Parallel(**settings)(joblib.delayed(function)(item) for item in items)


def fit(data, alpha=1.0, **parameters):
    return ClosedFormClassifier(alpha=alpha, **parameters).fit(*data)


# ---------------------------------------------------------------- who waits


def test_fits_of_a_users_function_train_together_in_the_order_of_the_tasks(data, trainer, counts):
    alphas = [3.0, 0.1, 20.0, 1.0]
    expected = [fit(data, alpha).coefficients_ for alpha in alphas]
    for settings in ({}, {"n_jobs": 2}, {"return_as": "generator"}):
        trainer.calls.clear()
        counts.clear()
        with population_of(trainer):
            found = run(lambda alpha: fit(data, alpha).coefficients_, alphas, **settings)
        np.testing.assert_array_equal(list(found), expected)
        assert sizes(trainer) == [4]
        assert counts["fitted alone"] == 0


def test_a_task_that_fits_twice_waits_twice(data, trainer):
    def refine(alpha):
        first = fit(data, alpha)
        return fit(data, alpha + first.score(*data)).coefficients_

    expected = [refine(alpha) for alpha in (1.0, 2.0, 3.0)]
    with population_of(trainer):
        np.testing.assert_array_equal(run(refine, (1.0, 2.0, 3.0)), expected)
    assert sizes(trainer) == [3, 3]


def test_tasks_that_fit_nothing_or_another_number_of_times(data, trainer):
    def fits(number):
        return [fit(data, alpha + 1).coefficients_.sum() for alpha in range(number)]

    numbers = [0, 3, 1, 0, 2]
    expected = [fits(number) for number in numbers]
    with population_of(trainer):
        assert run(fits, numbers) == expected
    assert sizes(trainer) == [3, 2, 1]


def test_folds_of_other_estimators_run_in_the_thread_of_the_caller(data, trainer):
    threads = set()

    def scorer(estimator, X, y):
        threads.add(threading.current_thread())
        return estimator.score(X, y)

    with population_of(trainer):
        cross_val_score(KNeighborsClassifier(), *data, scoring=scorer, cv=2)
    assert threads == {threading.current_thread()}


def test_calls_within_tasks_wait_with_them(data, trainer, counts):
    vote = VotingClassifier([("a", ClosedFormClassifier(1.0)), ("b", ClosedFormClassifier(9.0))])
    search = GridSearchCV(ClosedFormClassifier(), {"alpha": [0.1, 1.0]}, cv=2)
    ours = ClosedFormClassifier()

    def anything(name):
        if name == "joint":
            models = [clone(ours), clone(ours)]
            if within:
                assert fit_together((model, *data) for model in models) == models
            return [model.fit(*data).coefficients_.sum() for model in models]
        if name == "nested":
            return run(lambda alpha: fit(data, alpha).coefficients_.sum(), [1.0, 2.0])
        if name == "predict":
            return cross_val_predict(ours, *data, cv=3).tolist()
        return cross_val_score({"vote": vote, "search": search}[name], *data, cv=3).tolist()

    names = ["vote", "joint", "nested", "predict", "search"]
    within = False
    expected = [anything(name) for name in names]
    within = True
    counts.clear()
    with population_of(trainer):
        assert run(anything, names) == expected
    # 3 x 2 votes, 2 + 2 fits, 3 folds, 3 x 2 x 2 of the search; then the search refits, and the
    # two models are fitted again.
    assert sizes(trainer) == [6 + 2 + 2 + 3 + 12, 3 + 1, 1]
    assert counts["fitted alone"] == 0


def test_a_population_that_prunes_its_own_members_trains_by_itself(data, trainer):
    def task(alpha):
        fits = [ClosedFormClassifier(alpha).__skhp_fit_task__(*data)]
        settings = PopulationOptions(), SilentProgress(), "contest" if alpha else None
        return [number for number, _ in waiting_task().train(fits, *settings)]

    with population_of(trainer):
        assert run(task, [1.0, 0, 2.0, 0]) == [[0]] * 4
    assert sizes(trainer) == [1, 1, 2]


def test_with_workers_tasks_without_an_estimator_of_ours_go_to_them(data, trainer):
    estimators = [Learner(ClosedFormClassifier()), *[Learner(KNeighborsClassifier())] * 2]
    with population_of(trainer, n_jobs=2):
        ours, *others = joblib.Parallel(n_jobs=2)(
            joblib.delayed(Learner.learn)(one, *data) for one in estimators
        )
    assert ours == os.getpid()
    assert os.getpid() not in others
    assert sizes(trainer) == [1]


def from_a_global(data):
    return ClosedFormClassifier().fit(*data)


def from_another_function(data):
    return [from_a_global(data) for _ in range(1)]


def from_a_module(data):
    return closed_form.ClosedFormClassifier().fit(*data)


def from_an_import(data):
    from tests.population.closed_form import ClosedFormClassifier as Kind

    return Kind().fit(*data)


def from_a_closure(data):
    kind = ClosedFormClassifier
    return functools.partial(lambda data: kind().fit(*data), data)


def from_nothing(data):
    return KNeighborsClassifier().fit(*data)


@pytest.mark.parametrize(
    ("function", "may"),
    [
        *[(from_a_global, True), (from_another_function, True), (from_a_module, True)],
        *[(from_an_import, True), (from_a_closure(()), True), (from_nothing, False)],
        *[(Learner({"a": [ClosedFormClassifier()]}).learn, True), (Learner(1).learn, False)],
    ],
)
def test_code_that_may_fit_one_of_ours_is_found(function, may):
    assert may_fit([(function, (np.zeros(3),), {})]) is may


def test_many_tasks_go_in_waves(data, trainer):
    most = []

    def count(alpha):
        fitted = fit(data, alpha)
        most.append(threading.active_count())
        return fitted.alpha

    before = threading.active_count()
    alphas = np.arange(1.0, 601.0)
    with population_of(trainer):
        assert run(count, alphas) == alphas.tolist()
    assert sizes(trainer) == [256, 256, 88]
    assert max(most) <= before + 256


def test_rows_that_wait_are_bounded(monkeypatch):
    from skhp import KerasMLPClassifier

    network = KerasMLPClassifier(neurons=1, epochs=1, early_stopping=False, random_state=0)
    tables = [make_classification(40, 5, random_state=seed) for seed in range(5)]
    # Two tables of 40 x 5 in float32, and no third.
    monkeypatch.setattr(task_threads, "MOST_BYTES", 1500)
    found = []

    def noting(tasks, *arguments):
        from skhp.population.cohorts.population_training import train_population

        found.append(len(tasks))
        return train_population(tasks, *arguments)

    def of_copies(table):
        rows = table[0].copy()
        copies.append(weakref.ref(rows))
        clone(network).fit(rows, table[1])
        most.append(sum(copy() is not None for copy in copies))

    copies, most = [], []
    with population_of(noting):
        run(of_copies, tables)
        run(lambda l2: clone(network).set_params(l2=l2).fit(*tables[0]), [0.0, 0.1, 0.2, 0.3])
    # Fits of the same rows hold them once.
    assert found == [2, 2, 1, 4]
    assert max(most) == 2


def test_no_task_outlives_its_result(data, trainer):
    alive = weakref.WeakSet()
    most = []

    def count(alpha):
        fitted = fit(data, alpha)
        alive.add(fitted)
        gc.collect(0)
        most.append(len(alive))

    with population_of(trainer):
        run(count, np.arange(1.0, 9.0))
    assert max(most) <= 2


def test_a_report_counts_each_fit_once(data, trainer):
    def two(joins):
        fit(data, joins=joins)
        return cross_val_score(ClosedFormClassifier(joins=joins), *data, cv=3)

    with population_of(trainer), collected_report() as collected:
        run(two, [True, True, False])
    assert (collected.total.n_together, collected.total.n_by_keras) == (8, 4)


def test_a_fit_whose_cohort_failed_trains_alone(data, trainer, counts):
    def message(fails):
        try:
            return fit(data, fails_in_training=fails).alpha
        except ArithmeticError as error:
            return str(error)

    with population_of(trainer):
        assert run(message, [False, True, False]) == [1.0, "training failed", 1.0]
    assert sizes(trainer) == [3]
    assert (counts["adopted"], counts["fitted alone"]) == (2, 1)


# ---------------------------------------------------------------- errors and interrupts


class TaskError(Exception):
    """The user's own."""


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("raises", ["before", "after"])
def test_the_first_error_of_a_task_reaches_the_user(raises, nested, data, trainer):
    seen = []

    def task(number):
        try:
            if raises == "before" and number in (2, 4):
                raise TaskError(number)
            fit(data, number + 1.0)
            # Task 1 would have ended the call before task 2 began.
            if number == 1 or (raises == "after" and number == 3):
                raise TaskError(number)
            seen.append(number)
        finally:
            seen.append(f"{number} left")

    def outer(number):
        if number == 0:
            return run(task, range(5))
        seen.append("never")
        return None

    with population_of(trainer), pytest.raises(TaskError) as found:
        run(outer, range(2)) if nested else run(task, range(5))
    assert found.value.args == (1,)
    assert found.traceback[-1].name == "task"
    assert seen[:0] == []
    assert {number for number in seen if isinstance(number, int)} == {0}
    # Those that had begun have left their `finally`; task 3 begins only if task 2 has not failed.
    begun = 3 if raises == "before" else 5
    assert {one for one in seen if one != 0} - {"never"} == {f"{n} left" for n in range(begun)}
    with population_of(trainer):
        assert run(abs, [-1, -2]) == [1, 2]


def test_an_error_that_a_task_catches_ends_nothing(data, trainer):
    def outer(alpha):
        def inner(number):
            fit(data, alpha + number)
            raise TaskError(number)

        try:
            run(inner, range(3))
        except TaskError as error:
            return error.args, fit(data, alpha).alpha
        return None

    with population_of(trainer):
        assert run(outer, [1.0, 2.0]) == [((0,), 1.0), ((0,), 2.0)]
    assert sizes(trainer) == [6, 2]


def test_an_error_of_the_trainer_ends_all_tasks(data):
    left = []

    def broken(tasks, *_):
        yield 0, solve(tasks[0])
        raise MemoryError("no memory")

    def task(number):
        try:
            return fit(data, number + 1.0)
        finally:
            left.append(number)

    with population_of(broken), pytest.raises(MemoryError, match="no memory"):
        run(task, range(4))
    # The last first, as an error leaves nested calls.
    assert left == [3, 2, 1, 0]


@pytest.fixture
def obeys_ctrl_c():
    """A job in the background of a shell ignores Ctrl-C, and hands that on to what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="sends the signal of Ctrl-C")
@pytest.mark.parametrize("where", ["in a task", "in the training", "in a nested task"])
def test_ctrl_c_ends_all_threads(where, data, trainer, obeys_ctrl_c):
    left = []

    def interrupted(tasks, *_):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)
        yield 0, solve(tasks[0])

    def task(number):
        try:
            if number == 2 and where != "in the training":
                os.kill(os.getpid(), signal.SIGINT)
                while True:
                    time.sleep(0.01)
            try:
                fit(data, number + 1.0)
            except Exception:
                left.append("an except clause of the user")
        finally:
            left.append(number)

    def nested(number):
        return run(task, range(number))

    begin = time.monotonic()
    with (
        population_of(interrupted if where == "in the training" else trainer),
        pytest.raises(KeyboardInterrupt),
    ):
        run(nested, [3, 3]) if where == "in a nested task" else run(task, range(3))
    assert left == [2, 1, 0]
    assert trainer.calls == []
    assert time.monotonic() - begin < 9


# ---------------------------------------------------------------- tasks that are blocked


def test_a_task_that_holds_a_lock_while_it_fits(data, trainer, soon_blocked):
    lock = threading.Lock()

    def locked(alpha):
        with lock:
            return fit(data, alpha).coefficients_.sum()

    expected = [locked(alpha) for alpha in (1.0, 2.0, 3.0)]
    with population_of(trainer):
        assert run(locked, (1.0, 2.0, 3.0)) == expected
    assert trainer.members == 3


def test_a_task_that_waits_for_another(data, trainer, soon_blocked):
    done = threading.Event()

    def task(alpha):
        if alpha == 2.0:
            assert done.wait(30)
        fitted = fit(data, alpha)
        done.set()
        return fitted.alpha

    with population_of(trainer):
        assert run(task, (1.0, 2.0, 3.0)) == [1.0, 2.0, 3.0]
    assert sizes(trainer)[0] == 1
    assert trainer.members == 3


def test_a_task_that_waits_for_another_whose_fit_is_trained(data, trainer, soon_blocked):
    done = threading.Event()

    def task(alpha):
        fitted = fit(data, alpha)
        if alpha == 1.0:
            assert done.wait(30)
        done.set()
        return fitted.alpha

    with population_of(trainer):
        assert run(task, (1.0, 2.0, 3.0)) == [1.0, 2.0, 3.0]
    assert sizes(trainer) == [3]


def test_jobs_that_are_written_to_wait_for_one_another(data, trainer, soon_blocked):
    both = threading.Barrier(2, timeout=30)

    def task(alpha):
        both.wait()
        return fit(data, alpha).alpha

    with population_of(trainer):
        assert run(task, (1.0, 2.0), n_jobs=2, prefer="threads") == [1.0, 2.0]
    assert trainer.members == 2


def test_a_task_that_spins_for_another(data, trainer, monkeypatch):
    monkeypatch.setattr(task_threads, "_SECONDS_BUSY", 0.3)
    done = []

    def task(alpha):
        while alpha == 2.0 and not done:
            sum(range(1000))
        done.append(fit(data, alpha))
        return alpha

    with population_of(trainer):
        assert run(task, (1.0, 2.0)) == [1.0, 2.0]
    assert sizes(trainer) == [1, 1]


def test_a_task_that_computes_for_long_is_waited_for(data, trainer, soon_blocked):
    def task(alpha):
        until = time.process_time() + 0.3
        while time.process_time() < until:
            sum(range(1000))
        return fit(data, alpha).alpha

    with population_of(trainer):
        assert run(task, (1.0, 2.0)) == [1.0, 2.0]
    assert sizes(trainer) == [2]


def test_threads_of_a_task_do_not_wait_for_it(data, trainer, counts):
    def task(alpha):
        with joblib.parallel_config(backend="threading", n_jobs=2):
            return run(lambda more: fit(data, alpha + more).alpha, [0.0, 0.5])

    with population_of(trainer):
        assert run(task, [1.0, 2.0]) == [[1.0, 1.5], [2.0, 2.5]]
    assert counts["fitted alone"] == 4


# ---------------------------------------------------------------- what a task shares with others

variable = ContextVar("variable", default="default")


def test_a_task_finds_the_settings_of_its_caller(data, trainer):
    def found(_):
        first = (
            sklearn.get_config()["assume_finite"],
            np.geterr()["divide"],
            joblib.Parallel().verbose,
            variable.get(),
            keras.saving.get_registered_object("skhp_test"),
        )
        sklearn.set_config(assume_finite=False)
        variable.set("of a task")
        fit(data)
        return first

    token = variable.set("of the caller")
    with (
        sklearn.config_context(assume_finite=True),
        np.errstate(divide="raise"),
        keras.saving.custom_object_scope({"skhp_test": ClosedFormClassifier}),
    ):
        with population_of(trainer), joblib.parallel_config(verbose=3):
            results = run(found, range(3), verbose=0)
            nested = run(lambda _: run(found, range(2), verbose=0), range(2), verbose=0)
        assert sklearn.get_config()["assume_finite"] is True
    assert variable.get() == "of the caller"
    variable.reset(token)
    assert results == [(True, "raise", 3, "of the caller", ClosedFormClassifier)] * 3
    assert nested == [results[:2]] * 2
    assert sizes(trainer) == [3, 4]


def test_each_task_has_its_own_warning_filters(data, trainer):
    class OneWarning(UserWarning):
        pass

    def task(number):
        with warnings.catch_warnings(record=number % 2 == 0) as recorded:
            warnings.simplefilter("error" if number % 2 else "always", OneWarning)
            fit(data, number + 1.0)
            try:
                warnings.warn(f"of {number}", OneWarning, stacklevel=1)
            except OneWarning as error:
                return str(error)
            return [str(one.message) for one in recorded]

    def watching(*arguments):
        assert warnings.filters == before
        yield from trainer(*arguments)

    before, shown_by = list(warnings.filters), warnings.showwarning
    with population_of(watching):
        assert run(task, range(4)) == [["of 0"], "of 1", ["of 2"], "of 3"]
    assert warnings.filters == before
    assert warnings.showwarning is shown_by
    assert sizes(trainer) == [4]


def test_a_warning_of_a_fit_is_given_once(data, trainer):
    def task(_):
        fit(data, warns=True)

    with population_of(trainer), warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        run(task, range(2))
    assert [str(one.message) for one in recorded] == ["a warning of preparation"] * 2


DRAWS = {
    "before the fit": ("draw fit", [1, 3]),
    "after the fit": ("fit draw", [4]),
    "on both sides": ("draw fit draw", [1, 1, 1, 1]),
    "between fits": ("fit draw fit", [4, 1, 1, 1, 1]),
    "within a call": ("call draw", [4]),
    "not at all": ("fit fit", [4, 4]),
}


@pytest.mark.parametrize("source", ["NumPy", "Python", "shared"])
@pytest.mark.parametrize("name", DRAWS)
def test_numbers_of_a_shared_generator_come_in_the_order_of_the_tasks(name, source, data, trainer):
    steps, expected_sizes = DRAWS[name]

    def results():
        shared = np.random.RandomState(5)
        np.random.seed(5)
        random.seed(5)
        draw = {"NumPy": np.random.uniform, "Python": random.random, "shared": shared.uniform}

        def task(draw):
            drawn = []
            for step in steps.split():
                if step == "fit":
                    drawn.append(fit(data, sum(drawn) + 1).coefficients_.sum())
                elif step == "call":
                    drawn += run(lambda alpha: fit(data, alpha).coefficients_.sum(), [1.0])
                else:
                    drawn.append(draw())
            return drawn

        # Bound methods of generators of C name their generator.
        return run(task, [draw[source]] * 4)

    expected = results()
    with population_of(trainer):
        assert results() == expected
    assert sizes(trainer) == expected_sizes


def test_generators_of_one_task_alone_hold_nobody_up(data, trainer):
    def task(generator):
        fit(data, 1 + generator.uniform())
        return generator.uniform()

    generators = [np.random.default_rng(seed) for seed in range(3)]
    expected = run(task, pickle.loads(pickle.dumps(generators)))
    with population_of(trainer):
        assert run(task, generators) == expected
    assert sizes(trainer) == [3]


def test_a_task_that_catches_everything_ends_nevertheless(data, trainer):
    ended = []

    def stubborn(number):
        for _ in range(3):
            try:
                fit(data, number + 1.0)
            except BaseException as error:
                ended.append(type(error).__name__)

    def broken(tasks, *_):
        raise MemoryError("no memory")
        yield

    with population_of(broken), pytest.raises(MemoryError):
        run(stubborn, range(2))
    assert ended == ["Abandoned"] * 6


def test_a_thread_that_does_not_end_is_left(data, trainer, monkeypatch):
    monkeypatch.setattr("skhp.population.waiting_task._SECONDS_TO_END", 0.2)
    monkeypatch.setattr("skhp.population.waiting_task._SECONDS_TO_END_ITSELF", 0.05)
    end = threading.Event()

    def stubborn(number):
        try:
            fit(data, number + 1.0)
        finally:
            end.wait(20)

    def broken(tasks, *_):
        raise MemoryError("no memory")
        yield

    with population_of(broken), pytest.raises(MemoryError):
        run(stubborn, range(1))
    (left,) = [thread for thread in threading.enumerate() if thread.name == "skhp-task"]
    end.set()
    left.join(5)
