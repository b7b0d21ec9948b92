"""Which members train in which cohort.

The plan depends on the members alone, and neither on their order nor on the number of workers, so
that the same population gives the same bits.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from skhp.networks.network import Network, flattened, unflattened
from skhp.shared.taken_rows import blocks_of
from skhp.training.cohort.compiled_programs import BUILD_SECONDS, STEP_SECONDS
from skhp.training.cohort.equal_trainings import leaders_of
from skhp.training.fit_task import FitResult, FitTask, bytes_to_train
from skhp.training.trained_network import MemberWeights
from skhp.training.training_rows import epoch_parts, steps_in_epoch

# A cohort has enough members to fill the vector units. It has few enough to fit into a core's
# cache, and to leave members for other cohorts, which train beside it and finish one by one.
MOST_MEMBERS = 256
_FEW_MEMBERS = 32
_MOST_STREAMS = 64


@dataclass(frozen=True)
class CohortPlan:
    """The numbers of a cohort's members, and how many candidates have a place in each stream.

    Members that are one training have one place.
    """

    members: tuple[int, ...]
    candidates: int


def plan_cohorts(tasks: Sequence[FitTask], memory_limit: int | None = None) -> list[CohortPlan]:
    """Divide a population into cohorts, and put first the cohorts that may train longest.

    A cohort takes at most `memory_limit` bytes, unless a single member takes more; a limit of one
    of its members also limits the cohort.
    """
    groups: dict[Hashable, list[int]] = {}
    for number, task in enumerate(tasks):
        groups.setdefault(task.program, []).append(number)
    leaders = leaders_of(tasks)
    digests = {(id(task.rows), id(task.validation)): _digest(task) for task in tasks}
    order = [(digests[id(task.rows), id(task.validation)], _member_order(task)) for task in tasks]
    plans = [
        plan
        for members in groups.values()
        for together in _by_batch_size(tasks, leaders, members)
        for plan in _blocks(tasks, leaders, sorted(together, key=order.__getitem__), memory_limit)
    ]
    longest = [max(_expected_steps(tasks[number]) for number in plan.members) for plan in plans]
    first = [min(order[number] for number in plan.members) for plan in plans]
    ranked = sorted(range(len(plans)), key=lambda k: (-longest[k], first[k]))
    return [plans[k] for k in ranked]


def halved(members: Sequence[int]) -> list[CohortPlan]:
    """Two cohorts of half the members of one that ran out of memory; none for a single member."""
    if len(members) < 2:
        return []
    middle = math.ceil(len(members) / 2)
    # One place is the least; a stream with more members has one for each.
    return [CohortPlan(tuple(half), 1) for half in (members[:middle], members[middle:])]


def seconds_of(tasks: Sequence[FitTask]) -> float:
    """An estimate of how long these members train, with the time to build their programs."""
    groups: dict[Hashable, list[int]] = {}
    for number, task in enumerate(tasks):
        groups.setdefault(task.program, []).append(number)
    leaders = leaders_of(tasks)
    return sum(
        _seconds(tasks, leaders, [tasks[number].batch_size for number in members], members)
        for members in groups.values()
    )


def seconds_of_epoch(tasks: Sequence[FitTask]) -> float:
    """An estimate of how long a cohort of these members trains for an epoch."""
    sizes = [task.batch_size for task in tasks]
    return _epoch_seconds(tasks, leaders_of(tasks), sizes, range(len(tasks)))


def bytes_of_member(task: FitTask) -> int:
    """An estimate of the memory that a member of a cohort takes."""
    held_out = 0 if task.validation is None else task.validation.n_rows
    return bytes_to_train(task.network, task.batch_size, task.rows.n_rows, held_out)


def _blocks(
    tasks: Sequence[FitTask],
    leaders: Sequence[int],
    members: Sequence[int],
    memory_limit: int | None,
) -> list[CohortPlan]:
    """Divide members that share a program into cohorts; those with one leader have one place."""
    trainings: dict[int, list[int]] = {}
    for number in members:
        trainings.setdefault(leaders[number], []).append(number)
    streams: dict[Hashable, list[list[int]]] = {}
    for leader, training in trainings.items():
        streams.setdefault(tasks[leader].stream, []).append(training)
    room = _room(tasks, members, memory_limit)
    # With enough members, there are at least two cohorts, as a machine has several cores.
    most = min(room, max(_FEW_MEMBERS, math.ceil(len(trainings) / 2)))
    all_streams = list(streams.values())
    plans = []
    for piece in _pieces(all_streams, min(len(all_streams), _MOST_STREAMS, most)):
        widest = max(map(len, piece))
        n_blocks = math.ceil(widest * len(piece) / most)
        candidates = min(math.ceil(widest / n_blocks), room // len(piece))
        for start in range(0, widest, candidates):
            block = itertools.chain.from_iterable(
                training for stream in piece for training in stream[start : start + candidates]
            )
            plans.append(CohortPlan(tuple(block), candidates))
    return plans


def _room(tasks: Sequence[FitTask], members: Sequence[int], memory_limit: int | None) -> int:
    """The most places that a cohort may have."""
    given = (memory_limit, *(tasks[number].memory_limit for number in members))
    limits = [limit for limit in given if limit is not None]
    if not limits:
        return MOST_MEMBERS
    largest = max(bytes_of_member(tasks[number]) for number in members)
    return max(1, min(MOST_MEMBERS, min(limits) // max(largest, 1)))


def _pieces(items: Sequence[Any], most: int) -> list[Sequence[Any]]:
    """Cut `items` into as few pieces of at most `most` as possible, all about equally long."""
    length = math.ceil(len(items) / math.ceil(len(items) / most))
    return [items[start : start + length] for start in range(0, len(items), length)]


def _by_batch_size(
    tasks: Sequence[FitTask], leaders: Sequence[int], members: Sequence[int]
) -> list[list[int]]:
    """Group members by batch size, and join groups of neighbouring sizes while that saves time."""
    by_size: dict[int, list[int]] = {}
    for number in members:
        by_size.setdefault(tasks[number].batch_size, []).append(number)
    groups = [([size], by_size[size]) for size in sorted(by_size)]
    costs = [_seconds(tasks, leaders, *group) for group in groups]
    while len(groups) > 1:
        joined = [
            (one[0] + other[0], one[1] + other[1]) for one, other in itertools.pairwise(groups)
        ]
        joint_costs = [_seconds(tasks, leaders, *group) for group in joined]
        saved = [costs[k] + costs[k + 1] - joint_cost for k, joint_cost in enumerate(joint_costs)]
        best = int(np.argmax(saved))
        if saved[best] <= 0:
            break
        groups[best : best + 2] = [joined[best]]
        costs[best : best + 2] = [joint_costs[best]]
    return [members for _, members in groups]


def _seconds(
    tasks: Sequence[FitTask], leaders: Sequence[int], sizes: Sequence[int], members: Sequence[int]
) -> float:
    epochs = max(tasks[number].plan.epochs for number in members)
    return BUILD_SECONDS + epochs * _epoch_seconds(tasks, leaders, sizes, members)


def _epoch_seconds(
    tasks: Sequence[FitTask], leaders: Sequence[int], sizes: Sequence[int], members: Sequence[int]
) -> float:
    n_rows = max(tasks[number].rows.n_rows for number in members)
    n_parts, length = epoch_parts(n_rows, sizes).positions.shape
    n_trainings = len({leaders[number] for number in members})
    a_step = STEP_SECONDS + n_trainings * tasks[members[0]].network.cost(length).seconds
    return n_parts * a_step


def _expected_steps(task: FitTask) -> int:
    return task.plan.epochs * steps_in_epoch(task.rows.n_rows, task.batch_size)


def _member_order(task: FitTask) -> tuple[Any, ...]:
    """A key that sorts members by learning rate first, as neighbours then end at similar times."""
    plan = task.plan
    return (
        task.rate,
        plan.batch_size,
        plan.epochs,
        -1 if plan.patience is None else plan.patience,
        plan.min_delta,
        plan.start_from_epoch,
        -math.inf if plan.baseline is None else plan.baseline,
        plan.keeps_best,
        -1 if plan.seed is None else plan.seed,
        task.noise_seed,
        dataclasses.astuple(task.update),
        dataclasses.astuple(task.numbers),
        task.loss_numbers,
        repr(plan.schedule),
        task.start.weights.tobytes()[:64],
    )


def _digest(task: FitTask) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    held_out = () if task.validation is None else task.validation.X
    for rows in keras.tree.flatten((task.rows.X, task.rows.y, task.rows.weight, held_out)):
        for block in blocks_of(rows):
            digest.update(block.data)
    return digest.digest()


@dataclass(frozen=True, eq=False)
class SharedStructure:
    """A fit (`own`), and an equal fit in a wider structure (`task`), which trains in its place."""

    task: FitTask
    own: FitTask

    def result(self, trained: FitResult) -> FitResult:
        """The result in the shapes of the fit's own structure."""
        wide, narrow = self.task.network, self.own.network
        if wide.weight_shapes == narrow.weight_shapes:
            return trained
        return replace(
            trained, trained=_in_shapes(trained.trained, wide, narrow.weight_shapes, _cut)
        )


