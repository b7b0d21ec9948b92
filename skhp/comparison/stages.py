"""How far a study is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

__all__ = ["OnProgress", "StageProgress", "TrainingCount"]


class StageProgress(NamedTuple):
    """How far a stage of a study is.

    `done` of `total` are candidates in the stage "search", in which several trainings make one, and
    trainings in "baseline", "repeats" and "comparison". `best_score` is the highest mean score of
    the candidates done so far, as a reader knows it; `time_budget` the seconds that the stage may
    take, where it has such; `epochs` those of the networks that train, which end together.
    """

    stage: str
    done: int
    total: int
    best_score: float | None = None
    time_budget: float | None = None
    epochs: int | None = None


OnProgress = Callable[[StageProgress], None]


class _HasEpochs(Protocol):
    @property
    def epochs_done(self) -> int: ...


class TrainingCount:
    """Counts the trainings of a stage and tells of each; from any thread."""

    def __init__(self, stage: str, total: int, on_progress: OnProgress | None) -> None:
        self._progress = StageProgress(stage, 0, total)
        self._on_progress = on_progress
        self._epochs_before = 0
        self._lock = threading.Lock()
        self._tell()

    def __call__(self, *_: object) -> None:
        """One more is done."""
        with self._lock:
            self._progress = self._progress._replace(done=self._progress.done + 1)
            self._tell()

    def reached(self, done: int) -> None:
        """So many are done, also where nobody told of each."""
        with self._lock:
            if done > self._progress.done:
                self._progress = self._progress._replace(done=done)
                self._tell()

    def advanced(self, progress: _HasEpochs) -> None:
        """The networks of a population have done this number of epochs together."""
        with self._lock:
            known = (self._progress.epochs or 0) - self._epochs_before
            if progress.epochs_done < known:
                # That of another population, which counts from 0 on.
                self._epochs_before += known
            epochs = self._epochs_before + progress.epochs_done
            self._progress = self._progress._replace(epochs=epochs)
            self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._progress)
