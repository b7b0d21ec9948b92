"""How far a study is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["OnProgress", "StageProgress", "TrainingCount"]


class StageProgress(NamedTuple):
    """How far a stage of a study is.

    `done` of `total` are candidates in the stage "search", in which several trainings make one, and
    trainings in "baseline" and "repeats". `best_score` is the highest mean score of the candidates
    done so far, and `time_budget` the seconds that the stage may take, where it has such.
    """

    stage: str
    done: int
    total: int
    best_score: float | None = None
    time_budget: float | None = None


OnProgress = Callable[[StageProgress], None]


class TrainingCount:
    """Counts the trainings of a stage and tells of each."""

    def __init__(self, stage: str, total: int, on_progress: OnProgress | None) -> None:
        self._progress = StageProgress(stage, 0, total)
        self._on_progress = on_progress
        self._tell()

    def __call__(self, *_: object) -> None:
        """One more is done."""
        self._progress = self._progress._replace(done=self._progress.done + 1)
        self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._progress)