def share_structures(
    tasks: Sequence[FitTask], pays: Callable[[Sequence[FitTask], Sequence[FitTask]], bool]
) -> list[SharedStructure]:
    """Let members of similar structure train in one structure; the result is ordered as `tasks`.

    ``pays(own, shared)`` tells whether these members train faster in the shared structure.
    """
    shared = [SharedStructure(task, task) for task in tasks]
    for members in _alike(tasks):
        own = [tasks[number] for number in members]
        if len({task.network for task in own}) == 1:
            continue
        structure = own[0].network.widened([task.network for task in own[1:]])
        if structure is None:
            continue
        moved = [_in_structure(task, structure) for task in own]
        if pays(own, moved):
            for number, task in zip(members, moved, strict=True):
                shared[number] = SharedStructure(task, tasks[number])
    return shared


def _alike(tasks: Sequence[FitTask]) -> list[list[int]]:
    """Groups of members that may share a structure: with dropout in the same places, or without."""
    kin: dict[Any, dict[Any, list[int]]] = {}
    for number, task in enumerate(tasks):
        key = task.network.kin, task.shares_batches, *task.objective
        by_places = kin.setdefault(key, {})
        by_places.setdefault(task.network.dropout_places, []).append(number)
    alike: list[list[int]] = []
    for by_places in kin.values():
        without = by_places.pop((), [])
        if by_places:
            most = max(by_places, key=lambda places: (len(by_places[places]), places))
            by_places[most] = sorted([*by_places[most], *without])
        else:
            by_places[()] = without
        alike += by_places.values()
    return alike


