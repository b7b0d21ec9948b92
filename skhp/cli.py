"""The command ``skhp``."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["main"]

_EXIT_BAD_INPUT = 2
_EXIT_INTERRUPTED = 130


# Options of `skhp tune` that are settings of the study under the same name.
_SETTINGS = (
    "search",
    "scoring",
    "folds",
    "repeats",
    "candidates",
    "seed",
    "time_budget",
    "journal",
)


class _UsageError(ValueError):
    """The arguments cannot be understood."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse would print the usage as well and leave the process: one line says it.
        raise _UsageError(f"{message} (see {self.prog} --help)")


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
    except _UsageError as error:
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
        _tune(arguments)
    except (StudyError, JournalError) as error:
        return _refuse(argv, error)
    return 0


def _refuse(argv: Sequence[str] | None, error: ValueError) -> int:
    print(f"{_command(argv)}: error: {' '.join(str(error).splitlines())}", file=sys.stderr)
    return _EXIT_BAD_INPUT


def _command(argv: Sequence[str] | None) -> str:
    given = sys.argv[1:] if argv is None else argv
    return f"skhp {'journal' if given and given[0] == 'journal' else 'tune'}"


def _left_behind(argv: Sequence[str] | None) -> str:
    given = sys.argv[1:] if argv is None else argv
    if any(argument.partition("=")[0] == "--journal" for argument in given):
        return "no files were written but the journal, from which the same command goes on"
    return "no files were written"


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _make_parser()
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


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="skhp", description="Keras networks as scikit-learn estimators.")
    parser.add_argument("--version", action="version", version=f"skhp {version('skhp')}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, dest="command"
    )
    _add_journal(commands)
    tune = commands.add_parser(
        "tune",
        help="compare a tuned network to a tuned logistic regression",
        description=(
            "Split off a test set; tune a logistic regression with lasso, and the learning rate "
            "and batch size of a network, by cross validation; train the winner again and again "
            "with other seeds; compare both on the test set. The rare class counts as positive. "
            "The networks of a search train together in compiled programs, and so do the repeats."
        ),
    )
    tune.add_argument(
        "table",
        nargs="?",
        metavar="TABLE",
        help="CSV or Parquet, of numbers and categories; without it, scikit-learn's digits as "
        '"is it an 8?"',
    )
    tune.add_argument("--target", metavar="COLUMN", help="what to learn (default: last column)")
    tune.add_argument(
        "--search",
        choices=("grid", "random", "halving", "bayes", "tpe"),
        default="grid",
        help="grid: a grid of 5 learning rates x 4 batch sizes; halving: the same, with few epochs "
        "first and more for the best third; random: drawn at random; bayes, tpe: drawn by a model "
        "of the scores so far (default: grid)",
    )
    tune.add_argument(
        "--candidates",
        type=int,
        metavar="N",
        help="draws of a random, bayes or tpe search (default: 10, 32 and 32)",
    )
    tune.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="keep each fit of the search in FILE as it finishes; the same command goes on from "
        "there",
    )
    tune.add_argument(
        "--time-budget",
        type=_seconds,
        metavar="TIME",
        help="seconds, or a time such as 5min or 1h, after which the search ends with what is "
        "finished",
    )
    tune.add_argument(
        "--scoring",
        default="f1",
        metavar="NAME",
        help="scikit-learn's name of the score to tune by, such as f1, recall, "
        "average_precision (default: f1)",
    )
    for name, default, text in (
        ("folds", 5, "folds of the cross validation"),
        ("repeats", 30, "trainings of the winner, each with a seed of its own"),
        ("seed", 0, "of the split, the folds, the draws and the first training"),
    ):
        tune.add_argument(
            f"--{name}", type=int, default=default, metavar="N", help=f"{text} (default: {default})"
        )
    tune.add_argument(
        "--out",
        type=Path,
        default=Path("skhp-tune"),
        metavar="DIR",
        help="where the fitted pipeline, the search results and the training curves are left "
        "(default: skhp-tune)",
    )
    tune.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first line of a CSV file holds the column names (default: it does; a "
        "line that looks like values is refused)",
    )
    for name, text in (
        ("drop", "leave this column out; can be given again"),
        ("categories", "this column is categories, though of numbers; can be given again"),
    ):
        tune.add_argument(f"--{name}", action="append", default=[], metavar="COLUMN", help=text)
    return parser


def _seconds(text: str) -> float:
    from skhp.search.time_budget import seconds_of_budget

    budget: float | str = text
    with contextlib.suppress(ValueError):
        budget = float(text)
    try:
        # None is for no budget at all.
        return seconds_of_budget(budget) or 0.0
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _add_journal(commands: Any) -> None:
    journal = commands.add_parser(
        "journal",
        help="print what the journal of a search holds",
        description=(
            "Print of which search a journal is, how much is finished, and the best candidates by "
            "mean score. The file is only read, also where a search is writing it."
        ),
    )
    journal.add_argument("file", type=Path, metavar="FILE", help="what `journal=` was set to")
    journal.add_argument(
        "--best", type=int, default=10, metavar="N", help="candidates to list (default: 10)"
    )


def _journal(arguments: argparse.Namespace) -> None:
    from skhp.search.journal_report import report_of_file

    _print(report_of_file(arguments.file, arguments.best))


def _tune(arguments: argparse.Namespace) -> None:
    from skhp.comparison import (
        Settings,
        check_directory,
        digits_table,
        read_table,
        render_files,
        render_report,
        run_study,
        write_files,
    )
    from skhp.comparison.progress import StageBars

    settings = Settings(**{name: getattr(arguments, name) for name in _SETTINGS})
    check_directory(arguments.out)
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
        study = run_study(table, settings, on_progress=bars)
    # The files before the report, which a pager may cut short; the report even without the files.
    try:
        paths = write_files(study, arguments.out)
    finally:
        _print(render_report(study))
    _print("\n" + render_files(paths))


def _print(text: str) -> None:
    # A column may have a name that the encoding of the terminal has no letters for.
    encoding = sys.stdout.encoding
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="")
