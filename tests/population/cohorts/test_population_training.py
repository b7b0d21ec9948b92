"""A population trained in cohorts, several of them at once."""

import itertools
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from skhp.population.cohorts.early_results import EarlyResults
from skhp.population.cohorts.population_training import train_population
from skhp.population.options import PopulationOptions
from skhp.population.report import SilentProgress
from skhp.training.cohort.cohort import Cohort, train_cohort
from tests.population.no_room import NoRoom
from tests.training.fits import example, training_rows, validation_rows

pytestmark = pytest.mark.slow


class Recorded:
    """Keeps what it is told of progress."""

    def __init__(self):
        self.seen = []

    def advanced(self, progress):
        self.seen.append(progress)


def population(**options):
    return PopulationOptions(**options)


def trained(tasks, progress=None, **options):
    observer = progress or SilentProgress()
    return list(train_population(tasks, population(**options), observer))


@pytest.fixture(scope="module")
def tasks():
    """Members of two folds and several programs, that end at other times."""
    folds = [(training_rows(n, seed=n), validation_rows(20 + n % 7, seed=n)) for n in (60, 67)]
    settings = [
        *({"rate": rate, "patience": 2, "epochs": 12} for rate in (0.3, 0.03, 0.003)),
        *({"batch_size": size, "optimizer": "sgd", "epochs": 5} for size in (8, 20)),
        *({"neurons": n, "optimizer": "sgd", "epochs": 5, "rate": 0.2} for n in (2, 6)),
        {"dropout": 0.3, "optimizer": "sgd", "epochs": 3},
        {"activation": "sigmoid", "optimizer": "sgd", "epochs": 4},
    ]
    return [
        example(training=training, validation=validation, **own).task
        for (training, validation), own in itertools.product(folds, settings)
    ]


@pytest.fixture(scope="module")
def expected(tasks):
    return dict(trained(tasks, n_jobs=1))


