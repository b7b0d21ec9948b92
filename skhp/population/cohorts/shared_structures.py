"""Members of nearly the same structure, made to share one program.

A network without dropout is one with a rate of 0. A narrow layer is a wide one whose further units
have zero weights: where the activation of 0 is 0 they put out nothing, get no gradient, and stay
zero under every update rule.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skhp.networks.network import Network, flattened, unflattened
from skhp.training.fit_task import FitResult, FitTask
from skhp.training.trained_network import MemberWeights


@dataclass(frozen=True, eq=False)
class SharedStructure:
    """A fit in another structure that trains the same, and the way back for its result."""

    task: FitTask
    own: FitTask

    def result(self, trained: FitResult) -> FitResult:
        """The result as the fit's own structure has it."""
        wide, narrow = self.task.network, self.own.network
        if wide.weight_shapes == narrow.weight_shapes:
            return trained
        return replace(
            trained, trained=_in_shapes(trained.trained, wide, narrow.weight_shapes, _cut)
        )


def share_structures(
    tasks: Sequence[FitTask], pays: Callable[[Sequence[FitTask], Sequence[FitTask]], bool]
) -> list[SharedStructure]:
    """Let members of nearly the same structure have the same one.

    Parameters
    ----------
    tasks : sequence of FitTask
    pays : callable
        ``pays(own, shared)``: whether these members are trained faster in the shared structure.

    Returns
    -------
    list of SharedStructure
        In the order of `tasks`.
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
    """Members that may share a structure: those with dropout in the same places, or in none."""
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
    # The same object for the same start, so that equal members are still seen to be equal.
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
            # One number for the whole member.
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
