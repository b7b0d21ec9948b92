import contextlib
import io
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

from skhp import __version__
from skhp.cli import main
from skhp.exceptions import JournalWarning, OutputError, StudyError
from skhp.shared.terminal import StageProgress
from skhp.study.network_search import count_candidates
from skhp.study.search_space import (
    BATCH_SIZES,
    DEFAULT_CANDIDATES,
    LEARNING_RATES,
    WIDE_CANDIDATES,
)
from skhp.tables.numeric_target import MOST_CLASSES
from tests.programs import start_program

pytestmark = pytest.mark.slow

ROWS = [f"{n * 7 % 24}.5,{'ab'[n % 2]},{n % 3 // 2}" for n in range(24)]
GOOD = "\n".join(["age,ward,sick", *ROWS, ""])


def table(*rows, names="age,ward,sick"):
    """The good table with further rows."""
    return "\n".join([names, *ROWS, *rows, ""])


# Name of a file and what is in it (None: there is no such file), further arguments, and what the
# message must hold: the cause and the mend.
BAD_INPUT = {
    "no such file": ("none.csv", None, [], "no such file: .*none.csv", "Give the path"),
    "directory": (".", None, [], "is a directory", "name a CSV or Parquet file"),
    "ending": ("t.xlsx", "x", [], "ends in '.xlsx'", "save the table as .csv or .parquet"),
    "empty": ("t.csv", "", [], "is empty", "give a file with column names and rows"),
    "binary": ("t.csv", b"\x89PNG\r\n\xff\0,", [], "not UTF-8 text", "save it as CSV in UTF-8"),
    "ragged": ("t.csv", table("1,a"), [], "line 26 .* has 2 cells", "mend that line"),
    "semicolons": ("t.csv", "a;y\n1;2\n", [], "separated by semicolons", "separated by commas"),
    "no Parquet": ("t.parquet", GOOD, [], "cannot be read as Parquet", "rename it to end in .csv"),
    "no header": ("t.csv", "1,0\n2,1\n", [], "seems to hold values", "add --no-header"),
    "doubled name": ("t.csv", "a,a,y\n1,2,0\n", [], "two columns .* named 'a'", "rename one"),
    "nameless column": ("t.csv", ",a,y\n0,1,0\n", [], "column 1 of t.csv has no name", "--drop"),
    "no rows": ("t.csv", "age,ward,sick\n", [], "no rows", "add rows"),
    "one column": ("t.csv", "sick\n1\n", [], "one column only", "are needed"),
    "no such target": (
        "t.csv",
        GOOD,
        ["--target", "Sick"],
        "no column 'Sick'",
        "Did you mean 'sick'",
    ),
    "no such column": ("t.csv", GOOD, ["--drop", "wart"], "no column 'wart'", "mean 'ward'"),
    "no values of target": (
        "t.csv",
        "a,y\n1,\n2,\n",
        [],
        "target 'y' holds no value",
        "name another column with --target",
    ),
    "one class": (
        "t.csv",
        "a,y\n" + "1,x\n" * 9,
        [],
        "one class only, every row is 'x'",
        "add rows of another class",
    ),
    "class of a single row": (
        "t.csv",
        table("1,a,7"),
        [],
        "class 7 of the target 'sick' has a single row",
        "add rows of it, remove it, or merge it",
    ),
    "class of few rows": ("t.csv", table(*["1,a,7"] * 3), [], "class 7 .* has 3 rows", "add rows"),
    "classes of measured numbers": (
        "t.csv",
        GOOD,
        ["--target", "age", "--task", "classes"],
        "class 23.5 of the target 'age' has a single row",
        "add --task numbers",
    ),
    "numbers of text": (
        "t.csv",
        GOOD,
        ["--target", "ward", "--task", "numbers"],
        "'ward' is to be learnt as numbers, but line 2 holds 'a'",
        "--task classes in place of --task numbers",
    ),
    "text among a target of numbers": (
        "t.csv",
        GOOD.replace("7.5,b", "seven,b"),
        ["--target", "age"],
        "'age' is numbers for the most part, but line 3 holds the text 'seven'",
        "put a number there.*--missing 'seven'.*--task classes",
    ),
    "labels of numbers": (
        "t.csv",
        GOOD,
        ["--target", "age", "--keep-labels", "age"],
        "--keep-labels 'age' is about the labels of classes",
        "leave it out or.*--task classes",
    ),
    "threshold of numbers": (
        "t.csv",
        GOOD,
        ["--target", "age", "--drop", "sick", "--threshold", "0.5"],
        "threshold 0.5 is for two classes, and the target 'age' is numbers",
        "leave --threshold out",
    ),
    "score of classes for numbers": (
        "t.csv",
        GOOD,
        ["--target", "age", "--scoring", "recall"],
        "'recall' is for classes, and the target 'age' is numbers",
        "such as r2, mae or rmse",
    ),
    "score of numbers for classes": (
        "t.csv",
        GOOD,
        ["--scoring", "mae"],
        "'mae' is for numbers, and the target 'sick' has 2 classes",
        "such as f1.*--task numbers",
    ),
    "threshold": ("t.csv", GOOD, ["--threshold", "1"], "'1' is not a threshold", "such as 0.5"),
    "task": ("t.csv", GOOD, ["--task", "class"], "invalid choice: 'class'", "classes.*numbers"),
    "grid of a wide space": (
        "t.csv",
        GOOD,
        ["--search", "grid", "--grid", "wide"],
        "a grid search cannot try all of a wide space",
        "add --grid classic",
    ),
    "empty column": (
        "t.csv",
        "a,b,y\n" + "1,,0\n2,,1\n" * 9,
        [],
        "column 'b' holds no value at all",
        "fill it, or leave it out with --drop 'b'",
    ),
    "text where numbers are": (
        "t.csv",
        table("n/a?,a,0"),
        [],
        r"column 'age' .* line 26 holds the text 'n/a\?'",
        "put a number there",
    ),
    "decimal comma": (
        "t.csv",
        table('"12,5",a,0'),
        [],
        "line 26 holds the text '12,5'",
        "with a decimal point",
    ),
    "dates": (
        "t.csv",
        "day,a,y\n" + "".join(f"2026-01-{n % 9 + 1:02},{n},{n % 2}\n" for n in range(20)),
        [],
        "column 'day' holds dates or times, line 2 '2026-01-01'",
        "days since a date, or leave it out with --drop 'day'.*with --forecast",
    ),
    "beyond float32": (
        "t.csv",
        table("1e300,a,0"),
        [],
        r"'age' holds 1e\+300 in line 26",
        "leave it empty",
    ),
    "damaged": (
        "t.csv",
        GOOD.replace("7.5", "7\0.5").encode(),
        [],
        "line 3 .* holds a NUL byte",
        "save the table again",
    ),
    "labels that look the same": (
        "t.csv",
        GOOD.replace(",1\n", ",1.0\n", 4),
        [],
        r"'1' \(4 rows\) and '1.0' \(4\)",
        "--merge-labels 'sick'.*--keep-labels 'sick'",
    ),
    "word without a column": (
        "t.csv",
        GOOD,
        ["--merge-labels", "wart"],
        "no column 'wart'",
        "Did you mean 'ward'",
    ),
    "ids": (
        "t.csv",
        "id,a,y\n" + "".join(f"n{n},{n},{n % 2}\n" for n in range(20)),
        [],
        "column 'id' holds 20 different texts in 20 rows",
        "leave it out with --drop 'id'",
    ),
    "infinity": ("t.csv", table("inf,a,0"), [], "'age' is infinite in line 26", "leave it empty"),
    "folds": ("t.csv", GOOD, ["--folds", "1"], "folds is 1", "at least 2 are needed"),
    "repeats": ("t.csv", GOOD, ["--repeats", "0"], "repeats is 0", "at least 1 training"),
    "verdict repeats": (
        "t.csv",
        GOOD,
        ["--verdict-repeats", "0"],
        "verdict_repeats is 0",
        "at least 1 repeat",
    ),
    "seed": ("t.csv", GOOD, ["--seed", "-1"], "seed is -1", "must be 0 or more"),
    "candidates": (
        "t.csv",
        GOOD,
        ["--search", "random", "--candidates", "0"],
        "candidates is 0",
        "at least 1 is needed",
    ),
    "candidates of a grid": (
        "t.csv",
        GOOD,
        ["--candidates", "9", "--grid", "classic"],
        "candidates of a grid search are fixed",
        "--search random",
    ),
    "candidates of halving": (
        "t.csv",
        GOOD,
        ["--search", "halving", "--candidates", "9", "--grid", "classic"],
        "candidates of a halving search are fixed",
        "leave --candidates out",
    ),
    "time budget of nothing": (
        "t.csv",
        GOOD,
        ["--time-budget", "0"],
        "time-budget.*0.0 is not a time",
        "give seconds above 0",
    ),
    "time budget without end": ("t.csv", GOOD, ["--time-budget", "inf"], "is inf", "above 0"),
    "time budget": (
        "t.csv",
        GOOD,
        ["--time-budget", "5 minutes"],
        "'5 minutes' is not a time",
        'such as "90s", "10min"',
    ),
    "folder of the journal": (
        "t.csv",
        GOOD,
        ["--journal", "none/journal"],
        "the journal 'none/journal' cannot be made",
        "give `journal` a path in a directory that exists",
    ),
    "journal is a directory": (
        "t.csv",
        GOOD,
        ["--journal", "."],
        "is a directory",
        "give the path of a file",
    ),
    "scoring": ("t.csv", GOOD, ["--scoring", "f1macro"], "'f1macro'", "Did you mean 'f1_macro'"),
    "search": ("t.csv", GOOD, ["--search", "tip"], "invalid choice: 'tip'", "grid.*random"),
    "number": ("t.csv", GOOD, ["--folds", "five"], "invalid int value: 'five'", "--help"),
    "option": (
        "t.csv",
        GOOD,
        ["--fold-count", "5"],
        "unrecognized arguments: --fold-count",
        "--help",
    ),
    "out is a link to nothing": (
        "t.csv",
        GOOD,
        ["--out", "nowhere"],
        "is a link whose target does not exist",
        "mend it, or choose another --out",
    ),
    "out holds an earlier run": (
        "t.csv",
        GOOD,
        ["--out", "earlier"],
        "'earlier' holds report.txt of an earlier run",
        "choose another --out, or add --overwrite",
    ),
    "out holds the table": (
        "earlier/search_results.csv",
        GOOD,
        ["--out", "earlier", "--overwrite"],
        "'earlier/search_results.csv' is an input or the journal",
        "choose another --out",
    ),
    "out is the journal": (
        "t.csv",
        GOOD,
        ["--out", "out", "--journal", "out/pipeline.joblib"],
        "'out/pipeline.joblib' is an input or the journal",
        "choose another --out",
    ),
    "out is empty": ("t.csv", GOOD, ["--out", ""], "--out: the path is empty", "give the path"),
    "out holds a NUL": ("t.csv", GOOD, ["--out", "a\0"], "holds a NUL", "leave it out"),
    "journal holds a NUL": ("t.csv", GOOD, ["--journal", "a\0"], "--journal: 'a.x00' holds", "out"),
    "out is too long": (
        "t.csv",
        GOOD,
        ["--out", "x" * 300],
        "cannot be written to .File name too long",
        "choose another --out",
    ),
    "out is to be the journal": (
        "t.csv",
        GOOD,
        ["--out", "out", "--journal", "out"],
        "'out' is an input or the journal, and the folder would replace it",
        "choose another --out",
    ),
    "out is a file": ("t.csv", GOOD, ["--out", "t.csv"], "is a file", "choose another --out"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line_with_cause_and_mend(case, tmp_path, monkeypatch, capsys):
    name, content, arguments, cause, mend = BAD_INPUT[case]
    monkeypatch.chdir(tmp_path)
    Path("earlier").mkdir()
    Path("earlier", "report.txt").touch()
    Path("nowhere").symlink_to("none")
    if content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = sorted(tmp_path.rglob("*"))
    if "--out" not in arguments:
        arguments = [*arguments, "--out", "out/put"]

    assert main(["tune", name, *arguments]) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.endswith("\n")
    (line,) = printed.err.splitlines()
    assert line.startswith("skhp tune: error: ")
    assert re.search(cause, line)
    assert re.search(mend, line)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-header"],
        ["--target", "y"],
        ["--task", "numbers"],
        *(
            [f"--{word}", "a"]
            for word in ("drop", "categories", "numbers", "missing", "merge-labels", "keep-labels")
        ),
    ],
)
def test_what_is_said_of_a_table_needs_one(arguments, capsys):
    assert main(["tune", *arguments]) == 2
    assert f"{arguments[0].replace('no-', '')} without a TABLE" in capsys.readouterr().err


