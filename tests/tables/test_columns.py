import numpy as np
import pandas as pd
import pytest

from skhp.exceptions import TableError
from skhp.tables.columns import are_codes, describe_type, require_distinct_names, sort_columns

N = 12


@pytest.mark.parametrize(
    "column",
    [
        range(N),
        [0.5, None] * (N // 2),
        pd.array([1, 2, None] * (N // 3), dtype="Int64"),
        np.arange(N, dtype="float32"),
    ],
)
def test_numbers(column):
    assert sort_columns(pd.DataFrame({"c": column})) == (("c",), ())
    assert sort_columns(pd.DataFrame({"c": column}), categories=["c"]) == ((), ("c",))


@pytest.mark.parametrize(
    "column",
    [
        ["a", "b"] * (N // 2),
        ["a", None, "b"] * (N // 3),
        pd.array(["a", "b"] * (N // 2), dtype="string"),
        pd.Categorical(["a", "b", None] * (N // 3)),
        [True, False] * (N // 2),
        np.array([True, None] * (N // 2), dtype=object),
        # Half of it numbers is not most of it.
        ["1", "x"] * (N // 2),
    ],
)
def test_categories(column):
    assert sort_columns(pd.DataFrame({"c": column})) == ((), ("c",))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([None] * N, "'c' holds no value at all: fill it, or leave it out with --drop 'c'"),
        (["1", "2", "n/a?", "3"] * 3, r"row 2 holds the text 'n/a\?': put a number there"),
        (["1.5", "2.5", "3.5", "12,5"] * 3, "row 3 holds the text '12,5'.* decimal point"),
        ([f"{n},5" for n in range(N)], "row 0 holds the text '0,5'"),
        (["1", "2"] * (N // 2), "row 0 holds the text '1'"),
        ([f"id{n}" for n in range(N)], "12 different texts in 12 rows.* --drop 'c'"),
        ([f"id{n // 2}" for n in range(N)] + ["id7"], "7 different texts in 13 rows"),
        ([1.0, np.inf] * (N // 2), "infinite in row 1"),
        (pd.date_range("2020-01-01", periods=N), "neither numbers nor text"),
        ([1j] * N, "neither numbers nor text"),
        ([["nested"]] * N, "neither numbers nor text"),
    ],
)
def test_what_is_neither_is_refused(column, message):
    with pytest.raises(TableError, match=message):
        sort_columns(pd.DataFrame({"c": column}))


def test_said_to_be_categories():
    frame = pd.DataFrame({"c": ["1", "2", "3+", "4"] * 3, "id": [f"id{n}" for n in range(N)]})
    assert sort_columns(frame, categories=["id", "c"]) == ((), ("c", "id"))


def test_places_are_those_of_the_file():
    frame = pd.DataFrame({"c": ["1", "2", "x", "3"]}, index=[5, 6, 8, 9])
    with pytest.raises(TableError, match="line 80 holds the text 'x'"):
        sort_columns(frame, place_of_row=lambda row: f"line {10 * row}")


def test_distinct_names():
    require_distinct_names(["a", "b"], "t")
    with pytest.raises(TableError, match=r"of t are named 'b' \(columns 2 and 3\)"):
        require_distinct_names(["a", "b", "b", "b"], "t")


def test_codes_are_numbers_of_which_one_has_a_leading_zero():
    assert (are_codes(pd.Series(["01067", "80331"])), are_codes(pd.Series(["0.5", "80331"]))) == (
        True,
        False,
    )


def test_several_types_are_described_with_their_rows():
    assert (
        describe_type(pd.Series([1, "a"], dtype=object))
        == "values of several types (int 1 in row 0, str 'a' in row 1)"
    )
