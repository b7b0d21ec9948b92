"""Sends the cohorts of a population with their tasks to workers, and takes what comes back.

The caller plans as without workers. So the plan, and with it the results to the bit, depends
neither on where the cohorts train nor on the number of workers.
"""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from skhp.exceptions import WorkersError
from skhp.population.cohorts.pruning import refuse_pruning
from skhp.population.joint_training import JoiningTask, Member, run_adopting
from skhp.population.options import PopulationOptions
from skhp.population.pipeline_steps import give_warnings
from skhp.population.report import ProgressObserver
from skhp.population.workers.choice import open_workers
from skhp.population.workers.parcel import Packer
from skhp.population.workers.shipment import (
    Delivery,
    Outcome,
    Shipment,
    ShippedCohort,
    ShippedTask,
)
from skhp.population.workers.workers import Sent, WorkerLost, Workers, lost_twice

# How long the caller sleeps before it looks for deliveries and Ctrl-C again.
_SECONDS_ASLEEP = 0.02
# Each worker gets about this number of parts of the tasks without networks.
_PARTS_OF_A_WORKER = 8

OnEpochs = Callable[[dict[int, int], int], None]


def train_on_workers(
    population: Sequence[Any],
    options: PopulationOptions,
    progress: ProgressObserver,
    contest: Any = None,
) -> Iterator[tuple[int, Any]]:
    """Train a population on workers, and yield the results of its members; tasks stay here."""
    if contest is not None:
        refuse_pruning(options.backend)
    from skhp.population.cohorts.population_training import planned_cohorts
    from skhp.training.cohort.packed_members import with_shared_outputs

    shared, plans = planned_cohorts(population, options)
    shipments = [_cohort(plan, shared, options, frozenset(plan.members), []) for plan in plans]
    for delivery in _deliveries(shipments, options, _OverallEpochs(shipments, progress)):
        trained = {
            number: result
            for number, result in delivery.results.items()
            if not isinstance(result, Exception)
        }
        yield from (item for item in delivery.results.items() if item[0] not in trained)
        own = [(shared[number].own, result) for number, result in trained.items()]
        yield from zip(trained, with_shared_outputs(own), strict=True)


def train_and_run_on_workers(
    population: Sequence[Any],
    members: dict[int, Member],
    options: PopulationOptions,
    progress: ProgressObserver,
    contest: Any = None,
) -> None:
    """Train a population on workers, run each task there, and report it.

    A task whose fits are in several cohorts runs here, and so does one that cannot leave this
    process. Each member is removed when it is done.
    """
    if contest is not None:
        refuse_pruning(options.backend)
    from skhp.population.cohorts.population_training import planned_cohorts
    from skhp.training.cohort.packed_members import with_shared_outputs

    shared, plans = planned_cohorts(population, options)
    cohort_of = {number: place for place, plan in enumerate(plans) for number in plan.members}
    numbers_of: dict[JoiningTask, list[int]] = {}
    for number, member in members.items():
        numbers_of.setdefault(member.task, []).append(number)
    tasks = list(numbers_of)
    shipped: list[list[ShippedTask]] = [[] for _ in plans]
    returned: list[set[int]] = [set() for _ in plans]
    for place, task in enumerate(tasks):
        numbers = numbers_of[task]
        first, *others = {cohort_of[number] for number in numbers}
        if task.elsewhere is not None and not others:
            fits = {number: members[number].fit for number in numbers}
            shipped[first].append(ShippedTask(place, task.elsewhere, fits))
        else:
            for number in numbers:
                returned[cohort_of[number]].add(number)
    shipments = [
        _cohort(plan, shared, options, frozenset(here), there)
        for plan, here, there in zip(plans, returned, shipped, strict=True)
    ]
    there = {tasks[one.number] for of_cohort in shipped for one in of_cohort}
    returned_here = frozenset().union(*returned)
    for delivery in _deliveries(shipments, options, _OverallEpochs(shipments, progress)):
        own = {
            number: result
            for number, result in delivery.results.items()
            if number in returned_here and not isinstance(result, Exception)
        }
        outputs = with_shared_outputs([(shared[number].own, own[number]) for number in own])
        results = delivery.results | dict(zip(own, outputs, strict=True))
        for number, result in results.items():
            task, fit = members[number]
            task.results[fit] = result
        for outcome in delivery.outcomes:
            tasks[outcome.number].report(_value(outcome))
        of_delivery = dict.fromkeys(members.pop(number).task for number in results)
        for task in of_delivery:
            if task not in there and task.is_trained:
                task.report(run_adopting(task.run, task.results))


