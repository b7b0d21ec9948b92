"""Members that one program trains together, and their move to a smaller program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from skhp.networks.network import unflattened
from skhp.training.cohort.arrays import CohortArrays, lay_out
from skhp.training.cohort.checkpoint import PackCheckpoint
from skhp.training.cohort.compiled_programs import (
    cohort_program,
    exactly,
    pays_to_compile,
    pays_to_move,
    rounded_up,
)
from skhp.training.cohort.evaluation import penalty_of_member
from skhp.training.cohort.state import (
    ALL_EPOCHS,
    NON_FINITE,
    OUT_OF_PATIENCE,
    OUT_OF_TIME,
    PRUNED,
    RUNNING,
    CohortState,
    History,
    first_epochs,
    host_values,
    joined,
)
from skhp.training.fit_task import FitResult, FitTask, StopReason, TrainingOutcome
from skhp.training.trained_network import MemberWeights, shared_outputs_of


class PackedMembers:
    """Members, by their numbers, that one program trains."""

    def __init__(
        self, tasks: Mapping[int, FitTask], room: int, candidates: int | None = None
    ) -> None:
        self._tasks = dict(tasks)
        self._room = room
        leading, numbers = list(tasks.values()), list(tasks)
        layout = lay_out(leading, candidates)
        self.places = layout.shape[0] * layout.shape[1]
        self._candidates = layout.shape[1]
        self._compiled = pays_to_compile(leading, self.places)
        self._arrays = CohortArrays(
            leading, layout, rounded_up if self._compiled else exactly, room
        )
        self._place = {
            numbers[member]: (s, c)
            for s, row in enumerate(layout.member)
            for c, member in enumerate(row)
            if member is not None
        }
        self._state: CohortState = self._arrays.state()
        self._on_host: CohortState | None = None
        self._fixed: Any = None
        self._history: list[History] = []
        self._program: Any = None

    def build(self) -> None:
        """Lay out the rows, and get the program from the cache, or build it."""
        self.pack()
        arguments = (self._state, *self._fixed, self._arrays.chunk(0, 1))
        self._program = cohort_program(self._arrays.key, arguments, self._compiled)

    def pack(self) -> None:
        """Make the tensors of the rows."""
        if self._fixed is None:
            arrays = self._arrays
            self._fixed = arrays.rows(), arrays.held_out(), arrays.numbers(), arrays.batches()

    @property
    def running(self) -> list[int]:
        """Members that still train."""
        stop = np.asarray(self._state.stop)
        return [number for number, place in self._place.items() if stop[place] == RUNNING]

    def __contains__(self, number: int) -> bool:
        return number in self._place

    def epochs(self) -> dict[int, int]:
        """Epochs that each member has run."""
        epochs = np.asarray(self._state.epochs)
        return {number: int(epochs[place]) for number, place in self._place.items()}

    def advance(self, epochs_done: int, count: int) -> None:
        """Run a chunk."""
        chunk = self._arrays.chunk(epochs_done, count)
        self._state, history = self._program(self._state, *self._fixed, chunk)
        self._history.append(first_epochs(history, count))
        self._on_host = None

    def state_of(self, number: int) -> CohortState:
        """The state of a member: its number or vector in each tensor, as NumPy values."""
        if self._on_host is None:
            self._on_host = host_values(self._state)
        place = self._place[number]
        state = self._on_host
        slots = tuple(slot[place] for slot in state.slots)
        # For each member, `tf.nest` would take as long as a step of the training.
        return CohortState(
            *(
                slots if name == "slots" else values[place]
                for name, values in state._asdict().items()
            )
        )

    def history_of(self, number: int) -> list[History]:
        """The epochs of a member in this program, in chunks."""
        if number not in self._place:
            return []
        if len(self._history) > 1:
            self._history = [joined(self._history)]
        s, c = self._place[number]
        return [
            History(
                *(
                    tuple(of_one[:, s, c] for of_one in values)
                    if isinstance(values, tuple)
                    else values[:, s, c]
                    for values in chunk
                )
            )
            for chunk in self._history
        ]

    def end(self, numbers: Iterable[int]) -> None:
        """Stop the training of members."""
        stop = np.array(self._state.stop)
        for number in numbers:
            stop[self._place[number]] = PRUNED
        self._state = self._state._replace(stop=tf.constant(stop))
        self._on_host = None

    def moved(self, epochs_done: int) -> PackedMembers | None:
        """The members that still train, in a smaller program; None if moving them saves no time.

        The decision depends only on the members and on which of them still train, not on the clock.
        """
        if not self.running:
            return None
        running = {number: self._tasks[number] for number in self._lasting(epochs_done)}
        of_streams = Counter(task.stream for task in running.values())
        # With powers of two there are few sizes, so the next search often finds its program.
        candidates = 2 ** (max(of_streams.values()) - 1).bit_length()
        spared = self.places - len(of_streams) * candidates
        if not pays_to_move(list(running.values()), spared, epochs_done):
            return None
        closer = PackedMembers(running, self._room, candidates)
        closer.go_on_from({number: self.state_of(number) for number in running})
        # From now on, this object only gives the states and histories of its members.
        self._state = host_values(self._state)
        self._fixed = self._program = None
        return closer

    def _lasting(self, epochs_done: int) -> list[int]:
        """Members that still train, or that would still train if their results were not known."""
        lasting = set(self.running)
        for number, task in self._tasks.items():
            if task.finished_after is not None and task.finished_after > epochs_done:
                lasting.add(number)
        return [number for number in self._tasks if number in lasting]

    def checkpoint(self) -> PackCheckpoint:
        """The members, their states and their epochs so far, in NumPy values."""
        if self._on_host is None:
            self._on_host = host_values(self._state)
        if len(self._history) > 1:
            self._history = [joined(self._history)]
        return PackCheckpoint(
            members=tuple(self._tasks),
            places=self._candidates,
            state=self._on_host,
            history=self._history[0] if self._history else None,
        )

    def go_on_from_checkpoint(self, checkpoint: PackCheckpoint, trains: bool) -> None:
        """Take over states and epochs; without `trains`, it only gives those of its members."""
        checkpoint.refuse_other_than(host_values(self._state))
        self._history = [] if checkpoint.history is None else [checkpoint.history]
        self._state = checkpoint.state
        if trains:
            self._state = tf.nest.map_structure(tf.constant, checkpoint.state)
        else:
            self._fixed = self._program = None
        self._on_host = None

    def go_on_from(self, states: Mapping[int, CohortState]) -> None:
        """Give members the states that `state_of` of another program returned."""
        fresh = host_values(self._state)

        def moved_in(values: np.ndarray, *of_members: np.ndarray) -> Any:
            values = values.copy()
            for number, value in zip(states, of_members, strict=True):
                values[self._place[number]] = value
            return tf.constant(values)

        self._state = tf.nest.map_structure(moved_in, fresh, *states.values())
        self._on_host = None


def member_weights(state: CohortState, best: bool) -> MemberWeights:
    """The weights of a member, from its state in NumPy values."""
    weights, held = (state.best_weights, state.best_state) if best else (state.weights, state.state)
    return MemberWeights(
        weights=weights.copy(),
        state=held.copy(),
        slots=tuple(slot.copy() for slot in state.slots),
        step=int(state.step[0]),
    )


_STOP_REASONS: dict[int, StopReason] = {
    OUT_OF_PATIENCE: "patience",
    ALL_EPOCHS: "epochs",
    NON_FINITE: "non_finite_loss",
    PRUNED: "pruned",
    OUT_OF_TIME: "time_budget",
}


def member_result(
    task: FitTask, state: CohortState, history: History, ended_by: int = RUNNING
) -> FitResult:
    """The result of a fit."""
    epochs, stop = int(state.epochs), int(state.stop) or ended_by
    finite_epochs = epochs - (stop == NON_FINITE)
    keeps_best = task.plan.patience is not None and task.plan.keeps_best
    # No epoch counts if all of them came before `start_from_epoch`.
    keeps_best &= bool(state.best_epoch)
    best_epoch = min(int(state.best_epoch), finite_epochs) if keeps_best else finite_epochs
    return FitResult(
        outcome=TrainingOutcome(
            history={
                name: values[:epochs].tolist() for name, values in _logged(task, history).items()
            },
            learning_rates=history.rate[:epochs].tolist(),
            n_epochs=epochs,
            best_epoch=best_epoch,
            # A fit that shares a longer training ends with its own last epoch.
            stop_reason=_STOP_REASONS.get(stop, "epochs"),
        ),
        trained=member_weights(state, best=keeps_best),
        seconds=0.0,
        held_out_score=held_out_score(task, state),
    )


def with_shared_outputs(results: Sequence[tuple[FitTask, FitResult]]) -> list[FitResult]:
    """The results in the given order; results of equal networks and the same rows share outputs."""
    alike: dict[Hashable, list[int]] = {}
    for number, (task, _) in enumerate(results):
        alike.setdefault((task.network, id(task.rows.X)), []).append(number)
    made = [result for _, result in results]
    for numbers in alike.values():
        shared_outputs = shared_outputs_of([made[number].trained for number in numbers])
        for number in numbers:
            made[number] = replace(made[number], shared_outputs=shared_outputs)
    return made


def held_out_score(task: FitTask, state: CohortState) -> float | None:
    """The best monitored value of a member, without penalties; greater is better.

    None if nothing was monitored, or if the loss is not finite.
    """
    if task.validation is None or int(state.stop) == NON_FINITE or not int(state.epochs):
        return None
    is_watched = bool(state.best_epoch)
    # Before early stopping begins to monitor, the plateau schedule does.
    best = float(state.best if is_watched else state.plateau_best)
    plan = task.plan
    if plan.metric is not None:
        best *= task.validation.metric_unit(plan.metric)
        return best if plan.metric.greater_is_better else -best
    if plan.watched not in (None, "loss", "val_loss"):
        return best if plan.greater_is_better else -best
    best_weights = state.best_weights if is_watched else state.weights
    weights = unflattened(best_weights, task.network.weight_shapes)
    return penalty_of_member(task.numbers, weights) - best


def _logged(task: FitTask, history: History) -> dict[str, np.ndarray]:
    """Values of all epochs by their names, in the order of Keras' history."""
    names = [metric.name for metric in task.row_metrics]
    columns = {"loss": history.loss, **dict(zip(names, history.row_metrics, strict=True))}
    if task.validation is not None:
        columns["val_loss"] = history.val_loss
        watched = zip(names, history.val_row_metrics, strict=True)
        columns.update({f"val_{name}": values for name, values in watched})
    logged = dict(sorted(columns.items()))
    if task.validation is not None and task.plan.metric is not None:
        unit = task.validation.metric_unit(task.plan.metric)
        logged[task.plan.metric.key] = np.asarray(history.metric, np.float64) * unit
    return logged
