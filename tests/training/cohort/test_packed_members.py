"""Members that still train move to a smaller program where others have ended."""

from dataclasses import replace

import numpy as np
import pytest

from skhp.networks.network import unflattened
from skhp.objectives.metrics import CLASSIFICATION_METRICS
from skhp.training.cohort import compiled_programs as cohort_costs
from skhp.training.cohort.cohort import EPOCHS_OF_LOOK, Cohort, train_cohort
from skhp.training.cohort.compiled_programs import pays_to_move, programs
from tests.training.fits import example, training_rows, validation_rows, with_plan

pytestmark = pytest.mark.slow


@pytest.fixture
def cheap_programs(monkeypatch):
    """Building a program costs nothing, so everything that spares a place pays."""
    monkeypatch.setattr(cohort_costs, "BUILD_SECONDS", 0.0)


def two_streams(**settings):
    """Of six members, four end in the first epochs, and one stream is left with none."""
    rows = [(training_rows(60 + k, seed=k), validation_rows(20, seed=k)) for k in range(2)]
    epochs = [(70, 9, 16, 40), (8, 12)]
    # The statistics of a batch need all of it at once, so there all batches are of the same size.
    sizes = (20,) * 4 if settings.get("batch_norm") else (20, 30, 20, 10)
    return [
        example(
            training=training,
            validation=validation,
            epochs=most,
            rate=0.003 * (k + 1),
            batch_size=size,
            l2=0.001 * k,
            **settings,
        ).task
        for (training, validation), ends in zip(rows, epochs, strict=True)
        for k, (most, size) in enumerate(zip(ends, sizes, strict=False))
    ]


def assert_equal_results(one, other, **tolerance):
    np.testing.assert_allclose(one.trained.weights, other.trained.weights, **tolerance)
    np.testing.assert_allclose(one.trained.state, other.trained.state, **tolerance)
    for mine, theirs in zip(one.trained.slots, other.trained.slots, strict=True):
        np.testing.assert_allclose(mine, theirs, **tolerance)
    assert one.trained.step == other.trained.step
    for name, values in one.outcome.history.items():
        np.testing.assert_allclose(values, other.outcome.history[name], **tolerance)
    rates = [result.outcome.learning_rates for result in (one, other)]
    np.testing.assert_allclose(*rates, rtol=1e-6)
    for name in ("n_epochs", "best_epoch", "stop_reason"):
        assert getattr(one.outcome, name) == getattr(other.outcome, name)


def places_of(tasks, **options):
    """Results, and the places of each program that the cohort went through."""
    cohort = Cohort(tasks, **options)
    results = cohort.trained()
    return results, [pack.places for pack in cohort._packs]


