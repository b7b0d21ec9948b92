"""The options of the command ``skhp``."""

from __future__ import annotations

import argparse
import contextlib
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

# Options about the columns of a table, by the names of the parameters of `read_table`.
TABLE_WORDS = ("header", "drop", "categories", "numbers", "missing", "merge_labels", "keep_labels")

# The options among them that `read_series` takes, too.
SERIES_WORDS = ("header", "drop", "numbers", "missing")


class UsageError(ValueError):
    """The arguments cannot be understood."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse would also print the usage, and exit.
        raise UsageError(f"{message} (see {self.prog} --help)")


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands, which raises a `UsageError` where argparse would exit."""
    parser = _Parser(
        prog="skhp",
        description="Keras networks as scikit-learn estimators.",
        epilog="Exit codes: 0 for success, 1 if standard output cannot be written to, 2 for what "
        "you can mend, 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.",
    )
    parser.add_argument("--version", action="version", version=f"skhp {version('skhp')}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, dest="command"
    )
    _add_journal(commands)
    tune = commands.add_parser(
        "tune",
        help="compare a tuned network to a tuned baseline",
        description=(
            "Split off a test set; tune a logistic regression with lasso (for a target of numbers "
            "a ridge regression), and the layers, neurons, learning rate and more of a network, by "
            "cross validation; train the winner again and again with other seeds; score both on "
            "the test set, and compare them over repeated splits of the table, as skhp.compare "
            "does. The rare class counts as positive. The networks of a search train together in "
            "compiled programs, and so do those of the repeats. With --forecast the same is done "
            "for a series, with --images for images."
        ),
    )
    _add_study(tune)
    _add_series_and_images(tune)
    tune.add_argument(
        "--out",
        type=_path,
        default=Path("skhp-tune"),
        metavar="DIR",
        help="folder for the fitted pipeline, the search results, the training curves, the report "
        "and, with matplotlib, the page report.html (default: skhp-tune)",
    )
    report = commands.add_parser(
        "report",
        help="do what tune does, and write it as a page",
        description=(
            "Do what `skhp tune` does, and write its page alone: the verdict, the comparison to "
            "the baseline or to the simple forecasts of a series, a diagnosis, pictures, the "
            "candidates and the settings, in one file of HTML. It needs matplotlib (extra plot)."
        ),
    )
    _add_study(report)
    _add_series_and_images(report)
    report.add_argument(
        "-o",
        "--out",
        type=_path,
        default=Path("report.html"),
        metavar="FILE",
        help="the page; the fitted pipeline is written beside it, with the ending .joblib "
        "(default: report.html)",
    )
    return parser


