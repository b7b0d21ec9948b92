"""Series in files: channels, missing cells, gaps, and what is refused before any training."""

import numpy as np
import pandas as pd
import pytest

from skhp.exceptions import TableError
from skhp.tables.series import make_series, read_series

ROWS = [f"2024-01-{n + 1:02},{n * 7 % 11}.5" for n in range(20)]


@pytest.fixture
def read(tmp_path):
    """Reads lines as a CSV file, with a column `sold` to forecast."""

    def reading(*lines, target="sold", **words):
        path = tmp_path / "s.csv"
        path.write_text("\n".join([*lines, ""]))
        return read_series(path, target, **words)

    return reading


def test_a_series_is_its_numbers_in_the_order_of_its_dates(read):
    series = read("day,sold", *ROWS)
    assert list(series.values) == ["sold"]
    assert series.values["sold"].tolist() == [n * 7 % 11 + 0.5 for n in range(20)]
    assert series.dates.columns == ("day",)
    assert series.step == pd.offsets.Day()
    assert series.is_known.all()
    assert series.notes == ()


def test_gaps_are_said_and_taken_for_equal_steps(read):
    kept = [row for n, row in enumerate(ROWS) if n not in (5, 12, 13)]
    series = read("day,sold", *kept)
    assert len(series.values) == 17
    (note,) = series.notes
    assert (
        "have 2 gaps, the first one in line 7, where 2024-01-07 stands in place of 2024-01-06"
        in (note)
    )


def test_steps_without_any_measure_are_said_to_be(read):
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(20) ** 2, unit="D")
    (note,) = read("day,sold", *(f"{day:%Y-%m-%d},{n % 7}" for n, day in enumerate(days))).notes
    assert "not equally spaced" in note


def test_without_dates_the_rows_are_the_steps(read):
    series = read("sold", *map(str, [3, 1, 4, 1, 5]))
    assert series.values["sold"].tolist() == [3, 1, 4, 1, 5]
    assert series.dates is None
    assert series.step is None
    assert any("no column of dates was found" in note for note in series.notes)


def test_other_numbers_are_channels_and_other_columns_are_left_out_by_name(read):
    rows = [f"{n + 1},{row},{n % 3},x{n},,{n:03}" for n, row in enumerate(ROWS)]
    series = read("No,day,sold,ads,shop,empty,code", *rows)
    assert list(series.values) == ["sold", "ads"]
    assert series.position == 0
    said = " ".join(series.notes)
    assert "column 'No' is left out, as it counts up by the same step from row to row" in said
    assert "column 'shop' is left out, as line 2 holds 'x0', which is not a number" in said
    assert "column 'empty' is left out, as it holds no value at all" in said
    assert "column 'code' is left out, as line 2 holds '000', which begins with a zero" in said
    numbers = read("No,day,sold,ads,shop,empty,code", *rows, numbers="code", drop=["No", "ads"])
    assert list(numbers.values) == ["sold", "code"]


def test_a_missing_cell_has_the_value_before_and_is_not_forecast(read):
    rows = ["2024-01-01,,1", "2024-01-02,5,", "2024-01-03,?,2", "2024-01-04,7,3", "2024-01-05,8,"]
    series = read("day,sold,ads", *rows, missing="?")
    assert series.values["sold"].tolist() == [5, 5, 7, 8]
    assert series.values["ads"].tolist()[1:] == [2, 3, 3]
    assert series.is_known.tolist() == [True, False, True, True]
    said = " ".join(series.notes)
    assert (
        "1 cell of column 'sold' is missing: it has the value of the row before and is not" in said
    )


def test_rows_before_the_first_value_of_a_channel_are_left_out(read):
    series = read("day,sold,ads", *(f"{row},{n if n > 3 else ''}" for n, row in enumerate(ROWS)))
    assert len(series.values) == 16
    assert series.dates.of_rows[0] == pd.Timestamp("2024-01-05")
    assert "column 'ads' has no value before line 6, which is the first row used." in series.notes


def test_a_column_that_knows_the_next_value_is_pointed_out():
    sold = np.random.default_rng(0).normal(size=40)
    series = make_series(pd.DataFrame({"sold": sold, "next": [*sold[1:], 0.0]}), "sold")
    said = "column 'next' holds the value that 'sold' has one step later"
    assert any(said in one for one in series.notes)
    fine = make_series(pd.DataFrame({"sold": sold, "before": [0.0, *sold[:-1]]}), "sold")
    assert not any("one step later" in one for one in fine.notes)


def test_the_index_of_a_parquet_file_may_hold_the_dates(tmp_path):
    days = pd.date_range("2024-01-01", periods=9, name="day")
    frame = pd.DataFrame({"sold": np.arange(9.0) ** 2}, index=days)
    frame.to_parquet(tmp_path / "s.parquet")
    series = read_series(tmp_path / "s.parquet", "sold")
    assert list(series.dates.of_rows) == list(days)
    assert list(series.values) == ["sold"]


@pytest.mark.parametrize(
    ("lines", "words", "message"),
    [
        (["day,sold", *ROWS], {"target": "sould"}, "no column 'sould'. Did you mean 'sold'"),
        (["day,sold", *ROWS], {"target": "day"}, "line 2 holds '2024-01-01', which is not a numb"),
        (["day,sold", *ROWS, "2024-01-21,n/a?"], {}, r"line 22 holds 'n/a\?'.*--missing"),
        (["day,sold", *ROWS, "2024-01-21,inf"], {}, "'sold' is infinite in line 22"),
        (
            ["day,sold", *ROWS, "2024-01-19,1"],
            {},
            "line 22 has the date 2024-01-19 .*, as an earlier",
        ),
        (["day,sold", "2024-01-01,", "2024-01-02,"], {}, "holds no value at all"),
        (["day,sold", *(row[:11] + "3" for row in ROWS)], {}, "holds 3 in every row"),
        (["day,sold"], {}, "no rows"),
        (["day,sold", *ROWS], {"drop": "sold"}, "'sold' is also to be dropped"),
    ],
)
def test_a_series_without_meaning_is_refused(lines, words, message, read):
    with pytest.raises(TableError, match=message):
        read(*lines, **words)


def test_numbers_of_the_target_may_have_leading_zeros(read):
    assert read("sold", "01", "02", "07").values["sold"].tolist() == [1, 2, 7]
