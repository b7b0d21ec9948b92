"""A progress bar for the stages of a study, and for a comparison."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Literal, Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from skhp.comparison.stages import OnProgress, StageProgress
from skhp.exceptions import JournalError, StudyError

__all__ = ["StageBars", "bar_of_comparison"]

_NAMES = {
    "baseline": "Tuning the baseline",
    "search": "Tuning the network",
    "repeats": "Repeating the winner",
    "verdict": "Comparing both",
    "comparison": "Comparing",
}


@contextmanager
def bar_of_comparison(verbose: int | Literal["auto"]) -> Iterator[OnProgress | None]:
    """A bar on standard error, or None where none is wanted.

    Parameters
    ----------
    verbose : int or "auto"
        1 is a bar; "auto" is one where somebody sees it move, a terminal or a notebook; with 2 and
        more joblib prints lines instead.
    """
    seen = Console(file=sys.stderr)
    if verbose == 1 or (verbose == "auto" and (seen.is_terminal or seen.is_jupyter)):
        with StageBars(sys.stderr) as bars:
            yield bars
    else:
        yield None


class StageBars:
    """One bar a stage, for `run_study`; where the stream is no terminal, one line each at the end.

    Parameters
    ----------
    stream : text stream
        Such as ``sys.stderr``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            _BestScore(),
            TimeElapsedColumn(),
            _TimeLeft(),
            console=Console(file=stream, highlight=False),
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __call__(self, progress: StageProgress) -> None:
        """Show how far a stage is."""
        stage = progress.stage
        if stage not in self._bars:
            # Not before the first stage: TensorFlow, imported until then, writes over a bar.
            self._progress.start()
            # A search may end before its last candidate; its clock ends with it.
            for earlier in self._bars.values():
                self._progress.stop_task(earlier)
            self._bars[stage] = self._progress.add_task(
                _NAMES.get(stage, stage), total=progress.total
            )
        self._progress.update(
            self._bars[stage],
            completed=progress.done,
            best_score=progress.best_score,
            time_budget=progress.time_budget,
            epochs=progress.epochs,
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Stopped before it was started, it would write an empty line.
        if not self._bars:
            return
        if isinstance(error, StudyError | JournalError):
            # What is refused has not begun: its one line is all there is to read.
            self._progress.live.transient = True
            self._progress.live.stop()
        else:
            self._progress.stop()


class _BestScore(ProgressColumn):
    """The best score so far, or the epochs of networks that end together, so that it moves."""

    def render(self, task: Task) -> Text:
        best, epochs = task.fields.get("best_score"), task.fields.get("epochs")
        if best is not None:
            return Text(f"best {best:.3f}")
        return Text("" if epochs is None else f"{epochs:,} epochs")


class _TimeLeft(ProgressColumn):
    """What is left of a time budget, or an estimate of what is left to do; nothing at the end."""

    # An estimate that changes all the time cannot be read.
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        if task.finished or task.stop_time is not None:
            return Text("")
        budget, seconds = task.fields.get("time_budget"), task.time_remaining
        if budget is not None:
            seconds = max(0.0, budget - (task.elapsed or 0.0))
        left = "-:--:--" if seconds is None else str(timedelta(seconds=int(seconds)))
        return Text(f"{left} left")
