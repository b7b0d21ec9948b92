"""Fits that differ only in `epochs` are one training, which is read where each of them ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from skhp.training.fit_task import FitTask


def leaders_of(tasks: Sequence[FitTask]) -> list[int]:
    """For each fit, the number of the fit that is trained for it: the longest of its equals."""
    longest: dict[Any, int] = {}
    for number, task in enumerate(tasks):
        key = _training_but_epochs(task)
        if key not in longest or tasks[longest[key]].plan.epochs < task.plan.epochs:
            longest[key] = number
    return [longest[_training_but_epochs(task)] for task in tasks]


def leading_fits(tasks: Sequence[FitTask], leaders: Sequence[int]) -> dict[int, FitTask]:
    """The fits that are trained for others or themselves, by their numbers."""
    ends: dict[int, list[int | None]] = {leader: [] for leader in sorted(leaders)}
    for task, leader in zip(tasks, leaders, strict=True):
        ends[leader].append(task.finished_after)
    leading = {}
    for leader, ends_of_leader in ends.items():
        known = [end for end in ends_of_leader if end is not None]
        # A fit whose result is known still trains for the fits that share its training.
        finished_after = max(known) if len(known) == len(ends_of_leader) else None
        task = tasks[leader]
        if task.finished_after != finished_after:
            task = replace(task, finished_after=finished_after)
        leading[leader] = task
    return leading


def _training_but_epochs(task: FitTask) -> Any:
    plan = task.plan
    return (
        task.stream,
        task.program,
        task.numbers,
        task.loss_numbers,
        task.update,
        task.rate,
        id(task.start),
        task.batch_size,
        plan.schedule,
        plan.patience,
        plan.min_delta,
        plan.baseline,
        plan.start_from_epoch,
    )