def test_a_command_is_needed(capsys):
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().err


def test_help_and_version(capsys):
    for arguments, expected in ((["--version"], __version__), (["tune", "--help"], "--repeats")):
        with pytest.raises(SystemExit) as leaving:
            main(arguments)
        assert leaving.value.code == 0
        printed = capsys.readouterr().out
        assert expected in printed
        assert max(map(len, printed.splitlines())) <= 80


def test_the_help_names_the_size_of_the_grid_and_of_the_draws(capsys):
    with pytest.raises(SystemExit):
        main(["tune", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    grid = f"classic: {len(LEARNING_RATES)} learning rates x {len(BATCH_SIZES)} batch sizes"
    assert grid in text
    wide = [WIDE_CANDIDATES[kind] for kind in ("random", "halving", "bayes", "tpe")]
    classic = [DEFAULT_CANDIDATES[kind] for kind in ("random", "bayes", "tpe")]
    assert (
        "random, halving, bayes or tpe search (default: {}, {}, {} and {}; in a grid {}, all, {} "
        "and {})".format(*wide, *classic)
    ) in text
    # The rule by which numbers are told from classes.
    assert f"2 different numbers or up to {MOST_CLASSES} whole ones" in text


SERIES = "\n".join(
    ["day,sold", *(f"2024-{n // 28 + 1:02}-{n % 28 + 1:02},{n * 7 % 11}.5" for n in range(90)), ""]
)

# What a series or a folder of images is given beside, and what the message must hold.
BAD_SERIES_AND_IMAGES = {
    "no such column": (["s.csv", "--forecast", "sould"], "no column 'sould'", "mean 'sold'"),
    "both": (["--forecast", "sold", "--images", "pictures"], "--forecast with --images", "one or"),
    "both and a table": (["s.csv", "--images", "pictures"], "--images and a TABLE", "one of them"),
    "no table": (["--forecast", "sold"], "--forecast without a TABLE", "give the path"),
    "horizon of a table": (["s.csv", "--horizon", "2"], "--horizon without --forecast", "leave it"),
    "horizon of images": (["--images", "pictures", "--horizon", "2"], "--horizon with", "give one"),
    "horizon of nothing": (["s.csv", "--forecast", "sold", "--horizon", "0"], "horizon is 0", "1"),
    "horizon beyond the end": (
        ["s.csv", "--forecast", "sold", "--horizon", "99"],
        "0 windows to train",
        "a shorter --horizon",
    ),
    "target as well": (
        ["s.csv", "--forecast", "sold", "--target", "sold", "--categories", "day"],
        "--target, --categories with --forecast",
        "leave out one or the other",
    ),
    "score of classes": (
        ["s.csv", "--forecast", "sold", "--scoring", "f1"],
        "unknown scoring 'f1' for a series",
        "Use one of mae, rmse",
    ),
    "rows out of order": (
        ["backwards.csv", "--forecast", "sold"],
        r"out of order \(newest first\): line 3",
        "sort the rows by 'day'",
    ),
    "no such folder": (["--images", "pictues"], "no such folder: 'pictues'", "Give the path"),
    "folder of nothing": (["--images", "pictures/cat"], "holds nothing", "one folder of images"),
    "one class": (["--images", "pictures"], "'cat' of 'pictures' holds no image", "remove it"),
    "columns of images": (["--images", "pictures", "--drop", "a"], "--drop with --images", "give"),
    "size without images": (["s.csv", "--image-size", "8x8"], "--image-size without", "leave it"),
    "task of a series": (
        ["s.csv", "--forecast", "sold", "--task", "numbers", "--threshold", "0.5"],
        "--task, --threshold with --forecast",
        "leave out one or the other",
    ),
    "grid of images": (["--images", "pictures", "--grid", "wide"], "--grid with --images", "give"),
    "size": (["--images", "pictures", "--image-size", "8"], "'8' is not a size", "such as 32x32"),
    "out among the images": (
        ["--images", "pictures", "--out", "pictures/out"],
        "lies within the folder of images 'pictures'",
        "choose another --out",
    ),
}


@pytest.mark.parametrize("command", ["tune", "report"])
@pytest.mark.parametrize("case", BAD_SERIES_AND_IMAGES)
def test_bad_series_and_images_are_one_line_with_cause_and_mend(
    case, command, tmp_path, monkeypatch, capsys
):
    arguments, cause, mend = BAD_SERIES_AND_IMAGES[case]
    monkeypatch.chdir(tmp_path)
    Path("s.csv").write_text(SERIES)
    head, *rows = SERIES.splitlines()
    Path("backwards.csv").write_text("\n".join([head, *reversed(rows), ""]))
    Path("pictures", "cat").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))

    assert main([command, *arguments]) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith(f"skhp {command}: error: ")
    assert re.search(cause, line)
    assert re.search(mend, line)
    assert sorted(tmp_path.rglob("*")) == before


