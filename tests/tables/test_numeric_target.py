"""Which targets are numbers, and what of them cannot be learnt."""

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.multiclass import type_of_target

from skhp.exceptions import SettingsError, TableError
from skhp.tables.numeric_target import NumericTarget, is_measured
from skhp.tables.table import make_table, read_table
from skhp.tables.target import Target

N = 60
RANDOM = np.random.default_rng(0)
PRICES = RANDOM.lognormal(12, 0.4, N).round(2)


def table_of(target, **words):
    """A table of a column of noise and a target."""
    random = np.random.default_rng(1)
    return make_table(pd.DataFrame({"a": random.normal(size=len(target)), "y": target}), **words)


def read(tmp_path, cells, **words):
    """The same from a CSV file whose target has these texts."""
    path = tmp_path / "t.csv"
    path.write_text(
        "\n".join(["a,y", *(f"{n * 7 % 13}.5,{cell}" for n, cell in enumerate(cells)), ""])
    )
    return read_table(path, **words)


@pytest.mark.parametrize(
    "target",
    [
        PRICES,
        PRICES.round(),
        np.arange(21),
        np.repeat(np.arange(21), 9),
        [1.5, 2.5, 3.5, 4.5] * 3,
        # Grades from 0 to 17, of which some are rare.
        [*np.repeat(np.arange(17), 5), 17],
        pd.array([*range(30), None], dtype="Int64"),
        np.where(np.arange(N) % 5 == 0, np.nan, PRICES),
    ],
)
def test_many_numbers_or_fractions_are_numbers(target):
    table = table_of(target)
    known = pd.Series(target).dropna().to_numpy(dtype=float)
    assert isinstance(table.target, NumericTarget)
    np.testing.assert_array_equal(table.target.learnt, known)
    np.testing.assert_array_equal(table.target.in_table, known)
    assert table.n_rows_without_target == len(target) - len(known)
    assert "'y' is learnt as numbers" in table.notes[0]
    assert table.notes[0].endswith("if they are classes, add --task classes.")
    assert "learnt as" not in str(table_of(target, task="numbers").notes)


@pytest.mark.parametrize(
    "target",
    [
        [0, 1] * 20,
        [0.5, 1.5] * 20,
        np.repeat(np.arange(20), 4),
        np.repeat([3, 4, 5, 6, 7, 8], 5),
        [True, False] * 9,
        np.repeat(list("abcdefghijklmnopqrstuvwxyz"), 4),
        np.repeat([f"{n}" for n in range(10)], 4),
    ],
)
def test_few_whole_numbers_and_text_are_classes(target):
    assert isinstance(table_of(target).target, Target)


def test_many_classes_of_numbers_are_pointed_out():
    (note,) = table_of(np.repeat(np.arange(20), 4)).notes
    assert "'y' is learnt as 20 classes" in note
    assert "--task numbers" in note
    assert table_of(np.repeat(np.arange(20), 4), task="classes").notes == ()
    assert table_of(np.repeat(np.arange(10), 8)).notes == ()


def test_fractions_are_told_as_scikit_learn_tells_them():
    for numbers in (PRICES, PRICES.round(), np.array([1.5, 2.5, 3.5, 4.5])):
        has_fractions = type_of_target(numbers) == "continuous"
        assert is_measured(numbers) == (has_fractions or len(np.unique(numbers)) > 20)


def test_the_user_decides():
    assert isinstance(table_of([1, 2, 3, 4] * 9, task="numbers").target, NumericTarget)
    letters = np.repeat(np.arange(26), 4)
    assert isinstance(table_of(letters, task="classes").target, Target)
    # A column that the user calls categories has classes.
    assert isinstance(table_of(letters, categories=["y"]).target, Target)
    with pytest.raises(SettingsError, match=r"unknown task 'number'\. Did you mean 'numbers'"):
        table_of(letters, task="number")


def test_texts_of_a_file_become_numbers(tmp_path):
    cells = [f"{price:.2f}" for price in PRICES]
    # One number in two notations is one number, and NA is a missing cell, as among inputs.
    cells[:4] = ["120000", "120000.0", "NA", ""]
    table = read(tmp_path, cells)
    np.testing.assert_array_equal(table.target.numbers, [120000, 120000, *PRICES[4:]])
    assert table.n_rows_without_target == 2
    padded = read(tmp_path, [f"{n:03}" for n in range(N)], task="numbers")
    np.testing.assert_array_equal(padded.target.numbers, np.arange(N))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('"12,5"', "line 4 holds the text '12,5': put a number there, with a decimal point"),
        ("sold", "line 4 holds the text 'sold'.*--missing 'sold'.*add --task classes"),
        ("$9", "line 4 holds the text '.9'"),
        ("inf", "'y' is infinite in line 4: put a number there or leave it empty"),
        ("1e300", "'y' holds 1e.300 in line 4, which is beyond"),
        ("-inf", "'y' is infinite in line 4"),
    ],
)
def test_what_is_no_number_among_numbers_is_refused(cell, message, tmp_path):
    cells = [f"{price:.2f}" for price in PRICES]
    cells[2] = cell
    with pytest.raises(TableError, match=message):
        read(tmp_path, cells)


def test_a_text_among_numbers_is_refused_where_numbers_are_asked_for(tmp_path):
    cells = ["low", *[f"{price:.2f}" for price in PRICES]]
    with pytest.raises(TableError, match=r"line 2 holds 'low', which is not a number.*--missing"):
        read(tmp_path, cells, task="numbers")
    assert len(read(tmp_path, cells, missing="low").target.numbers) == N
    with pytest.raises(TableError, match="'no', which is not a number"):
        table_of(["no", "yes"] * 9, task="numbers")
    with pytest.raises(TableError, match=r"is to be learnt as numbers, but row 0 holds True"):
        table_of([True, False] * 9, task="numbers")


@pytest.mark.parametrize(
    ("target", "words", "message"),
    [
        (np.full(N, 3.5), {"task": "numbers"}, "is 3.5 in every row.*another column with --target"),
        (np.full(N, 3.5), {}, "one class only"),
        (np.array([1.5, 2.5, 3.5]), {}, "3 rows have a number in the target 'y', and at least 8"),
        (np.where(np.arange(N) == 3, np.inf, PRICES), {}, "is infinite in row 3"),
        (PRICES, {"keep_labels": ["y"]}, "--keep-labels 'y' is about the labels.*--task classes"),
        (PRICES, {"merge_labels": "y"}, "--merge-labels 'y' is about the labels of classes"),
        (PRICES, {"categories": ["y"], "task": "numbers"}, "--categories and to be learnt as num"),
    ],
)
def test_what_cannot_be_learnt_is_refused(target, words, message):
    with pytest.raises(TableError, match=message):
        table_of(target, **words)


def test_words_about_labels_of_inputs_remain(tmp_path):
    frame = pd.DataFrame({"ward": ["north", "North ", "south"] * 20, "y": PRICES})
    table = make_table(frame, merge_labels=["ward"])
    assert table.merged == ("ward",)
    assert isinstance(table.target, NumericTarget)
