"""Draw the training curves of the repeats."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import joblib
import pandas as pd

from skhp.exceptions import OutputError
from skhp.shared.terminal import as_text
from skhp.study.repeats import Repeat
from skhp.study.study import Study


def draw_curves(repeats: Sequence[Repeat], path: Path) -> bool:
    """Save the loss of each epoch as PNG: the first repeat in strong lines, the others in thin.

    False if matplotlib is not installed, so nothing was drawn.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    colours = {"loss": "tab:blue", "val_loss": "tab:orange"}
    names = {"loss": "training rows", "val_loss": "validation rows"}
    # The first one last, so that it is drawn over the others.
    for number, repeat in reversed(list(enumerate(repeats))):
        for curve in colours.keys() & repeat.history.keys():
            losses = repeat.history[curve]
            axes.plot(
                range(1, len(losses) + 1),
                losses,
                color=colours[curve],
                linewidth=0.6 if number else 2.0,
                alpha=0.4 if number else 1.0,
                label=None if number else names[curve],
            )
    first = repeats[0]
    axes.axvline(
        first.best_epoch,
        color="tab:gray",
        linestyle="--",
        label=f"best epoch of seed {first.seed}",
    )
    others = f" (strong), {len(repeats) - 1} more seeds (thin)" if len(repeats) > 1 else ""
    axes.set(title=f"Training of the network: seed {first.seed}{others}")
    axes.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
    axes.legend()
    figure.savefig(path, format="png", dpi=120)
    return True


PIPELINE = "pipeline.joblib"
SEARCH_RESULTS = "search_results.csv"
CURVES = "training_curves.png"
REPORT = "report.txt"
_FILES = (PIPELINE, SEARCH_RESULTS, CURVES, REPORT)


def check_directory(
    directory: Path, reads: Sequence[str | os.PathLike[str] | None] = (), overwrite: bool = False
) -> None:
    """Raise an OutputError if the files of a study could not be written; nothing is created.

    Parameters
    ----------
    directory : Path
        It, and the directories above it, need not exist yet.
    reads : sequence of path or None, default=()
        Files that none of these must take the place of.
    overwrite : bool, default=False
        Whether files of an earlier study may be replaced.
    """
    with paths_that_can_be(directory):
        _check_directory(directory, reads, overwrite)


@contextmanager
def paths_that_can_be(path: Path) -> Iterator[None]:
    """Let an OutputError be raised where the system cannot even look whether there is a file.

    So it is with a name that is too long, or in a folder without permission.
    """
    try:
        yield
    except OutputError:
        raise
    # A ValueError is Python's for a path with a NUL in it.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            f"{str(path)!r} cannot be written to ({reason}): choose another --out."
        ) from error


def _check_directory(
    directory: Path, reads: Sequence[str | os.PathLike[str] | None], overwrite: bool
) -> None:
    for name in _FILES:
        path = directory / name
        if path.is_dir():
            raise OutputError(
                f"{str(path)!r} is a directory, where a file is to be written: move it away or "
                "choose another --out."
            )
        refuse_what_is_read(path, reads)
    if directory.is_symlink() and not directory.exists():
        raise OutputError(
            f"{str(directory)!r} is a link to what does not exist: mend it, or choose another "
            "--out."
        )
    existing = _nearest_existing(directory)
    if not existing.is_dir():
        raise OutputError(f"{str(existing)!r} is a file, not a directory: choose another --out.")
    refuse_what_is_read(directory, reads, "the folder")
    earlier = _earlier_files(directory)
    if earlier and not overwrite:
        raise OutputError(
            f"{str(directory)!r} holds {', '.join(earlier)} of an earlier run: choose another "
            "--out, or add --overwrite to replace what it has left."
        )
    check_writable(existing)


def refuse_what_is_read(
    path: Path, reads: Sequence[str | os.PathLike[str] | None], what: str = "a file"
) -> None:
    """Raise an OutputError if a path is that of a file that is read, or of the journal."""
    for other in reads:
        if other is not None and path.resolve() == Path(other).resolve():
            raise OutputError(
                f"{str(path)!r} is read, or is the journal, and {what} would take its place: "
                "choose another --out."
            )


def check_writable(folder: Path) -> None:
    """Raise an OutputError if no file can be made in a folder that exists."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"{str(folder)!r} cannot be written to: choose another --out, or change its "
            "permissions."
        )


def write_files(
    study: Study, directory: Path, report: str | None = None, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write the fitted pipeline, the search results, the training curves and the report.

    Each is written aside and moved in place when all are complete. Other files in the directory
    are left alone.

    Parameters
    ----------
    study : Study
    directory : Path
        Made if it does not exist.
    report : str, default=None
        The text that `render_report` makes; None writes none.
    overwrite : bool, default=False
        Whether files of an earlier study are replaced. If not, and there are some by now, the
        files go to the first of `directory`-2, `directory`-3 and so on that does not exist.

    Returns
    -------
    tuple of Path
        Without the curves if matplotlib is not installed.

    Raises
    ------
    OutputError
        If the system refuses.
    """
    if not overwrite and _earlier_files(directory):
        # Of another run, that ended while this one trained. What was found is not thrown away.
        directory = first_free(directory)
    try:
        with _written_aside(directory) as aside:
            joblib.dump(study.pipeline, aside / PIPELINE)
            pd.DataFrame(study.search.cv_results_).to_csv(aside / SEARCH_RESULTS, index=False)
            draw_curves(study.repeats, aside / CURVES)
            if report is not None:
                # The name of the table may be in another encoding than that of the system.
                (aside / REPORT).write_text(report, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError(
            f"{str(directory)!r} cannot be written to ({error.strerror or error}): choose another "
            "--out."
        ) from error
    return tuple(directory / name for name in _FILES if (directory / name).exists())


def render_files(paths: Sequence[Path]) -> str:
    """Where the files of a study are, and how to get curves where there are none."""
    parts = [f"In {paths[0].parent}: {', '.join(path.name for path in paths)}."]
    if CURVES not in [path.name for path in paths]:
        parts.append(
            "The training curves were not drawn, as matplotlib is not installed: "
            "pip install matplotlib."
        )
    return as_text(*parts)


def first_free(path: Path) -> Path:
    """The first of name-2, name-3 and so on that does not exist beside a path."""
    path = path if path.name else path.absolute()
    others = (path.with_name(f"{path.stem}-{n}{path.suffix}") for n in itertools.count(2))
    return next(other for other in others if not os.path.lexists(other))


@contextmanager
def _written_aside(directory: Path) -> Iterator[Path]:
    """A new directory on the same disk as another; what is in it moves there at the end."""
    aside = _nearest_existing(directory) / f".skhp-{uuid.uuid4().hex}"
    aside.mkdir()
    try:
        yield aside
        with _undisturbed():
            _move(aside, directory)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _move(aside: Path, directory: Path) -> None:
    if not directory.exists():
        directory.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(directory)
        return
    for name in _FILES:
        if (aside / name).exists():
            os.replace(aside / name, directory / name)
        else:
            # One of an earlier study would be taken for one of this.
            (directory / name).unlink(missing_ok=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A moment in which Ctrl-C does nothing: what it would part belongs together."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _earlier_files(directory: Path) -> list[str]:
    return [name for name in _FILES if os.path.lexists(directory / name)]


def _nearest_existing(directory: Path) -> Path:
    absolute = directory.absolute()
    return next(path for path in (absolute, *absolute.parents) if path.exists())