def test_settings_and_notes_of_a_series_reach_its_study(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("s.csv").write_text(SERIES.replace("2024-02-03,", "2024-02-03T00:00,"))
    given = []

    def note(series, settings, **_):
        given.append((series, settings, capsys.readouterr().err))
        raise KeyboardInterrupt

    monkeypatch.setattr("skhp.study.series.series_study.run_series_study", note)
    command = ["tune", "s.csv", "--forecast", "sold"]
    assert main(command) == 130
    options = ["--horizon=3", "--scoring=rmse", "--folds=3", "--repeats=2"]
    assert main([*command, *options]) == 130
    (series, defaults, said), (_, settings, _) = given
    assert series.target == "sold"
    assert len(series.values) == 90
    assert (defaults.horizon, defaults.scoring, defaults.repeats) == (
        1,
        "neg_mean_absolute_error",
        10,
    )
    assert (settings.horizon, settings.scorer) == (3, "neg_root_mean_squared_error")
    assert (settings.folds, settings.repeats) == (3, 2)
    assert "skhp tune: note: the dates in 'day' have 3 gaps, the first one in line 30" in said
    assert "skhp tune: note: the season has 11 steps, by the autocorrelation" in said


def test_images_reach_the_study(tmp_path, monkeypatch, capsys):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    for name in ("cat", "dog"):
        Path("pictures", name).mkdir(parents=True)
        for n in range(4):
            pixels = np.full((6, 5), 9 * n + len(name), np.uint8)
            Image.fromarray(pixels).save(Path("pictures", name, f"{n}.png"))
    given = []

    def note(images, settings, **_):
        given.append(images)
        raise KeyboardInterrupt

    monkeypatch.setattr("skhp.study.study.run_study", note)
    assert main(["tune", "--images", "pictures"]) == 130
    assert main(["tune", "--images", "pictures", "--image-size", "3x2"]) == 130
    assert [images.inputs.shape for images in given] == [(8, 6, 5), (8, 2, 3)]
    assert "note: all images are stretched to 3 x 2 pixels" in capsys.readouterr().err


@pytest.fixture
def good(tmp_path, monkeypatch):
    """The path of a table and of a directory to be written to."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(GOOD)
    return ["tune", "t.csv", "--out", "out"]


def test_ctrl_c_ends_without_a_trace(good, monkeypatch, capsys):
    def interrupt(*_, on_progress, **__):
        on_progress(StageProgress("search", 1, 20))
        raise KeyboardInterrupt

    monkeypatch.setattr("skhp.study.study.run_study", interrupt)
    assert main(good) == 130
    assert capsys.readouterr().err.endswith("stopped by Ctrl-C, no files were written\n")
    assert main([*good, "--journal", "journal"]) == 130
    assert capsys.readouterr().err.endswith(
        "no files were written besides the journal; the same command goes on from it\n"
    )
    assert os.listdir() == ["t.csv"]


def test_a_warning_of_ours_is_one_line(good, monkeypatch, capsys):
    def warn(*_, **__):
        warnings.warn("the journal 'j' cannot be written", JournalWarning, stacklevel=1)
        warnings.warn("something else", UserWarning, stacklevel=1)
        raise StudyError("the end")

    monkeypatch.setattr("skhp.study.study.run_study", warn)
    with pytest.warns(UserWarning, match="something else") as warned:
        assert main(good) == 2
    assert len(warned) == 1
    assert capsys.readouterr().err.splitlines() == [
        "skhp tune: warning: the journal 'j' cannot be written",
        "skhp tune: error: the end",
    ]


@pytest.mark.parametrize("error", [RuntimeError, ValueError, OSError])
def test_a_bug_is_not_hidden(error, good, monkeypatch):
    def fail(*_, **__):
        raise error("a bug")

    monkeypatch.setattr("skhp.study.study.run_study", fail)
    with pytest.raises(error, match="a bug"):
        main(good)
    assert os.listdir() == ["t.csv"]


def test_the_report_is_printed_even_without_files_and_in_any_encoding(good, monkeypatch, capsys):
    def refuse(*_):
        raise OutputError("the disk is full")

    monkeypatch.setattr("skhp.study.study.run_study", lambda *_, **__: None)
    monkeypatch.setattr("skhp.study.text.render_report", lambda _: "gain of ä: 0.1\n")
    monkeypatch.setattr("skhp.study.files.write_files", refuse)
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stdout)
    assert main(good) == 2
    stdout.flush()
    assert stdout.buffer.getvalue().decode() == "gain of \\xe4: 0.1" + os.linesep
    assert capsys.readouterr().err == "skhp tune: error: the disk is full\n"


def test_what_a_user_should_look_at_is_said_before_the_training(good, monkeypatch, capsys):
    rows = [f"{n},{row}" for n, row in enumerate(ROWS, start=1)]
    Path("t.csv").write_text("\n".join(["PassengerId,age,ward,sick", *rows, ""]))
    said = []

    def note(table, *_, **__):
        said.append(capsys.readouterr().err)
        raise KeyboardInterrupt

    monkeypatch.setattr("skhp.study.study.run_study", note)
    main(good)
    (line,) = said[0].splitlines()
    assert line.startswith("skhp tune: note: column 'PassengerId' counts up from row to row")
    assert line.endswith("--drop 'PassengerId'.")
    capsys.readouterr()
    main([*good, "--drop", "PassengerId"])
    assert said[1] == ""


def test_words_of_the_columns_reach_the_table(good, monkeypatch):
    rows = [
        f"{['007', '7'][n % 2]},{['x', 'X', '?', 'y'][n % 4]},{n % 5},{'yes ' if n % 3 else 'Yes'}"
        for n in range(60)
    ]
    Path("t.csv").write_text("\n".join(["n,'b', c,died", *rows, ""]))
    tables = []

    def note(table, *_, **__):
        tables.append(table)
        raise KeyboardInterrupt

    monkeypatch.setattr("skhp.study.study.run_study", note)
    words = "--numbers n --missing ? --merge-labels b --keep-labels died --categories c"
    assert main([*good, *words.split()]) == 130
    (table,) = tables
    assert table.numbers == ("n",)
    assert table.inputs["n"].unique().tolist() == [7]
    assert table.inputs["'b'"].dropna().unique().tolist() == ["X", "y"]
    assert table.target.labels.tolist() == ["yes ", "Yes"]


def test_overwrite_is_needed_and_reaches_the_files(good, monkeypatch):
    Path("out").mkdir()
    Path("out", "pipeline.joblib").write_text("old")
    given = []

    def note(*arguments):
        given.append(arguments)
        raise OutputError("enough")

    monkeypatch.setattr("skhp.study.study.run_study", lambda *_, **__: "study")
    monkeypatch.setattr("skhp.study.text.render_report", lambda _: "report")
    monkeypatch.setattr("skhp.study.files.write_files", note)
    assert main(good) == 2
    assert given == []
    assert main([*good, "--overwrite"]) == 2
    assert given == [("study", Path("out"), "report", True)]
    assert Path("out", "pipeline.joblib").read_text() == "old"


def test_settings_reach_the_study(good, monkeypatch):
    class ReachedError(Exception):
        pass

    studies = []

    def note(table, settings, **_):
        studies.append((table, settings))
        raise ReachedError

    monkeypatch.setattr("skhp.study.study.run_study", note)
    options = "--search random --candidates 7 --scoring recall --folds 3 --repeats 4 --seed 5 "
    options += "--journal there --time-budget 1.5min --verdict-repeats 6 --grid classic "
    options += "--threshold 0.25"
    for arguments in (
        [*good, *options.split(), "--target", "ward", "--drop", "sick", "--categories", "age"],
        ["tune"],
    ):
        with pytest.raises(ReachedError):
            main(arguments)
    (table, settings), (digits, defaults) = studies
    assert (settings.search, settings.candidates, settings.scoring) == ("random", 7, "recall")
    assert (settings.folds, settings.repeats, settings.seed) == (3, 4, 5)
    assert (settings.verdict_repeats, defaults.verdict_repeats) == (6, 10)
    assert (settings.journal, settings.time_budget) == (Path("there"), 90)
    assert (defaults.journal, defaults.time_budget, defaults.candidates) == (None, None, None)
    assert (table.target.name, table.numbers, table.categories) == ("ward", (), ("age",))
    assert digits.target.name == "is it an 8?"
    assert (settings.grid, settings.threshold) == ("classic", 0.25)
    assert (defaults.search, defaults.scoring, defaults.folds) == (None, None, 5)
    assert (defaults.repeats, defaults.seed) == (30, 0)
    assert (defaults.grid, defaults.threshold) == (None, None)


@pytest.mark.parametrize("command", ["tune", "report"])
def test_a_target_of_numbers_reaches_the_study_and_is_said(command, good, monkeypatch, capsys):
    tables = []

    def note(table, *_, **__):
        tables.append(table)
        raise KeyboardInterrupt

    monkeypatch.setattr("skhp.study.study.run_study", note)
    table = "\n".join(["age,ward,price", *(f"{n % 7},a,{n * n}.5" for n in range(40)), ""])
    Path("t.csv").write_text(table)
    for words in ([], ["--task", "numbers"], ["--target", "age", "--task", "numbers"]):
        assert main([command, "t.csv", *words]) == 130
    said = capsys.readouterr().err
    assert said.count("note: the target 'price' is learnt as numbers (regression)") == 1
    assert [table.target.name for table in tables] == ["price", "price", "age"]
    assert all(table.target.learnt.dtype == float for table in tables)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("0.5", 0.5), ("1h 5min", 3900)])
def test_a_time_budget_is_seconds_or_a_time(text, seconds, good, monkeypatch):
    found = []

    def note(_, settings, **__):
        found.append(settings.time_budget)
        raise KeyboardInterrupt

    monkeypatch.setattr("skhp.study.study.run_study", note)
    assert main([*good, "--time-budget", text]) == 130
    assert found == [seconds]


def test_bad_input_in_a_process_of_its_own_is_refused_without_tensorflow(tmp_path):
    # All commands in one process, as a process takes seconds.
    code = (
        "import sys; from skhp.cli import main; "
        "assert [main([command, 'none.csv']) for command in ('tune', 'report')] == [2, 2]; "
        "assert main(['tune', 'none.csv', '--forecast', 'sold']) == 2; "
        "assert main(['tune', '--images', 'none']) == 2; "
        "assert 'tensorflow' not in sys.modules"
    )
    process = run("-c", code, cwd=tmp_path)
    assert (process.returncode, process.stdout) == (0, ""), process.stderr
    lines = process.stderr.splitlines()
    for command, line in zip(("tune", "report", "tune"), lines[:3], strict=True):
        assert re.fullmatch(rf"skhp {command}: error: no such file: 'none.csv'.*", line)
    assert lines[3].startswith("skhp tune: error: no such folder: 'none'")
    assert os.listdir(tmp_path) == []


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, encoding="utf-8", check=False
    )


def write_table(path):
    """200 rows of patients, of whom a quarter of those with a known state died."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": random.normal(50, 10, 200).round(1),
            "ward": random.choice(["north", "south", "east"], 200),
            "visits": random.integers(0, 5, 200),
        }
    )
    risk = frame["age"] / 10 + 2 * (frame["ward"] == "east") + random.normal(size=200)
    # In the order of the alphabet the rare class comes first.
    frame["state"] = np.where(risk > risk.quantile(0.75), "died", "lived")
    frame.loc[random.choice(200, 15, replace=False), "age"] = np.nan
    frame.loc[random.choice(200, 5, replace=False), "ward"] = None
    frame.loc[:4, "state"] = None
    frame.to_csv(path, index=False)
    return frame


