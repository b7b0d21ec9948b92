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

from skhp.networks import (
    ActivationLayer,
    BatchedNetwork,
    DenseLayer,
    DropoutLayer,
    flattened,
    unflattened,
    zero_at_zero,
)
from skhp.training import FitResult, FitTask, MemberWeights


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
        structure = _widest([task.network for task in own])
        moved = [_in_structure(task, structure) for task in own]
        if pays(own, moved):
            for number, task in zip(members, moved, strict=True):
                shared[number] = SharedStructure(task, tasks[number])
    return shared


def _alike(tasks: Sequence[FitTask]) -> list[list[int]]:
    """Members that can share a structure: those with dropout in the same places, or in none."""
    skeletons: dict[Any, dict[tuple[int, ...], list[int]]] = {}
    for number, task in enumerate(tasks):
        by_places = skeletons.setdefault(_skeleton(task), {})
        by_places.setdefault(_dropout_places(task.network), []).append(number)
    alike: list[list[int]] = []
    for by_places in skeletons.values():
        without = by_places.pop((), [])
        if by_places:
            most = max(by_places, key=lambda places: (len(by_places[places]), places))
            by_places[most] = sorted([*by_places[most], *without])
        else:
            by_places[()] = without
        alike += by_places.values()
    return alike


def _dropout_places(network: Any) -> tuple[int, ...]:
    layers = network.layers if isinstance(network, BatchedNetwork) else ()
    return tuple(k for k, layer in enumerate(layers) if isinstance(layer, DropoutLayer))


def _skeleton(task: FitTask) -> Any:
    """Equal for members that are alike but for dropout and, where zeros stay zero, widths."""
    network = task.network
    if not isinstance(network, BatchedNetwork):
        return task.program
    layers: list[Any] = [layer for layer in network.layers if not isinstance(layer, DropoutLayer)]
    if _can_widen(network):
        layers = [
            replace(layer, n_inputs=0, units=0) if isinstance(layer, DenseLayer) else layer
            for layer in layers
        ]
    first, last = _dense(network)[0], _dense(network)[-1]
    others = replace(task, network=_NOTHING).program
    return tuple(layers), first.n_inputs, last.units, task.shares_batches, others


_NOTHING = BatchedNetwork(())


@functools.lru_cache
def _can_widen(network: BatchedNetwork) -> bool:
    dense = _dense(network)
    hidden = network.layers[: network.layers.index(dense[-1])]
    return not network.state_shapes and all(
        zero_at_zero(layer.function) for layer in hidden if isinstance(layer, ActivationLayer)
    )


def _dense(network: BatchedNetwork) -> list[DenseLayer]:
    return [layer for layer in network.layers if isinstance(layer, DenseLayer)]


def _widest(networks: Sequence[BatchedNetwork]) -> BatchedNetwork:
    """The structure that has room for all: dropout where any has it, the most units of each."""
    units = [
        max(layer.units for layer in layers) for layers in zip(*map(_dense, networks), strict=True)
    ]
    template = max(networks, key=lambda network: len(network.layers))
    layers: list[Any] = []
    n_inputs = _dense(template)[0].n_inputs
    widths = iter(units)
    for layer in template.layers:
        if isinstance(layer, DenseLayer):
            layers.append(replace(layer, n_inputs=n_inputs, units=(n_inputs := next(widths))))
        elif isinstance(layer, DropoutLayer):
            layers.append(DropoutLayer(n_inputs))
        else:
            layers.append(layer)
    return BatchedNetwork(tuple(layers))


def _in_structure(task: FitTask, structure: BatchedNetwork) -> FitTask:
    numbers = task.numbers
    if len(numbers.dropout) < len(structure.noise_sizes):
        numbers = replace(numbers, dropout=(0.0,) * len(structure.noise_sizes))
    return replace(
        task,
        network=structure,
        numbers=numbers,
        start=_widened_start(task.start, task.network, structure),
    )


@functools.lru_cache(1024)
def _widened_start(
    start: MemberWeights, network: BatchedNetwork, structure: BatchedNetwork
) -> MemberWeights:
    # The same object for the same start, so that equal members are still seen to be equal.
    return _in_shapes(start, network, structure.weight_shapes, _pad)


def _in_shapes(
    member: MemberWeights,
    network: BatchedNetwork,
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
