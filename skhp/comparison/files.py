"""Leave the files of a study in a directory: all of them, or none."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joblib
import pandas as pd

from skhp.comparison.curves import draw_curves
from skhp.comparison.errors import OutputError
from skhp.comparison.study import Study

__all__ = [
    "CURVES",
    "PIPELINE",
    "SEARCH_RESULTS",
    "check_directory",
    "check_writable",
    "write_files",
]

PIPELINE = "pipeline.joblib"
SEARCH_RESULTS = "search_results.csv"
CURVES = "training_curves.png"
_FILES = (PIPELINE, SEARCH_RESULTS, CURVES)


def check_directory(directory: Path) -> None:
    """Raise an OutputError if the files of a study could not be written; nothing is created.

    Parameters
    ----------
    directory : Path
        It, and the directories above it, need not exist yet.
    """
    for name in _FILES:
        if (directory / name).is_dir():
            raise OutputError(
                f"{str(directory / name)!r} is a directory, where a file is to be written: move it "
                "away or choose another --out."
            )
    existing = _nearest_existing(directory)
    if not existing.is_dir():
        raise OutputError(f"{str(existing)!r} is a file, not a directory: choose another --out.")
    check_writable(existing)


def check_writable(folder: Path) -> None:
    """Raise an OutputError if no file can be made in a folder that exists."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"{str(folder)!r} cannot be written to: choose another --out, or change its "
            "permissions."
        )


def write_files(study: Study, directory: Path) -> tuple[Path, ...]:
    """Write the fitted pipeline, the search results and the training curves.

    Each is written aside and moved in place when all are complete. Other files in the directory
    are left alone.

    Parameters
    ----------
    study : Study
    directory : Path
        Made if it does not exist.

    Returns
    -------
    tuple of Path
        Without the curves if matplotlib is not installed.

    Raises
    ------
    OutputError
        If the system refuses.
    """
    try:
        with _written_aside(directory) as aside:
            joblib.dump(study.pipeline, aside / PIPELINE)
            pd.DataFrame(study.search.cv_results_).to_csv(aside / SEARCH_RESULTS, index=False)
            draw_curves(study.repeats, aside / CURVES)
    except OSError as error:
        raise OutputError(
            f"{str(directory)!r} cannot be written to ({error.strerror or error}): choose another "
            "--out."
        ) from error
    return tuple(directory / name for name in _FILES if (directory / name).exists())


@contextmanager
def _written_aside(directory: Path) -> Iterator[Path]:
    """A new directory on the same disk as another; what is in it moves there at the end."""
    aside = _nearest_existing(directory) / f".skhp-{uuid.uuid4().hex}"
    aside.mkdir()
    try:
        yield aside
        directory.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            if (aside / name).exists():
                os.replace(aside / name, directory / name)
            else:
                # One of an earlier study would be taken for one of this.
                (directory / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _nearest_existing(directory: Path) -> Path:
    absolute = directory.absolute()
    return next(path for path in (absolute, *absolute.parents) if path.exists())