ONCE = ["--grid", "classic", "--folds", "2", "--repeats", "1", "--verdict-repeats", "1"]


@pytest.mark.slow
def test_a_table_from_end_to_end(tmp_path):
    frame = write_table(tmp_path / "t.csv")

    process = run("-m", "skhp", "tune", "t.csv", *ONCE, "--out", "out", cwd=tmp_path)

    assert process.returncode == 0, process.stderr
    assert [line.split("━")[0].strip() for line in process.stderr.splitlines()] == [
        "Tuning the network",
        "Tuning the baseline",
        "Repeating the winner",
        "Comparing both",
    ]
    assert "\x1b" not in process.stdout + process.stderr
    lines = process.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    flat = " ".join(process.stdout.split())
    assert "195 rows (5 more without a target were left out)" in flat
    assert "'state', the last column; classes 'lived', 'died'. The rarest is 'died'" in flat
    assert f"'age' {frame['age'][5:].isna().sum()} by the median" in flat
    assert sorted(os.listdir(tmp_path)) == ["out", "t.csv"]

    # One repeat, so the mean counts are those of the pipeline that was saved.
    pipeline = joblib.load(tmp_path / "out" / "pipeline.joblib")
    read = pd.read_csv(tmp_path / "t.csv").dropna(subset="state")
    X, y = read.drop(columns="state"), read["state"]
    _, X_test, _, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
    matrix = confusion_matrix(y_test, pipeline.predict(X_test), labels=["lived", "died"])
    printed = [
        float(re.search(rf"^ *{name} +\S+ +\S+ +(\S+) +-$", process.stdout, re.M)[1])
        for name in ("True negatives", "False positives", "False negatives", "True positives")
    ]
    assert printed == matrix.ravel().tolist()
    # A ward that was not seen, and more missing values than before.
    unseen = X_test.assign(ward=["west", None] * (len(X_test) // 2) + ["west"] * (len(X_test) % 2))
    assert set(pipeline.predict(unseen.assign(visits=np.nan))) <= {"lived", "died"}

    results = pd.read_csv(tmp_path / "out" / "search_results.csv")
    candidates = int(re.search(r"the best of (\d+) with f1 \S+ in cross-validation; ", flat)[1])
    assert len(results) == candidates == 20
    assert results["mean_test_score"].notna().all()
    assert (tmp_path / "out" / "report.txt").read_text(encoding="utf-8") in process.stdout
    png = (tmp_path / "out" / "training_curves.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Against logistic regression" in page
    assert lines[-1].endswith(f"is the page {os.path.join('out', 'report.html')!r}.")
    # The threshold of two classes is tuned unless the user gives one.
    threshold = pipeline[-1].estimator_.threshold_
    assert f"from a probability of {threshold:.3g} on, the threshold with the best F1" in flat
    assert "threshold" in page


def fits_in(journal):
    if not journal.exists():
        return 0
    connection = sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)
    (count,) = connection.execute("SELECT count(*) FROM finished_folds").fetchone()
    connection.close()
    return count


@contextlib.contextmanager
def killed_at_last(*arguments, cwd):
    """A command in a process of its own, which the end of the test kills."""
    process = start_program(
        [sys.executable, "-m", "skhp", *arguments],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_fits(process, journal, count):
    while fits_in(journal) < count:
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_search_goes_on_from_its_journal_to_the_same_results(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_table("t.csv")
    journal = tmp_path / "journal"
    options = ["tune", "t.csv", "--search", "halving", *ONCE]
    with_journal = ["--journal", "journal"]

    with killed_at_last(*options, "--out", "killed", *with_journal, cwd=tmp_path) as process:
        # With the first fits of the search in the journal, it has others to go, in rounds to come.
        wait_for_fits(process, journal, 10)
    assert not Path("killed").exists()
    n_fits = 2 * count_candidates("halving")
    assert 10 <= fits_in(journal) < n_fits

    said, results = [], []
    for out, more in (("undisturbed", []), ("again", with_journal)):
        assert main([*options, "--out", out, *more]) == 0
        said.append(capsys.readouterr().out.split("Time  ")[0].split("seed 0.")[1])
        results.append(pd.read_csv(Path(out, "search_results.csv")))
    assert fits_in(journal) == n_fits
    timeless = [name for name in results[0] if "time" not in name]
    pd.testing.assert_frame_equal(results[0][timeless], results[1][timeless])
    assert said[0] == said[1]

    # The same journal is refused for another search, and is left alone.
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert main([*options, "--out", "other", *with_journal, "--seed", "1"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("skhp tune: error: the journal 'journal' is of another search.")
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_ctrl_c_in_the_midst_of_the_work(tmp_path):
    write_table(tmp_path / "t.csv")
    options = ["tune", "t.csv", "--repeats", "1000", "--journal", "journal", "--grid", "classic"]
    with killed_at_last(*options, cwd=tmp_path) as process:
        wait_for_fits(process, tmp_path / "journal", 1)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.endswith(
        "skhp tune: stopped by Ctrl-C, no files were written besides the journal; the same "
        "command goes on from it\n"
    )
    assert "Traceback" not in stderr
    assert {name for name in os.listdir(tmp_path) if "journal" not in name} == {"t.csv"}
