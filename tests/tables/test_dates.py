"""Columns of dates: which notations are read, which columns are none, and dates out of order."""

import pandas as pd
import pytest

from skhp.exceptions import TableError
from skhp.tables.dates import find_dates, refuse_disorder

DAYS = pd.date_range("2023-12-20", periods=30)


def found(cells, **others):
    return find_dates(pd.DataFrame({"day": pd.Series(list(cells)), **others}), "row {}".format)


@pytest.mark.parametrize(
    "notation",
    [
        "%Y-%m-%d",
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%d.%m.%Y",
        "%d-%b-%Y",
        "%B %d, %Y",
        "%Y%m%d",
        "%m/%d/%y",
        "%d/%m/%y %H:%M",
        "%Y-%m-%dT%H:%M:%S",
    ],
)
def test_a_notation_is_read_whichever_comes_first_the_day_or_the_month(notation):
    dates = found(DAYS.strftime(notation))
    assert dates.columns == ("day",)
    assert list(dates.of_rows) == list(DAYS)


@pytest.mark.parametrize("notation", ["%Y-%m", "%b-%y", "%m/%Y", "%b %Y"])
def test_months_are_dates(notation):
    # Of two digits, 49 is no year to come.
    months = pd.date_range("1949-01-01", periods=30, freq="MS")
    assert list(found(months.strftime(notation)).of_rows) == list(months)


def test_quarters_periods_and_years_are_dates():
    quarters = pd.period_range("1999Q3", periods=9, freq="Q")
    expected = list(quarters.to_timestamp())
    assert list(found(quarters.astype(str)).of_rows) == expected
    assert list(found(quarters).of_rows) == expected
    years = find_dates(pd.DataFrame({"Year": [1998, 1999, 2001]}), str)
    assert years.of_rows.year.tolist() == [1998, 1999, 2001]


def test_offsets_from_utc_may_change_with_the_clocks():
    dates = found(["2024-03-30T12:00+01:00", "2024-03-31T12:00+02:00", "2024-04-01T12:00+02:00"])
    assert dates.of_rows.hour.tolist() == [11, 10, 10]


@pytest.mark.parametrize(
    "cells",
    [
        [20.7, 17.9, 18.8],
        ["1998", "1999", "2000"],
        ["1-01", "1-02", "1-03"],
        ["north", "south", "east"],
        [True, False, True],
        [None, None, None],
        ["12:00", "13:00", "14:00"],
    ],
)
def test_other_columns_are_not_dates(cells):
    assert found(cells) is None


def test_dates_that_repeat_are_taken_together_with_times():
    days = ["2024-01-01"] * 2 + ["2024-01-02"] * 2
    dates = found(days, at=["08:00", "20:00"] * 2)
    assert dates.columns == ("day", "at")
    assert dates.name == "'day' and 'at'"
    assert list(dates.of_rows) == list(pd.date_range("2024-01-01 08:00", periods=4, freq="12h"))


def test_of_several_columns_the_one_in_order_is_taken():
    dates = found(["2024-01-05"] * 3, measured=["2024-01-01", "2024-01-02", "2024-01-03"])
    assert dates.columns == ("measured",)


@pytest.mark.parametrize(
    ("cell", "message"),
    [("x", "row 2 holds 'x', which is not a date"), (None, "row 2 has no date")],
)
def test_a_row_without_its_date_is_named(cell, message):
    with pytest.raises(TableError, match=f"'day' holds dates, but {message}.*--drop 'day'"):
        found(["2024-01-01", "2024-01-02", cell, "2024-01-04"])


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ("123 54", r"out of order: row 4 has the date 2024-01-04, which is before 2024-01-05"),
        ("4321", r"out of order \(newest first\): row 1 has the date 2024-01-03"),
        ("1223", r"row 2 has the date 2024-01-02 .*, as an earlier row has: .*several series"),
        ("123123", r"row 3 has the date 2024-01-01 .*, as an earlier row has: .*several series"),
    ],
)
def test_rows_out_of_order_are_named(days, message):
    dates = found([f"2024-01-0{day}" for day in days.replace(" ", "")])
    with pytest.raises(TableError, match=message):
        refuse_disorder(dates, "row {}".format)


def test_rows_in_order_are_taken():
    refuse_disorder(found(DAYS.strftime("%Y-%m-%d")), "row {}".format)
