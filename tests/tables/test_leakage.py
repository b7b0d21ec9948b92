"""Columns that number the rows, are unique in them or repeat the target; and those that do not."""

import numpy as np
import pandas as pd
import pytest

from skhp.tables.leakage import leakage_notes
from skhp.tables.numeric_target import NumericTarget
from skhp.tables.table import make_table
from skhp.tables.target import Target

N = 160
RANDOM = np.random.default_rng(0)
# Half of them, in no order.
DIED = RANDOM.permutation(N) % 2 == 0
GRADES = np.arange(N) % 3


def notes(column, codes=DIED):
    codes = np.asarray(codes).astype(int)
    target = Target("t", codes, np.arange(codes.max() + 1))
    return leakage_notes(pd.DataFrame({"c": column}), target)


def notes_beside(column, numbers):
    """The notes about a column beside a target of numbers."""
    return leakage_notes(pd.DataFrame({"c": column}), NumericTarget("t", np.asarray(numbers)))


@pytest.mark.parametrize(
    ("column", "direction"),
    [
        (np.arange(N), "up"),
        (np.arange(N) + 1, "up"),
        (np.arange(N) * 10, "up"),
        (np.arange(N)[::-1], "down"),
        (np.arange(N) / 2, "up"),
        (np.sort(RANDOM.integers(0, 10**9, N)), "up"),
        # Several rows at a time.
        (np.sort(RANDOM.integers(0, 300, N)), "up"),
        (np.where(np.arange(N) == 5, np.nan, np.arange(N)), "up"),
        # Two tables, one below the other.
        (np.arange(N) % (N // 2), "up"),
        (pd.array(np.arange(N), dtype="Int64"), "up"),
    ],
)
def test_what_counts_the_rows_is_pointed_out(column, direction):
    (note,) = notes(column)
    assert note.startswith(f"column 'c' counts {direction} from row to row")
    assert note.endswith("leave it out with --drop 'c'.")


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (RANDOM.permutation(N), "whole number"),
        (RANDOM.permutation(N) + 0.0, "whole number"),
        (RANDOM.choice(10**6, N, replace=False), "whole number"),
        ([f"user{n * 7 % N}@example.org" for n in range(N)], "text"),
    ],
)
def test_what_is_another_in_each_row_is_pointed_out(column, what):
    (note,) = notes(column)
    assert note.startswith(f"column 'c' holds another {what} in each row")
    assert note.endswith("--drop 'c'.")


@pytest.mark.parametrize(
    "column",
    [
        DIED,
        DIED.astype(int),
        1 - DIED.astype(int),
        np.where(DIED, 250.0, -3.5),
        np.where(DIED, "yes", "no"),
        pd.Categorical(np.where(DIED, "yes", "no")),
        np.where(np.arange(N) % 9 == 0, None, np.where(DIED, "yes", "no")),
        # More than the target says.
        np.where(DIED, RANDOM.choice(["heart", "cancer"], N), RANDOM.choice(["home", "ward"], N)),
        np.where(DIED, RANDOM.choice([1, 2], N), RANDOM.choice([3, 4, 5], N)),
    ],
)
def test_what_repeats_the_target_is_pointed_out(column):
    (note,) = notes(column)
    assert note.startswith("column 'c' repeats the target")
    assert note.endswith("leave it out with --drop 'c'.")


@pytest.mark.parametrize(
    "column",
    [
        np.where(DIED, RANDOM.normal(size=N), np.nan),
        np.where(DIED, None, RANDOM.choice(["x", "z"], N)),
        np.where(DIED, "only", None),
        # Of most who died, and of nobody else.
        np.where(DIED & (RANDOM.random(N) < 0.7), RANDOM.normal(size=N), np.nan),
    ],
)
def test_missing_cells_repeat_the_target_too(column):
    (note,) = notes(column)
    assert note.startswith("column 'c' repeats the target, as it has values for some classes only")
    assert note.endswith("leave it out with --drop 'c'.")


@pytest.mark.parametrize("column", [GRADES + 5, np.array(["a", "b", "c"])[GRADES], GRADES == 1])
def test_a_part_of_the_target_repeats_it_too(column):
    (note,) = notes(column, GRADES)
    assert note.startswith("column 'c' repeats the target")


