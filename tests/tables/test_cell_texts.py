import pandas as pd

from skhp.tables.cell_texts import (
    are_missing,
    as_labels,
    is_meant_as_number,
    is_number,
    is_padded,
    looks_missing,
    without_quotes,
)


def test_a_number_is_written_with_a_decimal_point():
    assert [text for text in ("1", "+1.5", "1e3", "1,5", "1_000", "nan") if is_number(text)] == [
        "1",
        "+1.5",
        "1e3",
    ]


def test_codes_have_a_leading_zero():
    assert [text for text in ("007", "-01", "0", "0.5", "70") if is_padded(text)] == ["007", "-01"]


def test_many_ways_to_write_a_number_are_known():
    assert [
        text for text in ("12,5", "1 000", "7 %", "$3", "0x1f", "a1") if is_meant_as_number(text)
    ] == ["12,5", "1 000", "7 %", "$3", "0x1f"]


def test_texts_that_look_missing():
    assert [text for text in ("NA", "None", "?", "no") if looks_missing(text)] == [
        "NA",
        "None",
        "?",
    ]


def test_quotes_around_a_text_are_taken_off():
    assert (without_quotes(" 'yes'"), without_quotes("'")) == ("yes", "'")


def test_a_number_means_missing_however_it_is_written():
    assert are_missing(pd.Series(["-999", "-999.0", " ? ", "x"]), ["-999", "?"]).tolist() == [
        True,
        True,
        True,
        False,
    ]


def test_labels_become_numbers_where_nothing_is_lost():
    assert as_labels(pd.Series(["0", "1", "1"])).tolist() == [0, 1, 1]
    assert as_labels(pd.Series(["007", "7"])).tolist() == ["007", "7"]
