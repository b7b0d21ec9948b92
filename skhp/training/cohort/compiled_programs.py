"""Programs of cohorts: compiled if that saves time, and kept for cohorts of the same kind."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from skhp.compat.kept_compilations import OFF, VARIABLE, forget, kept_in, seal
from skhp.networks.kept_programs import build_program
from skhp.networks.program_cache import ProgramCache
from skhp.training.cohort.state import (
    Batches,
    Chunk,
    CohortRows,
    CohortState,
    HeldOutRows,
    MemberNumbers,
    ProgramKey,
    history_of,
)
from skhp.training.cohort.training_loop import run_chunk
from skhp.training.fit_task import FitTask
from skhp.training.training_rows import steps_in_epoch
from skhp.training.update_rules import is_own_rule

Arguments: TypeAlias = tuple[
    CohortState, CohortRows, HeldOutRows | None, MemberNumbers, Batches, Chunk
]

# What NumPy and TensorFlow raise where there is not enough memory.
OUT_OF_MEMORY = MemoryError, tf.errors.ResourceExhaustedError

programs = ProgramCache()
_log = logging.getLogger("skhp")


def rounded_up(n_rows: int) -> int:
    """The number itself or a little more, so that folds of 240 and 241 rows share a program."""
    step = max(1, 2 ** (max(n_rows, 1).bit_length() - 4))
    return -(-n_rows // step) * step


def exactly(n_rows: int) -> int:
    """The number itself, for programs that take any number of rows."""
    return n_rows


def cohort_program(key: ProgramKey, arguments: Arguments, compiled: bool) -> Any:
    """The program for these tensors."""
    specs = tf.nest.map_structure(
        lambda tensor: None if tensor is None else tf.TensorSpec.from_tensor(tensor), arguments
    )
    if not compiled:
        specs = _any_number_of_rows(key.metric is not None, *specs)
    shapes = tuple((tuple(spec.shape), spec.dtype) for spec in tf.nest.flatten(specs) if spec)

    def build(compiled: bool, anew: bool = False) -> Any:
        return build_program(
            lambda *tensors: run_chunk(key, *tensors),
            specs,
            key,
            (specs[0], history_of(key, None)),
            compiled=compiled,
            # The name of a rule that users add does not tell its code.
            anew=anew or not is_own_rule(key.rule),
        )

    return programs.get(
        (key, shapes, compiled), lambda: CompiledProgram(build) if compiled else build(False)
    )


class CompiledProgram:
    """A program that XLA compiles in its first call, or finds among the kept compilations.

    `build` makes the program, compiled or as a plain graph; with `anew`, without kept programs.
    """

    def __init__(self, build: Callable[..., Any]) -> None:
        self._build = build
        self._program = build(True)
        self._is_trusted = kept_in() is None

    def __call__(self, *arguments: Any) -> Any:
        """Run the program."""
        if self._is_trusted:
            return self._program(*arguments)
        try:
            result = self._program(*arguments)
        except tf.errors.ResourceExhaustedError:
            raise
        except tf.errors.OpError as error:
            result = self._run_anew(error, arguments)
        seal()
        self._is_trusted = True
        return result

    def _run_anew(self, error: Exception, arguments: Sequence[Any]) -> Any:
        """Run a program whose kept compilation may be damaged, or cannot be kept."""
        forget()
        try:
            # XLA remembers that a function failed, so the function is traced again.
            self._program = self._build(True, anew=True)
            return self._program(*arguments)
        except tf.errors.OpError:
            _log.warning(
                "A training could not be compiled (%s). It runs without compilation, which takes "
                "longer. If %s is full or cannot be written to, set the environment variable %s "
                "to another folder, or to %r.",
                *(error, kept_in(), VARIABLE, OFF),
            )
            self._program = self._build(False, anew=True)
            return self._program(*arguments)


def _any_number_of_rows(
    sorts: bool,
    state: CohortState,
    rows: CohortRows,
    held_out: HeldOutRows | None,
    numbers: MemberNumbers,
    batches: Batches,
    chunk: Chunk,
) -> Arguments:
    """Shapes that let one plain graph serve tables, splits and batches of every size.

    Where a metric sorts the validation rows, their number has to be known.
    """
    if held_out is not None and not sorts:
        held_out = tf.nest.map_structure(lambda spec: _free(spec, 1), held_out)
    return (
        state,
        tf.nest.map_structure(lambda spec: _free(spec, 1), rows)._replace(
            x=tf.nest.map_structure(lambda spec: _free(spec, 0), rows.x)
        ),
        held_out,
        numbers,
        Batches(_free(batches.positions, 0, 1), _free(batches.full, 0), batches.parts),
        Chunk(_free(chunk.rows, 1, 3), tuple(_free(spec, 2) for spec in chunk.noise), chunk.epochs),
    )


def _free(spec: tf.TensorSpec, *axes: int) -> tf.TensorSpec:
    shape = [None if axis in axes else size for axis, size in enumerate(spec.shape)]
    return tf.TensorSpec(shape, spec.dtype)


# All times were measured on two cores. These two are of a plain graph: for a step, and for each
# weight in a step.
_PLAIN_STEP_SECONDS = 120e-6
_PLAIN_WEIGHT_SECONDS = 40e-9
# The time to trace a program and compile it by XLA.
BUILD_SECONDS = 1.5
# The fixed time of a compiled program for a step, whatever the network.
STEP_SECONDS = 10e-6
# Tracing takes as long for a plain graph. XLA adds the first time, and where layers are loops, the
# second one, too.
_COMPILE_SECONDS = 1.0
_COMPILE_LOOP_SECONDS = 0.8


def pays_to_compile(tasks: Sequence[FitTask], places: int) -> bool:
    """Whether XLA's compilation costs less than it saves in a cohort with this number of places."""
    if not tasks[0].network.compiles:
        return False
    steps = max(_steps_of_epoch(task) * task.plan.epochs for task in tasks)
    rows = min(max(task.batch_size for task in tasks), max(t.rows.n_rows for t in tasks))
    of_members = places * n_weights(tasks[0]) * (1 + rows / 8) * _PLAIN_WEIGHT_SECONDS
    turns = tasks[0].network.turns
    compiling = _COMPILE_SECONDS + (_COMPILE_LOOP_SECONDS if turns > 1 else 0.0)
    return steps * (turns * _PLAIN_STEP_SECONDS + of_members) > compiling


def pays_to_move(running: Sequence[FitTask], spared: int, epochs_done: int) -> bool:
    """Whether a new program that is smaller by `spared` places costs less than it saves.

    A training is expected to last for as many epochs again as it has lasted, up to its last epoch.
    """
    left = min(epochs_done, max(task.plan.epochs for task in running) - epochs_done)
    smallest = min(running, key=lambda task: task.batch_size)
    rows = min(smallest.batch_size, smallest.rows.n_rows)
    epoch = _steps_of_epoch(smallest) * smallest.network.cost(rows).seconds
    return left * spared * epoch > BUILD_SECONDS


def n_weights(task: FitTask) -> int:
    """Number of trainable weights of a member."""
    return sum(int(np.prod(shape)) for shape in task.network.weight_shapes)


def _steps_of_epoch(task: FitTask) -> int:
    return steps_in_epoch(task.rows.n_rows, task.batch_size)
