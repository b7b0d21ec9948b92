"""Run the command ``skhp``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from skhp.cli.options import SETTINGS, UsageError, make_parser

if TYPE_CHECKING:
    from skhp.comparison import Settings, Study

__all__ = ["main"]

_EXIT_BAD_INPUT = 2
_EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments; None takes those of the process.

    Returns
    -------
    int
        0 for success, 2 for what the user can mend, of which one line is printed to stderr, and
        130 after Ctrl-C. Any other error is a bug and leaves as an exception.
    """
    try:
        return _run(argv)
    except KeyboardInterrupt:
        print(f"{_command(argv)}: stopped by Ctrl-C, {_left_behind(argv)}", file=sys.stderr)
        return _EXIT_INTERRUPTED


def _run(argv: Sequence[str] | None) -> int:
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
    from skhp.comparison import StudyError

    try:
        if arguments.command == "report":
            _report(arguments)
        else:
            _tune(arguments)
    except (StudyError, JournalError) as error:
        return _refuse(argv, error)
    return 0


def _refuse(argv: Sequence[str] | None, error: ValueError) -> int:
    print(f"{_command(argv)}: error: {' '.join(str(error).splitlines())}", file=sys.stderr)
    return _EXIT_BAD_INPUT


def _command(argv: Sequence[str] | None) -> str:
    given = sys.argv[1:] if argv is None else argv
    return f"skhp {given[0] if given and given[0] in ('journal', 'report') else 'tune'}"


def _left_behind(argv: Sequence[str] | None) -> str:
    given = sys.argv[1:] if argv is None else argv
    if any(argument.partition("=")[0] == "--journal" for argument in given):
        return "no files were written but the journal, from which the same command goes on"
    return "no files were written"


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if arguments.command == "journal":
        if arguments.best < 1:
            parser.error(f"--best is {arguments.best}: at least 1 is needed")
        return arguments
    if arguments.table is None:
        for_a_table = ("target", "header", "drop", "categories")
        given = [f"--{name}" for name in for_a_table if getattr(arguments, name) not in (None, [])]
        if given:
            parser.error(f"{', '.join(given)} without a TABLE: give the path of a table")
    return arguments


def _journal(arguments: argparse.Namespace) -> None:
    from skhp.search.journal_report import report_of_file

    _print(report_of_file(arguments.file, arguments.best))


def _tune(arguments: argparse.Namespace) -> None:
    from skhp.comparison import check_directory, render_files, render_report, write_files

    settings = _settings(arguments)
    check_directory(arguments.out)
    study = _study(arguments, settings)
    # The files before the report, which a pager may cut short; the report even without the files.
    try:
        paths = write_files(study, arguments.out)
    finally:
        _print(render_report(study))
    _print("\n" + render_files(paths))


def _report(arguments: argparse.Namespace) -> None:
    from skhp.comparison import check_page, pipeline_path, render_report, write_page

    settings = _settings(arguments)
    check_page(arguments.out, reads=(arguments.table, arguments.journal))
    study = _study(arguments, settings)
    try:
        path = write_page(study, arguments.out)
    finally:
        _print(render_report(study))
    _print(f"\nThe page is {str(path)!r}, the fitted pipeline {str(pipeline_path(path))!r}.\n")


def _settings(arguments: argparse.Namespace) -> Settings:
    from skhp.comparison import Settings

    return Settings(**{name: getattr(arguments, name) for name in SETTINGS})


def _study(arguments: argparse.Namespace, settings: Settings) -> Study:
    from skhp.comparison import digits_table, read_table, run_study
    from skhp.comparison.progress import StageBars

    if arguments.table is None:
        table = digits_table()
    else:
        table = read_table(
            arguments.table,
            arguments.target,
            header=arguments.header,
            drop=arguments.drop,
            categories=arguments.categories,
        )
    with StageBars(sys.stderr) as bars:
        return run_study(table, settings, on_progress=bars)


def _print(text: str) -> None:
    # A column may have a name that the encoding of the terminal has no letters for.
    encoding = sys.stdout.encoding
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="")