def assert_same_bits(one, other):
    np.testing.assert_array_equal(one.trained.weights, other.trained.weights)
    for mine, theirs in zip(one.trained.slots, other.trained.slots, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_equal(one.outcome, other.outcome)


def threads_of_cohorts():
    return [thread for thread in threading.enumerate() if "skhp-cohort" in thread.name]


class TestResults:
    def test_every_member_is_there_once(self, tasks):
        numbers = [number for number, _ in trained(tasks)]
        assert sorted(numbers) == list(range(len(tasks)))

    def test_each_result_is_that_of_its_member(self, tasks, expected):
        for number, task in enumerate(tasks):
            (alone,) = train_cohort([task])
            found = expected[number]
            np.testing.assert_allclose(found.trained.weights, alone.trained.weights, atol=1e-3)
            assert found.outcome.n_epochs == alone.outcome.n_epochs
            np.testing.assert_allclose(
                found.outcome.history["loss"], alone.outcome.history["loss"], rtol=1e-3
            )

    @pytest.mark.parametrize("n_jobs", [2, 4, None])
    def test_the_number_of_threads_changes_no_bit(self, n_jobs, tasks, expected):
        for number, found in trained(tasks, n_jobs=n_jobs):
            assert_same_bits(found, expected[number])

    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_the_order_of_the_members_changes_no_bit(self, seed, tasks, expected):
        order = list(range(len(tasks)))
        random.Random(seed).shuffle(order)
        for place, found in trained([tasks[number] for number in order], n_jobs=2):
            assert_same_bits(found, expected[order[place]])

    def test_no_member_is_no_work(self):
        assert trained([]) == []


class TestFailures:
    def test_an_error_reaches_the_members_of_its_cohort_alone(self, tasks, expected, monkeypatch):
        def failing(members, *settings):
            if members[0].update.rule != "sgd":
                raise ArithmeticError("this cohort fails")
            return Cohort(members, *settings)

        monkeypatch.setattr("skhp.population.cohorts.running_cohort.Cohort", failing)
        results = dict(trained(tasks))
        assert sorted(results) == list(range(len(tasks)))
        for number, task in enumerate(tasks):
            if task.update.rule == "sgd":
                assert_same_bits(results[number], expected[number])
            else:
                assert isinstance(results[number], ArithmeticError)
        assert sum(task.update.rule != "sgd" for task in tasks) == 6

    def test_what_is_no_error_ends_the_population(self, tasks, monkeypatch):
        def leaving(members, *settings):
            raise KeyboardInterrupt

        monkeypatch.setattr("skhp.population.cohorts.running_cohort.Cohort", leaving)
        with pytest.raises(KeyboardInterrupt):
            trained(tasks)
        assert threads_of_cohorts() == []


class TestProgress:
    def test_epochs_and_members_add_up(self, tasks):
        progress = Recorded()
        results = dict(trained(tasks, progress, chunk=1))
        last = progress.seen[-1]
        assert last.epochs_done == sum(result.outcome.n_epochs for result in results.values())
        assert last.still_training == 0
        assert {one.members for one in progress.seen} == {len(tasks)}
        assert len({one.cohorts for one in progress.seen}) == 1
        for earlier, later in itertools.pairwise(progress.seen):
            assert earlier.epochs_done < later.epochs_done
            assert earlier.still_training >= later.still_training
            assert earlier.seconds <= later.seconds

    def test_a_chunk_is_reported_once_in_so_many_epochs(self):
        task = example(epochs=20, patience=None).task
        progress = Recorded()
        trained([task], progress, chunk=5)
        # The first epoch by itself, since it may have to wait for a compiler.
        assert [one.epochs_done for one in progress.seen] == [1, 6, 11, 16, 20]


class TestWorkers:
    @pytest.mark.parametrize(
        ("options", "at_once"),
        [({"n_jobs": 1}, 1), ({"n_jobs": 3}, 3), ({"memory_limit": 1, "n_jobs": 3}, 1)],
    )
    def test_so_many_cohorts_train_at_once(self, options, at_once, tasks, monkeypatch):
        running, lock, most = set(), threading.Lock(), []
        # With fewer cohorts at once than it waits for, each waits in vain, and goes on.
        met = threading.Barrier(3)

        def counted(members, *settings):
            with lock:
                running.add(id(members))
                most.append(len(running))
            try:
                met.wait(30 if at_once == 3 else 0.01)
            except threading.BrokenBarrierError:
                pass
            finally:
                with lock:
                    running.discard(id(members))
            return Cohort(members, *settings)

        monkeypatch.setattr("skhp.population.cohorts.running_cohort.Cohort", counted)
        some = [tasks[0], tasks[4], tasks[8]]
        assert len({task.program for task in some}) == 3
        assert len(trained(some, **options)) == 3
        assert max(most) == at_once


class TestClosing:
    def test_cohorts_that_nobody_waits_for_are_ended(self):
        epochs = 50_000
        rows = training_rows(), validation_rows()
        short, *long = (
            example(
                training=rows[0],
                validation=rows[1],
                optimizer=optimizer,
                epochs=count,
                batch_size=103,
            ).task
            for optimizer, count in (("sgd", 2), ("adam", epochs), ("nadam", epochs))
        )
        progress = Recorded()
        results = train_population([short, *long], population(n_jobs=3, chunk=5), progress)
        number, _ = next(results)
        assert number == 0
        assert len(threads_of_cohorts()) > 0
        results.close()
        assert threads_of_cohorts() == []
        assert progress.seen[-1].epochs_done < epochs
        assert progress.seen[-1].still_training == 2

    def test_an_observer_that_raises_ends_its_cohort_with_that_error(self):
        class Refusing:
            def advanced(self, progress):
                raise LookupError("no more")

        ((_, error),) = trained([example(epochs=9).task], Refusing())
        assert isinstance(error, LookupError)

    def test_waiting_cohorts_are_not_begun(self, tasks, monkeypatch):
        begun, closed = Counter(), threading.Event()

        class Executor(ThreadPoolExecutor):
            def shutdown(self, wait=True, *, cancel_futures=False):
                super().shutdown(wait=False, cancel_futures=cancel_futures)
                closed.set()
                super().shutdown(wait=wait)

        def counted(members, *settings):
            begun["cohorts"] += 1
            if begun["cohorts"] > 1:
                closed.wait(60)
            return Cohort(members, *settings)

        monkeypatch.setattr("skhp.population.cohorts.running_cohort.Cohort", counted)
        monkeypatch.setattr("skhp.population.cohorts.executor.ThreadPoolExecutor", Executor)
        some = [tasks[0], tasks[4], tasks[7], tasks[8]]
        results = train_population(some, population(n_jobs=1), SilentProgress())
        next(results)
        results.close()
        # The one that is done, and the one that took its place.
        assert begun["cohorts"] <= 2


@pytest.fixture(scope="module")
def alike():
    """Five members of one program: two folds, other learning rates."""
    folds = [(training_rows(n, seed=n), validation_rows(20, seed=n)) for n in (60, 67)]
    rates = [(0, 0.3), (0, 0.1), (0, 0.03), (1, 0.3), (1, 0.1)]
    return [
        example(training=folds[fold][0], validation=folds[fold][1], rate=rate, epochs=6).task
        for fold, rate in rates
    ]


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize(
    "error", [MemoryError("full"), tf.errors.ResourceExhaustedError(None, None, "OOM when")]
)
def test_a_cohort_without_memory_is_halved_until_it_fits(alike, error, after, monkeypatch, caplog):
    expected = dict(trained(alike, n_jobs=1))
    machine = NoRoom(monkeypatch, error, most=2, after=after)
    progress = Recorded()
    found = dict(trained(alike, progress, n_jobs=1))
    assert machine.sizes == [5, 3, 2, 2, 1]
    assert sorted(found) == [0, 1, 2, 3, 4]
    for number, result in found.items():
        np.testing.assert_allclose(
            result.trained.weights, expected[number].trained.weights, rtol=1e-3, atol=1e-4
        )
        assert result.outcome.n_epochs == expected[number].outcome.n_epochs
    # Epochs and ends that were reported before are not reported once more.
    epochs = Counter()
    for seen in progress.seen:
        epochs.update(seen.new_epochs)
    assert epochs == {number: result.outcome.n_epochs for number, result in found.items()}
    assert progress.seen[-1].still_training == 0
    messages = [record.getMessage() for record in caplog.records if record.name == "skhp"]
    assert len(messages) == 1
    assert "5 fits" in messages[0]
    assert "memory_limit" in messages[0]


def test_a_member_without_memory_alone_has_its_exception(alike, monkeypatch):
    NoRoom(monkeypatch, most=0)
    progress = Recorded()
    found = dict(trained(alike, progress, n_jobs=2))
    assert len(found) == 5
    assert all(isinstance(result, MemoryError) for result in found.values())
    assert progress.seen[-1].still_training == progress.seen[-1].epochs_left == 0


def test_members_that_were_handed_over_are_not_trained_again(alike, monkeypatch):
    some = [
        replace(task, plan=replace(task.plan, epochs=epochs, patience=None))
        for task, epochs in zip(alike, (2, 6, 6, 2, 6), strict=True)
    ]
    expected = dict(trained(some, n_jobs=1))
    monkeypatch.setattr(EarlyResults, "are_wanted", lambda *_: True)
    machine = NoRoom(monkeypatch, most=2, after=4)
    progress = Recorded()
    found = trained(some, progress, n_jobs=1, chunk=1)
    # Two had ended, so the halves are two members and one.
    assert machine.sizes == [5, 2, 1]
    assert {number for number, _ in found[:2]} == {0, 3}
    assert sorted(number for number, _ in found) == [0, 1, 2, 3, 4]
    for number, result in found:
        np.testing.assert_allclose(
            result.trained.weights, expected[number].trained.weights, rtol=1e-3, atol=1e-4
        )
    assert progress.seen[-1].epochs_done == sum(result.outcome.n_epochs for _, result in found)
    assert progress.seen[-1].still_training == progress.seen[-1].epochs_left == 0
    assert min(one.still_training for one in progress.seen) == 0


def test_the_last_of_several_members_is_tried_once_more(alike, monkeypatch):
    some = [
        replace(task, plan=replace(task.plan, epochs=epochs, patience=None))
        for task, epochs in zip(alike[:2], (2, 6), strict=True)
    ]
    monkeypatch.setattr(EarlyResults, "are_wanted", lambda *_: True)
    machine = NoRoom(monkeypatch, most=1, after=4)
    found = dict(trained(some, n_jobs=1, chunk=1))
    assert machine.sizes == [2, 1]
    assert [found[number].outcome.n_epochs for number in (0, 1)] == [2, 6]


def test_no_memory_for_the_results_halves_a_cohort_too(alike, monkeypatch):
    expected = dict(trained(alike, n_jobs=1))
    result = Cohort.result

    def result_if_few(cohort, number):
        if len(cohort._tasks) > 2 and number:
            raise MemoryError("full")
        return result(cohort, number)

    monkeypatch.setattr(Cohort, "result", result_if_few)
    progress = Recorded()
    found = trained(alike, progress, n_jobs=1)
    assert sorted(number for number, _ in found) == [0, 1, 2, 3, 4]
    for number, one in found:
        assert one.outcome.n_epochs == expected[number].outcome.n_epochs
    assert progress.seen[-1].still_training == 0


def test_another_error_is_not_tried_again(alike, monkeypatch):
    machine = NoRoom(monkeypatch, ArithmeticError("wrong"), most=0, after=2)
    progress = Recorded()
    found = dict(trained(alike, progress, n_jobs=1))
    assert machine.sizes == [5]
    assert progress.seen[-1].still_training == progress.seen[-1].epochs_left == 0
    assert isinstance(found[4], ArithmeticError)