@pytest.mark.parametrize(
    "column",
    [
        RANDOM.normal(size=N),
        RANDOM.integers(20, 80, N),
        RANDOM.integers(0, 5, N),
        np.arange(N) % 24,
        np.sort(RANDOM.integers(2000, 2020, N)),
        RANDOM.choice(["north", "south"], N),
        # Many categories of a row or two each: some always have one class.
        RANDOM.choice([f"k{n}" for n in range(N)], N),
        # A measurement that tells the classes apart is a good one.
        np.where(DIED, RANDOM.integers(60, 90, N), RANDOM.integers(20, 60, N)),
        np.ones(N),
        ["a"] * (N - 1) + ["b"],
        [None] * (N - 5) + list(range(5)),
        # Known of few rows, which are of one class by chance.
        np.where(np.isin(np.arange(N), np.flatnonzero(DIED)[:5]), 1.5, np.nan),
        np.where(RANDOM.random(N) < 0.3, np.nan, RANDOM.normal(size=N)),
        # Whole, as each number of this size is.
        RANDOM.normal(size=N) * 1e30,
    ],
)
def test_what_is_usual_is_not(column):
    assert notes(column) == ()


def test_a_table_has_the_notes_of_its_columns():
    frame = pd.DataFrame(
        {"id": range(N), "noise": RANDOM.normal(size=N), "copy": 1 - DIED, "died": DIED.astype(int)}
    )
    about = [note.split("'")[1] for note in make_table(frame).notes]
    assert about == ["id", "copy"]
    assert make_table(frame, drop=["id", "copy"]).notes == ()


# ---------------------------------------------------------------- beside a target of numbers

PRICES = RANDOM.lognormal(12, 0.4, N)
STREETS = RANDOM.integers(0, 20, N)


@pytest.mark.parametrize(
    ("column", "how"),
    [
        (PRICES, "as it is the target times a number, plus a number"),
        (-0.3 * PRICES + 7, "as it is the target times a number"),
        ((PRICES / 1000).round(), "as it is the target times a number"),
        (PRICES * 1e25, "as it is the target times a number"),
        (np.where(np.arange(N) % 9 == 0, np.nan, 2 * PRICES), "as it is the target times a number"),
        (np.log(PRICES), "as it has the order of the target"),
        (-(PRICES**3.0), "as it has the order of the target"),
    ],
)
def test_what_repeats_numbers_is_pointed_out(column, how):
    (note,) = notes_beside(column, PRICES)
    assert note.startswith(f"column 'c' repeats the target, {how}")
    assert note.endswith("leave it out with --drop 'c'.")


def test_categories_that_decide_numbers_are_pointed_out():
    (note,) = notes_beside([f"street {n}" for n in STREETS], STREETS * 1.5)
    assert note.startswith("column 'c' repeats the target, as each value in it has one number")


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (np.arange(N) + 1, "counts up from row to row"),
        (np.arange(N)[::-1], "counts down from row to row"),
        (RANDOM.permutation(N), "holds another whole number in each row"),
        ([f"house {n}" for n in range(N)], "holds another text in each row"),
    ],
)
def test_what_numbers_the_rows_is_pointed_out_beside_numbers_too(column, what):
    (note,) = notes_beside(column, PRICES)
    assert note.startswith(f"column 'c' {what}")


@pytest.mark.parametrize(
    "column",
    [
        RANDOM.normal(size=N),
        # A good measurement, and a better one.
        PRICES + RANDOM.normal(size=N) * PRICES.std(),
        PRICES + 0.03 * RANDOM.normal(size=N) * PRICES.std(),
        np.median(PRICES) < PRICES,
        (np.median(PRICES) < PRICES).astype(int),
        np.full(N, 1e9) + 1e-7,
        np.where(RANDOM.random(N) < 0.5, np.nan, RANDOM.normal(size=N)),
        # Known of those with high prices only.
        np.where(np.median(PRICES) < PRICES, RANDOM.normal(size=N), np.nan),
        [f"street {n}" for n in STREETS],
        ["a"] * (N - 1) + ["b"],
    ],
)
def test_what_is_usual_beside_numbers_is_not(column):
    assert notes_beside(column, PRICES) == ()


def test_a_table_of_numbers_has_the_notes_of_its_columns():
    frame = pd.DataFrame(
        {"id": range(N), "rooms": STREETS, "thousands": PRICES / 1000, "price": PRICES}
    )
    first, *others = make_table(frame).notes
    assert first.startswith("the target 'price' is learnt as numbers (regression)")
    assert [note.split("'")[1] for note in others] == ["id", "thousands"]
