"""A progress bar for the stages of a study."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["StageBars"]

_NAMES = {
    "baseline": "Tuning the baseline",
    "search": "Tuning the network",
    "repeats": "Repeating the winner",
}


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
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(file=stream, highlight=False),
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that so many of the trainings of a stage are done."""
        if stage not in self._bars:
            # Not before the first stage: TensorFlow, imported until then, writes over a bar.
            self._progress.start()
            self._bars[stage] = self._progress.add_task(_NAMES.get(stage, stage), total=total)
        self._progress.update(self._bars[stage], completed=done)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Stopped before it was started, it would write an empty line.
        if self._bars:
            self._progress.stop()
