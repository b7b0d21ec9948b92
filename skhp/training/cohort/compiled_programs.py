"""Programs of cohorts: compiled or plain, built once and kept for the next cohort of the kind."""

from __future__ import annotations

from typing import Any, TypeAlias

import tensorflow as tf

from skhp.networks.program_cache import ProgramCache
from skhp.training.cohort.program import run_chunk
from skhp.training.cohort.state import (
    Batches,
    Chunk,
    CohortRows,
    CohortState,
    HeldOutRows,
    MemberNumbers,
    ProgramKey,
)

Arguments: TypeAlias = tuple[
    CohortState, CohortRows, HeldOutRows | None, MemberNumbers, Batches, Chunk
]

programs = ProgramCache()


def rounded_up(n_rows: int) -> int:
    """The number itself or a little more, so that folds of 240 and 241 rows share a program."""
    step = max(1, 2 ** (max(n_rows, 1).bit_length() - 4))
    return -(-n_rows // step) * step


def exactly(n_rows: int) -> int:
    """The number itself, where a program takes any."""
    return n_rows


def cohort_program(key: ProgramKey, arguments: Arguments, compiled: bool) -> Any:
    """The program for these tensors."""
    specs = tf.nest.map_structure(
        lambda tensor: None if tensor is None else tf.TensorSpec.from_tensor(tensor), arguments
    )
    if not compiled:
        specs = _any_number_of_rows(key.metric is not None, *specs)
    shapes = tuple((tuple(spec.shape), spec.dtype) for spec in tf.nest.flatten(specs) if spec)

    def build() -> Any:
        function = tf.function(
            lambda *tensors: run_chunk(key, *tensors), jit_compile=compiled, autograph=False
        )
        return function.get_concrete_function(*specs)

    return programs.get((key, shapes, compiled), build)


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

    Where a metric sorts the validation rows, it has to know how many there are.
    """
    if held_out is not None and not sorts:
        held_out = HeldOutRows(*(_free(spec, 1) for spec in held_out))
    return (
        state,
        CohortRows(*(_free(spec, 1) for spec in rows)),
        held_out,
        numbers,
        Batches(_free(batches.positions, 0, 1), _free(batches.full, 0), batches.parts),
        Chunk(_free(chunk.rows, 1, 3), tuple(_free(spec, 2) for spec in chunk.noise), chunk.epochs),
    )


def _free(spec: tf.TensorSpec, *axes: int) -> tf.TensorSpec:
    shape = [None if axis in axes else size for axis, size in enumerate(spec.shape)]
    return tf.TensorSpec(shape, spec.dtype)
