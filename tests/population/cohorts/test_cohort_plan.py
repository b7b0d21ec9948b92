"""How a population is parted into cohorts."""

import functools
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhp.networks.build import initial_network, numbers_of
from skhp.networks.description import multilayer_perceptron
from skhp.objectives.losses import keras_loss, row_loss
from skhp.population.cohorts.cohort_plan import MOST_MEMBERS, bytes_of_member, plan_cohorts
from skhp.training.fit_task import FitTask, TrainingPlan
from skhp.training.rate_schedules import RateNumbers
from skhp.training.trained_network import MemberWeights
from skhp.training.training_rows import TrainingRows, ValidationRows
from skhp.training.update_rules import UpdateNumbers

pytestmark = pytest.mark.slow

LOSS = row_loss(keras_loss("auto", "binary"))
RULES = {"sgd": (), "momentum": (0.9,)}


def network(neurons=4):
    description = multilayer_perceptron(
        n_inputs=3,
        n_outputs=1,
        output="binary",
        hidden_layers=1,
        neurons=neurons,
        activation="tanh",
        batch_norm=False,
        dropout=0.0,
        l2=0.0,
    )
    return description, initial_network(description, 0)


@functools.cache
def fold(number, n_rows):
    """Rows that are one object for all members of a fold."""
    generator = np.random.default_rng([number, n_rows])
    X = generator.normal(size=(n_rows, 3)).astype(np.float32)
    y = (X[:, :1] > 0).astype(np.float32)
    weight = np.ones(n_rows, np.float32)
    held = ValidationRows(X[:9], y[:9], weight[:9], y[:9, 0].astype(np.intp), None)
    return TrainingRows(X, y, weight), held


def member(
    fold_number=0, rate=0.1, batch_size=20, epochs=10, n_rows=80, neurons=4, rule="sgd", seed=0
):
    description, initial = network(neurons)
    rows, validation = fold(fold_number, n_rows)
    return FitTask(
        network=initial.network,
        numbers=numbers_of(description),
        loss=LOSS,
        update=UpdateNumbers(rule, RULES[rule]),
        rate=RateNumbers(rate),
        rows=rows,
        validation=validation,
        plan=TrainingPlan(batch_size=batch_size, epochs=epochs, seed=seed, patience=3),
        noise_seed=0,
        start=MemberWeights(initial.weights, initial.state),
    )


def places(tasks, plan):
    """Members and free places of a cohort."""
    return plan.candidates * len({tasks[number].stream for number in plan.members})


members = st.builds(
    member,
    fold_number=st.integers(0, 4),
    rate=st.sampled_from([0.1, 0.01, 0.001]),
    batch_size=st.sampled_from([7, 10, 20, 40, 60, 100]),
    epochs=st.sampled_from([5, 50]),
    n_rows=st.sampled_from([80, 81]),
    neurons=st.sampled_from([2, 4]),
    rule=st.sampled_from(sorted(RULES)),
    seed=st.integers(0, 1),
)
populations = st.lists(members, min_size=1, max_size=60)
limits = st.none() | st.integers(1, 10**6)


@settings(max_examples=60)
@given(tasks=populations, limit=limits)
def test_every_member_is_in_one_cohort_of_its_program(tasks, limit):
    plans = plan_cohorts(tasks, limit)
    assert sorted(number for plan in plans for number in plan.members) == list(range(len(tasks)))
    for plan in plans:
        assert len({tasks[number].program for number in plan.members}) == 1


@settings(max_examples=60)
@given(tasks=populations, limit=limits)
def test_every_stream_has_room_for_its_candidates(tasks, limit):
    for plan in plan_cohorts(tasks, limit):
        of_stream = Counter(tasks[number].stream for number in plan.members)
        assert max(of_stream.values()) <= plan.candidates


