"""Write the result of a study: a folder of files, or a page with the pipeline beside it."""

from __future__ import annotations

import copy
import importlib.util
import itertools
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import pandas as pd

from skhp.exceptions import OutputError, SettingsError
from skhp.inspection.report.search_report import write_report
from skhp.inspection.value_text import value_text
from skhp.shared.interruption import undisturbed, unfinished
from skhp.shared.terminal import as_text
from skhp.study.page_sections import against_the_baseline, on_the_test_rows
from skhp.study.repeats import draw_curves
from skhp.study.series.series_study import SeriesStudy
from skhp.study.series.text import against_simple_forecasts, on_the_test_windows
from skhp.study.study import Study
from skhp.tables.target import Target

PIPELINE = "pipeline.joblib"
SEARCH_RESULTS = "search_results.csv"
CURVES = "training_curves.png"
REPORT = "report.txt"
PAGE = "report.html"
PAGE_ENDING = ".html"
_FILES = (PIPELINE, SEARCH_RESULTS, CURVES, REPORT, PAGE)


def check_directory(
    directory: Path,
    reads: Sequence[str | os.PathLike[str] | None] = (),
    overwrite: bool = False,
    outside: Path | None = None,
) -> None:
    """Raise an OutputError if the files of a study could not be written; nothing is created.

    The files must not replace a file in `reads` nor, without `overwrite`, a file of an earlier
    study. They must not lie in the folder `outside`, whose subfolders are classes of images.
    """
    with path_errors_as_output_errors(directory):
        _refuse_within(directory, outside)
        _check_directory(directory, reads, overwrite)


def _refuse_within(path: Path, outside: Path | None) -> None:
    if outside is not None and path.resolve().is_relative_to(outside.resolve()):
        raise OutputError(
            f"{str(path)!r} lies within the folder of images {str(outside)!r}, where it would be "
            "taken for a class or an image: choose another --out."
        )


@contextmanager
def path_errors_as_output_errors(path: Path) -> Iterator[None]:
    """Turn a system error about a path, such as a name that is too long, into an OutputError."""
    try:
        yield
    except OutputError:
        raise
    # Python raises a ValueError for a path with a NUL in it.
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
            f"{str(directory)!r} is a link whose target does not exist: mend it, or choose another "
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
            "--out, or add --overwrite to replace these files."
        )
    check_writable(existing)


def refuse_what_is_read(
    path: Path, reads: Sequence[str | os.PathLike[str] | None], what: str = "a file"
) -> None:
    """Raise an OutputError if a path is an input or the journal."""
    for other in reads:
        if other is not None and path.resolve() == Path(other).resolve():
            raise OutputError(
                f"{str(path)!r} is an input or the journal, and {what} would replace it: choose "
                "another --out."
            )