def run_on_workers(
    tasks: Sequence[Callable[[], Any]], options: PopulationOptions
) -> Iterator[tuple[int, Any]]:
    """Run functions on workers, and yield the place and the result of each as it comes."""
    workers = open_workers(options.backend or "", options.n_jobs)
    size = max(1, len(tasks) // (_PARTS_OF_A_WORKER * workers.room()))
    shipments = [
        Shipment(
            None,
            [
                ShippedTask(start + place, _WithoutFits(task), {})
                for place, task in enumerate(tasks[start : start + size])
            ],
        )
        for start in range(0, len(tasks), size)
    ]
    for delivery in _deliveries(shipments, options, None, workers):
        for outcome in delivery.outcomes:
            yield outcome.number, _value(outcome)


class _WithoutFits:
    """A task that asks for no fit that is known beforehand."""

    def __init__(self, task: Callable[[], Any]) -> None:
        self._task = task

    def __call__(self, trained: Mapping[Any, Any]) -> Any:
        return self._task()


def _cohort(
    plan: Any,
    shared: Sequence[Any],
    options: PopulationOptions,
    returned: frozenset[int],
    tasks: Sequence[ShippedTask],
) -> Shipment:
    members = {number: shared[number] for number in plan.members}
    return Shipment(ShippedCohort(plan, members, options.chunk, returned), tasks)


def _value(outcome: Outcome) -> Any:
    give_warnings(outcome.warnings)
    if outcome.error is not None:
        outcome.error.add_note(f"This was raised in a worker:\n{outcome.raised_at}")
        raise outcome.error
    return outcome.value


class _OverallEpochs:
    """Adds up what the shipments tell of their epochs."""

    def __init__(self, shipments: Sequence[Shipment], progress: ProgressObserver) -> None:
        from skhp.population.cohorts.running_cohort import OverallProgress

        members = sum(len(shipment.numbers) for shipment in shipments)
        self._overall = OverallProgress(members, len(shipments), progress)
        self._epochs: dict[int, int] = {}

    def told(self, epochs: Mapping[int, int], ended: int = 0) -> None:
        new = {
            number: count - self._epochs.get(number, 0)
            for number, count in epochs.items()
            if count > self._epochs.get(number, 0)
        }
        if new or ended:
            self._epochs |= {number: epochs[number] for number in new}
            self._overall.advanced(new, ended)


def _deliveries(
    shipments: Sequence[Shipment],
    options: PopulationOptions,
    progress: _OverallEpochs | None,
    workers: Workers | None = None,
) -> Iterator[Delivery]:
    """Send all shipments, as many at a time as there are workers, and yield what comes back."""
    workers = workers or open_workers(options.backend or "", options.n_jobs)
    packer = Packer(workers.keep)
    waiting = deque(shipments)
    under_way: list[tuple[Sent, Shipment]] = []
    lost: set[int] = set()
    is_done = False
    try:
        while waiting or under_way:
            while waiting and len(under_way) < workers.room():
                shipment = waiting.popleft()
                under_way.append((workers.send(_packed(packer, shipment)), shipment))
            arrived = [sent for sent in under_way if sent[0].is_done()]
            for sent, shipment in arrived:
                under_way.remove((sent, shipment))
                try:
                    delivery: Delivery = pickle.loads(sent.delivered())  # noqa: S301
                except WorkerLost as error:
                    if id(shipment) in lost:
                        raise lost_twice(error, _what(shipment)) from error
                    lost.add(id(shipment))
                    waiting.appendleft(shipment)
                    continue
                if progress is not None:
                    progress.told(delivery.epochs, len(shipment.numbers))
                yield delivery
            if progress is not None:
                for sent, _ in under_way:
                    progress.told(sent.told())
            if not arrived:
                time.sleep(_SECONDS_ASLEEP)
        is_done = True
    finally:
        workers.close(at_once=not is_done)


def _packed(packer: Packer, shipment: Shipment) -> Any:
    own: list[Any] = []
    if shipment.cohort is not None:
        # Weights belong to one member, and so travel once wherever they are.
        starts = [member.task.start for member in shipment.cohort.members.values()]
        starts += [member.own.start for member in shipment.cohort.members.values()]
        own = [array for start in starts for array in (start.weights, start.state, *start.slots)]
    try:
        return packer.pack(shipment, own)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise WorkersError(
            f"a task cannot be sent to the workers, as a part of it cannot be pickled: {error}. "
            "Leave that part out, or train in this process by leaving backend out."
        ) from error


def _what(shipment: Shipment) -> str:
    if shipment.cohort is None:
        return f"a group of {len(shipment.tasks)} tasks"
    return f"a cohort of {len(shipment.numbers)} fits"