def _add_study(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "table",
        nargs="?",
        type=_path,
        metavar="TABLE",
        help="a .csv, .parquet or .pq file of numbers and categories; without it, scikit-learn's "
        'digits as "is it an 8?"',
    )
    command.add_argument("--target", metavar="COLUMN", help="what to learn (default: last column)")
    command.add_argument(
        "--task",
        choices=("auto", "classes", "numbers"),
        help="whether the target has classes or is numbers (regression); auto: text and truth "
        "values are classes, and so are 2 different numbers or up to 20 whole ones, unless there "
        "are more than 10 of which one is in fewer than 4 rows; other numbers are numbers "
        "(default: auto)",
    )
    command.add_argument(
        "--threshold",
        type=_threshold,
        metavar="P",
        help="for two classes, predict the rarer one from this probability on; tune: from the "
        "threshold with the best F1 on held-out rows (default: tune)",
    )
    command.add_argument(
        "--grid",
        choices=("wide", "classic"),
        help="what a search of a table tries; wide: 0 to 3 hidden layers, neurons from two thirds "
        "of the inputs up to 256, learning rate, batch size, dropout, l2, loss and class weights, "
        "the scaling of numbers, and how the training ends; classic: 5 learning rates x 4 batch "
        "sizes (default: wide)",
    )
    command.add_argument(
        "--search",
        choices=("grid", "random", "halving", "bayes", "tpe"),
        help="grid: all of --grid classic; random: drawn at random, where poor candidates of a "
        "wide space end early; halving: few epochs first, and more for the best third; bayes, tpe: "
        "drawn by a model of the scores so far (default: random; grid for --grid classic, series "
        "and images)",
    )
    command.add_argument(
        "--candidates",
        type=int,
        metavar="N",
        help="candidates of a random, halving, bayes or tpe search (default: 24, 24, 32 and 32; in "
        "a grid 10, all, 32 and 32)",
    )
    command.add_argument(
        "--journal",
        type=_path,
        metavar="FILE",
        help="keep each finished fit of the search in FILE; the same command continues from there",
    )
    command.add_argument(
        "--time-budget",
        type=_seconds,
        metavar="TIME",
        help="end the search after these seconds, or after a time such as 5min or 1h; candidates "
        "in training are scored as they are then, and win only if no other is finished",
    )
    command.add_argument(
        "--scoring",
        metavar="NAME",
        help="scikit-learn's name of the score to tune by, such as f1, recall, "
        "average_precision (default: f1); for numbers r2, mae, rmse or scikit-learn's name of an "
        "error (default: r2, for a series mae)",
    )
    for name, default, text in (
        ("folds", "5", "folds of the cross validation"),
        ("repeats", "30; of a series 10", "trainings of the winner, each with a seed of its own"),
        (
            "verdict-repeats",
            "10; of a series 3",
            "for the verdict: repeats of 5 folds of the table, or trainings for each of 10 "
            "stretches of a series",
        ),
        ("seed", "0", "seed of the split, the folds, the draws and the first training"),
    ):
        command.add_argument(
            f"--{name}", type=int, metavar="N", help=f"{text} (default: {default})"
        )
    command.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first line of a CSV file holds the column names (default: it does; a "
        "line that looks like values is refused)",
    )
    for name, value, text in (
        ("drop", "COLUMN", "leave this column out; it is not read from a Parquet file"),
        ("categories", "COLUMN", "this column holds categories, even if they are numbers"),
        ("numbers", "COLUMN", "this column holds numbers, even with leading zeros"),
        ("missing", "TEXT", "this text in a cell means that its value is missing"),
        (
            "merge-labels",
            "COLUMN",
            "labels of this column that differ only in blanks, case or a final full stop are the "
            "same",
        ),
        ("keep-labels", "COLUMN", "labels of this column differ, even if they look alike"),
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
        help="replace the files of an earlier run at --out (default: refuse to); other files are "
        "left alone",
    )


def _add_series_and_images(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--forecast",
        metavar="COLUMN",
        help="the rows of TABLE are the steps of a series: forecast this column by a recurrent "
        "network, and compare it to the last value, the value a season ago and a ridge regression "
        "over windows",
    )
    command.add_argument(
        "--horizon",
        type=int,
        metavar="N",
        help="steps ahead to forecast (default: 1); only with --forecast",
    )
    command.add_argument(
        "--images",
        type=_path,
        metavar="FOLDER",
        help="learn images in place of a TABLE, one folder a class, by a convolutional network, "
        "and compare it to logistic regression on pixels; it needs Pillow (extra images)",
    )
    command.add_argument(
        "--image-size",
        type=_image_size,
        metavar="WxH",
        help="width and height that images are brought to, such as 32x32 (default: their most "
        "frequent size, at most 64 pixels a side); only with --images",
    )


def _image_size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size: give width and height in pixels, such as 32x32"
        )
    return int(width), int(height)


def _threshold(text: str) -> float | str:
    if text == "tune":
        return text
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < 1:
            return number
    raise argparse.ArgumentTypeError(
        f"{text!r} is not a threshold: give a probability between 0 and 1, such as 0.5, or tune"
    )


def _path(text: str) -> Path:
    # An unset shell variable gives an empty path, which Python takes for the current folder.
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
            "Print which search a journal belongs to, how much of it is finished, and the best "
            "candidates by mean score. The file is only read, even while a search writes to it."
        ),
    )
    journal.add_argument(
        "file", type=_path, metavar="FILE", help="the file that `journal=` was set to"
    )
    journal.add_argument(
        "--best", type=int, default=10, metavar="N", help="candidates to list (default: 10)"
    )
