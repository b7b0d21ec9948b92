"""Read the input of a study, a table, a series or a folder of images, and run the study."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

from skhp.cli.options import SERIES_WORDS, TABLE_WORDS
from skhp.cli.streams import beside_the_work, say
from skhp.shared.interruption import let_signals_interrupt

# Further options that a series does not take.
_OF_TABLES = ("target", "task", "grid", "threshold")


def problem_of_inputs(arguments: argparse.Namespace) -> str | None:
    """A message about options that exclude or need each other; None if the options fit."""
    of_table = _given(arguments, ("target", "task", *TABLE_WORDS))
    if _is_set(arguments, "images"):
        others = _given(arguments, ("forecast", "horizon", "grid"))
        if arguments.table is not None:
            return "--images and a TABLE: give one of them"
        if others or of_table:
            return f"{', '.join(others or of_table)} with --images: give one or the other"
    elif _is_set(arguments, "image_size"):
        return "--image-size without --images: give a folder of images, or leave it out"
    if _is_set(arguments, "forecast"):
        if arguments.table is None:
            return "--forecast without a TABLE: give the path of a table whose rows are the steps"
        useless = _given(arguments, {*_OF_TABLES, *TABLE_WORDS} - set(SERIES_WORDS))
        if useless:
            return (
                f"{', '.join(useless)} with --forecast, which names a column of numbers to "
                "learn: leave out one or the other"
            )
    elif _is_set(arguments, "horizon"):
        return "--horizon without --forecast: name the column to forecast, or leave it out"
    if arguments.table is None and of_table and not _is_set(arguments, "images"):
        return f"{', '.join(of_table)} without a TABLE: give the path of a table"
    return None


def _is_set(arguments: argparse.Namespace, name: str) -> bool:
    return getattr(arguments, name, None) not in (None, [])


def _given(arguments: argparse.Namespace, names: Any) -> list[str]:
    order = [name for name in ("forecast", "horizon", *_OF_TABLES, *TABLE_WORDS) if name in names]
    return [f"--{name.replace('_', '-')}" for name in order if _is_set(arguments, name)]


def checked_settings(arguments: argparse.Namespace) -> Any:
    """The settings of the study; a mistake among them is a StudyError or a JournalError."""
    from skhp.search.journal.file import JournalPlace
    from skhp.study.series.series_study import SeriesSettings
    from skhp.study.study import Settings

    if arguments.journal is not None:
        # Later checks compare paths, which fails for some of the paths that this check refuses.
        JournalPlace.of(arguments.journal)
    kind = SeriesSettings if _is_set(arguments, "forecast") else Settings
    # Options that are not given keep the default of the kind of study.
    given = {part.name: getattr(arguments, part.name, None) for part in fields(kind)}
    return kind(**{name: value for name, value in given.items() if value is not None})


def run_on_inputs(arguments: argparse.Namespace, settings: Any) -> tuple[Any, str]:
    """Read the inputs and run the study; return the study and its report as text."""
    if _is_set(arguments, "forecast"):
        return _study_of_series(arguments, settings)
    from skhp.study.study import run_study
    from skhp.study.tasks import task_of
    from skhp.study.text import render_report

    if _is_set(arguments, "images"):
        from skhp.tables.image_folder import read_images

        inputs: Any = read_images(arguments.images, arguments.image_size)
    else:
        inputs = _table(arguments)
    # Settings that do not fit the target are refused before the notes and the long imports.
    task_of(inputs.target, settings.scoring, settings.threshold)
    _say_notes(arguments, inputs)
    study = _with_bars(lambda bars: run_study(inputs, settings, on_progress=bars))
    return study, render_report(study)


def _study_of_series(arguments: argparse.Namespace, settings: Any) -> tuple[Any, str]:
    from skhp.study.series.series_study import run_series_study
    from skhp.study.series.text import render_series_report, season_note
    from skhp.study.series.windows import windows_of
    from skhp.tables.series import read_series

    words = {name: getattr(arguments, name) for name in SERIES_WORDS}
    series = read_series(arguments.table, arguments.forecast, **words)
    windows = windows_of(series, settings.horizon, settings.folds)
    _say_notes(arguments, series)
    say(f"skhp {arguments.command}: note: {season_note(windows)}")
    study = _with_bars(lambda bars: run_series_study(series, settings, on_progress=bars))
    return study, render_series_report(study)


def _table(arguments: argparse.Namespace) -> Any:
    from skhp.tables.table import digits_table, read_table

    if arguments.table is None:
        return digits_table()
    words = {name: getattr(arguments, name) for name in TABLE_WORDS}
    task: Any = "auto" if arguments.task is None else arguments.task
    return read_table(arguments.table, arguments.target, task=task, **words)


def _say_notes(arguments: argparse.Namespace, inputs: Any) -> None:
    for note in inputs.notes:
        say(f"skhp {arguments.command}: note: {note}")


def _with_bars(study: Any) -> Any:
    from skhp.shared.terminal import StageBars

    let_signals_interrupt(after=_load_tensorflow)
    with StageBars(beside_the_work()) as bars:
        return study(bars)


def _load_tensorflow() -> None:
    import skhp

    _ = skhp.KerasMLPClassifier
