"""Output of the commands in a terminal: text of 80 columns, and progress bars."""

from __future__ import annotations

import io
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Literal, NamedTuple, Protocol, Self, TextIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from skhp.exceptions import JournalError, StudyError
from skhp.shared.progress_stream import progress_stream

_WIDTH = 80


def as_text(*parts: RenderableType) -> str:
    """The text of paragraphs and tables, one below the other; each line ends in a line feed.

    Examples
    --------
    >>> print(as_text("Scores:", text_table(["name", "F1"], [["network", "0.9"]], n_names=1)))
    Scores:
    name      F1
    network  0.9
    <BLANKLINE>
    """
    text = io.StringIO()
    console = Console(
        file=text, width=_WIDTH, color_system=None, markup=False, emoji=False, highlight=False
    )
    for part in parts:
        console.print(part)
    return "".join(f"{_visible(line.rstrip())}\n" for line in text.getvalue().splitlines())


# Characters by which a text could move the cursor, write over other lines or change the terminal.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _visible(text: str) -> str:
    """A text from a file or a table that cannot command the terminal."""
    return _COMMANDS.sub(lambda found: ascii(found[0])[1:-1], text)


def indented(part: RenderableType, columns: int = 2) -> Padding:
    """A paragraph or a table, indented by some columns."""
    return Padding(part, (0, 0, 0, columns))


def facts(named: Iterable[tuple[str, str]], gap: int = 2) -> Table:
    """A table of names, each with a sentence to the right of it."""
    table = Table.grid(padding=(0, gap, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in named:
        table.add_row(name, fact)
    return table


def text_table(headings: Sequence[str], rows: Iterable[Sequence[str]], n_names: int = 0) -> Table:
    """A table whose first `n_names` columns are names, which may fold; the others are numbers."""
    table = Table(box=None, padding=(0, 0, 0, 2), pad_edge=False)
    for place, heading in enumerate(headings):
        if place < n_names:
            table.add_column(heading, overflow="fold")
        else:
            table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


class StageProgress(NamedTuple):
    """The progress of a stage of a study.

    `done` and `total` count candidates, each of several trainings, in the stage "search", and
    trainings in all other stages. `best_score` is the highest mean score of the finished
    candidates, as it is shown to readers; `time_budget` is in seconds, or None; `epochs` counts the
    epochs of networks that train together. `under_way` is how many candidates, beside the finished
    ones, the work on those in training amounts to; `seconds_left` is an estimate from their epochs,
    or None.
    """

    stage: str
    done: int
    total: int
    best_score: float | None = None
    time_budget: float | None = None
    epochs: int | None = None
    under_way: float = 0.0
    seconds_left: float | None = None


OnProgress = Callable[[StageProgress], None]


class _HasEpochs(Protocol):
    @property
    def epochs_done(self) -> int: ...


class TrainingCount:
    """Counts the trainings of a stage, from any thread, and reports each."""

    def __init__(self, stage: str, total: int, on_progress: OnProgress | None) -> None:
        self._progress = StageProgress(stage, 0, total)
        self._on_progress = on_progress
        self._epochs_before = 0
        self._lock = threading.Lock()
        self._tell()

    def __call__(self, *_: object) -> None:
        """Count one more training."""
        with self._lock:
            self._progress = self._progress._replace(done=self._progress.done + 1)
            self._tell()

    def reached(self, done: int) -> None:
        """Raise the count to `done`, as some trainings may not have been counted."""
        with self._lock:
            if done > self._progress.done:
                self._progress = self._progress._replace(done=done)
                self._tell()

    def advanced(self, progress: _HasEpochs) -> None:
        """Report how many epochs the networks of a population have run together."""
        with self._lock:
            known = (self._progress.epochs or 0) - self._epochs_before
            if progress.epochs_done < known:
                # A new population counts from 0 again.
                self._epochs_before += known
            epochs = self._epochs_before + progress.epochs_done
            self._progress = self._progress._replace(epochs=epochs)
            self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._progress)


_NAMES = {
    "baseline": "Tuning the baseline",
    "search": "Tuning the network",
    "repeats": "Repeating the winner",
    "seeds": "Training with each seed",
    "verdict": "Comparing both",
    "comparison": "Comparing",
}


@contextmanager
def bar_of_fits(verbose: int | Literal["auto"]) -> Iterator[OnProgress | None]:
    """A progress bar on standard error, or None.

    `verbose` 1 shows the bar, and "auto" shows it in a terminal or a notebook; from 2 on, joblib
    and the population print lines instead.
    """
    stream = progress_stream(sys.stderr)
    seen = Console(file=stream)
    if verbose == 1 or (verbose == "auto" and (seen.is_terminal or seen.is_jupyter)):
        with StageBars(stream) as bars:
            yield bars
    else:
        yield None


# A bar is full only when its last candidate is finished.
_ALMOST = 0.999


class StageBars:
    """One progress bar per stage of a study; if not in a terminal, one line each at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            _Count(),
            _BestScore(),
            TimeElapsedColumn(),
            _TimeLeft(),
            console=Console(file=stream, highlight=False),
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __call__(self, progress: StageProgress) -> None:
        """Show the progress of a stage."""
        stage = progress.stage
        if stage not in self._bars:
            # Not started earlier, as the import of TensorFlow would write over the bar.
            self._progress.start()
            # A search may end before its last candidate, so its clock has to be stopped.
            for earlier in self._bars.values():
                self._progress.stop_task(earlier)
            self._bars[stage] = self._progress.add_task(
                _NAMES.get(stage, stage), total=progress.total
            )
        self._progress.update(
            self._bars[stage],
            completed=max(
                progress.done, min(progress.done + progress.under_way, _ALMOST * progress.total)
            ),
            done=progress.done,
            seconds_left=progress.seconds_left,
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
        # A bar that is stopped before its start writes an empty line.
        if not self._bars:
            return
        if isinstance(error, StudyError | JournalError):
            # A refused study has not begun, so only the line of its error is to remain.
            self._progress.live.transient = True
            self._progress.live.stop()
        else:
            self._progress.stop()


class _Count(ProgressColumn):
    """The number of finished candidates or trainings, while the bar moves by their epochs."""

    def render(self, task: Task) -> Text:
        total = int(task.total or 0)
        done = task.fields.get("done", 0)
        return Text(f"{done:{len(str(total))}d}/{total}", style="progress.download")


class _BestScore(ProgressColumn):
    """The best score so far, or the number of epochs while there is none, to show progress."""

    def render(self, task: Task) -> Text:
        best, epochs = task.fields.get("best_score"), task.fields.get("epochs")
        if best is not None:
            return Text(f"best {best:.3f}")
        return Text("" if epochs is None else f"{epochs:,} epochs")


class _TimeLeft(ProgressColumn):
    """The rest of a time budget, or an estimate of the time left; empty at the end."""

    # An estimate that changes all the time cannot be read.
    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        if task.finished or task.stop_time is not None:
            return Text("")
        budget, seconds = task.fields.get("time_budget"), task.fields.get("seconds_left")
        if budget is not None:
            left = max(0.0, budget - (task.elapsed or 0.0))
            seconds = left if seconds is None else min(seconds, left)
        elif seconds is None:
            seconds = task.time_remaining
        left = "-:--:--" if seconds is None else str(timedelta(seconds=int(seconds)))
        return Text(f"{left} left")