def check_writable(folder: Path) -> None:
    """Raise an OutputError if no file can be created in an existing folder."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"{str(folder)!r} cannot be written to: choose another --out, or change its "
            "permissions."
        )


def write_files(
    study: Study | SeriesStudy, directory: Path, report: str | None = None, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write the fitted pipeline, the search results, the training curves, the report and its page.

    The files are written to a temporary folder and moved to `directory` when all are complete;
    the curves and the page need matplotlib, and the page needs `report`.
    Other files in `directory` are left alone. Without `overwrite`, the files of an earlier study
    stay, and the new files go to `directory`-2, `directory`-3 or the next free name. A system error
    raises an OutputError.
    """
    if not overwrite and _earlier_files(directory):
        # Another run ended while this one trained; neither run loses its files.
        directory = first_free(directory)
    try:
        with _written_aside(directory) as aside:
            joblib.dump(study.pipeline, aside / PIPELINE)
            _results_frame(study).to_csv(aside / SEARCH_RESULTS, index=False)
            has_pictures = draw_curves(study.repeats, aside / CURVES)
            if report is not None:
                if has_pictures:
                    _write_page(study, aside / PAGE)
                # The name of the table may hold bytes that are not text in the system's encoding.
                (aside / REPORT).write_text(report, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError(
            f"{str(directory)!r} cannot be written to ({error.strerror or error}): choose another "
            "--out."
        ) from error
    return tuple(directory / name for name in _FILES if (directory / name).exists())


def _results_frame(study: Study | SeriesStudy) -> pd.DataFrame:
    """The results of the search, with each estimator among the parameters in one line."""
    frame = pd.DataFrame(study.search.cv_results_)
    for name, column in frame.items():
        if str(name).startswith("param"):
            frame[name] = [_one_line(value) for value in column]
    return frame


def _one_line(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _one_line(one) for name, one in value.items()}
    return value_text(value) if hasattr(value, "get_params") else value


def render_files(paths: Sequence[Path]) -> str:
    """Sentences on where the files of a study are, the page last, and on how to get pictures."""
    folder = paths[0].parent
    others = [path.name for path in paths if path.name != PAGE]
    parts = [f"In {folder}: {', '.join(others)}."]
    if CURVES not in others:
        parts.append(
            "The training curves and the page were not drawn, as matplotlib is not installed: "
            "pip install matplotlib."
        )
    if len(others) < len(paths):
        parts.append(f"The report with pictures is the page {str(folder / PAGE)!r}.")
    return as_text(*parts)


def first_free(path: Path) -> Path:
    """The path with the first of the names name-2, name-3 and so on that does not exist."""
    path = path if path.name not in ("", "..") else path.resolve()
    # A folder may be named results-0.5, which has no ending.
    ending = path.suffix if path.suffix.lower() == PAGE_ENDING else ""
    name = path.name.removesuffix(ending)
    others = (path.with_name(f"{name}-{n}{ending}") for n in itertools.count(2))
    return next(other for other in others if not os.path.lexists(other))


@contextmanager
def _written_aside(directory: Path) -> Iterator[Path]:
    """A temporary folder on the disk of `directory`, to which its files move at the end."""
    with _folder_aside(_nearest_existing(directory)) as aside:
        yield aside
        with undisturbed():
            _move(aside, directory)


@contextmanager
def _folder_aside(folder: Path) -> Iterator[Path]:
    """A temporary folder within another one."""
    aside = folder / f".skhp-{uuid.uuid4().hex}"
    with unfinished(aside):
        try:
            aside.mkdir()
            yield aside
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
            # A file of an earlier study would be taken for one of this study.
            (directory / name).unlink(missing_ok=True)


def _earlier_files(directory: Path) -> list[str]:
    return [name for name in _FILES if os.path.lexists(directory / name)]


def _nearest_existing(directory: Path) -> Path:
    absolute = directory.absolute()
    return next(path for path in (absolute, *absolute.parents) if path.exists())


# ---------------------------------------------------------------- a page


def check_page(
    path: Path,
    reads: Sequence[str | os.PathLike[str] | None] = (),
    overwrite: bool = False,
    outside: Path | None = None,
) -> None:
    """Raise a StudyError if the page could not be drawn or written; nothing is created.

    The page must not replace a file in `reads` nor, without `overwrite`, any other file. It must
    not lie in the folder `outside`, whose subfolders are classes of images.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise SettingsError(
            "the pictures of a page are drawn by matplotlib, which is not installed: "
            "pip install matplotlib, or use skhp tune, which prints its report."
        )
    with path_errors_as_output_errors(path):
        _refuse_within(path, outside)
        _check_paths(path, reads, overwrite)


def _check_paths(
    path: Path, reads: Sequence[str | os.PathLike[str] | None], overwrite: bool
) -> None:
    folder = path.absolute().parent
    if path.is_dir():
        raise OutputError(f"{str(path)!r} is a directory: give --out the path of a file.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{str(path)!r} is a pipe or a device: give --out the path of a file.")
    if not folder.is_dir():
        raise OutputError(
            f"{str(path)!r} cannot be written, as there is no directory {str(folder)!r}: make it, "
            "or choose another --out."
        )
    check_writable(folder)
    pipeline = pipeline_path(path)
    if pipeline.is_dir() or pipeline == path:
        raise OutputError(
            f"the fitted pipeline would go to {str(pipeline)!r}, which is "
            f"{'the page itself' if pipeline == path else 'a directory'}: choose another --out."
        )
    for file, what in ((path, "the page"), (pipeline, "the fitted pipeline")):
        refuse_what_is_read(file, reads, what)
        if os.path.lexists(file) and not overwrite:
            raise OutputError(
                f"{str(file)!r} exists, perhaps from an earlier run: choose another --out, or add "
                "--overwrite to replace it."
            )


def pipeline_path(page: Path) -> Path:
    """The path of the fitted pipeline: the path of the page with the ending .joblib."""
    return page.with_suffix(".joblib")


def write_page(study: Study | SeriesStudy, path: Path, overwrite: bool = False) -> Path:
    """Write the page, with scores on the test rows, and the pipeline; return the page's path.

    Without `overwrite`, an existing page stays, and the new page gets the first free name of
    name-2, name-3 and so on. A system error raises an OutputError.
    """
    while not overwrite and any(map(os.path.lexists, (path, pipeline_path(path)))):
        # Another run wrote its page while this one trained; neither run loses its page.
        path = first_free(path)
    try:
        with _folder_aside(path.absolute().parent) as aside:
            joblib.dump(study.pipeline, aside / PIPELINE)
            _write_page(study, aside / PAGE)
            with undisturbed():
                os.replace(aside / PIPELINE, pipeline_path(path))
                os.replace(aside / PAGE, path)
    except OSError as error:
        raise OutputError(
            f"{str(path)!r} cannot be written ({error.strerror or error}): choose another --out."
        ) from error
    return path


def _write_page(study: Study | SeriesStudy, path: Path) -> None:
    # The search did not refit its winner, so a copy of it gets the pipeline of the repeats.
    search: Any = copy.copy(study.search)
    search.best_estimator_ = study.pipeline
    if isinstance(study, SeriesStudy):
        X_test, y_test = study.windows.split.X_test, study.windows.split.y_test
        additions = [against_simple_forecasts(study), on_the_test_windows(study)]
    else:
        X_test, y_test = study.split.X_test, study.split.y_test
        if isinstance(study.table.target, Target):
            y_test = study.table.target.labels[y_test]
        additions = [against_the_baseline(study), on_the_test_rows(study)]
    write_report(search, path, X_test, y_test, additions)