@pytest.mark.parametrize(
    ("settings", "compiled"),
    [
        ({"optimizer": "adam", "patience": 30}, False),
        ({"optimizer": "nadam", "dropout": 0.3}, True),
        ({"optimizer": "sgd", "batch_norm": True, "schedule": "cosine"}, False),
    ],
    ids=["patience", "dropout", "statistics"],
)
def test_members_that_move_train_as_alone(settings, compiled, cheap_programs, monkeypatch):
    tasks = two_streams(**settings)
    with monkeypatch.context() as patched:
        if compiled:
            patched.setattr(cohort_costs, "_COMPILE_SECONDS", 0.0)
        found, places = places_of(tasks)
    assert places == [8, 2, 1]
    for task, result in zip(tasks, found, strict=True):
        (alone,) = train_cohort([task])
        assert_equal_results(result, alone, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("chunk", [1, 5, 16, 100])
def test_the_chunks_change_no_bit(chunk, cheap_programs):
    tasks = two_streams(patience=30)
    expected, places = places_of(tasks)
    found, same_places = places_of(tasks, chunk=chunk)
    assert same_places == places
    for one, other in zip(found, expected, strict=True):
        assert_equal_results(one, other, rtol=0, atol=0)


def test_fewer_epochs_of_a_member_that_moves_are_still_seen(cheap_programs):
    task, *others = two_streams()
    shorter = with_plan(task, epochs=EPOCHS_OF_LOOK + 3)
    found, places = places_of([shorter, task, *others])
    assert len(places) > 1
    (alone,) = train_cohort([shorter])
    assert_equal_results(found[0], alone, rtol=1e-3, atol=1e-3)


def test_a_neighbour_that_explodes_changes_no_bit_of_those_that_move(cheap_programs):
    tasks = two_streams()
    broken = replace(tasks[2].start, weights=np.full_like(tasks[2].start.weights, np.nan))
    troubled, places = places_of([*tasks[:2], replace(tasks[2], start=broken), *tasks[3:]])
    assert len(places) > 1
    assert troubled[2].outcome.stop_reason == "non_finite_loss"
    expected = train_cohort(tasks)
    for number in (0, 1, 3, 4, 5):
        assert_equal_results(troubled[number], expected[number], rtol=0, atol=0)


def test_a_second_cohort_of_the_kind_builds_nothing(cheap_programs):
    train_cohort(two_streams())
    before = programs.counts
    train_cohort(two_streams())
    assert programs.counts.built == before.built


def test_small_work_stays_where_it_is():
    _, places = places_of(two_streams(patience=30))
    assert len(places) == 1


@pytest.mark.parametrize(
    ("spared", "epochs_done", "pays"),
    [
        # Nothing is spared, nothing was learnt of how long it takes, nothing is left.
        (0, 500, False),
        (200, 0, False),
        (200, 1000, False),
        (200, 500, True),
        (1, 500, False),
    ],
)
def test_moving_pays_where_much_work_is_left_and_many_places_are_spared(spared, epochs_done, pays):
    task = example(neurons=64, training=training_rows(2000), epochs=1000).task
    assert pays_to_move([task], spared, epochs_done) is pays


@pytest.mark.parametrize("known", [(0,), (1, 2), (0, 3, 5), (1, 2, 3, 4, 5)])
def test_members_whose_results_are_known_keep_the_bits_of_the_others(known, cheap_programs):
    tasks = two_streams(patience=30)
    expected, places = places_of(tasks)
    resumed = [
        replace(task, finished_after=expected[number].outcome.n_epochs) if number in known else task
        for number, task in enumerate(tasks)
    ]
    assert Cohort(resumed).running == len(tasks) - len(known)
    found, same_places = places_of(resumed)
    # A cohort ends earlier where what would last longest is known.
    assert same_places == places[: len(same_places)]
    for number, result in enumerate(found):
        if number not in known:
            assert_equal_results(result, expected[number], rtol=0, atol=0)


def test_a_known_training_still_trains_for_a_member_that_shares_it(cheap_programs):
    task, *_ = two_streams()
    shorter = with_plan(task, epochs=12)
    expected = train_cohort([task, shorter])
    known = replace(task, finished_after=task.plan.epochs)
    assert Cohort([known, shorter]).running == 1
    _, found = train_cohort([known, shorter])
    assert_equal_results(found, expected[1], rtol=0, atol=0)


def test_members_that_are_pruned_leave_what_they_have(cheap_programs):
    tasks = two_streams()
    whole, shorter = (
        train_cohort(tasks),
        train_cohort([with_plan(task, epochs=8) for task in tasks]),
    )
    cohort = Cohort(tasks)
    cohort.run(until=8)
    scores = cohort.held_out_scores()
    # The last of them is trained by now.
    cohort.prune([0, 3, 4])
    cohort.run()
    for number, result in enumerate(cohort.results()):
        pruned = number in (0, 3)
        expected = shorter[number] if pruned else whole[number]
        reason = "pruned" if pruned else "epochs"
        outcome = replace(expected.outcome, stop_reason=reason)
        assert_equal_results(result, replace(expected, outcome=outcome), rtol=2e-4, atol=1e-6)
        if pruned:
            assert result.held_out_score == scores[number]


def test_a_training_that_is_pruned_goes_on_for_a_member_that_shares_it(cheap_programs):
    (task,) = [task for task in two_streams() if task.plan.epochs == 70]
    tasks = [
        task,
        with_plan(task, epochs=20),
        with_plan(task, epochs=30),
        with_plan(task, epochs=4),
    ]
    cohort = Cohort(tasks)
    cohort.run(until=8)
    cohort.prune([0, 2, 3])
    cohort.run()
    assert cohort.epochs < 70
    for result, epochs in zip(cohort.results(), (8, 20, 8, 4), strict=True):
        (expected,) = train_cohort([with_plan(task, epochs=epochs)])
        reason = "pruned" if epochs == 8 else "epochs"
        outcome = replace(expected.outcome, stop_reason=reason)
        assert_equal_results(result, replace(expected, outcome=outcome), rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("metric", [None, "f1"])
def test_held_out_scores_are_of_the_best_epoch_and_without_penalties(metric):
    watched = None if metric is None else CLASSIFICATION_METRICS[metric]
    task = next(task for task in two_streams(metric=watched) if any(task.numbers.l2))
    task = with_plan(task, patience=99)
    (result,) = train_cohort([task])
    history = result.outcome.history
    if metric is None:
        arrays = unflattened(result.trained.weights, task.network.weight_shapes)
        penalties = zip(task.numbers.l2, arrays, strict=True)
        penalty = sum(l2 * np.square(array, dtype=np.float64).sum() for l2, array in penalties)
        assert penalty > 1e-4
        expected = penalty - history["val_loss"][result.outcome.best_epoch - 1]
    else:
        expected = history["val_f1"][result.outcome.best_epoch - 1]
    assert result.held_out_score == pytest.approx(expected, rel=1e-5)
