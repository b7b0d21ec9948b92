"""The options of the command ``skhp``."""

from __future__ import annotations

import argparse
import contextlib
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

# Options about the columns of a table, under the names that `read_table` has for them.
TABLE_WORDS = ("header", "drop", "categories", "numbers", "missing", "merge_labels", "keep_labels")


class UsageError(ValueError):
    """The arguments cannot be understood."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse would print the usage as well, and end the process.
        raise UsageError(f"{message} (see {self.prog} --help)")


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; it raises a `UsageError` where argparse leaves the process."""
    parser = _Parser(
        prog="skhp",
        description="Keras networks as scikit-learn estimators.",
        epilog="Exit codes: 0 for success, 1 where standard output takes no text, 2 for what you "
        "can mend, 130 after Ctrl-C.",
    )
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
            "with other seeds; score both on the test set, and compare them over repeated splits "
            "of the table, as skhp.compare does. The rare class counts as positive. The networks "
            "of a search train together in compiled programs, and so do those of the repeats."
        ),
    )
    _add_study(tune)
    tune.add_argument(
        "--out",
        type=_path,
        default=Path("skhp-tune"),
        metavar="DIR",
        help="where the fitted pipeline, the search results and the training curves are left "
        "(default: skhp-tune)",
    )
    report = commands.add_parser(
        "report",
        help="the same, written as a page to keep and to hand on",
        description=(
            "Do what `skhp tune` does, and write the report of the search of the network: the "
            "verdict, that against the logistic regression too, a diagnosis, pictures, the "
            "candidates and the settings, in one file of HTML. It needs matplotlib (extra plot)."
        ),
    )
    _add_study(report)
    report.add_argument(
        "-o",
        "--out",
        type=_path,
        default=Path("report.html"),
        metavar="FILE",
        help="the page, beside which the fitted pipeline is left as FILE with the ending .joblib "
        "(default: report.html)",
    )
    return parser


def _add_study(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "table",
        nargs="?",
        type=_path,
        metavar="TABLE",
        help="CSV or Parquet, of numbers and categories; without it, scikit-learn's digits as "
        '"is it an 8?"',
    )
    command.add_argument("--target", metavar="COLUMN", help="what to learn (default: last column)")
    command.add_argument(
        "--search",
        choices=("grid", "random", "halving", "bayes", "tpe"),
        default="grid",
        help="grid: a grid of 5 learning rates x 4 batch sizes; halving: the same, with few epochs "
        "first and more for the best third; random: drawn at random; bayes, tpe: drawn by a model "
        "of the scores so far (default: grid)",
    )
    command.add_argument(
        "--candidates",
        type=int,
        metavar="N",
        help="draws of a random, bayes or tpe search (default: 10, 32 and 32)",
    )
    command.add_argument(
        "--journal",
        type=_path,
        metavar="FILE",
        help="keep each fit of the search in FILE as it finishes; the same command goes on from "
        "there",
    )
    command.add_argument(
        "--time-budget",
        type=_seconds,
        metavar="TIME",
        help="seconds, or a time such as 5min or 1h, after which the search ends with what is "
        "finished",
    )
    command.add_argument(
        "--scoring",
        default="f1",
        metavar="NAME",
        help="scikit-learn's name of the score to tune by, such as f1, recall, "
        "average_precision (default: f1)",
    )
    for name, default, text in (
        ("folds", 5, "folds of the cross validation"),
        ("repeats", 30, "trainings of the winner, each with a seed of its own"),
        ("verdict-repeats", 10, "repeats of 5 folds of the table over which the verdict is found"),
        ("seed", 0, "of the split, the folds, the draws and the first training"),
    ):
        command.add_argument(
            f"--{name}", type=int, default=default, metavar="N", help=f"{text} (default: {default})"
        )
    command.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first line of a CSV file holds the column names (default: it does; a "
        "line that looks like values is refused)",
    )
    for name, value, text in (
        ("drop", "COLUMN", "leave this column out"),
        ("categories", "COLUMN", "this column is categories, though of numbers"),
        ("numbers", "COLUMN", "this column is numbers, though with leading zeros"),
        ("missing", "TEXT", "this text in a cell means that its value is missing"),
        (
            "merge-labels",
            "COLUMN",
            "labels of this column that differ only in blanks, case or a final full stop are the "
            "same",
        ),
        ("keep-labels", "COLUMN", "labels of this column are others, however alike they look"),
    ):
        command.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar=value,
            help=f"{text}; can be given again",
        )
    command.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what an earlier run has left at --out (default: refuse to); other files are "
        "left alone",
    )


def _path(text: str) -> Path:
    # Python takes an empty path, which an unset variable of the shell gives, for this folder.
    if not text:
        raise argparse.ArgumentTypeError("the path is empty: give the path of a file or folder")
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} holds a NUL, as no path does: leave it out")
    return Path(text)


def _seconds(text: str) -> float:
    from skhp.shared.amounts import seconds_of_budget

    budget: float | str = text
    with contextlib.suppress(ValueError):
        budget = float(text)
    try:
        # None would mean that there is no budget.
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
    journal.add_argument("file", type=_path, metavar="FILE", help="what `journal=` was set to")
    journal.add_argument(
        "--best", type=int, default=10, metavar="N", help="candidates to list (default: 10)"
    )
