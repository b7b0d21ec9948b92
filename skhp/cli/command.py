"""Run the command ``skhp``."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skhp.cli.options import SETTINGS, TABLE_WORDS, UsageError, make_parser
from skhp.cli.streams import PrintError, beside_the_work, print_out, say, streams_of_a_command
from skhp.shared.interruption import (
    COMMANDS,
    EXIT_INTERRUPTED,
    let_ctrl_c_interrupt,
    let_ctrl_c_kill,
)

if TYPE_CHECKING:
    from skhp.study.study import Settings, Study

__all__ = ["main"]

_EXIT_NOT_PRINTED = 1
_EXIT_BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    int
        0 for success; 1 where standard output takes no text, after the files are written, of which
        one line is printed to stderr, unless a reader such as ``head`` has had enough; 2 for what
        the user can mend, of which one line is printed to stderr; and 130 after Ctrl-C. Any other
        error is a bug and leaves as an exception.
    """
    written: list[Path] = []
    with streams_of_a_command():
        try:
            return _run(argv, written)
        except PrintError as error:
            if not error.is_left:
                found = f"; what was found is in {str(written[0])!r}" if written else ""
                say(f"{_command(argv)}: error: standard output takes no text ({error}){found}")
            return _EXIT_NOT_PRINTED
        except KeyboardInterrupt:
            say(f"{_command(argv)}: stopped by Ctrl-C, {_left_behind(argv, written)}")
            let_ctrl_c_kill()
            return EXIT_INTERRUPTED


def _run(argv: Sequence[str] | None, written: list[Path]) -> int:
    try:
        arguments = _parse(argv)
    except UsageError as error:
        return _refuse(argv, error)
    # Only now, so that --help and --version are quick.
    from skhp.exceptions import JournalError

    if arguments.command == "journal":
        try:
            _journal(arguments)
        except JournalError as error:
            return _refuse(argv, error)
        return 0
    from skhp.exceptions import StudyError

    try:
        if arguments.command == "report":
            _report(arguments, written)
        else:
            _tune(arguments, written)
    except (StudyError, JournalError) as error:
        return _refuse(argv, error)
    return 0


def _refuse(argv: Sequence[str] | None, error: ValueError) -> int:
    say(f"{_command(argv)}: error: {' '.join(str(error).splitlines())}")
    return _EXIT_BAD_INPUT


def _command(argv: Sequence[str] | None) -> str:
    given = sys.argv[1:] if argv is None else argv
    return f"skhp {given[0]}" if given and given[0] in COMMANDS else "skhp"


def _left_behind(argv: Sequence[str] | None, written: Sequence[Path]) -> str:
    given = sys.argv[1:] if argv is None else argv
    if written:
        return f"after what was found had been written to {str(written[0])!r}"
    if any(argument.partition("=")[0] == "--journal" for argument in given):
        return "no files were written but the journal, from which the same command goes on"
    return "no files were written"


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser()
    said = io.StringIO()
    try:
        # argparse prints its help past all errors of standard output.
        with contextlib.redirect_stdout(said):
            arguments, unknown = parser.parse_known_args(argv)
    except SystemExit:
        print_out(said.getvalue())
        raise
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if arguments.command == "journal":
        if arguments.best < 1:
            parser.error(f"--best is {arguments.best}: at least 1 is needed")
        return arguments
    if arguments.table is None:
        given = [
            f"--{name.replace('_', '-')}"
            for name in ("target", *TABLE_WORDS)
            if getattr(arguments, name) not in (None, [])
        ]
        if given:
            parser.error(f"{', '.join(given)} without a TABLE: give the path of a table")
    return arguments


def _journal(arguments: argparse.Namespace) -> None:
    from skhp.search.journal.report import report_of_file

    print_out(report_of_file(arguments.file, arguments.best))


def _tune(arguments: argparse.Namespace, written: list[Path]) -> None:
    from skhp.study.files import check_directory, render_files, write_files
    from skhp.study.text import render_report

    settings = _settings(arguments)
    reads = (arguments.table, arguments.journal)
    check_directory(arguments.out, reads, arguments.overwrite)
    study = _study(arguments, settings)
    report = render_report(study)
    # The files before the report, which a pager may cut short; the report even without the files.
    try:
        paths = write_files(study, arguments.out, report, arguments.overwrite)
        written.append(paths[0].parent)
    finally:
        _print_report(report, written)
    print_out("\n" + render_files(paths))


def _report(arguments: argparse.Namespace, written: list[Path]) -> None:
    from skhp.study.files import check_page, pipeline_path, write_page
    from skhp.study.text import render_report

    settings = _settings(arguments)
    check_page(arguments.out, (arguments.table, arguments.journal), arguments.overwrite)
    study = _study(arguments, settings)
    try:
        path = write_page(study, arguments.out, arguments.overwrite)
        written.append(path)
    finally:
        _print_report(render_report(study), written)
    print_out(f"\nThe page is {str(path)!r}, the fitted pipeline {str(pipeline_path(path))!r}.\n")


def _print_report(report: str, written: Sequence[Path]) -> None:
    try:
        print_out(report)
    except PrintError:
        # Nowhere else is what was found.
        if not written:
            say(report)
        raise


def _settings(arguments: argparse.Namespace) -> Settings:
    from skhp.search.journal.file import JournalPlace

    if arguments.journal is not None:
        # First of all, as Python itself cannot compare each path with another.
        JournalPlace.of(arguments.journal)
    from skhp.study.study import Settings

    return Settings(**{name: getattr(arguments, name) for name in SETTINGS})


def _study(arguments: argparse.Namespace, settings: Settings) -> Study:
    from skhp.shared.progress import StageBars
    from skhp.study.study import run_study
    from skhp.tables.table import digits_table, read_table

    if arguments.table is None:
        table = digits_table()
    else:
        words = {name: getattr(arguments, name) for name in TABLE_WORDS}
        table = read_table(arguments.table, arguments.target, **words)
    for note in table.notes:
        say(f"skhp {arguments.command}: note: {note}")
    let_ctrl_c_interrupt(after=_load_tensorflow)
    with StageBars(beside_the_work()) as bars:
        return run_study(table, settings, on_progress=bars)


def _load_tensorflow() -> None:
    import skhp

    _ = skhp.KerasMLPClassifier
