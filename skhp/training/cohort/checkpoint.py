"""A cohort under way as one record, which goes into named arrays and comes back to the same bits.

Rows, their order and the noise are not in it: they follow from the fits and the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from skhp.training.cohort.state import CohortState, EndedMember, History

Record = TypeVar("Record", CohortState, History)

# The fields of `CohortState` and `History` that hold several arrays each.
_SEVERAL = ("slots", "row_metrics", "val_row_metrics")


class CheckpointError(ValueError):
    """A checkpoint is not that of an equal cohort; the message says why."""


class PackCheckpoint(NamedTuple):
    """The members of one program, the places of each stream, and states and history in NumPy.

    `history` is None before the first epoch.
    """

    members: tuple[int, ...]
    places: int
    state: CohortState
    history: History | None

    def refuse_other_than(self, fresh: CohortState) -> None:
        """Raise a `CheckpointError` if the arrays are not those of a program with such a state."""
        expected, found = dict(_named(fresh)), dict(_named(self.state))
        if expected.keys() != found.keys():
            raise CheckpointError("its optimizer is another")
        for name, array in expected.items():
            if (array.shape, array.dtype) != (found[name].shape, found[name].dtype):
                raise CheckpointError(
                    f"its {name} have shape {found[name].shape}, expected {array.shape}"
                )
        members = fresh.stop.shape
        for name, array in _named(self.history) if self.history is not None else ():
            if array.shape[1:] != members or array.dtype != np.float32:
                raise CheckpointError(f"its {name} is of {array.shape[1:]} members, not {members}")


@dataclass(frozen=True, eq=False)
class CohortCheckpoint:
    """A cohort after `epochs` epochs.

    `known` tells for each member whether its result was known before, so that it did not train.
    `packs` are the programs that the cohort moved through; the members of the last one may still
    train. `ended` are the members that ended before the training that they have a part in.
    `rung_scores` are the scores of all members at each rung at which they were ranked.
    """

    epochs: int
    seconds: float
    known: tuple[bool, ...]
    packs: tuple[PackCheckpoint, ...]
    ended: Mapping[int, EndedMember]
    rung_scores: tuple[tuple[float, ...], ...] = ()


def arrays_of(checkpoint: CohortCheckpoint) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint, by their names."""
    arrays = {
        "epochs": np.array(checkpoint.epochs, np.int64),
        "seconds": np.array(checkpoint.seconds, np.float64),
        "known": np.array(checkpoint.known, np.bool_),
        "ended": np.array([*checkpoint.ended], np.int64),
        "rung_scores": np.array(checkpoint.rung_scores, np.float64),
        "reasons": np.array([end.reason for end in checkpoint.ended.values()], np.int64),
    }
    if checkpoint.ended:
        states = [dict(_named(end.state)) for end in checkpoint.ended.values()]
        arrays |= {
            f"ended/{name}": np.stack([state[name] for state in states]) for name in states[0]
        }
    for number, pack in enumerate(checkpoint.packs):
        prefix = f"pack{number}"
        arrays[f"{prefix}/members"] = np.array(pack.members, np.int64)
        arrays[f"{prefix}/places"] = np.array(pack.places, np.int64)
        parts = {"state": pack.state, "history": pack.history}
        for part, record in parts.items():
            if record is not None:
                arrays |= {f"{prefix}/{part}/{name}": array for name, array in _named(record)}
    return arrays


def checkpoint_of(arrays: Mapping[str, np.ndarray]) -> CohortCheckpoint:
    """The checkpoint that such arrays were made of; a `CheckpointError` if some are missing."""
    try:
        packs: list[PackCheckpoint] = []
        while f"pack{len(packs)}/members" in arrays:
            prefix = f"pack{len(packs)}"
            has_history = f"{prefix}/history/loss" in arrays
            packs.append(
                PackCheckpoint(
                    members=tuple(map(int, arrays[f"{prefix}/members"])),
                    places=int(arrays[f"{prefix}/places"]),
                    state=_record(CohortState, arrays, f"{prefix}/state"),
                    history=_record(History, arrays, f"{prefix}/history") if has_history else None,
                )
            )
        if not packs:
            raise CheckpointError("it has no members")
        ended = {}
        reasons = arrays["reasons"]
        if len(reasons):
            states = _record(CohortState, arrays, "ended")
            for place, number in enumerate(arrays["ended"]):
                state = CohortState(
                    *(
                        tuple(part[place] for part in value)
                        if isinstance(value, tuple)
                        else value[place]
                        for value in states
                    )
                )
                ended[int(number)] = EndedMember(state, int(reasons[place]))
        return CohortCheckpoint(
            epochs=int(arrays["epochs"]),
            seconds=float(arrays["seconds"]),
            known=tuple(map(bool, arrays["known"])),
            packs=tuple(packs),
            ended=ended,
            rung_scores=tuple(tuple(map(float, scores)) for scores in arrays["rung_scores"]),
        )
    except (KeyError, IndexError, TypeError) as error:
        raise CheckpointError(f"an array is missing or has another shape ({error})") from None


def _named(record: CohortState | History) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in record._asdict().items():
        if name in _SEVERAL:
            for number, part in enumerate(value):
                yield f"{name}/{number}", np.asarray(part)
        else:
            yield name, np.asarray(value)


def _record(kind: type[Record], arrays: Mapping[str, np.ndarray], prefix: str) -> Record:
    values: list[Any] = []
    for name in kind._fields:
        if name in _SEVERAL:
            several: list[np.ndarray] = []
            while f"{prefix}/{name}/{len(several)}" in arrays:
                several.append(arrays[f"{prefix}/{name}/{len(several)}"])
            values.append(tuple(several))
        else:
            values.append(arrays[f"{prefix}/{name}"])
    return kind(*values)
