"""Run the command ``skhp``."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from skhp.cli.inputs import problem_of_inputs
from skhp.cli.options import UsageError, make_parser
from skhp.cli.streams import PrintError, print_out, say, streams_of_a_command
from skhp.shared.interruption import COMMANDS, exit_code_of, leave_now, line_on, tell_by

_EXIT_NOT_PRINTED = 1
_EXIT_BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv`, by default the arguments of the process; return the exit code.

    The code is 0 for success, 1 if standard output cannot be written to, 2 for a mistake that the
    user can mend, 130 after Ctrl-C, 143 after SIGTERM and 129 after SIGHUP. One line on standard
    error gives the reason, unless a reader such as ``head`` has closed the pipe. Any other error is
    a bug and is raised.
    """
    given = sys.argv[1:] if argv is None else argv
    command = f"skhp {given[0]}" if given and given[0] in COMMANDS else "skhp"
    written: list[Path] = []
    tell_by(lambda cause: f"{command}: stopped by {cause}, {_left_behind(given, written)}")
    with streams_of_a_command(), _warnings_in_one_line(command):
        try:
            problem = _run(given, written)
        except PrintError as error:
            if not error.is_left:
                found = f"; the results are in {str(written[0])!r}" if written else ""
                say(f"{command}: error: cannot write to standard output ({error}){found}")
            return _EXIT_NOT_PRINTED
        except KeyboardInterrupt as interruption:
            say(line_on(interruption))
            code = exit_code_of(interruption)
            leave_now(code)
            return code
        if problem is not None:
            say(f"{command}: error: {' '.join(str(problem).splitlines())}")
            return _EXIT_BAD_INPUT
    return 0


def _run(given: Sequence[str], written: list[Path]) -> ValueError | None:
    """Run the command, and return the error if the user can mend it."""
    try:
        arguments = _parse(given)
    except UsageError as error:
        return error
    # This import loads scikit-learn, which --help and --version do not need.
    from skhp.exceptions import JournalError, StudyError

    try:
        {"journal": _journal, "report": _report, "tune": _tune}[arguments.command](
            arguments, written
        )
    except (StudyError, JournalError) as error:
        return error
    return None


@contextlib.contextmanager
def _warnings_in_one_line(command: str) -> Iterator[None]:
    """Print a warning of skhp without the place in its code, which tells a user nothing."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_warning(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
            if category.__module__.partition(".")[0] == __name__.partition(".")[0]:
                say(f"{command}: warning: {message}")
            else:
                show(message, category, *place, **more)

        warnings.showwarning = show_warning
        yield


def _left_behind(given: Sequence[str], written: Sequence[Path]) -> str:
    if written:
        return f"after the results had been written to {str(written[0])!r}"
    if any(argument.partition("=")[0] == "--journal" for argument in given):
        return "no files were written besides the journal; the same command goes on from it"
    return "no files were written"


def _parse(given: Sequence[str]) -> argparse.Namespace:
    parser = make_parser()
    said = io.StringIO()
    try:
        # The help is caught and printed below, as argparse would ignore errors of standard output.
        with contextlib.redirect_stdout(said):
            arguments, unknown = parser.parse_known_args(given)
    except SystemExit:
        print_out(said.getvalue())
        raise
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if arguments.command == "journal":
        if arguments.best < 1:
            parser.error(f"--best is {arguments.best}: at least 1 is needed")
        return arguments
    problem = problem_of_inputs(arguments)
    if problem is not None:
        parser.error(problem)
    return arguments


def _journal(arguments: argparse.Namespace, written: list[Path]) -> None:
    from skhp.search.journal.report import report_of_file

    print_out(report_of_file(arguments.file, arguments.best))


def _tune(arguments: argparse.Namespace, written: list[Path]) -> None:
    from skhp.cli.inputs import checked_settings, run_on_inputs
    from skhp.study.files import check_directory, render_files, write_files

    settings = checked_settings(arguments)
    reads = (arguments.table, arguments.journal)
    check_directory(arguments.out, reads, arguments.overwrite, outside=arguments.images)
    study, report = run_on_inputs(arguments, settings)
    # The files are written first, as a pager may cut the report short. The report is printed even
    # if they cannot be written.
    try:
        paths = write_files(study, arguments.out, report, arguments.overwrite)
        written.append(paths[0].parent)
    finally:
        _print_report(report, written)
    print_out("\n" + render_files(paths))


def _report(arguments: argparse.Namespace, written: list[Path]) -> None:
    from skhp.cli.inputs import checked_settings, run_on_inputs
    from skhp.study.files import check_page, pipeline_path, write_page

    settings = checked_settings(arguments)
    reads = (arguments.table, arguments.journal)
    check_page(arguments.out, reads, arguments.overwrite, outside=arguments.images)
    study, report = run_on_inputs(arguments, settings)
    try:
        path = write_page(study, arguments.out, arguments.overwrite)
        written.append(path)
    finally:
        _print_report(report, written)
    print_out(f"\nThe page is {str(path)!r}, the fitted pipeline {str(pipeline_path(path))!r}.\n")


def _print_report(report: str, written: Sequence[Path]) -> None:
    try:
        print_out(report)
    except PrintError:
        # Without files, standard error is the last place for the report.
        if not written:
            say(report)
        raise
