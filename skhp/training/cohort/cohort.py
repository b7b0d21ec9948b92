"""The training of a cohort, epoch by epoch; fits that differ only in `epochs` share a training."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from skhp.shared.progress_stream import progress_stream
from skhp.training.cohort.checkpoint import CheckpointError, CohortCheckpoint
from skhp.training.cohort.equal_trainings import leaders_of, leading_fits
from skhp.training.cohort.packed_members import (
    PackedMembers,
    held_out_score,
    member_result,
    member_weights,
)
from skhp.training.cohort.state import (
    OUT_OF_TIME,
    PRUNED,
    RUNNING,
    CohortState,
    EndedMember,
    History,
    copied,
    joined,
)
from skhp.training.fit_task import EpochObserver, FitResult, FitTask, TrainingOutcome
from skhp.training.trained_network import MemberWeights

# The most epochs that a program runs in one call. Only between calls is Ctrl-C obeyed and progress
# shown, so a call should also take no longer than _SECONDS_A_CHUNK.
CHUNK_EPOCHS = 16
# Each time this number of epochs has passed, a cohort decides whether to move to a smaller program.
# The number is fixed, so that the result of a member does not depend on the clock.
EPOCHS_OF_LOOK = 16
_SECONDS_A_CHUNK = 0.3


@dataclass(frozen=True)
class CohortSeconds:
    """The seconds of a cohort by its stages. The first call of a new program includes compiling."""

    packing: float = 0.0
    tracing: float = 0.0
    first_call: float = 0.0
    training: float = 0.0


@dataclass(frozen=True)
class CohortProgress:
    """How far the training of a cohort has come, and how long the last chunk took."""

    members: int
    epochs: int
    running: int
    epochs_of_members: tuple[int, ...] = ()
    chunk_epochs: int = 0
    chunk_seconds: float = 0.0
    # Whether the last chunk was the first of its program, and so may have compiled it.
    is_first: bool = False


class CohortObserver(Protocol):
    """Observes every chunk, and may end members, or the training by an exception."""

    def advanced(self, progress: CohortProgress) -> None:
        """Called after each chunk."""


def train_cohort(
    tasks: Sequence[FitTask],
    *,
    chunk: int | None = None,
    candidates: int | None = None,
    observer: CohortObserver | None = None,
) -> list[FitResult]:
    """Train the members of a cohort together."""
    return Cohort(tasks, chunk, candidates).trained(observer)


class Cohort:
    """A cohort in training; `train_cohort` runs it to the end."""

    def __init__(
        self, tasks: Sequence[FitTask], chunk: int | None = None, candidates: int | None = None
    ) -> None:
        began = time.perf_counter()
        self._has_pruned = False
        self._tasks = tasks
        self._leaders = leaders_of(tasks)
        leading = leading_fits(tasks, self._leaders)
        self._ends = sorted({task.plan.epochs for task in tasks})
        self._chunk = chunk
        self._room = max(CHUNK_EPOCHS, chunk or 0)
        self._packs = [PackedMembers(leading, self._room, candidates)]
        self._is_new_program = True
        # Members that ended before the training that they have a part in.
        self._ended: dict[int, EndedMember] = {}
        self._packs[0].pack()
        packed = time.perf_counter()
        self._packs[0].build()
        ready = time.perf_counter()
        self._preparation = CohortSeconds(packing=packed - began, tracing=ready - packed)
        self._seconds = ready - began
        self._first_call = 0.0
        self._done = 0

    @property
    def running(self) -> int:
        """Members that still train."""
        return len(self._packs[-1].running)

    @property
    def epochs(self) -> int:
        """Epochs that the cohort has run."""
        return self._done

    def advance(self, most_epochs: int) -> int:
        """Run a chunk of at most this number of epochs, and return its number of epochs."""
        end = next(end for end in self._ends if end > self._done)
        count = min(most_epochs, self._room, end - self._done)
        began = time.perf_counter()
        self._packs[-1].advance(self._done, count)
        seconds = time.perf_counter() - began
        if self._done == 0:
            self._first_call = seconds
        self._seconds += seconds
        self._done += count
        if self._done == end:
            self._end_shorter_members(end)
            if self._ended:
                self._end_unwanted()
        return count

    @property
    def seconds(self) -> CohortSeconds:
        """The seconds that the cohort has taken so far, by its stages."""
        before = self._preparation.packing + self._preparation.tracing + self._first_call
        return replace(
            self._preparation, first_call=self._first_call, training=self._seconds - before
        )

    def trained(self, observer: CohortObserver | None = None) -> list[FitResult]:
        """Run all chunks."""
        self.run(observer)
        return self.results()

    def run(self, observer: CohortObserver | None = None, until: int | None = None) -> None:
        """Train until every member has ended, or the cohort has run this number of epochs."""
        if self._has_pruned:
            self._drop_ended_members()
        size, running = 1, self.running
        while running and (until is None or self._done < until):
            began = time.perf_counter()
            first, self._is_new_program = self._is_new_program, False
            most = EPOCHS_OF_LOOK - self._done % EPOCHS_OF_LOOK
            if until is not None:
                most = min(most, until - self._done)
            count = self.advance(min(size, most))
            seconds = time.perf_counter() - began
            size = self._next_size(count, seconds, first)
            if observer is not None:
                observer.advanced(
                    CohortProgress(
                        len(self._tasks),
                        self._done,
                        self._n_unfinished(),
                        self._epochs_of_members(),
                        count,
                        seconds,
                        first,
                    )
                )
            running = self.running
            if self._done % EPOCHS_OF_LOOK == 0:
                self._drop_ended_members()

    def prune(self, numbers: Collection[int]) -> None:
        """End members after their current epoch; members that have already ended do not change."""
        self._end(numbers, PRUNED)
        self._has_pruned = True

    def end_for_time(self, numbers: Collection[int] | None = None) -> None:
        """End members, or all of them, because their time is up, as `prune` does."""
        self._end(range(len(self._tasks)) if numbers is None else numbers, OUT_OF_TIME)

    def ended(self) -> list[int]:
        """The members whose training has ended."""
        running = set(self._packs[-1].running)
        return [
            number
            for number, leader in enumerate(self._leaders)
            if leader not in running or number in self._ended
        ]

    def _n_unfinished(self) -> int:
        """The number of members to train that have not ended; several may be one training."""
        running = set(self._packs[-1].running)
        return sum(
            leader in running and number not in self._ended and task.finished_after is None
            for number, (leader, task) in enumerate(zip(self._leaders, self._tasks, strict=True))
        )

    def ended_for_time(self) -> list[int]:
        """The members that `end_for_time` has ended."""
        return [number for number, end in self._ended.items() if end.reason == OUT_OF_TIME]

    def _end(self, numbers: Collection[int], reason: int) -> None:
        running = set(self._packs[-1].running)
        for number in numbers:
            if self._leaders[number] in running and self._lasts(number):
                self._ended[number] = EndedMember(copied(self._state_of(number)), reason)
        self._end_unwanted()

    def _lasts(self, number: int) -> bool:
        return number not in self._ended and self._tasks[number].plan.epochs > self._done

    def _end_unwanted(self) -> None:
        """End each training whose members have all ended."""
        wanted = {leader for number, leader in enumerate(self._leaders) if self._lasts(number)}
        if unwanted := set(self._packs[-1].running) - wanted:
            self._packs[-1].end(unwanted)

    def held_out_scores(self) -> list[float | None]:
        """For each member, the best monitored value so far, as in its result."""
        return [
            held_out_score(task, self._state_of(number)) for number, task in enumerate(self._tasks)
        ]

    def results(self) -> list[FitResult]:
        """The result of each member as it stands now."""
        return [self.result(number) for number in range(len(self._tasks))]

    def result(self, number: int) -> FitResult:
        """The result of a member as it stands now."""
        reason = self._ended[number].reason if number in self._ended else RUNNING
        result = member_result(
            self._tasks[number], self._state_of(number), self._history_of(number), reason
        )
        return replace(result, seconds=self._seconds / len(self._tasks))

    def checkpoint(self) -> CohortCheckpoint:
        """All that `go_on_from` needs, as it stands now."""
        return CohortCheckpoint(
            epochs=self._done,
            seconds=self._seconds,
            known=tuple(task.finished_after is not None for task in self._tasks),
            packs=tuple(pack.checkpoint() for pack in self._packs),
            ended=dict(self._ended),
        )

    def go_on_from(self, checkpoint: CohortCheckpoint) -> None:
        """Go on where an equal cohort stood; raise a `CheckpointError` if it was not equal.

        The result of a member that was known then, and so did not train, has to be known now.
        """
        known = [task.finished_after is not None for task in self._tasks]
        if len(checkpoint.known) != len(known) or any(
            then and not now for then, now in zip(checkpoint.known, known, strict=True)
        ):
            raise CheckpointError("it lacks members that have to be trained")
        leading = leading_fits(self._tasks, self._leaders)
        packs: list[PackedMembers] = []
        for place, pack in enumerate(checkpoint.packs):
            if not set(pack.members) <= leading.keys() or not (
                place or list(pack.members) == list(leading)
            ):
                raise CheckpointError("its members are others")
            tasks = {number: leading[number] for number in pack.members}
            is_last = place == len(checkpoint.packs) - 1
            packed = self._packs[0] if not place else PackedMembers(tasks, self._room, pack.places)
            packed.go_on_from_checkpoint(pack, trains=is_last)
            packs.append(packed)
        if len(packs) > 1:
            packs[-1].build()
        self._packs = packs
        self._done, self._seconds = checkpoint.epochs, checkpoint.seconds
        self._ended = {
            number: end for number, end in checkpoint.ended.items() if number < len(self._tasks)
        }
        # Members whose results have become known since then do not train on.
        now_known = [number for number, task in leading.items() if task.finished_after is not None]
        packs[-1].end(set(now_known) & set(packs[-1].running))

    def _drop_ended_members(self) -> None:
        began = time.perf_counter()
        smaller = self._packs[-1].moved(self._done)
        if smaller is not None:
            smaller.build()
            self._packs.append(smaller)
            self._is_new_program = True
        self._has_pruned = False
        self._seconds += time.perf_counter() - began

    def _epochs_of_members(self) -> tuple[int, ...]:
        epochs: dict[int, int] = {}
        for pack in self._packs:
            epochs |= pack.epochs()
        return tuple(
            min(epochs[self._leaders[number]], task.plan.epochs)
            for number, task in enumerate(self._tasks)
        )

    def current_weights(self, number: int) -> MemberWeights:
        """The current weights of a member, whether or not they are its best."""
        return member_weights(self._state_of(number), best=False)

    def _state_of(self, number: int) -> CohortState:
        if number in self._ended:
            return self._ended[number].state
        leader = self._leaders[number]
        return next(pack for pack in reversed(self._packs) if leader in pack).state_of(leader)

    def _history_of(self, number: int) -> History:
        leader = self._leaders[number]
        parts = [part for pack in self._packs for part in pack.history_of(leader)]
        return parts[0] if len(parts) == 1 else joined(parts)

    def _next_size(self, count: int, seconds: float, first: bool) -> int:
        if self._chunk is not None:
            return self._chunk
        if first:
            # The first call may have compiled the program, so its time only bounds that of an
            # epoch, which may be long.
            return 2 if seconds < 2 * _SECONDS_A_CHUNK else 1
        return max(1, min(2 * count, int(count * _SECONDS_A_CHUNK / max(seconds, 1e-9))))

    def _end_shorter_members(self, epochs: int) -> None:
        for number, task in enumerate(self._tasks):
            is_led = self._leaders[number] != number
            if is_led and task.plan.epochs == epochs and number not in self._ended:
                self._ended[number] = EndedMember(copied(self._state_of(number)), RUNNING)


class LoneFit:
    """The training of a single member."""

    def __init__(self, task: FitTask) -> None:
        self._task = task
        self._cohort = Cohort([task])

    @property
    def member(self) -> MemberWeights:
        """The current weights."""
        return self._cohort.current_weights(0)

    def trained(self, observer: EpochObserver | None = None) -> FitResult:
        """Train to the end, or until the observer ends it."""
        if observer is None and not self._task.plan.verbose:
            (result,) = self._cohort.trained()
            return result
        stopped = False
        while self._cohort.running and not stopped:
            if observer is not None:
                observer.epoch_begins()
            self._cohort.advance(1)
            (result,) = self._cohort.results()
            if self._task.plan.verbose:
                _print_epoch(result.outcome, self._task.plan.epochs)
            stopped = observer is not None and observer.epoch_ends()
        (result,) = self._cohort.results()
        if stopped and self._cohort.running:
            return replace(result, outcome=replace(result.outcome, stop_reason="callback"))
        return result


def _print_epoch(outcome: TrainingOutcome, epochs: int) -> None:
    values = " - ".join(f"{name}: {value[-1]:.4f}" for name, value in outcome.history.items())
    progress_stream(sys.stdout).write(f"Epoch {outcome.n_epochs}/{epochs} - {values}\n")
