"""What a worker does with a shipment: it trains the cohort, runs its tasks, and sends the results.

A process works on one shipment at a time, also if it was given several, as a worker of Dask with
several threads is: each training uses all of its cores.
"""

from __future__ import annotations

import pickle
import platform
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple
from warnings import WarningMessage

from skhp.compat.joblib import cloudpickle
from skhp.exceptions import WorkersError
from skhp.population.handover import Abandoned, shared_computations
from skhp.population.joint_training import run_adopting
from skhp.population.report import PopulationProgress
from skhp.population.workers.parcel import Parcel, unpacked
from skhp.population.workers.shipment import (
    Delivery,
    Outcome,
    Shipment,
    ShippedCohort,
    ShippedTask,
    TrainedElsewhere,
)

_one_at_a_time = threading.Lock()

# Libraries that decide what a training computes, or how it is pickled.
_COMPARED = ("skhp", "keras", "tensorflow", "scikit-learn", "numpy")


def versions() -> dict[str, str]:
    """The versions that have to be equal where a shipment is packed and where it is unpacked."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python} | {name: version(name) for name in _COMPARED}


class Line(NamedTuple):
    """The line to the caller: `tell` sends the epochs of members, `is_wanted` is False at the end.

    `where` names the worker.
    """

    tell: Callable[[Mapping[int, int]], None]
    is_wanted: Callable[[], bool]
    where: str


def work_on(
    parcel: Parcel, buffers: Mapping[str, Any], callers: Mapping[str, str], line: Line
) -> bytes:
    """Work on a packed shipment, and return the pickled `Delivery`."""
    refuse_other_versions(callers, versions(), line.where)
    with _one_at_a_time:
        delivery = _delivery(unpacked(parcel, buffers), line)
    return cloudpickle.dumps(delivery, protocol=5)


def refuse_other_versions(callers: Mapping[str, str], ours: Mapping[str, str], where: str) -> None:
    """Raise if a worker has other versions than the caller."""
    differing = [
        f"{name} {ours.get(name, 'is missing')} there, {given} here"
        for name, given in callers.items()
        if ours.get(name) != given
    ]
    if differing:
        raise WorkersError(
            f"the worker {where} has other versions than this process "
            f"({'; '.join(differing)}), and would compute other results: install the same versions "
            "there."
        )


@shared_computations()
def _delivery(shipment: Shipment, line: Line) -> Delivery:
    delivery = Delivery()
    waiting = {number: task for task in shipment.tasks for number in task.fits}
    results: dict[ShippedTask, dict[int, Any]] = {}
    for task in shipment.tasks:
        if not task.fits and not _runs(task, {}, delivery, line):
            return delivery
    if shipment.cohort is not None:
        for number, result in _trained(shipment.cohort, delivery, line):
            delivery.results[number] = _as_returned(number, result, shipment.cohort)
            if number not in waiting:
                continue
            task = waiting[number]
            of_task = results.setdefault(task, {})
            of_task[number] = result
            if len(of_task) == len(task.fits) and not _runs(task, of_task, delivery, line):
                break
    return delivery


def _as_returned(number: int, result: Any, cohort: ShippedCohort) -> Any:
    if isinstance(result, Exception):
        return sendable(result)
    if number in cohort.returned:
        return result
    return TrainedElsewhere(result.seconds, result.rung_scores)


def _trained(cohort: ShippedCohort, delivery: Delivery, line: Line) -> Iterator[tuple[int, Any]]:
    # Tasks without networks need no TensorFlow.
    from skhp.population.cohorts.population_training import trained_here

    return trained_here(cohort.plan, cohort.members, cohort.chunk, _Told(delivery, line))


class _Told:
    """Passes progress on to the caller, and ends a training that nobody waits for any more."""

    def __init__(self, delivery: Delivery, line: Line) -> None:
        self._epochs = delivery.epochs
        self._line = line

    def advanced(self, progress: PopulationProgress) -> None:
        for number, new in progress.new_epochs.items():
            self._epochs[number] = self._epochs.get(number, 0) + new
        _stop_if_unwanted(self._line)
        self._line.tell(self._epochs)


def _stop_if_unwanted(line: Line) -> None:
    if not line.is_wanted():
        raise Abandoned


def _runs(task: ShippedTask, results: Mapping[int, Any], delivery: Delivery, line: Line) -> bool:
    """Run a task and note its outcome; False if it raised an error, which ends the call."""
    _stop_if_unwanted(line)
    trained = {task.fits[number]: result for number, result in results.items()}
    value, error, raised_at = None, None, ""
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        try:
            value = run_adopting(task.run, trained)
        except BaseException as raised:
            if isinstance(raised, Abandoned):
                raise
            error = sendable(raised)
            raised_at = "".join(traceback.format_exception(raised)).rstrip()
    delivery.outcomes.append(
        Outcome(task.number, value, error, raised_at, _sendable_warnings(recorded))
    )
    return error is None


def sendable(error: Any) -> Any:
    """The exception, or another one in its place if it cannot travel."""
    try:
        pickle.loads(cloudpickle.dumps(error))  # noqa: S301
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _sendable_warnings(recorded: list[WarningMessage]) -> list[WarningMessage]:
    return [WarningMessage(one.message, one.category, one.filename, one.lineno) for one in recorded]
