"""Where members stand, and the outputs of those that saw the same rows, computed together."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skhp.networks.layered_network import LayeredNetwork
from skhp.networks.predictions import predicted_logits, predicted_logits_of_members

# Rows to score, rows to learn from, held-out rows: a search asks for no more of one fold.
_MOST_KINDS_OF_ROWS = 3
# Of weights, and of outputs, that are kept; calls cost nothing beside networks that have more.
_MOST_NUMBERS = 2**21


@dataclass(frozen=True, eq=False)
class MemberWeights:
    """Where a member stands: its weights, what it carries beside them, and its optimizer.

    `weights` has shape (n_weights,), `state` (n_state,); each of the `slots` of the update rule is
    a flat vector; `step` counts the updates done. `slots` is empty where none has been done.
    """

    weights: np.ndarray
    state: np.ndarray
    slots: tuple[np.ndarray, ...] = ()
    step: int = 0


class SharedOutputs:
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
        n_outputs = math.prod(network.output_shape)
        needed = len(self._places) * len(X) * n_outputs
        return len(self._known) < _MOST_KINDS_OF_ROWS and needed <= _MOST_NUMBERS


def shared_outputs_of(members: Sequence[MemberWeights]) -> SharedOutputs | None:
    """Members of one structure as shared_outputs; None where that spares nothing."""
    size = max(members[0].weights.size, 1)
    return SharedOutputs(members) if 1 < len(members) <= _MOST_NUMBERS // size else None