def _in_structure(task: FitTask, structure: Network) -> FitTask:
    numbers = task.numbers
    if len(numbers.dropout) < len(structure.noise_shapes):
        numbers = replace(numbers, dropout=(0.0,) * len(structure.noise_shapes))
    return replace(
        task,
        network=structure,
        numbers=numbers,
        start=_widened_start(task.start, task.network, structure),
    )


@functools.lru_cache(1024)
def _widened_start(start: MemberWeights, network: Network, structure: Network) -> MemberWeights:
    # Cached, because members with the same start are recognised by the identity of this object.
    return _in_shapes(start, network, structure.weight_shapes, _pad)


def _in_shapes(
    member: MemberWeights,
    network: Network,
    shapes: Sequence[tuple[int, ...]],
    change: Callable[[np.ndarray, tuple[int, ...]], np.ndarray],
) -> MemberWeights:
    n_weights = sum(math.prod(shape) for shape in network.weight_shapes)

    def changed(vector: np.ndarray) -> np.ndarray:
        if len(vector) != n_weights:
            # This slot is one number for the whole member, and not one for each weight.
            return vector
        arrays = unflattened(vector, network.weight_shapes)
        return flattened([change(*pair) for pair in zip(arrays, shapes, strict=True)])

    return replace(
        member,
        weights=changed(member.weights),
        slots=tuple(changed(slot) for slot in member.slots),
    )


def _pad(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.pad(
        array, [(0, wide - narrow) for narrow, wide in zip(array.shape, shape, strict=True)]
    )


def _cut(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return array[tuple(slice(size) for size in shape)]
