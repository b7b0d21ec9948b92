"""States of cohorts under way, in files beside the journal of a search.

Each cohort has one file, which a newer one replaces. It is written for the first time when the
cohort has trained for a while, and removed when all members of the cohort are finished. A file is
named by a digest of all that its cohort trains, so that no other cohort ever goes on from it.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skhp.population.cohorts.state_files import (
    FORMAT,
    UNREADABLE,
    AboutState,
    StatePlace,
    UnreadableStateError,
    read_state,
    write_state,
)
from skhp.shared.taken_rows import TakenRows, blocks_of

if TYPE_CHECKING:
    from skhp.training.cohort.checkpoint import CohortCheckpoint

# A killed search loses at most this much of the training of each cohort, and a file is written so
# rarely that writing takes at most this share of the time.
SECONDS_APART = 30.0
SHARE_OF_TIME = 0.02
# A cohort with a larger state is not kept.
MOST_BYTES = 2**30

_VERSIONS = ("skhp", "tensorflow", "keras", "numpy")


class KeptStates:
    """Writes and finds the states of the cohorts of one population.

    `fits` describes each fit of the population: its candidate and its fold. Problems are told once
    each, by `tell`, in the thread that calls it.
    """

    def __init__(
        self,
        place: StatePlace,
        fits: Sequence[str],
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place = place
        self._fits = fits
        self._tell = tell
        self._clock = clock
        self._problems: list[str] = []
        self._writes = True
        self._lock = threading.Lock()
        self._any_before = bool(place.files())

    def state_of(self, members: Sequence[int], candidates: int, tasks: Sequence[Any]) -> CohortFile:
        """The file of a cohort with these members of the population."""
        return CohortFile(self, members, candidates, tasks)

    def now(self) -> float:
        """The time of the clock."""
        return self._clock()

    @property
    def place(self) -> StatePlace:
        """Where the files lie."""
        return self._place

    @property
    def any_before(self) -> bool:
        """Whether an earlier run has left files."""
        return self._any_before

    @property
    def writes(self) -> bool:
        """Whether states can still be written."""
        return self._writes

    def fit(self, number: int) -> str:
        """The description of a fit."""
        return self._fits[number]

    def problem(self, text: str, ends: bool = False) -> None:
        """Note a problem, which any thread may have; `ends` if nothing more is to be written."""
        with self._lock:
            if ends and not self._writes:
                return
            self._writes = self._writes and not ends
            self._problems.append(text)

    def tell(self) -> None:
        """Tell of the problems since the last call."""
        with self._lock:
            problems, self._problems = self._problems, []
        for problem in problems:
            self._tell(problem)


class CohortFile:
    """The file with the state of one cohort."""

    def __init__(
        self, kept: KeptStates, members: Sequence[int], candidates: int, tasks: Sequence[Any]
    ) -> None:
        self._kept = kept
        self._members, self._candidates, self._tasks = members, candidates, tasks
        self._known_digest: str | None = None
        self._since = kept.now()
        self._apart = SECONDS_APART
        self._has_written = False

    @property
    def is_due(self) -> bool:
        """Whether the state should be written by now."""
        return self._kept.writes and self._kept.now() - self._since >= self._apart

    def begins(self) -> None:
        """Count the time from now on."""
        self._since = self._kept.now()

    def write(self, checkpoint: CohortCheckpoint) -> None:
        """Replace the file; if that fails, tell of it, and write nothing more."""
        from skhp.training.cohort.checkpoint import arrays_of

        began = self._kept.now()
        arrays = arrays_of(checkpoint)
        size = sum(array.nbytes for array in arrays.values())
        path = self._kept.place.file(self._digest)
        if size > MOST_BYTES:
            self._apart = float("inf")
            self._kept.problem(
                f"the state of {self._about(checkpoint)} has {size:,} bytes, more than the "
                f"{MOST_BYTES:,} that are kept, so a killed search would train it from the start"
            )
            return
        try:
            write_state(path, self._about(checkpoint), arrays)
        except OSError as error:
            self.cannot_be_written(error.strerror or str(error))
            return
        self._has_written = True
        self._since = self._kept.now()
        self._apart = max(SECONDS_APART, (self._since - began) / SHARE_OF_TIME)

    def cannot_be_written(self, reason: str) -> None:
        """Tell that states cannot be written, and write nothing more."""
        self._kept.problem(
            f"the state of a cohort under way cannot be written beside the journal: {reason}; the "
            "search goes on without, and would train this cohort from the start if it were killed",
            ends=True,
        )

    def found(self) -> CohortCheckpoint | None:
        """The state that an earlier run has left; a damaged one is told of, and removed."""
        if not self._kept.any_before:
            return None
        from skhp.training.cohort.checkpoint import checkpoint_of

        path = self._kept.place.file(self._digest)
        if not path.exists():
            return None
        try:
            about, arrays = read_state(path, MOST_BYTES)
            if (about.search, about.cohort) != (self._kept.place.search, self._digest):
                raise UnreadableStateError("it is of another cohort")
            self._has_written = True
            return checkpoint_of(arrays)
        except UNREADABLE as error:
            self.refuse(error)
            return None

    def refuse(self, error: Exception) -> None:
        """Tell that the state cannot be used, and remove the file."""
        path = self._kept.place.file(self._digest)
        self._kept.problem(
            f"the state {path.name!r} of a cohort cannot be used: {error or type(error).__name__}; "
            "the cohort is trained from the start"
        )
        with contextlib.suppress(OSError):
            path.unlink()

    def remove(self) -> None:
        """Remove the file."""
        if self._has_written:
            with contextlib.suppress(OSError):
                self._kept.place.file(self._digest).unlink()
            self._has_written = False

    def _about(self, checkpoint: CohortCheckpoint) -> AboutState:
        return AboutState(
            search=self._kept.place.search,
            cohort=self._digest,
            fits=len(self._members),
            epochs=checkpoint.epochs,
            most_epochs=max(task.plan.epochs for task in self._tasks),
        )

    @property
    def _digest(self) -> str:
        # Made when it is first needed, as most cohorts end before that.
        if self._known_digest is None:
            self._known_digest = self._made_digest()
        return self._known_digest

    def _made_digest(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        told: list[Any] = [FORMAT, self._kept.place.search, self._candidates]
        told += [(name, _version(name)) for name in _VERSIONS]
        rows: dict[int, bytes] = {}
        for number, task in zip(self._members, self._tasks, strict=True):
            for part in (task.rows, task.validation):
                if id(part) not in rows:
                    rows[id(part)] = _digest_of_rows(part)
            network = task.network
            told.append(
                (
                    self._kept.fit(number),
                    rows[id(task.rows)].hex(),
                    rows[id(task.validation)].hex(),
                    type(network).__name__,
                    (network.weight_shapes, network.state_shapes, network.noise_shapes),
                    (task.plan.batch_size, task.plan.epochs, task.plan.patience, task.plan.seed),
                    (task.plan.min_delta, task.plan.keeps_best, task.plan.watched),
                    (task.plan.first_epoch, task.noise_seed, task.start.step),
                    (tuple(task.rate), tuple(task.update.numbers), task.update.rule),
                    task.loss_numbers,
                    hashlib.blake2b(task.start.weights.tobytes(), digest_size=16).hexdigest(),
                )
            )
        digest.update(repr(told).encode())
        return digest.hexdigest()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _digest_of_rows(table: Any) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    values = [] if table is None else [table.X, table.y, table.weight]
    while values:
        value = values.pop(0)
        if isinstance(value, Mapping):
            values += value.values()
        elif isinstance(value, list | tuple):
            values += value
        else:
            rows = value if isinstance(value, TakenRows) else np.asarray(value)
            digest.update(f"{rows.dtype.str}{rows.shape}".encode())
            for block in blocks_of(rows):
                digest.update(block.data)
    return digest.digest()
