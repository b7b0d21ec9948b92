"""Members that saw the same rows, whose outputs for other rows are computed together."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from skhp.networks.layered_network import LayeredNetwork
from skhp.networks.predictions import predicted_logits, predicted_logits_of_members
from skhp.training.fit_task import FitResult, FitTask, MemberWeights

# Rows to score, rows to learn from, held-out rows: a search asks for no more of one fold.
_MOST_KINDS_OF_ROWS = 3
# Of weights, and of outputs, that are kept; calls cost nothing beside networks that have more.
_MOST_NUMBERS = 2**21


class Siblings:
    """Outputs of members that will be asked for the same rows, one after the other.

    A call of a program takes longer than what it computes for one small network. The first member
    that is asked has the outputs of all of them computed; the others find theirs.

    Parameters
    ----------
    members : sequence of MemberWeights
        Of one structure.
    """

    def __init__(self, members: Sequence[MemberWeights]) -> None:
        self._places = {member: place for place, member in enumerate(members)}
        self._first: MemberWeights | None = None
        self._known: list[tuple[np.ndarray, np.ndarray]] = []
        self._lock = threading.Lock()

    def logits(self, network: LayeredNetwork, member: MemberWeights, X: np.ndarray) -> np.ndarray:
        """Outputs of one of the members before the last activation, as `predicted_logits`."""
        if member not in self._places:
            return predicted_logits(network, member.weights, member.state, X)
        place = self._places[member]
        with self._lock:
            for rows, outputs in self._known:
                if np.array_equal(rows, X):
                    return outputs[place].copy()
            if self._first is None:
                self._first = member
            # Rows that only others ask for are rows of their own.
            if self._first is member and self._has_room(network, X):
                weights, states = (
                    np.stack([getattr(one, name) for one in self._places])
                    for name in ("weights", "state")
                )
                outputs = predicted_logits_of_members(network, weights, states, X)
                self._known.append((X.copy(), outputs))
                return outputs[place].copy()
        return predicted_logits(network, member.weights, member.state, X)

    def _has_room(self, network: LayeredNetwork, X: np.ndarray) -> bool:
        n_outputs = network.weight_shapes[-1][-1]
        needed = len(self._places) * len(X) * n_outputs
        return len(self._known) < _MOST_KINDS_OF_ROWS and needed <= _MOST_NUMBERS


def as_siblings(results: Sequence[tuple[FitTask, FitResult]]) -> list[FitResult]:
    """The results, those of one structure on the same rows made siblings.

    Parameters
    ----------
    results : sequence of (FitTask, FitResult)

    Returns
    -------
    list of FitResult
        In the order given.
    """
    alike: dict[Hashable, list[int]] = {}
    for number, (task, _) in enumerate(results):
        alike.setdefault((task.network, id(task.rows.X)), []).append(number)
    made = [result for _, result in results]
    for numbers in alike.values():
        size = made[numbers[0]].trained.weights.size
        if 1 < len(numbers) <= _MOST_NUMBERS // max(size, 1):
            siblings = Siblings([made[number].trained for number in numbers])
            for number in numbers:
                made[number] = replace(made[number], siblings=siblings)
    return made