@settings(max_examples=60)
@given(
    n_folds=st.integers(1, 12),
    n_rates=st.integers(1, 20),
    within=st.integers(1, 40),
    neurons=st.integers(1, 9),
)
def test_a_cohort_stays_within_the_memory_limit(n_folds, n_rates, within, neurons):
    tasks = [
        member(fold_number, rate=0.001 * (number + 1), neurons=neurons)
        for fold_number in range(n_folds)
        for number in range(n_rates)
    ]
    # Room for that many members, and a little more or less.
    for limit in (within * bytes_of_member(tasks[0]) + 1, within * bytes_of_member(tasks[0]) - 1):
        plans = plan_cohorts(tasks, limit)
        assert sum(len(plan.members) for plan in plans) == len(tasks)
        # A member that takes more by itself still has to be trained.
        most = max(1, limit // bytes_of_member(tasks[0]))
        assert max(places(tasks, plan) for plan in plans) <= most


def test_a_member_takes_its_weights_and_its_rows():
    small = bytes_of_member(member())
    # Weights, best weights, gradient and two slots are the least there is, of four bytes each.
    n_weights = 3 * 1000 + 1000 + 1000 + 1
    assert bytes_of_member(member(neurons=1000)) > 4 * 5 * n_weights > small
    assert bytes_of_member(member(batch_size=80)) > small


def test_a_cohort_stays_within_the_limit_of_each_of_its_members():
    tasks = [member(rate=0.1 + number) for number in range(64)]
    of_one = bytes_of_member(tasks[0])
    tasks[5] = replace(tasks[5], memory_limit=8 * of_one)
    sizes = [len(plan.members) for plan in plan_cohorts(tasks)]
    assert sum(sizes) == 64
    assert max(sizes) == 8
    lavish = [replace(task, memory_limit=10**12) for task in tasks]
    unlimited = [replace(task, memory_limit=None) for task in tasks]
    assert plan_cohorts(lavish) == plan_cohorts(unlimited)


@pytest.mark.parametrize("n_folds", [1, 5, 13, 52, 150])
@pytest.mark.parametrize("n_rates", [1, 24, 100])
def test_no_cohort_has_more_places_than_it_may(n_folds, n_rates):
    tasks = [
        member(fold_number, rate=0.001 * (number + 1))
        for fold_number in range(n_folds)
        for number in range(n_rates)
    ]
    plans = plan_cohorts(tasks)
    assert max(places(tasks, plan) for plan in plans) <= MOST_MEMBERS
    # Few free places, and no more cohorts than they explain.
    free = sum(places(tasks, plan) for plan in plans) - len(tasks)
    assert free <= 0.2 * len(tasks)
    assert len(plans) <= 2 + 2 * max(len(tasks) / MOST_MEMBERS, n_folds / 64)


@settings(max_examples=60)
@given(tasks=populations, limit=limits, seed=st.integers(0, 2**16))
def test_the_plan_does_not_depend_on_the_order_of_the_tasks(tasks, limit, seed):
    order = list(range(len(tasks)))
    random.Random(seed).shuffle(order)
    shuffled = [tasks[number] for number in order]

    def described(tasks):
        return [
            (plan.candidates, [identity(tasks[number]) for number in plan.members])
            for plan in plan_cohorts(tasks, limit)
        ]

    assert described(shuffled) == described(tasks)


def identity(task):
    """Two equal members are the same: which of them stands where does not matter."""
    plan, rows = task.plan, (id(task.rows), id(task.validation))
    return rows, task.rate, task.update, task.network, plan.batch_size, plan.epochs, plan.seed


def with_epochs(task, epochs):
    return replace(task, plan=replace(task.plan, epochs=epochs))


@pytest.mark.parametrize("n_rates", [1, 3, 100])
def test_members_that_are_one_training_have_one_place(n_rates):
    folds, lengths = range(3), (10, 30, 50)
    tasks = [member(fold, rate=0.001 * (k + 1)) for fold in folds for k in range(n_rates)]
    # Their cohorts are those of the longest alone.
    expected = sorted((p.candidates, len(p.members)) for p in plan_cohorts(tasks))
    several = [with_epochs(task, epochs) for task in tasks for epochs in lengths]
    plans = plan_cohorts(several)
    found = sorted((plan.candidates, len(plan.members) // len(lengths)) for plan in plans)
    assert found == expected
    for plan in plans:
        starts = Counter(id(several[number].start) for number in plan.members)
        assert set(starts.values()) == {len(lengths)}


def test_members_that_are_one_training_count_once_where_batch_sizes_are_joined():
    def batch_sizes(lengths):
        members = [member(batch_size=size, n_rows=240) for size in (20, 30, 40)]
        tasks = [with_epochs(task, epochs) for task in members for epochs in lengths]
        return sorted({tasks[n].batch_size for n in plan.members} for plan in plan_cohorts(tasks))

    assert batch_sizes([2000] * 50) == batch_sizes([2000])


def test_splits_of_the_same_rows_are_told_apart_in_any_order():
    _, held = fold(0, 80)
    other = replace(held, X=held.X + 1)
    splits = [held, other, None]
    tasks = [
        replace(member(rate=rate), validation=split)
        for split in splits
        for rate in (0.1, 0.01, 0.001)
    ]
    expected = [[identity(tasks[n]) for n in plan.members] for plan in plan_cohorts(tasks)]
    for seed in range(10):
        shuffled = random.Random(seed).sample(tasks, len(tasks))
        found = [[identity(shuffled[n]) for n in p.members] for p in plan_cohorts(shuffled)]
        assert found == expected


@pytest.mark.parametrize(("n_folds", "n_rates"), [(3, 25), (5, 20), (7, 33), (60, 1)])
def test_a_population_of_some_size_makes_two_cohorts(n_folds, n_rates):
    tasks = [
        member(fold_number, rate=0.001 * (number + 1))
        for fold_number in range(n_folds)
        for number in range(n_rates)
    ]
    sizes = [len(plan.members) for plan in plan_cohorts(tasks)]
    assert len(sizes) == 2
    assert max(sizes) - min(sizes) <= n_folds


def test_longest_cohorts_come_first():
    tasks = [member(epochs=epochs, neurons=epochs) for epochs in (10, 40, 20)]
    plans = plan_cohorts(tasks)
    assert [plan.members for plan in plans] == [(1,), (2,), (0,)]


def test_common_batch_sizes_stay_together():
    tasks = [
        member(fold_number, rate=rate, batch_size=batch_size, epochs=200, n_rows=240)
        for fold_number in range(5)
        for rate in (0.1, 0.03, 0.01, 0.003, 0.001)
        for batch_size in (10, 20, 40, 60)
    ]
    together = [{tasks[n].plan.batch_size for n in plan.members} for plan in plan_cohorts(tasks)]
    assert set.union(*together) == {10, 20, 40, 60}
    assert all(sizes == {10, 20, 40, 60} for sizes in together)


def test_odd_batch_sizes_of_a_large_population_are_parted():
    # An epoch that is cut at every end of every batch has hundreds of steps.
    sizes = [7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]
    tasks = [
        member(fold_number, rate=rate, batch_size=batch_size, epochs=500, n_rows=1000, neurons=50)
        for fold_number in range(5)
        for rate in (0.1, 0.01, 0.001)
        for batch_size in sizes
    ]
    plans = plan_cohorts(tasks)
    together = [{tasks[n].plan.batch_size for n in plan.members} for plan in plans]
    assert max(map(len, together)) < len(sizes)
    # Two members of one batch size are still trained together.
    assert max(len(plan.members) for plan in plans) >= 15


def test_batches_of_all_rows_are_one_size():
    tasks = [member(batch_size=size, rate=size / 1e4, epochs=9000) for size in (80, 97, 101, 10**6)]
    (plan,) = plan_cohorts(tasks)
    assert sorted(plan.members) == [0, 1, 2, 3]


def test_networks_with_batch_normalisation_need_one_batch_size():
    description = multilayer_perceptron(
        n_inputs=3,
        n_outputs=1,
        output="binary",
        hidden_layers=1,
        neurons=4,
        activation="tanh",
        batch_norm=True,
        dropout=0.0,
        l2=0.0,
    )
    initial = initial_network(description, 0)
    tasks = [
        replace(
            member(batch_size=size),
            network=initial.network,
            numbers=numbers_of(description),
            start=MemberWeights(initial.weights, initial.state),
        )
        for size in (10, 20, 10)
    ]
    assert sorted(sorted(plan.members) for plan in plan_cohorts(tasks)) == [[0, 2], [1]]
